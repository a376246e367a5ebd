"""Output activations, losses and deltas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cymlp._engine import Architecture, apply_output_activation
from reference import LINKS, LOSS_PARAMETERS, LOSSES, OUTPUTS, delta, targets_for

DTYPES = [np.float32, np.float64]
RTOL = {np.float32: 1e-5, np.float64: 1e-13}


def architecture(output, k=1):
    output_activation, loss = OUTPUTS[output]
    return Architecture(
        (1, k),
        "relu",
        output_activation,
        loss=loss,
        loss_parameter=LOSS_PARAMETERS.get(output, 0.0),
    )


@pytest.mark.parametrize("output", LINKS)
def test_output_activation(output):
    for dtype in DTYPES:
        Z = np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)
        expected = LINKS[output](Z.astype(np.float64))
        apply_output_activation(architecture(output, 4), Z)
        assert_allclose(Z, expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("output", LINKS)
def test_loss_and_delta(kernels, output):
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for k in (1, 3):
            Z = rng.standard_normal((9, k)).astype(dtype)
            T = targets_for(output, 9, k, rng).astype(dtype)
            w = rng.uniform(0, 2, 9).astype(dtype)
            outputs = LINKS[output](Z.astype(np.float64))
            losses = LOSSES[output](outputs, T.astype(np.float64))
            expected = w[:, None] * delta(output, outputs, T)
            if output == "identity":
                losses = losses / k
            loss = kernels.loss_and_delta(architecture(output), Z, T, w)
            assert_allclose(loss, w @ losses, rtol=10 * RTOL[dtype], atol=RTOL[dtype])
            assert_allclose(Z, expected, rtol=10 * RTOL[dtype], atol=10 * RTOL[dtype])


@pytest.mark.parametrize("output", ["logistic", "softmax"])
def test_log_losses_do_not_overflow(kernels, output):
    """Certain and right costs 0, certain and wrong costs -log of the dtype's epsilon."""
    for dtype in DTYPES:
        epsilon = float(np.finfo(dtype).eps)
        for size in (1e4, 1e6, 1e30):
            Z = np.array([[size, -size], [-size, size]], dtype=dtype)
            T = np.array([[1, 0], [1, 0]], dtype=dtype)
            w = np.array([1, 0], dtype=dtype)
            right = kernels.loss_and_delta(architecture(output), Z.copy(), T, w)
            wrong = kernels.loss_and_delta(architecture(output), Z, T, w[::-1].copy())
            n_terms = {"logistic": 2, "softmax": 1}[output]
            assert_allclose(right, 0, atol=3 * epsilon)
            assert_allclose(wrong, -n_terms * np.log(epsilon), rtol=1e-6)
            assert_array_equal(Z, [[0, 0], [-1, 1]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_far_out_gives_no_nan(kernels, dtype):
    """exp underflows to 0 at one end, and may overflow to inf at the other."""
    w = np.ones(1, dtype=dtype)
    for t in (0.0, 3.0):
        T = np.array([[t]], dtype=dtype)
        Z = np.array([[-1e4]], dtype=dtype)
        loss = kernels.loss_and_delta(architecture("exp"), Z, T, w)
        assert_allclose(loss, t * np.log(t) + 1e4 * t - t if t else 0, rtol=1e-6)
        assert Z[0, 0] == -t
        Z = np.array([[1e4]], dtype=dtype)
        assert kernels.loss_and_delta(architecture("exp"), Z, T, w) == np.inf
        assert Z[0, 0] == np.inf


@pytest.mark.parametrize("output", LINKS)
def test_nan_is_not_hidden(kernels, output):
    Z = np.array([[np.nan, 1.0]])
    T = np.array([[1.0, 0.0]])
    assert np.isnan(kernels.loss_and_delta(architecture(output), Z, T, np.ones(1)))
    assert np.isnan(Z[0, 0])


def test_shapes_are_checked(kernels):
    square = np.ones((2, 2))
    for T, w in ((np.ones((3, 2)), np.ones(2)), (square, np.ones(3))):
        with pytest.raises(ValueError, match=r"one shape|as many as rows"):
            kernels.loss_and_delta(architecture("identity"), square, T, w)
