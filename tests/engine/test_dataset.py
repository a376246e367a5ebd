"""Samples read in place: X in any memory layout, dense or sparse; targets of every kind."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from cases import Case, update_rule
from cymlp import _engine
from problems import NUMBER_TYPES

DTYPES = [np.float32, np.float64]


def strided_forms(X):
    """The same numbers in every memory layout."""
    wide = np.zeros((X.shape[0], 2 * X.shape[1]), dtype=X.dtype)
    wide[:, ::2] = X
    tall = np.zeros((3 * X.shape[0], X.shape[1]), dtype=X.dtype)
    tall[::3] = X
    padded = np.zeros((X.shape[0], X.shape[1] + 3), dtype=X.dtype)
    padded[:, :-3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "F-ordered": np.asfortranarray(X),
        "every second column": wide[:, ::2],
        "every third row": tall[::3],
        "reversed rows": X[::-1].copy()[::-1],
        "reversed columns": X[:, ::-1].copy()[:, ::-1],
        "padded rows": padded[:, :-3],
        "read-only": read_only,
    }


def trained_and_predicted(case, X, order, dtype, **settings):
    """Parameters after a few steps, and outputs."""
    dataset = case.dataset(X, dtype)
    trained = case.train(update_rule("sgd"), dataset, 5, order=order, dtype=dtype, **settings)
    return trained[0], case.outputs(dataset, len(case.X), order=order, dtype=dtype)


def test_the_order_of_bytes_may_be_said():
    """As in the dtypes of zarr's arrays; it must be the machine's."""
    case = Case()
    own = np.dtype(np.float64).newbyteorder("<" if sys.byteorder == "little" else ">")
    arrays = (array.astype(own) for array in (case.X, case.T, case.w))
    dataset = _engine.Dataset(*arrays)
    for result, expected in zip(
        case.loss_gradient(dataset), case.loss_gradient(case.dataset()), strict=True
    ):
        assert_array_equal(result, expected)
    with pytest.raises(TypeError, match="format"):
        _engine.Dataset(case.X.astype(own.newbyteorder()))


@pytest.mark.parametrize("d, size", [(7, 1), (70, 2)])
@pytest.mark.parametrize("form", list(strided_forms(np.ones((1, 1)))))
def test_memory_layouts_of_X(form, d, size):
    case = Case(d=d)
    for dtype in DTYPES:
        X = case.X.astype(dtype)
        rtol = 1e-4 if dtype == np.float32 else 1e-12
        for order in (None, np.random.default_rng(1).permutation(len(X))):
            results, expected = (
                trained_and_predicted(case, one, order, dtype, size=size)
                for one in (strided_forms(X)[form], X)
            )
            for result, wanted in zip(results, expected, strict=True):
                assert_allclose(result, wanted, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", NUMBER_TYPES)
def test_types_of_X(number, dtype):
    """The results are identical to those of X converted before, whatever its layout."""
    for d, size in ((7, 1), (70, 2), (1, 1)):
        case = Case(d=d)
        X = np.abs(20 * case.X).astype(number)
        for order in (None, np.random.default_rng(1).permutation(len(X))):
            expected = trained_and_predicted(case, X.astype(dtype), order, dtype, size=size)
            for form, same in strided_forms(X).items():
                results = trained_and_predicted(case, same, order, dtype, size=size)
                for result, wanted in zip(results, expected, strict=True):
                    assert_array_equal(result, wanted, err_msg=form)


def test_broadcast_and_single_column_X():
    """Strides of 0, and the meaningless stride of an axis of length 1."""
    case = Case((), output="identity", k=1)
    constant = np.broadcast_to(np.arange(7.0), (23, 7))
    assert_array_equal(
        case.outputs(case.dataset(constant), 23), case.outputs(case.dataset(constant.copy()), 23)
    )
    architecture = _engine.Architecture((1, 2), "relu", "identity")
    column = np.arange(12.0).reshape(6, 2)[:, 1:]
    parameters = np.array([2.0, 3.0, 0.5, -0.5])
    out = np.empty((6, 2))
    _engine.predict(architecture, parameters, _engine.Dataset(column), out)
    assert_allclose(out, column * [2, 3] + [0.5, -0.5])


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize("container", [csr_matrix, csr_array])
def test_sparse_equals_dense(container, index_dtype):
    order = np.random.default_rng(1).permutation(23)
    for hidden, dtype, visited, most_chunk_rows, size in (
        ((), np.float64, None, None, 1), ((5,), np.float64, order, 2, 1),
        ((4, 6), np.float64, order, None, 2), ((5,), np.float32, order, None, 1),
    ):  # fmt: skip
        case = Case(hidden, d=40)
        sparse = container(case.X.astype(dtype))
        sparse.indices = sparse.indices.astype(index_dtype)
        sparse.indptr = sparse.indptr.astype(index_dtype)
        results, expected = (
            trained_and_predicted(
                case, X, visited, dtype, alpha=0.2, most_chunk_rows=most_chunk_rows, size=size
            )
            for X in (sparse, case.X.astype(dtype))
        )
        rtol = 1e-4 if dtype == np.float32 else 1e-11
        for result, wanted in zip(results, expected, strict=True):
            assert_allclose(result, wanted, rtol=rtol, atol=rtol)


def test_sparse_with_repeated_and_unsorted_entries():
    """A CSR matrix need not be in canonical form: repeated entries add up."""
    X = csr_array(
        (np.array([1.0, 2.0, 4.0, 8.0]), np.array([3, 0, 3, 6]), np.array([0, 3, 4])), shape=(2, 7)
    )
    case = Case()
    expected = case.reference.forward(X.toarray())[1][-1]
    assert_allclose(case.outputs(_engine.Dataset(X), 2), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["classes", "bool", "uint8"])
def test_targets_of_classes(kind):
    """The results are identical to those of targets that are the numbers 0 or 1."""
    case = Case()
    classes = case.T.argmax(axis=1).astype(np.intc)
    targets = classes if kind == "classes" else case.T.astype(kind)
    of_kind = _engine.Dataset(case.X, targets, case.w, n_classes=3 if kind == "classes" else 0)
    order = np.random.default_rng(1).permutation(23)
    for visited in (None, order, order[:9]):
        results, expected = (
            case.train(update_rule("sgd"), dataset, 5, order=visited, size=2)
            for dataset in (of_kind, case.dataset())
        )
        assert results[1] == expected[1]
        assert_array_equal(results[0], expected[0])


class TestMisuse:
    """Mismatched arguments are refused before a pointer is followed."""

    def test_dtypes(self):
        case = Case()
        with pytest.raises(TypeError, match="targets"):
            _engine.Dataset(case.X, case.T.astype(np.float32))
        with pytest.raises(TypeError, match="X must have"):
            _engine.Dataset(np.ones((2, 2), dtype=complex))
        with pytest.raises(TypeError, match="dtype must be float32 or float64, got int64"):
            _engine.Dataset(case.X, dtype=np.dtype(np.int64))
        for X, dtype in ((case.X.astype(np.float32), np.float64), (csr_array(case.X > 0), None)):
            dataset = _engine.Dataset(X, dtype=None if dtype is None else np.dtype(dtype))
            with pytest.raises(TypeError, match="must have one dtype"):
                case.outputs(dataset, 23, dtype=np.float32)

    def test_shapes(self):
        case = Case()
        with pytest.raises(ValueError, match="targets has"):
            _engine.Dataset(case.X, case.T[:-1])
        with pytest.raises(ValueError, match="weights has"):
            _engine.Dataset(case.X, case.T, case.w[:-1])

    def test_classes(self):
        for wrong in (-1, 3):
            with pytest.raises(ValueError, match=rf"targets\[1\] is {wrong}, of 3 classes"):
                _engine.Dataset(np.ones((2, 4)), np.array([0, wrong], dtype=np.intc), n_classes=3)

    def test_indptr(self):
        X = csr_array(np.ones((3, 4)))
        X.indptr = X.indptr[:-1]
        with pytest.raises(ValueError, match="indptr"):
            _engine.Dataset(X)
