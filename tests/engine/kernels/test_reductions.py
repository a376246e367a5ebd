"""Sums over vectors of any length; all are exact, as the numbers are integers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cymlp import _engine
from problems import NUMBER_TYPES

DTYPES = [np.float32, np.float64]
# Lengths around one vector, four vectors, and the sixteen chains of a sum.
SIZES = [*range(1, 36), 63, 64, 65, 95, 96, 97, 127, 128, 129, 200]


@pytest.mark.parametrize("dtype", DTYPES)
def test_are_finite(dtype):
    """Wherever the only non-finite number is."""
    for size in SIZES:
        X = np.ones((1, size), dtype=dtype)
        assert _engine.is_finite(X)
        for position in range(size):
            for number in (np.nan, np.inf, -np.inf):
                X[0, position] = number
                assert not _engine.is_finite(X), (size, position, number)
            X[0, position] = 1
    assert _engine.is_finite(np.empty((0, 3), dtype=dtype))
    assert _engine.is_finite(np.full((3, 50), np.finfo(dtype).max))


@pytest.mark.parametrize("number", NUMBER_TYPES)
def test_are_finite_in_any_type_and_layout(number):
    """Also where the numbers are converted block by block."""
    for form in (np.asarray, np.asfortranarray, lambda X: np.repeat(X, 2, 1)[::-1, ::2]):
        X = np.zeros((3, 2500), number)
        X[0] = 1
        assert _engine.is_finite(form(X))
        if X.dtype.kind != "f":
            continue
        for position in ((0, 0), (2, 2499), (1, 1024)):
            for bad in (np.nan, -np.inf):
                Y = X.copy()
                Y[position] = bad
                assert not _engine.is_finite(form(Y))
                assert not _engine.is_finite(form(Y), np.dtype(np.float32))


def test_are_finite_in_single_precision():
    X = np.array([[1.0, 3.4e38], [-3.4e38, 0.0]])
    assert _engine.is_finite(X, np.dtype(np.float32))
    assert not _engine.is_finite(1.1 * X, np.dtype(np.float32))
    assert _engine.is_finite(1.1 * X)


def loss_of(W, **penalty):
    """The loss of a network without hidden layers, for one sample of 0 with target 0."""
    architecture = _engine.Architecture(
        (len(W), 1), "relu", "identity", loss="squared_error", **penalty
    )
    dataset = _engine.Dataset(np.zeros((1, len(W)), W.dtype), np.zeros((1, 1), W.dtype))
    rule = _engine.UpdateRule("sgd", learning_rate=0.0)
    parameters, state = np.append(W, W.dtype.type(0)), np.empty((0, len(W) + 1), W.dtype)
    workspace = _engine.Workspace(architecture, dataset, rule)
    return _engine.train(architecture, parameters, state, rule, dataset, workspace)[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_squares_and_of_sizes(dtype):
    """As in the penalties."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        W = rng.integers(1, 6, size).astype(dtype) * rng.choice([-1, 1], size).astype(dtype)
        assert loss_of(W, l2=(1.0,)) == 0.5 * (W**2).sum()
        assert loss_of(W, l1=(2.0,)) == 2 * np.abs(W).sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_columns(dtype):
    """As in the gradient of the intercepts, twice in the same memory."""
    rng = np.random.default_rng(0)
    for n, h in ((1, 1), (2, 5), (8, 17), (64, 33)):
        architecture = _engine.Architecture((1, h), "relu", "identity", loss="squared_error")
        T = rng.integers(-5, 6, (n, h)).astype(dtype)
        dataset = _engine.Dataset(np.zeros((n, 1), dtype), T)
        workspace = _engine.Workspace(architecture, dataset)
        parameters = np.zeros(2 * h, dtype)
        for _ in range(2):
            gradient = np.full(2 * h, np.nan, dtype)
            _engine.loss_gradient(architecture, parameters, gradient, dataset, workspace)
            assert_array_equal(gradient, np.append(np.zeros(h), -T.sum(axis=0) / n))
