"""Data that are read by slices of rows: memory-mapped files, zarr, h5py or Dask arrays, others."""

import copy
import mmap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse, vstack

from cymlp import _engine
from cymlp._network.arrays import NUMBERS, as_engine_input
from cymlp._network.sparse import checked_sparse

# Size of a window of rows by default; while one is worked on, the next one is read.
WINDOW_BYTES = 32_000_000

# About so many blocks fill a window. With a quarter as many, networks learn less from sorted rows.
_BLOCKS = 128

# Rows that are read to see of what form the others will be.
_SAMPLE_ROWS = 64


def is_row_sliceable(X: Any) -> bool:
    """Whether X has rows to be read by slices: it is not simply an array or a frame in memory."""
    if type(X) is np.ndarray or isinstance(X, np.generic) or issparse(X) or hasattr(X, "iloc"):
        return False
    if isinstance(X, np.ndarray):
        return mapped_file(X) is not None
    return (
        isinstance(getattr(X, "dtype", None), np.dtype)
        and isinstance(getattr(X, "shape", None), tuple)
        and hasattr(type(X), "__getitem__")
    )


def mapped_file(X: Any) -> mmap.mmap | None:
    """The map of the file that a NumPy memmap, or a view of one, shows."""
    if not isinstance(X, np.memmap):
        return None
    while isinstance(X, np.ndarray):
        X = X.base
    return X if isinstance(X, mmap.mmap) else None


def check_mapped_file(X: Any) -> None:
    """OSError if X is a memmap whose file has become too short: to read it would be fatal."""
    file = mapped_file(X)
    if file is None:
        return
    # The map begins at the page in which the array begins.
    expected = X.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY + len(file)
    if file.size() < expected:
        raise OSError(
            f"The file of a memory-mapped array, {X.filename}, has shrunk from at least "
            f"{expected} to {file.size()} bytes."
        )


def read_whole(array: Any, name: str) -> Any:
    """Targets or weights in memory, if they are row-sliceable; else as they are."""
    if not is_row_sliceable(array) or not array.shape:
        return array
    if hasattr(array, "compute"):
        return np.asarray(array.compute())
    return np.asarray(_slice(array, 0, array.shape[0], name))


def _slice(X: Any, start: int, stop: int, name: str) -> Any:
    """X[start:stop], computed if it is lazy; errors say which rows were read."""
    check_mapped_file(X)
    try:
        rows = X[start:stop]
        return rows.compute() if hasattr(rows, "compute") else rows
    except BaseException as error:
        error.add_note(f"Rows {start} to {stop - 1} of {name} were being read.")
        raise


