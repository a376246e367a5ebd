"""Sparse matrices whose indices lead out of them: an error, never a crash or a number."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import (
    bsr_array,
    coo_matrix,
    csc_matrix,
    csr_array,
    csr_matrix,
    lil_matrix,
    vstack,
)

from cymlp import MLPClassifier, MLPRegressor, _engine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS, N_FEATURES = 300, 40
HUGE = [-1, -3000, N_FEATURES, 5000, 10**8, 2**30, 2**31 - 1]


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.1)


@pytest.fixture(scope="module")
def model(dense):
    return MLPClassifier((8,), max_iter=1, random_state=0).fit(dense, np.arange(N_ROWS) % 3)


def many(dense, n_copies=400):
    """So many rows that predict works through them slice by slice."""
    return vstack([csr_matrix(dense)] * n_copies, format="csr")


def with_value(X, attribute, position, value):
    getattr(X, attribute)[position] = value
    return X


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda X: with_value(csc_matrix(X), "indices", 10, 2**30), "must be <"),
        (lambda X: with_value(csc_matrix(X), "indices", 10, -3000), "must be >= 0"),
        (lambda X: with_value(csc_matrix(X), "indptr", 5, 10**6), "indptr|index pointer"),
        (lambda X: with_value(many(X), "indices", 10, 5000), "must be <"),
        (lambda X: with_value(many(X), "indptr", -1, 10**8), "[iI]ndex pointer|index and data"),
        (lambda X: with_value(many(X), "indptr", 100, -5), "indptr|index pointer"),
        (lambda X: with_value(coo_matrix(X), "row", 3, 2**30), "index"),
        (lambda X: with_value(coo_matrix(X), "col", 3, -7), "index"),
        (lambda X: with_value(bsr_array(X, blocksize=(2, 2)), "indices", 3, 2**30), "ind"),
        (lambda X: _lil_with_long_row(X), "lengths"),
        (lambda X: _none_stored(csc_matrix(X), 0), "indptr|index pointer"),
        (lambda X: _none_stored(bsr_array(X, blocksize=(2, 2)), 0), "indptr|index pointer"),
        (lambda X: _none_stored(csr_matrix(X), -3000), "indptr|index pointer"),
        (lambda X: _none_stored(many(X), 0), "indptr|index pointer"),
        (lambda X: _with_shape(bsr_array(X, blocksize=(2, 2))), "blocks|[iI]ndex"),
    ],
    ids=["csc beyond", "csc negative", "csc falling", "csr in slices", "csr too long",
         "csr falling", "coo beyond", "coo negative", "bsr", "lil", "csc, none", "bsr, none",
         "csr, fewer than none", "csr, none", "bsr of another shape"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["predict", "predict_proba", "fit", "partial_fit"])
def test_broken(dense, model, make, message, method):
    broken = make(dense)
    arguments = (broken,)
    if "fit" in method:
        arguments += (np.arange(broken.shape[0]) % 3,)
    with pytest.raises(ValueError, match=rf"Input X is a broken sparse .*({message})"):
        getattr(model, method)(*arguments)


def _lil_with_long_row(X):
    X = lil_matrix(X)
    X.data[3] = X.data[3] + [1.0] * 1000
    return X


def _none_stored(X, last):
    """X whose index pointer falls to ``last``, so that SciPy takes it for empty."""
    X.indptr[5], X.indptr[-1] = 10**9, last
    return X


def _with_shape(X):
    X._shape = (N_ROWS, N_FEATURES - 1)
    return X


@pytest.mark.parametrize("none_stored", [False, True])
def test_broken_targets(dense, none_stored):
    Y = csr_matrix(np.arange(2 * N_ROWS).reshape(N_ROWS, 2) % 3 > 0)
    Y.indices[5] = 2**30
    if none_stored:
        _none_stored(Y, 0)
    with pytest.raises(ValueError, match="Input y is a broken sparse csr matrix"):
        MLPClassifier((8,), max_iter=1).fit(dense, Y)


def test_the_given_matrix_is_left_as_it_was(dense, model):
    """Its spare entries too, which SciPy's own check cuts off."""
    X = csr_matrix(dense)
    X.data, X.indices = np.append(X.data, [1.0] * 5), np.append(X.indices, [0] * 5)
    arrays = X.data, X.indices, X.indptr
    assert_allclose(model.predict_proba(X), model.predict_proba(dense))
    assert all(a is b for a, b in zip(arrays, (X.data, X.indices, X.indptr), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_random_damage(dense, model, seed):
    """Whatever is broken is an error, or harmless: then the numbers are the dense matrix's."""
    rng = np.random.default_rng(seed)
    refused = [check_damaged(dense, model, rng) for _ in range(10)]
    assert any(refused)


def check_damaged(dense, model, rng):
    """Damage a random matrix and have it predicted and fitted; return whether that was refused."""
    X = damaged(csr_array(dense), rng)
    refused = 0
    y = np.arange(X.shape[0]) % 3
    estimator = MLPClassifier((8,), max_iter=1, random_state=0)
    for call in (model.predict_proba, lambda X: estimator.fit(X, y).predict_proba(X)):
        try:
            proba = call(X)
        except ValueError:
            refused += 1
        else:
            if X.format != "coo":
                X.prune()  # SciPy's BSR cannot be converted with entries to spare
            assert_allclose(proba, call(X.toarray()), rtol=1e-6)
    assert refused in (0, 2)
    return refused == 2


def damaged(X, rng):
    """X in some format, with some value of one of its index arrays put wrong."""
    kind = rng.choice(["csr", "csc", "coo", "bsr", "many"])
    X = many(X, 150) if kind == "many" else X.asformat(kind).copy()
    names = ("row", "col") if kind == "coo" else ("indices", "indptr")
    name = rng.choice(names)
    array = getattr(X, name)
    if rng.random() < 0.2:
        array = array.astype(np.int64)
        setattr(X, name, array)
    positions = [*rng.integers(len(array), size=rng.integers(1, 4)), len(array) - 1]
    for position in positions[rng.integers(2) :]:
        array[position] = rng.choice([*HUGE, 0, 1, array[position] + 1, array[position] - 1])
    return X


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "attribute, value", [("indices", 2**30), ("indices", -5), ("indptr", 2**30)]
)
def test_indices_that_change_during_a_fit(dense, solver, n_jobs, attribute, value):
    """The schedule writes into X: that is an error, and the process lives on."""
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


def test_indices_that_change_after_the_check(dense, model, monkeypatch):
    X = csr_array(dense)
    original = _engine.Dataset

    def samples(X, *args, **kwargs):
        X.indices[7] = 2**30
        return original(X, *args, **kwargs)

    monkeypatch.setattr(_engine, "Dataset", samples)
    with pytest.raises(ValueError, match="Input X is a broken sparse csr matrix"):
        model.predict_proba(X)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_formats(dense):
    """All of SciPy's formats are taken, with the same numbers."""
    y = dense @ np.arange(N_FEATURES)
    expected = MLPRegressor(hidden_layer_sizes=8, max_iter=2, random_state=0).fit(
        csr_matrix(dense), y
    )
    for format_ in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil"):
        for make in (csr_matrix, csr_array):
            X = make(dense).asformat(format_)
            estimator = MLPRegressor(hidden_layer_sizes=8, max_iter=2, random_state=0).fit(X, y)
            assert_allclose(estimator.predict(X), expected.predict(dense), rtol=1e-9)
