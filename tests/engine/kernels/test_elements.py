"""Simple loops over elements, tested through the functions that use them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cases import Case
from cymlp import _engine
from cymlp._engine.threads import engine_threads

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_are_added(dtype):
    """The partial products of up to seven threads; exact, as the numbers are integers."""
    rng = np.random.default_rng(0)
    d, h, n = 240, 5, 6
    X, T = (rng.integers(-4, 5, shape).astype(dtype) for shape in ((n, d), (n, h)))
    W, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in ((d, h), h))
    architecture = _engine.Architecture((d, h), "relu", "identity", loss="squared_error")
    dataset = _engine.Dataset(X, T)
    parameters, gradient = np.append(W, b), np.empty(d * h + h, dtype)
    for size in range(2, 8):
        with engine_threads(size, 1, 1, 1) as team:
            workspace = _engine.Workspace(architecture, dataset, team=team)
            loss = _engine.loss_gradient(architecture, parameters, gradient, dataset, workspace)
        squares = ((X @ W + b - T).astype(float) ** 2).sum()
        assert_allclose(loss, 0.5 * squares / (n * h), rtol=1e-13)


def test_scaling_by_0_leaves_no_nan():
    """The memory of a gradient may contain anything; Case fills it with NaN."""
    case = Case(())
    for most_chunk_rows in (None, 5):
        _, gradient = case.loss_gradient(case.dataset(), most_chunk_rows=most_chunk_rows)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output, classes", [("softmax", 5), ("logistic", 2)])
def test_smoothed_targets(output, classes, dtype):
    """(1 - s) t + s / k, where k = 2 for each label if multilabel."""
    case = Case(output=output, k=5, n=13, label_smoothing=0.2)
    Z = np.zeros((13, 5), dtype)
    dataset = case.dataset(dtype=dtype, weighted=False)
    _engine.mean_loss(case.architecture(), dataset, None, Z)
    smoothed = 1 / classes - Z
    rtol = 1e-6 if dtype == np.float32 else 1e-14
    assert_allclose(smoothed, 0.8 * case.T + 0.2 / classes, rtol=rtol, atol=rtol)


def test_without_smoothing_targets_are_unchanged():
    case = Case(k=4)
    Z = np.zeros((23, 4))
    _engine.mean_loss(case.architecture(), case.dataset(weighted=False), None, Z)
    assert_array_equal(0.25 - Z, case.T)
