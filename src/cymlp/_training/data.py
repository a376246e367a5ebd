"""X, targets and weights in the form that the engine takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import (
    bsr_array,
    coo_array,
    csc_array,
    csr_array,
    dia_array,
    issparse,
    vstack,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from cymlp import _engine

FLOATS = (np.float64, np.float32)

# Bytes of a slice of rows that are predicted and decoded at a time.
SLICE_BYTES = 4_000_000

# SciPy's formats of data, indices and indptr.
_COMPRESSED = {"csr": csr_array, "csc": csc_array, "bsr": bsr_array}


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, in the form that the engine takes.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Of the network's dtype.
    targets : ndarray of shape (n_samples, n_outputs) or (n_samples,)
        Numbers of X's dtype; bool, one column for each label; or, of one dimension and C's int, the
        class of each sample.
    n_outputs : int
        Outputs of the network.
    weights : ndarray of shape (n_samples,) or None
        Of X's dtype; those of classes included.
    score_weights : ndarray of shape (n_samples,) or None
        Without those of classes.
    """

    X: Any
    targets: NDArray[Any]
    n_outputs: int
    weights: NDArray[Any] | None
    score_weights: NDArray[Any] | None

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    def samples(self, weights: NDArray[Any] | None) -> Any:
        """X and the targets, with these weights, as the engine takes them."""
        return _engine.Dataset(self.X, self.targets, weights, n_classes=self.n_outputs)


def cast_to(values: Any, dtype: Any, name: str) -> Any:
    """An array or sparse matrix of another dtype; itself if it is of this one.

    Raises
    ------
    ValueError
        If a value is finite, but not in the new dtype.
    """
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    numbers = cast.data if issparse(cast) else cast
    if np.isinf(numbers).any():
        raise ValueError(
            f"Input {name} contains infinity or a value too large for {np.dtype(dtype)!r}."
        )
    return cast


def engine_ready(X: Any) -> Any:
    """X, its indices checked, as the engine reads it, copied only if need be: aligned, or CSR."""
    if not issparse(X):
        return X if X.flags.aligned else X.copy()
    X = X.tocsr()
    arrays = (np.ascontiguousarray(array) for array in (X.data, X.indices, X.indptr))
    return csr_array(tuple(arrays), shape=X.shape, copy=False)


def checked_sparse(X: Any, name: str = "X") -> Any:
    """X, or if that is sparse an array around the same memory whose indices have been checked.

    SciPy converts and slices without a look at them, and reads or writes wherever they lead.

    Raises
    ------
    ValueError
        If an index is not within the shape, or if the parts of X do not fit together.
    """
    if not issparse(X) or X.ndim != 2:
        return X
    try:
        return _rebuilt(X)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"Input {name} is a broken sparse {X.format} matrix: {error}") from error


def _rebuilt(X: Any) -> Any:
    """A sparse array of the same parts, all of which SciPy or we have looked at."""
    if X.format in _COMPRESSED:
        if X.format == "bsr" and any(
            n % size for n, size in zip(X.shape, X.blocksize, strict=True)
        ):
            raise ValueError("its blocks do not divide its shape")
        checked = _COMPRESSED[X.format]((X.data, X.indices, X.indptr), shape=X.shape, copy=False)
        # SciPy looks at the order only if the last of these is above 0, and then by differences,
        # which overflow.
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


def checked_weights(sample_weight: Any, X: Any) -> NDArray[Any]:
    """Sample weights (n_samples,) of X's dtype.

    Raises
    ------
    ValueError
        If they are not one number per sample, not finite, negative, or all 0.
    """
    n_samples = X.shape[0]
    if np.isscalar(sample_weight):
        sample_weight = np.full(n_samples, sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=X.dtype, order="C", input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. "
            f"Expected either a scalar value or a 1D array of length {n_samples}."
        )
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}!")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    check_non_negative(weights, "`sample_weight`")
    return np.require(weights, requirements="A")


def check_size(weights: NDArray[Any], name: str) -> None:
    """Check that weights to train with leave something of the gradients.

    Raises
    ------
    ValueError
        If the largest is so small, or the sum so large, that the dtype has no number for a
        gradient times a weight, or over the sum.
    """
    limits = np.finfo(weights.dtype)
    least = float(limits.tiny / limits.eps)
    with np.errstate(over="ignore"):
        largest, total = weights.max(), weights.sum(dtype=np.float64)
    if largest < least or total > 1 / least:
        raise ValueError(
            f"{name} must have a largest value of at least {least:.1e} and a sum of at most "
            f"{1 / least:.1e}, as {weights.dtype} has no gradients beyond; got {largest:.1e} and "
            f"{total:.1e}."
        )


def stacked(parts: list[Any]) -> Any:
    """Arrays or sparse matrices one below the other; of one part that itself."""
    if len(parts) == 1:
        return parts[0]
    return vstack(parts, parts[0].format) if issparse(parts[0]) else np.concatenate(parts)


def is_ready(X: Any) -> bool:
    """Whether X is a matrix about which only its finiteness is to be asked."""
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in FLOATS and X.size > 0


def is_ready_and_finite(X: Any) -> bool:
    """Whether X is a matrix that validate_data, which is slow, would only wave on."""
    return is_ready(X) and X.flags.c_contiguous and X.flags.aligned and _engine.is_finite(X)


def are_ready_numbers(y: Any) -> bool:
    """Whether y is a vector of finite numbers."""
    return (
        type(y) is np.ndarray and y.ndim == 1 and y.dtype in FLOATS and bool(np.isfinite(y).all())
    )


def are_ready_labels(y: Any) -> bool:
    """Whether y is a vector of whole numbers or truth values, always valid as labels."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"
