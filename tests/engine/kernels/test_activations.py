"""Activations and their derivatives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cymlp._engine import Architecture
from reference import ACTIVATIONS, KEEPING_DERIVATIVE, SELU_ALPHA, SELU_SCALE

DTYPES = [np.float32, np.float64]
RTOL = {np.float32: 1e-5, np.float64: 1e-13}


def hidden(activation):
    return Architecture((1, 1, 1), activation, "identity")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_and_derivative(kernels, activation):
    f, df = ACTIVATIONS[activation]
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for shape in ((1, 1), (3, 5), (7, 33)):
            Z = (3 * rng.standard_normal(shape)).astype(dtype)
            D = rng.standard_normal(shape).astype(dtype)
            derivative = df(Z.astype(np.float64))
            A, A_too, F = Z.copy(), Z.copy(), np.full_like(Z, np.nan)
            kernels.activate(hidden(activation), A)
            assert_allclose(A, f(Z.astype(np.float64)), rtol=RTOL[dtype], atol=RTOL[dtype])
            kernels.activate_keeping_derivative(hidden(activation), A_too, F)
            assert_array_equal(A_too, A)
            assert_allclose(F, derivative, rtol=10 * RTOL[dtype], atol=RTOL[dtype])
            if activation not in KEEPING_DERIVATIVE:
                expected = D * derivative
                kernels.multiply_derivative(hidden(activation), A, D)
                assert_allclose(D, expected, rtol=10 * RTOL[dtype], atol=RTOL[dtype])


# Outputs and derivatives at -1e30, -1e4, 0, 1e4, 1e30 and NaN.
ENDS = {
    "logistic": ([0, 0, 0.5, 1, 1, np.nan], [0, 0, 0.25, 0, 0, np.nan]),
    "tanh": ([-1, -1, 0, 1, 1, np.nan], [0, 0, 1, 0, 0, np.nan]),
    "relu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0, 1, 1, 1]),
    "leaky_relu": ([-1e28, -1e2, 0, 1e4, 1e30, np.nan], [0.01, 0.01, 1, 1, 1, 1]),
    "elu": ([-1, -1, 0, 1e4, 1e30, np.nan], [0, 0, 1, 1, 1, 1]),
    "selu": (
        [-SELU_SCALE * SELU_ALPHA, -SELU_SCALE * SELU_ALPHA, 0, SELU_SCALE * 1e4,
         SELU_SCALE * 1e30, np.nan],
        [0, 0, SELU_SCALE, SELU_SCALE, SELU_SCALE, SELU_SCALE],
    ),
    "gelu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
    "silu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
    "mish": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.6, 1, 1, np.nan]),
    "softplus": ([0, 0, np.log(2), 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
}  # fmt: skip


@pytest.mark.parametrize("activation", ENDS)
def test_ends(kernels, activation):
    """Nothing overflows; NaN inputs give NaN outputs, though not always NaN derivatives."""
    outputs, derivatives = (np.array(values) for values in ENDS[activation])
    for dtype in DTYPES:
        Z = np.array([[-1e30, -1e4, 0.0, 1e4, 1e30, np.nan]], dtype=dtype)
        F, A = np.full_like(Z, np.nan), Z.copy()
        kernels.activate(hidden(activation), A)
        kernels.activate_keeping_derivative(hidden(activation), Z, F)
        epsilon = np.finfo(dtype).eps
        for result in (A, Z):
            assert_allclose(result[0], outputs, rtol=4 * epsilon)
        assert_allclose(F[0], derivatives, rtol=4 * epsilon, atol=2 * epsilon)


@pytest.mark.parametrize(
    "activation, ends",
    [("logistic", [0, 1]), ("tanh", [-1, 1]), ("relu", [0, np.inf]), ("elu", [-1, np.inf])],
)
def test_infinity(kernels, activation, ends):
    for dtype in DTYPES:
        Z = np.array([[-np.inf, np.inf]], dtype=dtype)
        kernels.activate(hidden(activation), Z)
        assert_array_equal(Z[0], ends)
