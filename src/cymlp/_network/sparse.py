"""Checks of sparse matrices, which SciPy does not make."""

from typing import Any

from scipy.sparse import (
    bsr_array,
    coo_array,
    csc_array,
    csr_array,
    dia_array,
    issparse,
)

# SciPy's formats that consist of data, indices and indptr.
_COMPRESSED = {"csr": csr_array, "csc": csc_array, "bsr": bsr_array}


def checked_sparse(X: Any, name: str = "X") -> Any:
    """X; if it is sparse, a sparse array with checked indices that shares its memory.

    SciPy converts and slices without checking indices, and reads or writes wherever they point.

    Raises
    ------
    ValueError
        If an index is out of bounds, or if the arrays that make up X do not match.
    """
    if not issparse(X) or X.ndim != 2:
        return X
    try:
        return _rebuilt(X)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"Input {name} is a broken sparse {X.format} matrix: {error}") from error


def _rebuilt(X: Any) -> Any:
    """A sparse array made of the same arrays, each of them checked, here or by SciPy."""
    if X.format in _COMPRESSED:
        if X.format == "bsr" and any(
            n % size for n, size in zip(X.shape, X.blocksize, strict=True)
        ):
            raise ValueError("its blocks do not divide its shape")
        checked = _COMPRESSED[X.format]((X.data, X.indices, X.indptr), shape=X.shape, copy=False)
        # SciPy checks the order of indptr only if its last value is above 0, and uses differences,
        # which may overflow.
        if (checked.indptr[1:] < checked.indptr[:-1]).any():
            raise ValueError("indptr must be a non-decreasing sequence")
        checked.check_format(full_check=True)
        return checked
    if X.format == "dia":
        return dia_array((X.data, X.offsets), shape=X.shape, copy=False)
    if X.format == "lil":
        lengths = [list(map(len, lists)) for lists in (X.rows, X.data)]
        if lengths[0] != lengths[1] or len(lengths[0]) != X.shape[0]:
            raise ValueError("rows and data should have the same lengths")
        return _rebuilt(X.tocsr())
    coo = X.tocoo()
    return coo_array((coo.data, (coo.row, coo.col)), shape=X.shape, copy=False)
