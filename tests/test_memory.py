"""Memory: fit copies no data, predict works in chunks."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import random as random_sparse

from cymlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def peak(function, *args):
    """Most bytes allocated at a time during a call, NumPy's arrays included."""
    tracemalloc.start()
    try:
        result = function(*args)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"shuffle": False}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_copies_no_data(dtype, params):
    X = np.random.default_rng(0).random((20_000, 200), dtype=dtype)  # 16 or 32 MB
    y = X[:, 0] > 0.5
    estimator = MLPClassifier(20, max_iter=1, batch_size=50, **params)
    estimator.fit(X[:500], y[:500])
    bytes_taken, _ = peak(estimator.fit, X, y)
    assert bytes_taken < 0.3 * X.nbytes


def test_fit_copies_no_sparse_data():
    X = random_sparse(20_000, 2_000, density=0.05, format="csr", random_state=0)  # 24 MB
    y = np.asarray(X[:, :50].sum(axis=1)).ravel()
    estimator = MLPRegressor(hidden_layer_sizes=5, max_iter=1, batch_size=50)
    estimator.fit(X[:500], y[:500])
    bytes_taken, _ = peak(estimator.fit, X, y)
    assert bytes_taken < 0.3 * X.data.nbytes


@pytest.mark.parametrize("fit_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_predict_works_in_chunks(order, dtype, fit_dtype):
    """Beyond its result it takes less than 16 MB for any number of rows and any dtype."""
    rng = np.random.default_rng(0)
    X = np.asarray(rng.integers(0, 2, (100_000, 100)), dtype=dtype, order=order)
    y = np.arange(1000) % 10
    estimator = MLPClassifier(200, max_iter=1).fit(X[:1000].astype(fit_dtype), y)
    estimator.predict_proba(X[:10])
    bytes_taken, result = peak(estimator.predict_proba, X)
    assert result.shape == (100_000, 10)
    assert bytes_taken < result.nbytes + 16_000_000
