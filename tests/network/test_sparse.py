"""Sparse matrices with damaged indices, by themselves and as passed to the estimators."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import (
    bsr_array,
    coo_matrix,
    csc_matrix,
    csr_array,
    csr_matrix,
    dia_array,
    lil_matrix,
)

from cymlp import MLPClassifier, MLPRegressor
from cymlp._network.sparse import checked_sparse

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
N_ROWS, N_FEATURES = 60, 40
DENSE = rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.1)


def broken(X, attribute, position, value):
    getattr(X, attribute)[position] = value
    return X


def none_stored(X, last):
    """X whose indptr ends with ``last``, so that SciPy treats it as empty."""
    X.indptr[5], X.indptr[-1] = 10**9, last
    return X


def lil_with_long_row():
    X = lil_matrix(DENSE)
    X.data[3] = X.data[3] + [1.0] * 1000
    return X


def bsr():
    return bsr_array(DENSE, blocksize=(2, 2))


def bsr_of_another_shape():
    X = bsr()
    X._shape = (N_ROWS, N_FEATURES - 1)
    return X


BROKEN = {
    "csc beyond": (lambda: broken(csc_matrix(DENSE), "indices", 10, 2**30), "must be <"),
    "csc negative": (lambda: broken(csc_matrix(DENSE), "indices", 10, -3000), "must be >= 0"),
    "csc falling": (lambda: broken(csc_matrix(DENSE), "indptr", 5, 10**6), "ind"),
    "csr beyond": (lambda: broken(csr_matrix(DENSE), "indices", 10, N_FEATURES), "must be <"),
    "csr negative": (lambda: broken(csr_matrix(DENSE), "indices", 10, -1), "must be >= 0"),
    "csr too long": (
        lambda: broken(csr_matrix(DENSE), "indptr", -1, 10**8),
        "[iI]ndex pointer|index and data",
    ),
    "csr falling": (lambda: broken(csr_matrix(DENSE), "indptr", 10, -5), "indptr|index pointer"),
    "coo beyond": (lambda: broken(coo_matrix(DENSE), "row", 3, 2**30), "index"),
    "coo negative": (lambda: broken(coo_matrix(DENSE), "col", 3, -7), "index"),
    "bsr": (lambda: broken(bsr(), "indices", 3, 2**30), "ind"),
    "bsr of another shape": (bsr_of_another_shape, "blocks|[iI]ndex"),
    "lil": (lil_with_long_row, "lengths"),
    "csc, none": (lambda: none_stored(csc_matrix(DENSE), 0), "indptr|index pointer"),
    "csr, none": (lambda: none_stored(csr_matrix(DENSE), 0), "indptr|index pointer"),
    "csr, fewer than none": (lambda: none_stored(csr_matrix(DENSE), -3000), "indptr|index pointer"),
    "bsr, none": (lambda: none_stored(bsr(), 0), "indptr|index pointer"),
}


class TestSparse:
    """Indices out of bounds raise an error; nothing is read out of bounds."""

    @pytest.mark.parametrize("make, message", BROKEN.values(), ids=BROKEN)
    def test_broken_matrices(self, make, message):
        with pytest.raises(ValueError, match=rf"Input X is a broken sparse .*({message})"):
            checked_sparse(make())

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "fit", "partial_fit"])
    def test_every_method_checks(self, method):
        labels = np.arange(N_ROWS) % 3
        model = MLPClassifier((8,), max_iter=1).fit(DENSE, labels)
        arguments = (none_stored(csr_matrix(DENSE), 0), labels)
        with pytest.raises(ValueError, match="Input X is a broken sparse csr matrix"):
            getattr(model, method)(*arguments[: 2 if "fit" in method else 1])

    @pytest.mark.parametrize("damage", [lambda Y: none_stored(Y, 0), lambda Y: broken(
        Y, "indices", 5, 2**30)], ids=["falling", "beyond"])  # fmt: skip
    def test_targets(self, damage):
        Y = damage(csr_matrix(np.arange(2 * N_ROWS).reshape(N_ROWS, 2) % 3 > 0))
        with pytest.raises(ValueError, match="Input y is a broken sparse csr matrix"):
            MLPClassifier((8,), max_iter=1).fit(DENSE, Y)

    def test_valid_matrices_are_not_copied(self):
        """They are not modified, although SciPy's own check removes spare entries."""
        assert checked_sparse(DENSE) is DENSE
        for matrix in (csr_matrix(DENSE), csc_matrix(DENSE)):
            assert np.shares_memory(checked_sparse(matrix).data, matrix.data)
        X = csr_matrix(DENSE)
        X.data, X.indices = np.append(X.data, [1.0] * 5), np.append(X.indices, [0] * 5)
        arrays = X.data, X.indices, X.indptr
        assert_array_equal(checked_sparse(X).toarray(), DENSE)
        assert all(a is b for a, b in zip(arrays, (X.data, X.indices, X.indptr), strict=True))

    @pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
    @pytest.mark.parametrize("format_", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
    def test_all_formats_give_the_same_numbers(self, format_):
        target = DENSE @ np.arange(N_FEATURES)
        reg = MLPRegressor(hidden_layer_sizes=8, max_iter=2, random_state=0)
        expected = reg.fit(DENSE, target).predict(DENSE)
        for make in (csr_matrix, csr_array):
            X = make(DENSE).asformat(format_)
            assert_array_equal(checked_sparse(X).toarray(), DENSE)
            assert_allclose(reg.fit(X, target).predict(X), expected, rtol=1e-9)

    def test_a_diagonal_matrix(self):
        X = dia_array((np.ones((1, 5)), [0]), shape=(5, 5))
        assert_array_equal(checked_sparse(X).toarray(), np.eye(5))

    @given(st.integers(0, 2**32))
    @settings(max_examples=100)
    def test_damage_is_an_error_or_harmless(self, seed):
        """If there is no error, the result is that of the dense matrix."""
        X = damaged(np.random.default_rng(seed))
        labels = np.arange(N_ROWS) % 3
        estimator = MLPClassifier((3,), max_iter=1, random_state=0)
        try:
            proba = estimator.fit(X, labels).predict_proba(X)
        except ValueError:
            with pytest.raises(ValueError):
                checked_sparse(X)
        else:
            if X.format != "coo":
                X.prune()  # SciPy cannot convert a BSR matrix with spare entries
            dense = X.toarray()
            assert_allclose(proba, estimator.fit(dense, labels).predict_proba(dense), rtol=1e-6)


def damaged(rng):
    """DENSE in a random format, with one random value of an index array changed."""
    kind = rng.choice(["csr", "csc", "coo", "bsr"])
    X = csr_array(DENSE).asformat(kind).copy()
    name = rng.choice(("row", "col") if kind == "coo" else ("indices", "indptr"))
    array = getattr(X, name)
    if rng.random() < 0.2:
        array = array.astype(np.int64)
        setattr(X, name, array)
    positions = [*rng.integers(len(array), size=rng.integers(1, 4)), len(array) - 1]
    huge = [-1, -3000, N_FEATURES, 5000, 10**8, 2**30, 2**31 - 1]
    for position in positions[rng.integers(2) :]:
        array[position] = rng.choice([*huge, 0, 1, array[position] + 1, array[position] - 1])
    return X
