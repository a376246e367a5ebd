"""Arrays in the form that the engine reads, and rows collected slice by slice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix, issparse, random

from cymlp._network.arrays import CollectedRows, as_engine_input, cast_to, slices


@given(st.integers(0, 40), st.integers(1, 50))
def test_slices_cover_every_row_once_in_order(n_rows, rows_per_slice):
    rows = np.arange(n_rows)
    parts = [rows[part] for part in slices(n_rows, rows_per_slice)]
    assert_array_equal(np.concatenate([*parts, rows[:0]]), rows)
    assert all(1 <= len(part) <= rows_per_slice for part in parts)


@given(st.integers(1, 40), st.integers(1, 50), st.sampled_from(["1d", "2d", "csr", "csc"]))
def test_collected_slices_are_the_whole(n_rows, rows_per_slice, form):
    whole = np.arange(3 * n_rows).reshape(n_rows, 3) % 4
    whole = {
        "1d": whole[:, 0].astype(np.float32),
        "2d": whole,
        "csr": csr_array(whole),
        "csc": csc_array(whole),
    }[form]
    collected = CollectedRows(n_rows)
    for part in slices(n_rows, rows_per_slice):
        collected.add(whole[part])
    result = collected.whole
    assert result.dtype == whole.dtype
    if issparse(whole):
        assert result.format == whole.format
        result, whole = result.toarray(), whole.toarray()
    assert_array_equal(result, whole)


def test_a_single_slice_is_not_copied():
    for rows in (np.ones((4, 2)), csr_array(np.ones((4, 2)))):
        collected = CollectedRows(4)
        collected.add(rows)
        assert collected.whole is rows
    assert CollectedRows(4).whole is None


class TestCast:
    @pytest.mark.parametrize("form", [np.asarray, csr_array])
    def test_same_dtype_returns_the_same_object(self, form):
        values = form(np.ones((3, 2)))
        assert cast_to(values, np.float64, "X") is values
        assert cast_to(values, np.float32, "X").dtype == np.float32

    @pytest.mark.parametrize("form", [np.asarray, csr_array])
    def test_a_single_value_that_is_too_large(self, form):
        values = np.ones((3, 2))
        values[1, 1] = 1e39
        with pytest.raises(ValueError, match=r"Input y contains infinity or .* dtype\('float32'\)"):
            cast_to(form(values), np.float32, "y")

    def test_values_too_small_become_0(self):
        assert_array_equal(cast_to(np.array([1e-300]), np.float32, "X"), [0])


class TestEngineInput:
    def test_an_aligned_array_is_not_copied(self):
        X = np.ones((3, 2))
        assert as_engine_input(X, X.dtype) is X
        raw = np.zeros(X.nbytes + 1, dtype=np.uint8)[1:].view(np.float64).reshape(3, 2)
        assert not raw.flags.aligned
        aligned = as_engine_input(raw, raw.dtype)
        assert aligned.flags.aligned
        assert_array_equal(aligned, raw)

    @pytest.mark.parametrize("make", [csr_array, csr_matrix, csc_array, coo_array])
    def test_sparse_input_is_csr(self, make):
        X = make(random(7, 5, 0.4, random_state=0))
        result = as_engine_input(X, X.dtype)
        assert result.format == "csr"
        assert_array_equal(result.toarray(), X.toarray())
        if X.format == "csr":
            assert np.shares_memory(result.data, X.data)

    def test_strided_sparse_arrays_are_copied(self):
        X = csr_array(random(7, 5, 0.4, random_state=0, format="csr"))
        strided = X.copy()
        strided.data = np.repeat(strided.data, 2)[::2]
        assert not strided.data.flags.c_contiguous
        result = as_engine_input(strided, strided.dtype)
        assert result.data.flags.c_contiguous
        assert_array_equal(result.toarray(), X.toarray())
