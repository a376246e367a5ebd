"""Fits and predictions of sparse samples against the same samples as arrays.

And indices that change while the engine reads them cause an error, never a crash.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix

from cases import Case, update_rule
from cymlp import MLPClassifier, _engine

N_ROWS, N_FEATURES = 300, 40


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.1)


# Rules whose rows wait, those that leave them, and those that update all rows: with an L1
# penalty, Adam with an L2 penalty, with clipping.
SETTINGS = [
    {"solver": "sgd", "momentum": 0.0, "alpha": 0.0},
    {"solver": "sgd", "momentum": 0.0, "alpha": 0.5},
    {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "weight_decay": 0.1},
    {"solver": "sgd", "nesterovs_momentum": False, "alpha": 0.5, "weight_decay": 0.1},
    {"solver": "sgd", "alpha": 0.5, "learning_rate": lambda step, total: 1 - step / total},
    {"solver": "sgd", "alpha": [0.0, 0.5]},
    {"solver": "sgd", "alpha": 0.1, "l1_ratio": 0.5},
    {"solver": "sgd", "alpha": 0.1, "clip_norm": 0.5},
    {"solver": "adam", "alpha": 0.0},
    {"solver": "adam", "alpha": 0.0, "weight_decay": 0.1, "dropout": 0.2},
    {"solver": "adam", "alpha": [0.0, 0.1], "beta_2": 0.99, "epsilon": 1e-5},
    {"solver": "adam", "alpha": 0.1},
    {"solver": "adam", "alpha": 0.0, "beta_2": 0.9},
    {"solver": "adam", "alpha": [0.1, 0.0], "l1_ratio": 0.9, "clip_norm": 0.5},
]


def words(n_rows, n_features, rng):
    """Rows of a few features each, of which the first are in most rows, the last in few."""
    frequency = 1 / np.arange(1, n_features + 1)
    X = (rng.random((n_rows, n_features)) < frequency) * rng.uniform(-1, 1, (n_rows, n_features))
    X[::7] = 0
    return X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_fits_equal_those_of_arrays(settings, n_jobs, dtype):
    """Weights and losses; most features wait for more steps than any may."""
    rng = np.random.default_rng(0)
    X, y = words(1200, 150, rng).astype(dtype), rng.integers(0, 3, 1200)
    settings = {"learning_rate_init": 0.01, "max_iter": 2, "batch_size": 4} | settings
    model = MLPClassifier((6,), random_state=0, n_jobs=n_jobs, n_iter_no_change=9, **settings)
    with np.errstate(all="ignore"):
        dense, sparse = (model.fit(data, y).coefs_ for data in (X, csr_array(X)))
    error = 1e-11 if dtype == np.float64 else 2e-4
    for expected, found in zip(dense, sparse, strict=True):
        assert_allclose(found, expected, rtol=error, atol=error * np.abs(expected).max())


@pytest.mark.parametrize("h", [1, 33, 70])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_more_features_than_are_updated_side_by_side(solver, n_jobs, h):
    """Rows of one weight are copied in several goes, those of many weights not at all."""
    rng = np.random.default_rng(0)
    X = rng.random((90, 5000)) * (rng.random((90, 5000)) < 0.05)
    model = MLPClassifier(
        (h,), random_state=0, max_iter=3, batch_size=30, solver=solver, n_jobs=n_jobs,
        alpha=0.5 if solver == "sgd" else 0.0,
    )  # fmt: skip
    with pytest.warns(Warning, match="Maximum iterations"):
        expected, found = (
            model.fit(data, np.arange(90) % 3).coefs_[0] for data in (X, csr_array(X))
        )
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov"])
def test_penalties_of_waiting_rows_are_in_the_loss(rule, size):
    """Though they are not visited, the loss has their squares, as they are by then."""
    case = Case((5,), n=600, d=60)
    case.X[:, 5:] *= np.arange(600)[:, np.newaxis] % 97 == 0
    (parameters, loss, state), (expected, expected_loss, expected_state) = (
        case.train(update_rule(rule, 0.02), case.dataset(X), 3, alpha=0.9, size=size)
        for X in (csr_array(case.X), None)
    )
    assert_allclose(loss, expected_loss, rtol=1e-12)
    assert_allclose(parameters, expected, rtol=1e-10, atol=1e-13)
    assert_allclose(state, expected_state, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", "?bBhHiIlL")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_of_any_type_are_read_in_place(kind, dtype):
    rng = np.random.default_rng(0)
    X, y = csr_array(words(200, 40, rng) * 5).astype(kind), rng.integers(0, 3, 200)
    model = MLPClassifier((6,), random_state=0, max_iter=3, dtype=dtype)
    with pytest.warns(Warning, match="Maximum iterations"):
        expected = model.fit(X.astype(dtype), y).predict_proba(X.astype(dtype))
        assert_array_equal(model.fit(X, y).predict_proba(X), expected)
    assert expected.dtype == dtype


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_unsorted_repeated_zero_and_missing_entries(index):
    """Entries in any order, several of one feature, stored zeros, rows and columns of none."""
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 90, 700), rng.integers(0, 30, 700)
    keep = (rows % 7 != 3) & (columns != 11)
    values = rng.integers(-2, 3, 700)[keep]
    entries = coo_array((values, (rows[keep], columns[keep])), shape=(90, 30))
    order = np.lexsort([rng.random(keep.sum()), entries.row])
    counts = np.r_[0, np.bincount(entries.row, minlength=90).cumsum()]
    X = csr_array(
        (values[order], entries.col[order].astype(index), counts.astype(index)), shape=(90, 30)
    )
    assert not (X.has_sorted_indices or X.has_canonical_format)
    y = rng.integers(0, 3, 90)
    for n_jobs in (1, 2):
        model = MLPClassifier((5,), random_state=0, max_iter=5, batch_size=8, n_jobs=n_jobs)
        expected = model.fit(X.toarray(), y).predict_proba(X.toarray())
        for form in (X, csc_array(X)):
            assert_allclose(model.fit(form, y).predict_proba(form), expected, rtol=1e-10)


def test_a_row_of_more_entries_than_are_read_at_once():
    case = Case((4,), n=9, d=700)
    for sparse in (csr_array(case.X), csr_array(case.X.astype(np.float32)).astype(float)):
        parameters, loss, _ = case.train(update_rule("adam"), case.dataset(sparse), 4, size=2)
        expected, expected_loss, _ = case.train(
            update_rule("adam"), case.dataset(sparse.toarray()), 4, size=2
        )
        assert_allclose(parameters, expected, rtol=1e-8, atol=1e-10)
        assert_allclose(loss, expected_loss, rtol=1e-12)


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
