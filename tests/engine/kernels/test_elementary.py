"""Accuracy of exp, tanh, erf, expm1 and log1p, through the functions that use them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.special import ndtr

from cymlp._engine import Architecture, apply_output_activation

OF_EACH_DTYPE = pytest.mark.parametrize(
    "dtype, longer",
    [
        pytest.param(np.float32, np.float64, id="float32"),
        pytest.param(np.float64, np.longdouble, id="float64"),
    ],
)


def ulps(result, exact):
    """Errors of results against exact values of higher precision, in units of the last place."""
    result, exact = result[exact != 0], exact[exact != 0]
    return np.abs((result - exact) / np.spacing(np.abs(exact).astype(result.dtype)))


def dense(low, high):
    """Numbers from low to high, and small ones of both signs within that range."""
    small = np.logspace(-30, 0, 10_000)
    x = np.concatenate([np.linspace(low, high, 400_001), small, -small])
    return x[(x >= low) & (x <= high)]


def exp_in_place(x):
    apply_output_activation(Architecture((1, 1), "relu", "exp"), x[:, None])


@OF_EACH_DTYPE
def test_exp(dtype, longer):
    """Over the whole range, including subnormal results."""
    x = dense(*((-104, 88.7) if dtype == np.float32 else (-745, 709.7))).astype(dtype)
    result = x.copy()
    exp_in_place(result)
    assert ulps(result, np.exp(x.astype(longer))).max() < 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_at_the_ends(dtype):
    x = np.array([-np.inf, -1e4, -0.0, 0.0, 1e4, np.inf, np.nan], dtype=dtype)
    exp_in_place(x)
    assert_array_equal(x, [0, 0, 1, 1, np.inf, np.inf, np.nan])


# For z < 0, elu returns expm1(z), and softplus returns log1p(exp(z)).
@OF_EACH_DTYPE
@pytest.mark.parametrize(
    "activation, exact, ends",
    [
        pytest.param("tanh", np.tanh, (-25, 25), id="tanh"),
        pytest.param("elu", np.expm1, (-60, 0), id="expm1"),
        pytest.param("softplus", lambda x: np.log1p(np.exp(x)), (-80, 0), id="log1p"),
        pytest.param("softplus", lambda x: x + np.log1p(np.exp(-x)), (0, 80), id="x + log1p"),
    ],
)
def test_others(kernels, activation, exact, ends, dtype, longer):
    x = dense(*ends).astype(dtype)
    result = x[None].copy()
    kernels.activate(Architecture((1, 1, 1), activation, "identity"), result)
    assert ulps(result[0], exact(x.astype(longer))).max() < 3


@OF_EACH_DTYPE
def test_erf(kernels, dtype, longer):
    """gelu is z (1 + erf) / 2, with an error within 2 units of the last place of z.

    Above 0 it is within 3 units of gelu's own. SciPy's ndtr has 16 digits, like float64.
    """
    x = dense(-40, 40).astype(dtype)
    result = x[None].copy()
    kernels.activate(Architecture((1, 1, 1), "gelu", "identity"), result)
    exact = x.astype(longer) * ndtr(x.astype(np.float64))
    assert (np.abs(result[0] - exact) <= 2 * np.spacing(np.abs(x))).all()
    assert ulps(result[0][x > 0], exact[x > 0]).max() < 3
