"""Sources of rows: what they are made of, how they are cut into blocks, what they check."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import csc_array, csr_array, csr_matrix, issparse

from cymlp._network import row_source
from cymlp._network.row_source import (
    SelectedRows,
    SlicedRows,
    check_mapped_file,
    is_row_sliceable,
    read_whole,
    row_numbers,
)
from small import Sliced

N = 90
X = np.random.default_rng(0).integers(-3, 3, (N, 4)).astype(float)


def memmap(path, array=X, mode="r", **options):
    array.tofile(path)
    return np.memmap(path, array.dtype, mode, shape=array.shape, **options)


def resident_kilobytes(path):
    """Of a mapped file, in memory of this process."""
    text = Path("/proc/self/smaps").read_text()
    return int(re.search(rf"{re.escape(str(path))}\n.*?Rss: +(\d+) kB", text, re.DOTALL)[1])


def dense(rows):
    return rows.toarray() if issparse(rows) else rows


def edges_of(chunks, window_rows, n=N):
    attributes = {} if chunks is None else {"chunks": chunks}
    return SlicedRows(Sliced(np.ones((n, 4)), **attributes)).blocks(window_rows).tolist()


class TestWhatIsRowSliceable:
    def test_data_in_memory_are_not(self, tmp_path):
        in_memory = memmap(tmp_path / "x") + 1.0
        for data in (
            X, X.tolist(), X.view(np.recarray), csr_array(X), csr_matrix(X), csc_array(X), None,
            1.5, np.float64(1), pandas.DataFrame(X), pandas.Series(X[:, 0]), "rows", in_memory,
        ):  # fmt: skip
            assert not is_row_sliceable(data)

    def test_files_and_other_containers_are(self, tmp_path):
        file = memmap(tmp_path / "x")
        for data in (file, file[5:], file.T, Sliced(X), SlicedRows(X)):
            assert is_row_sliceable(data)

    def test_targets_are_read_whole(self):
        y = np.arange(5)
        assert read_whole(y, "y") is y
        assert read_whole(None, "y") is None
        assert_array_equal(read_whole(Sliced(y), "y"), y)
        lazy = Sliced(y, compute=lambda: y + 1)
        assert_array_equal(read_whole(lazy, "y"), y + 1)


class TestBlocks:
    @pytest.mark.parametrize(
        "chunks, window_rows, expected",
        [
            (None, 32, list(range(N + 1))),
            (None, 64 * 128, [0, 64, N]),
            (None, 1, list(range(N + 1))),
            ((3, 4), 1280, [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, N]),
            ((40, 4), 1280, [0, 40, 80, N]),
            ((40, 4), 30, [0, 30, 40, 70, 80, N]),
            (((40, 0, 7, 3, 40), (4,)), 1280, [0, 40, 50, N]),
            (((50, 40), (4,)), 30, [0, 30, 50, 80, N]),
            (((50, 30), (4,)), 128 * 45, [0, 45, N]),  # not chunks of these rows
            ((None, 4), 128 * 45, [0, 45, N]),
            ("auto", 128 * 45, [0, 45, N]),
        ],
    )
    def test_they_are_whole_chunks_unless_these_are_larger_than_a_window(
        self, chunks, window_rows, expected
    ):
        assert edges_of(chunks, window_rows) == expected

    @given(
        st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(sum) | st.integers(1, 40),
        st.integers(1, 500),
    )
    def test_they_cover_all_rows_and_fit_into_a_window(self, chunks, window_rows):
        n = sum(chunks) if isinstance(chunks, list) else N
        edges = edges_of((tuple(chunks) if isinstance(chunks, list) else chunks, 4), window_rows, n)
        sizes = np.diff(edges)
        assert edges[0] == 0 and edges[-1] == n
        assert (sizes > 0).all() and sizes.max() <= window_rows

    def test_a_window_holds_what_fits_into_memory(self, monkeypatch):
        monkeypatch.setattr(row_source, "WINDOW_BYTES", 1000)
        assert SlicedRows(Sliced(X)).window_rows == 1000 // (4 * 8)
        assert SlicedRows(Sliced(X.astype(np.float32))).window_rows == 1000 // (4 * 4)
        assert SlicedRows(Sliced(X), "X", 7).window_rows == 7

    def test_a_window_of_sparse_rows(self, monkeypatch):
        """By the fullest of the first rows, those in the middle and the last."""
        monkeypatch.setattr(row_source, "WINDOW_BYTES", 1000)
        dense_rows = np.zeros((300, 5))
        for rows, entries in ((slice(0, 0), 1), (slice(0, 64), 2), (slice(140, 160), 2), (299, 2)):
            dense_rows[rows, :entries] = 1
            source = SlicedRows(Sliced(csr_array(dense_rows)))
            entries = max(1, max(dense_rows[a : a + 64].sum() / 64 for a in (0, 118, 236)))
            assert source.window_rows == int(1000 // (12 * entries))


FORMS = {
    "array": lambda rows: rows,
    "Fortran": np.asfortranarray,
    "list": lambda rows: rows.tolist(),
    "subclass": lambda rows: rows.view(np.recarray),
    "lazy": lambda rows: SimpleNamespace(compute=lambda: rows),
    "frame": pandas.DataFrame,
    "nothing masked": lambda rows: np.ma.masked_array(rows, np.zeros(rows.shape, bool)),
    "csr": csr_matrix,
    "csc": csc_array,
    "lazy csr": lambda rows: SimpleNamespace(compute=lambda: csr_array(rows)),
}


class TestReading:
    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
    def test_slices_in_all_forms(self, form):
        source = SlicedRows(Sliced(X, lambda start, rows: form(rows)))
        assert source.shape == X.shape and len(source) == N
        assert_array_equal(dense(source.read(70, 85)), X[70:85])
        assert_array_equal(dense(source[:3]), X[:3])
        assert_array_equal(dense(source[5:3]), X[5:3])
        assert not isinstance(source[:3], np.ma.MaskedArray)

    @pytest.mark.parametrize("form", [np.asarray, csr_array])
    @pytest.mark.parametrize("own", [">f4", "f2", "u1", "?", "f4", "f8", "g"])
    def test_what_the_engine_cannot_read_becomes_the_networks_dtype(self, own, form):
        if form is csr_array and own in (">f4", "f2"):
            pytest.skip("SciPy has no such matrices")
        data = X.astype(own)
        source = SlicedRows(Sliced(data, lambda _, rows: form(rows)))
        for network in ("f8", "f4"):
            kept = own not in (">f4", "g")
            for_network = source.for_network(network)
            for rows in (for_network, for_network[:5], for_network.sample):
                assert rows.dtype == (own if kept else network)
            assert_array_equal(dense(for_network[:]), data)

    def test_a_number_too_large_for_the_network(self):
        data = X.copy()
        data[80, 1] = 1e39
        source = SlicedRows(Sliced(data))
        source.read(70, 90)
        with pytest.raises(ValueError, match=r"too large for dtype\('float32'\).\n.* row 80\."):
            source.for_network(np.float32).read(70, 90)

    def test_a_memmap_is_not_copied(self, tmp_path):
        file = memmap(tmp_path / "x")
        rows = SlicedRows(file)[:]
        assert type(rows) is np.ndarray and np.shares_memory(rows, file)

    @pytest.mark.parametrize(
        "wrong, message",
        [
            (lambda rows: rows[1:], "of shape (9, 4) and dtype float64, expected (10, 4)"),
            (lambda rows: rows[:, 1:], "of shape (10, 3)"),
            (lambda rows: rows[0], "of shape (4,)"),
            (lambda rows: rows.astype(np.float32), "dtype float32, expected (10, 4) and float64"),
            (lambda rows: rows.astype(object), "dtype object"),
            (lambda rows: None, "of shape ()"),
            (lambda rows: np.ma.masked_greater(rows, 1), "X has masked values in rows 80 to 89"),
            (csr_array, "X has dense and sparse rows; see rows 80 to 89"),
        ],
    )
    def test_slices_that_are_not_as_promised(self, wrong, message):
        source = SlicedRows(Sliced(X, lambda start, rows: wrong(rows) if start == 80 else rows))
        source.read(70, 80)
        with pytest.raises(ValueError, match=re.escape(message)):
            source.read(80, 90)

    def test_sparse_slices_with_bad_indices(self):
        def damaged(start, rows):
            rows = csr_matrix(rows)
            rows.indices[0] = 10**6 if start == 80 else rows.indices[0]
            return rows

        source = SlicedRows(Sliced(X, damaged))
        with pytest.raises(ValueError, match="Input X is a broken sparse csr matrix"):
            source.read(80, 90)

    @pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, csr_array])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("value, words", [(np.nan, "NaN."), (-np.inf, "infinity or a value")])
    def test_which_row_is_not_finite(self, value, words, dtype, form):
        if form is csr_array and dtype is np.float16:
            pytest.skip("SciPy has no such matrices")
        bad = np.zeros((300, 4), dtype)  # a sample of 64 rows begins at 118
        bad[77, 2] = value
        bad[78, 0] = np.nan
        source = SlicedRows(Sliced(bad, lambda start, rows: form(rows)))
        source.read(60, 77)
        with pytest.raises(ValueError, match=rf"(?s)Input X contains {words}.* in row 77\."):
            source.read(70, 90)

    @pytest.mark.parametrize(
        "data, message",
        [
            (X[0], r"Expected 2D array, got X of shape \(4,\)"),
            (X[None], r"Expected 2D array, got X of shape \(1, 90, 4\)"),
            (X.astype(object), "real numbers, got the dtype object"),
            (X.astype(complex), "real numbers, got the dtype complex128"),
            (X.astype(str), "real numbers, got the dtype <U"),
        ],
    )
    def test_data_that_are_no_matrix_of_numbers(self, data, message):
        with pytest.raises(ValueError, match=message):
            SlicedRows(Sliced(data))

    def test_an_unknown_number_of_rows(self):
        data = Sliced(X)
        data.shape = (np.nan, 4)
        with pytest.raises(ValueError, match=r"shape \(nan, 4\)"):
            SlicedRows(data)

    def test_errors_say_which_rows_were_read(self):
        def fails(start, rows):
            if start:
                raise OSError("disk on fire")
            return rows

        source = SlicedRows(Sliced(X, fails), "X_val")
        with pytest.raises(OSError, match="disk on fire") as caught:
            source.read(5, 15)
        assert caught.value.__notes__ == ["Rows 5 to 14 of X_val were being read."]


class TestMappedFiles:
    """To read a map beyond the end of its file would end the process."""

    @pytest.mark.parametrize("view", [lambda file: file, lambda file: file[3:, ::2]])
    @pytest.mark.parametrize("offset", [0, 4096 * 3 + 8])
    def test_a_file_that_has_shrunk(self, tmp_path, offset, view):
        path = tmp_path / "x"
        path.write_bytes(bytes(offset) + np.ones((2000, 4)).tobytes())
        file = view(np.memmap(path, float, "r", offset, (2000, 4)))
        source = SlicedRows(file)
        check_mapped_file(file)
        with open(path, "r+b") as opened:
            opened.truncate(offset + 2000 * 4 * 8 - 1)
        with pytest.raises(OSError, match="shrunk"):
            source.read(0, 10)
        with pytest.raises(OSError, match="shrunk"):
            check_mapped_file(file)

    def test_a_deleted_file_is_still_there(self, tmp_path):
        file = memmap(tmp_path / "x")
        (tmp_path / "x").unlink()
        assert_array_equal(SlicedRows(file)[:], X)

    @pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="it is Linux that tells")
    @pytest.mark.parametrize("mode, kept", [("r", 0), ("r+", 0), ("c", 1)])
    def test_pages_that_were_read_are_forgotten(self, tmp_path, mode, kept):
        """Not those of a private map, which may have been written into."""
        file = memmap(tmp_path / "x", np.ones((50_000, 4)), mode)
        file.flush()
        if mode == "c":
            file[7] = 2.0
        source = SlicedRows(file[:])
        for rows in (source, SelectedRows(source, np.array([[0, 50_000]]), [50_000])):
            rows.read(0, 50_000).sum()
            assert resident_kilobytes(tmp_path / "x") > 1000
            rows.forget_pages()
            assert (resident_kilobytes(tmp_path / "x") > 1000) == kept
        assert file[7, 0] == (2.0 if mode == "c" else 1.0)
        SlicedRows(Sliced(X)).forget_pages()

    def test_other_data_need_no_check(self, tmp_path):
        for data in (X, None, [[1.0]], memmap(tmp_path / "x") * 2):
            check_mapped_file(data)


def test_numbers_of_rows():
    assert_array_equal(row_numbers([(3, 5), (7, 7), (0, 2)]), [3, 4, 0, 1])


class TestSelectedRows:
    RUNS = np.array([[3, 9], [10, 12], [40, 41], [60, 85]])
    NUMBERS = np.concatenate([np.arange(*run) for run in RUNS])

    @pytest.mark.parametrize("form", [np.asarray, csr_array])
    def test_every_slice(self, form):
        source = SelectedRows(SlicedRows(Sliced(X, lambda _, rows: form(rows))), self.RUNS, [34])
        expected = X[self.NUMBERS]
        assert source.shape == expected.shape
        for start in range(len(expected) + 1):
            for stop in range(start, len(expected) + 1):
                assert_array_equal(dense(source[start:stop]), expected[start:stop])
        assert source.for_network(np.float32)[:7].dtype == np.float64

    def test_runs_that_are_near_are_read_at_once(self):
        data = Sliced(X)
        source = SelectedRows(SlicedRows(data), self.RUNS, [34])
        data.slices.clear()
        source.read(0, 8)
        assert data.slices == [(3, 12)]
        data.slices.clear()
        source.read(7, 10)
        assert data.slices == [(11, 12), (40, 41), (60, 61)]
