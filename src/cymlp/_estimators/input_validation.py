"""Validation of the data passed to fit and predict, with scikit-learn's error messages."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.base import is_regressor
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_non_negative, validate_data

from cymlp import _engine
from cymlp._network.arrays import FLOATS, NUMBERS, too_large
from cymlp._network.row_source import RowSource
from cymlp._network.sparse import checked_sparse


def checked_weights(sample_weight: Any, n_samples: int, dtype: Any) -> NDArray[Any]:
    """Sample weights (n_samples,) of this dtype.

    Raises
    ------
    ValueError
        If they are not one number per sample, or are not finite, negative, or all 0.
    """
    if np.isscalar(sample_weight):
        sample_weight = np.full(n_samples, sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=dtype, order="C", input_name="sample_weight"
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


def check_magnitude(weights: NDArray[Any], name: str) -> None:
    """Check that gradients weighted with these training weights do not underflow.

    Raises
    ------
    ValueError
        If the largest weight is so small that a gradient times it underflows, or their sum is so
        large that a gradient divided by it does.
    """
    limits = np.finfo(weights.dtype)
    least = float(limits.tiny / limits.eps)
    with np.errstate(over="ignore"):
        largest, total = weights.max(), weights.sum(dtype=np.float64)
    if largest < least or total > 1 / least:
        raise ValueError(
            f"{name} must have a largest value of at least {least:.1e} and a sum of at most "
            f"{1 / least:.1e}, or else {weights.dtype} gradients underflow; got {largest:.1e} and "
            f"{total:.1e}."
        )


def check_training_weights(
    weights: NDArray[Any] | None, sample_weight: NDArray[Any] | None
) -> None:
    """ValueError if the magnitude of these weights, which may include class weights, is bad."""
    if weights is not None:
        own = weights is sample_weight
        check_magnitude(weights, "sample_weight" if own else "sample_weight times class_weight")


def passes_fast_check(X: Any) -> bool:
    """Whether X is a matrix that needs no check but that it is finite, and its indices valid."""
    if isinstance(X, csr_array | csr_matrix):
        arrays = X.data, X.indices, X.indptr
        return (
            all(type(array) is np.ndarray and array.ndim == 1 for array in arrays)
            and X.ndim == 2
            and X.dtype in NUMBERS
            and X.indices.dtype == X.indptr.dtype in (np.int32, np.int64)
            and len(X.indptr) == X.shape[0] + 1 > 1
            and 0 == X.indptr[0] <= X.indptr[-1] <= len(X.indices) == len(X.data)
        )
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in NUMBERS and X.size > 0


def are_finite_numbers(y: Any) -> bool:
    """Whether y is a vector of finite floats, which are valid regression targets."""
    return (
        type(y) is np.ndarray and y.ndim == 1 and y.dtype in FLOATS and bool(np.isfinite(y).all())
    )


def are_plain_labels(y: Any) -> bool:
    """Whether y is a vector of integers or bools, which are always valid labels."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"


def check_X_y(
    estimator: Any,
    X: Any,
    y: Any,
    is_valid_y: Callable[[Any], bool],
    dtype: Any = None,
    *,
    reset: bool,
) -> tuple[Any, NDArray[Any]]:
    """Validated X and y, y (n_samples,) or (n_samples, n_outputs).

    An array X of a type that the engine reads is not copied. ``validate_data`` is slow, so it is
    skipped if it would not change the data.

    Parameters
    ----------
    estimator : estimator
    X, y
        As passed to fit.
    is_valid_y : callable
        Returns whether a quick check shows that y is valid as it is.
    dtype : dtype, default=None
        The network's, for which no number of X may be too large; None if it is to be X's, or
        float64 if X is not of floats.
    reset : bool
        Whether to set the estimator's number and names of features, or to compare with them.
    """
    if isinstance(X, RowSource):
        return X, _check_y_of_source(estimator, X, y, reset)
    is_array = isinstance(X, np.ndarray) and X.dtype in NUMBERS
    is_finite = is_array and X.ndim == 2 and X.flags.aligned and _engine.is_finite(X, dtype)
    if is_finite and passes_fast_check(X) and is_valid_y(y) and len(X) == len(y) > 1:
        if reset:
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
        if X.shape[1] == estimator.n_features_in_ and not hasattr(estimator, "feature_names_in_"):
            return X, y
    checked_sparse(y, "y")
    X, y = validate_data(
        estimator,
        checked_sparse(X),
        y,
        accept_sparse=["csr", "csc"],
        multi_output=True,
        y_numeric=is_regressor(estimator),
        dtype=NUMBERS if is_array or (issparse(X) and X.dtype in NUMBERS) else FLOATS,
        ensure_all_finite=not is_finite,  # scikit-learn's check makes copies of some types
        reset=reset,
    )
    if not (is_finite or dtype is None or issparse(X)) and not _engine.is_finite(
        np.require(X, requirements="A"), dtype
    ):
        raise too_large("X", dtype)
    return X, _without_only_column(y)


def _check_y_of_source(estimator: Any, X: RowSource, y: Any, reset: bool) -> NDArray[Any]:
    """Validated y for an X that checks its rows as it reads them, and so has no feature names."""
    y = validate_data(
        estimator,
        y=checked_sparse(y, "y"),
        multi_output=True,
        y_numeric=is_regressor(estimator),
        reset=reset,
    )
    check_consistent_length(X, y)
    if reset:
        estimator.n_features_in_ = X.shape[1]
    else:
        check_n_features(estimator, X)
    return _without_only_column(y)


def check_n_features(estimator: Any, X: Any) -> None:
    """ValueError, as scikit-learn has it, unless X has as many columns as in fit."""
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )


def _without_only_column(y: NDArray[Any]) -> NDArray[Any]:
    """y (n_samples,), with a warning, if its shape is (n_samples, 1); else y."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def check_X(estimator: Any, X: Any) -> Any:
    """X validated by scikit-learn for a fitted estimator."""
    return validate_data(estimator, checked_sparse(X), accept_sparse=["csr", "csc"], reset=False)
