"""Arrays in the form that the engine reads, and rows processed slice by slice."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse, vstack

from cymlp import _engine

FLOATS = (np.float64, np.float32)
# The types of X that the engine reads in place.
NUMBERS = (
    *FLOATS,
    np.float16,
    np.bool_,
    *(np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64),
)

# Approximate size of the slices of rows that are predicted and decoded one at a time.
SLICE_BYTES = 4_000_000


def cast_to(values: Any, dtype: Any, name: str) -> Any:
    """An array or sparse matrix in this dtype; the same object if it has it already.

    Raises
    ------
    ValueError
        If a value is too large for the dtype.
    """
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    numbers = cast.data if issparse(cast) else cast
    if np.isinf(numbers).any():
        raise too_large(name, dtype)
    return cast


def too_large(name: str, dtype: Any) -> ValueError:
    """The error to raise if a value is too large for the dtype."""
    return ValueError(
        f"Input {name} contains infinity or a value too large for {np.dtype(dtype)!r}."
    )


def as_engine_input(X: Any, dtype: Any) -> Any:
    """X as the engine reads it for a network of this dtype, copied only if necessary.

    It is aligned and of one of ``NUMBERS``, and if it is sparse, in CSR format; its indices must
    be valid.

    Raises
    ------
    ValueError
        If it has to be converted, or is sparse, and has a value too large for the dtype.
    """
    if X.dtype not in NUMBERS:
        X = cast_to(X, dtype, "X")
    if not issparse(X):
        return X if X.flags.aligned else X.copy()
    X = X.tocsr()
    values, *indices = (
        np.require(a, requirements=["C", "A"]) for a in (X.data, X.indices, X.indptr)
    )
    if values.dtype != dtype and not _engine.is_finite(values[np.newaxis], dtype):
        raise too_large("X", dtype)
    return csr_array((values, *indices), shape=X.shape, copy=False)


def slices(n_rows: int, rows_per_slice: int) -> Iterator[slice]:
    """Slices that cover ``n_rows`` rows, at most ``rows_per_slice`` each."""
    for start in range(0, n_rows, rows_per_slice):
        yield slice(start, min(start + rows_per_slice, n_rows))


class CollectedRows:
    """Collects an array or sparse matrix of ``n_rows`` rows slice by slice.

    Arrays are copied into one, so that all slices need not be in memory beside the result.
    """

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._next = 0
        self._sparse: list[Any] = []
        self._dense: NDArray[Any] | None = None

    def add(self, rows: Any) -> None:
        """Append a slice; if it has all rows, it is not copied."""
        if issparse(rows):
            self._sparse.append(rows)
        elif len(rows) == self._n_rows:
            self._dense = rows
        else:
            if self._dense is None:
                self._dense = np.empty((self._n_rows, *rows.shape[1:]), dtype=rows.dtype)
            self._dense[self._next : self._next + len(rows)] = rows
            self._next += len(rows)

    @property
    def whole(self) -> Any:
        """All rows as one array or matrix."""
        if not self._sparse:
            return self._dense
        first = self._sparse[0]
        return first if len(self._sparse) == 1 else vstack(self._sparse, first.format)