class RowSource(ABC):
    """Rows that are read slice by slice, in the form that the engine needs.

    It can be sliced itself, as the sources of data are that users pass.

    Attributes
    ----------
    shape : tuple of two ints
    dtype : dtype
        Of the rows that are read.
    sample : ndarray or CSR matrix of shape (n_rows, n_features)
        A few rows, by which the form of the others is known.
    chunk_rows : int or sequence of int
        Rows of all, or of each of the chunks that are best read as a whole.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    sample: Any
    chunk_rows: int | Sequence[int] = 1
    _window_rows: int | None = None
    _row_entries: float

    @abstractmethod
    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop, checked, as an ndarray or a CSR matrix."""

    @abstractmethod
    def for_network(self, dtype: Any) -> Self:
        """This source for a network of this dtype, in which its numbers must be finite."""

    @abstractmethod
    def forget_pages(self) -> None:
        """Let the system take back the memory of what has been read of a mapped file."""

    @property
    def window_rows(self) -> int:
        """Rows of a window: as asked for, or as many as fit into WINDOW_BYTES."""
        if self._window_rows is not None:
            return self._window_rows
        entry_bytes = self.dtype.itemsize + (4 if issparse(self.sample) else 0)
        return max(1, int(WINDOW_BYTES // max(entry_bytes, entry_bytes * self._row_entries)))

    def blocks(self, window_rows: int) -> NDArray[np.intp]:
        """Edges (n_blocks + 1,) of the blocks that are read at once, many to a window.

        A block is one or more chunks; a chunk is cut only if it is larger than a window.
        """
        most, n_rows = max(1, window_rows // _BLOCKS), self.shape[0]
        chunks = self.chunk_rows
        if isinstance(chunks, int):
            size = max(chunks, most // chunks * chunks)
            chunks = [size] * (n_rows // size) + [n_rows % size]
        chunks = [n for n in chunks if n > 0]
        edges = [0]
        for start, stop in pairwise(np.cumsum([0, *chunks]).tolist()):
            if stop - edges[-1] > most and start > edges[-1]:
                edges.append(start)
            while stop - edges[-1] > window_rows:
                edges.append(edges[-1] + window_rows)
        return np.array([*edges, n_rows], dtype=np.intp)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        start, stop, step = rows.indices(len(self))
        return (self.read(start, stop) if start < stop else self.sample[:0])[::step]


class SlicedRows(RowSource):
    """The rows of a user's data.

    Parameters
    ----------
    X : object
        With a shape, a dtype and slices of rows; see ``is_row_sliceable``.
    name : str
        What it is called in errors.
    window_rows : int or None
        Rows of a window; None for as many as fit into WINDOW_BYTES.

    Raises
    ------
    ValueError
        If X has not two dimensions, no columns or no dtype of real numbers, or the first slice of
        its rows is not what it should be.
    """

    def __init__(self, X: Any, name: str = "X", window_rows: int | None = None) -> None:
        if len(X.shape) != 2 or not all(isinstance(n, Integral) for n in X.shape):
            raise ValueError(
                f"Expected 2D array, got {name} of shape {X.shape} instead: it must have a number "
                "of rows and of columns."
            )
        if X.shape[1] == 0:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        if X.dtype.kind not in "biuf":
            raise ValueError(f"Input {name} must have real numbers, got the dtype {X.dtype}.")
        self.shape = int(X.shape[0]), int(X.shape[1])
        self._X, self._name, self._window_rows = X, name, window_rows
        self.chunk_rows = _chunk_rows(getattr(X, "chunks", None), self.shape[0])
        self._first_rows: Any = None
        self._network_dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
        n_rows = min(_SAMPLE_ROWS, self.shape[0])
        self._first_rows = self._checked(_slice(X, 0, n_rows, name), 0, n_rows)
        self._set_sample()
        self._row_entries = self.shape[1]
        if issparse(self.sample) and n_rows:
            # The first rows may have fewer than others.
            places = (0, (self.shape[0] - n_rows) // 2, self.shape[0] - n_rows)
            self._row_entries = max(self.read(n, n + n_rows).nnz for n in places) / n_rows

    def for_network(self, dtype: Any) -> Self:
        """This source for a network of this dtype, in which its numbers must be finite."""
        other = copy.copy(self)
        other._network_dtype = np.dtype(dtype)
        other._set_sample()
        return other

    def _set_sample(self) -> None:
        self.sample = self._for_engine(self._first_rows)
        self.dtype = self.sample.dtype

    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop, checked, as an ndarray or a CSR matrix.

        Raises
        ------
        ValueError
            If they have another shape, dtype or form than promised, or are not finite.
        OSError
            If X is a memmap whose file has become too short.
        """
        rows = self._checked(_slice(self._X, start, stop, self._name), start, stop)
        return self._for_engine(rows)

    def _for_engine(self, rows: Any) -> Any:
        """These rows in a form and dtype that the engine reads."""
        return as_engine_input(rows, self._network_dtype)

    def forget_pages(self) -> None:
        """Let the system take back the memory of what has been read of a mapped file."""
        file = mapped_file(self._X)
        # A private map ("c") would lose what has been written into it.
        if file is not None and self._X.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
            file.madvise(mmap.MADV_DONTNEED)

    def _checked(self, rows: Any, start: int, stop: int) -> Any:
        """These rows as an ndarray or a CSR matrix."""
        where = f"rows {start} to {stop - 1}"
        if np.ma.is_masked(rows):
            raise ValueError(f"Input {self._name} has masked values in {where}.")
        rows = checked_sparse(rows, self._name) if issparse(rows) else np.asarray(rows)
        if rows.shape != (stop - start, self.shape[1]) or rows.dtype != self._X.dtype:
            raise ValueError(
                f"Input {self._name} gave {where} as an array of shape {rows.shape} and dtype "
                f"{rows.dtype}, expected {(stop - start, self.shape[1])} and {self._X.dtype}."
            )
        if self._first_rows is not None and issparse(rows) != issparse(self._first_rows):
            raise ValueError(f"Input {self._name} has dense and sparse rows; see {where}.")
        if issparse(rows):
            rows = rows.tocsr()
        self._check_finite(rows, start)
        return rows

    def _check_finite(self, rows: Any, start: int) -> None:
        """ValueError, with scikit-learn's words, if a number is NaN or infinite."""
        numbers, dtype = rows.data[:, np.newaxis] if issparse(rows) else rows, self._network_dtype
        is_read_in_place = numbers.dtype in NUMBERS and numbers.flags.aligned
        if is_read_in_place and _engine.is_finite(numbers, dtype):
            return
        with np.errstate(over="ignore"):
            finite = np.isfinite(numbers.astype(dtype))
        if finite.all():
            return
        place = int(np.argmin(finite.all(axis=1)))
        row = int(np.searchsorted(rows.indptr, place, "right")) - 1 if issparse(rows) else place
        what = (
            "NaN"
            if np.isnan(numbers[place]).any()
            else f"infinity or a value too large for {dtype!r}"
        )
        raise ValueError(f"Input {self._name} contains {what}.\nThe first is in row {start + row}.")


class SelectedRows(RowSource):
    """Some runs of another source's rows, one after the other.

    Parameters
    ----------
    source : RowSource
    runs : ndarray of shape (n_runs, 2), intp
        The first row of each run and the one behind its last.
    chunk_rows : sequence of int
        Rows of the chunks that the runs came from.
    """

    def __init__(
        self, source: RowSource, runs: NDArray[np.intp], chunk_rows: Sequence[int]
    ) -> None:
        self._source, self._runs = source, runs
        self.chunk_rows = self._chunks = chunk_rows
        self._ends = np.cumsum(runs[:, 1] - runs[:, 0])
        self.shape = int(self._ends[-1]), source.shape[1]
        self.dtype, self.sample = source.dtype, source.sample
        self._window_rows = source.window_rows

    def for_network(self, dtype: Any) -> Self:
        """This source for a network of this dtype, in which its numbers must be finite."""
        return type(self)(self._source.for_network(dtype), self._runs, self._chunks)

    def forget_pages(self) -> None:
        """Let the system take back the memory of what has been read of a mapped file."""
        self._source.forget_pages()

    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop, checked, as an ndarray or a CSR matrix."""
        first = int(np.searchsorted(self._ends, start, "right"))
        last = int(np.searchsorted(self._ends, stop, "left"))
        runs = self._runs[first : last + 1].copy()
        runs[-1, 1] -= self._ends[last] - stop
        runs[0, 0] = self._runs[first, 1] - (self._ends[first] - start)
        begin, end = int(runs[0, 0]), int(runs[-1, 1])
        if end - begin > 2 * (stop - start):
            return joined([self._source.read(*run) for run in runs.tolist()])
        # One slice is faster than several, which may be of the same chunk.
        rows = self._source.read(begin, end)
        return joined([rows[a - begin : b - begin] for a, b in runs.tolist()])


def row_numbers(runs: Any) -> NDArray[np.intp]:
    """The numbers of all rows in these runs (n_runs, 2)."""
    starts, stops = np.asarray(runs, dtype=np.intp).T
    lengths = stops - starts
    numbers: NDArray[np.intp] = np.arange(lengths.sum(), dtype=np.intp)
    numbers += np.repeat(stops - np.cumsum(lengths), lengths)
    return numbers


def joined(parts: list[Any]) -> Any:
    """Arrays or CSR matrices as one, in the form that the engine needs."""
    if len(parts) == 1:
        return parts[0]
    if issparse(parts[0]):
        whole = vstack(parts, "csr")
        return as_engine_input(whole, whole.dtype)
    return np.concatenate(parts)


def _chunk_rows(chunks: Any, n_rows: int) -> int | tuple[int, ...]:
    """The rows of the chunks, as zarr, h5py and Dask tell them; 1 if they are not known."""
    if not isinstance(chunks, tuple) or not chunks:
        return 1
    rows = chunks[0]
    if isinstance(rows, tuple):
        return tuple(int(n) for n in rows) if sum(rows) == n_rows else 1
    return max(1, int(rows)) if isinstance(rows, Integral) else 1
