"""Memory: fit copies no data, predict works in chunks."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import random as random_sparse

from cymlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def peak(function, *args):
    """Peak of the bytes allocated during a call, NumPy's arrays included."""
    tracemalloc.start()
    try:
        result = function(*args)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "dtype, params",
    [(np.float32, {}), (np.float64, {"early_stopping": True}), (np.float64, {"shuffle": False})],
    ids=["plain", "early stopping", "in order"],
)
def test_fit_copies_no_data(dtype, params):
    X = np.random.default_rng(0).random((20_000, 200), dtype=dtype)  # 16 or 32 MB
    y = X[:, 0] > 0.5
    estimator = MLPClassifier(20, max_iter=1, batch_size=50, **params)
    estimator.fit(X[:500], y[:500])
    bytes_taken, _ = peak(estimator.fit, X, y)
    assert bytes_taken < 0.3 * X.nbytes


def test_fit_copies_no_sparse_data():
    X = random_sparse(10_000, 1_000, density=0.1, format="csr", random_state=0)  # 12 MB
    y = np.asarray(X[:, :50].sum(axis=1)).ravel()
    estimator = MLPRegressor(hidden_layer_sizes=5, max_iter=1, batch_size=50)
    estimator.fit(X[:500], y[:500])
    bytes_taken, _ = peak(estimator.fit, X, y)
    assert bytes_taken < 0.3 * X.data.nbytes


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_classes_are_not_expanded_to_columns(params):
    """For 12,000 rows and 6,000 classes, an indicator matrix would take 72 MB or 576 MB."""
    X = np.random.default_rng(0).standard_normal((12_000, 4))
    y = np.arange(12_000) // 2
    estimator = MLPClassifier(2, max_iter=1, batch_size=200, **params)
    bytes_taken, _ = peak(estimator.fit, X, y)
    assert bytes_taken < 60_000_000


@pytest.fixture(scope="module")
def many_rows():
    return np.random.default_rng(0).integers(0, 2, (400_000, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    "method, n_classes, dtype, fit_dtype",
    [
        ("predict", 2, np.uint8, np.float32),
        ("predict", 11, np.float32, np.float64),
        ("predict", 11, np.float64, np.float64),
        ("predict_proba", 2, np.float64, np.float32),
        ("predict_proba", 11, np.uint8, np.float64),
    ],
)
def test_predict_works_in_slices(many_rows, n_classes, dtype, fit_dtype, method):
    """Beyond the result it needs less than 16 MB for any number of rows and any dtype."""
    X = many_rows.astype(dtype)
    y = np.arange(1000) % n_classes
    estimator = MLPClassifier(50, max_iter=1).fit(X[:1000].astype(fit_dtype), y)
    expected = getattr(estimator, method)(X[-10:])
    bytes_taken, result = peak(getattr(estimator, method), X)
    assert bytes_taken < result.nbytes + 16_000_000
    np.testing.assert_allclose(result[-10:], expected, rtol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_regression_works_in_slices(many_rows, order):
    X = np.asarray(many_rows, dtype=np.float32, order=order)
    estimator = MLPRegressor(hidden_layer_sizes=50, max_iter=1)
    estimator.fit(X[:1000].astype(np.float64), np.ones((1000, 10)))
    bytes_taken, result = peak(estimator.predict, X)
    assert bytes_taken < result.nbytes + 16_000_000


def test_sparse_slices_are_sized_by_their_entries():
    """Slices sized like dense ones would be single rows, as there are many columns."""
    X = random_sparse(100, 20_000, density=1e-3, format="csr", random_state=0)
    estimator = MLPClassifier(2, max_iter=1).fit(X, np.arange(100) % 3)
    calls = []
    outputs = estimator._network.outputs
    estimator._network.outputs = lambda *args, **kwargs: (
        calls.append(1), outputs(*args, **kwargs)
    )[1]  # fmt: skip
    estimator.predict(X.astype(np.float32))  # float32, so it must be converted
    assert len(calls) == 1
