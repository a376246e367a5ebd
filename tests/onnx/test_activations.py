"""Activations as ONNX operators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cymlp import MLPClassifier, MLPRegressor, _engine
from cymlp.onnx import to_onnx

pytest.importorskip("onnx.helper")
from cymlp.onnx._activations import ACTIVATIONS, OUTPUT_ACTIVATIONS

RTOL = {"float32": 1e-5, "float64": 1e-9}


def test_there_are_all():
    assert sorted(ACTIVATIONS) == sorted(_engine.ACTIVATIONS)
    assert sorted(OUTPUT_ACTIVATIONS) == sorted(_engine.OUTPUT_ACTIVATIONS)


def numbers(dtype):
    """0, subnormal, ordinary and huge numbers of either sign, as samples (n, 1)."""
    sizes = np.r_[0, 1e-44, 1e-40, np.logspace(-30, 1.5, 200), 50, 87, 88.5, 100, 709, 800, 1e4]
    return np.r_[-sizes, sizes, np.linspace(-12, 12, 500)][:, np.newaxis].astype(dtype)


def agree(found, wanted, atol=0.0):
    """Subnormal numbers need not have right digits, nor their products with z."""
    dtype = wanted.dtype
    assert found.dtype == dtype
    least = 1e4 * np.finfo(dtype).tiny
    assert_allclose(found, wanted, rtol=RTOL[dtype.name], atol=max(least, atol))


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hidden(activation, dtype, run):
    """f(z) itself, of a network of one hidden unit."""
    weights = [np.ones((1, 1), dtype), np.ones((1, 1), dtype)], [np.zeros(1, dtype)] * 2
    network = MLPRegressor.from_weights(*weights, activation=activation)
    z = numbers(dtype)
    # Below 0 the last digits of our own gelu cancel.
    atol = 4 * np.finfo(dtype).eps if activation == "gelu" else 0
    found = run(to_onnx(network), z)["variable"]
    agree(found, network.predict(z)[:, np.newaxis], atol)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("output", OUTPUT_ACTIVATIONS)
def test_output(output, dtype, run):
    z = numbers(dtype)
    n = 3 if output == "softmax" else 1
    weights = [np.arange(1, n + 1, dtype=dtype)[np.newaxis]], [np.zeros(n, dtype)]
    if output in ("softmax", "logistic"):
        network = MLPClassifier.from_weights(*weights, classes=range(max(n, 2)))
        found, wanted = run(to_onnx(network), z)["probabilities"], network.predict_proba(z)
    else:
        loss = "poisson" if output == "exp" else "squared_error"
        network = MLPRegressor.from_weights(*weights, loss=loss)
        found, wanted = run(to_onnx(network), z)["variable"][:, 0], network.predict(z)
    assert network.out_activation_ == output
    # The probability of the first of two classes is 1 - p.
    agree(found, wanted, np.finfo(dtype).eps if output == "logistic" else 0)
