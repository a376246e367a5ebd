"""X, targets and weights in the form that the engine takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from cymlp import _engine

FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, in the form that the engine takes.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Of the network's dtype.
    targets : ndarray of shape (n_samples, n_outputs)
        Of X's dtype, or bool.
    weights : ndarray of shape (n_samples,) or None
        Of X's dtype; those of classes included.
    score_weights : ndarray of shape (n_samples,) or None
        Without those of classes.
    """

    X: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    score_weights: NDArray[Any] | None

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])


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
    """X as the engine reads it, copied only if need be: aligned, or CSR with checked indices."""
    if not issparse(X):
        return X if X.flags.aligned else X.copy()
    X = X.tocsr()
    arrays = (np.ascontiguousarray(array) for array in (X.data, X.indices, X.indptr))
    # A matrix of its own around the same arrays: the check may cut off spare entries.
    X = csr_array(tuple(arrays), shape=X.shape, copy=False)
    X.check_format(full_check=True)
    return X


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
