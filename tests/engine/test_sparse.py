"""Sparse indices that change while the engine reads them cause an error, never a crash."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from cymlp import MLPClassifier, _engine

N_ROWS, N_FEATURES = 300, 40


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.1)


@pytest.mark.parametrize("solver, n_jobs", [("sgd", 1), ("adam", 2), ("sgd", 2)])
@pytest.mark.parametrize(
    "attribute, value", [("indices", 2**30), ("indices", -5), ("indptr", 2**30)]
)
def test_indices_that_change_during_a_fit(dense, solver, n_jobs, attribute, value):
    """The schedule writes into X, which raises an error and does not crash the process."""
    X, y = csr_matrix(dense), np.arange(N_ROWS) % 3
    calls = []

    def schedule(step, total):
        calls.append(step)
        if len(calls) == 12:
            getattr(X, attribute).fill(value)
        return 1.0

    estimator = MLPClassifier(
        (8,), solver=solver, learning_rate=schedule, batch_size=50, n_jobs=n_jobs
    )
    with pytest.raises(ValueError, match="indices of the sparse matrix X changed"):
        estimator.fit(X, y)


def test_indices_that_change_after_the_check(dense, monkeypatch):
    model = MLPClassifier.from_weights([np.ones((N_FEATURES, 1))], [[0.0]], classes=[0, 1])
    X = csr_array(dense)
    original = _engine.Dataset

    def samples(X, *args, **kwargs):
        X.indices[7] = 2**30
        return original(X, *args, **kwargs)

    monkeypatch.setattr(_engine, "Dataset", samples)
    with pytest.raises(ValueError, match="Input X is a broken sparse csr matrix"):
        model.predict_proba(X)
