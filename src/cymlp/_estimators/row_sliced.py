"""X as users pass it, in memory or as a source of rows that are read window by window."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp._estimators.input_validation import check_X_y, checked_weights
from cymlp._network.arrays import CollectedRows, as_engine_input
from cymlp._network.row_source import RowSource, SlicedRows, is_row_sliceable, read_whole
from cymlp._network.windows import WindowReader


def checked_data(
    estimator: Any,
    raw_data: tuple[Any, Any, Any],
    is_valid_y: Callable[[Any], bool],
    dtype: Any,
    *,
    reset: bool,
    name: str,
) -> tuple[Any, NDArray[Any], NDArray[Any] | None, np.dtype[Any]]:
    """X, y and sample weights, checked, and the network's dtype; X as the engine needs it.

    Parameters
    ----------
    estimator : estimator
    raw_data : tuple
        X, y and sample weights as passed to a method.
    is_valid_y, reset
        As in ``check_X_y``.
    dtype : dtype, str or None
        The network's; None if it is to be X's, or float64 if X is not of floats.
    name : str
        What X is called in errors.

    Returns
    -------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features)
        A RowSource if there are more rows than a window has.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : ndarray of shape (n_samples,) or None
    dtype : dtype
    """
    X = _rows_of(raw_data[0], estimator.shuffle_buffer, name)
    y, sample_weight = read_whole(raw_data[1], "y"), read_whole(raw_data[2], "sample_weight")
    dtype = None if dtype is None else np.dtype(dtype)
    X, y = check_X_y(estimator, X, y, is_valid_y, dtype, reset=reset)
    if dtype is None:
        dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
    X = _engine_rows(X, dtype, estimator.shuffle_buffer, name)
    if sample_weight is not None:
        sample_weight = checked_weights(sample_weight, X.shape[0], dtype)
    return X, y, sample_weight, dtype


def source_of(X: Any, window_rows: int | None, name: str = "X") -> RowSource:
    """Row-sliceable data as a RowSource."""
    return X if isinstance(X, RowSource) else SlicedRows(X, name, window_rows)


def by_windows(source: RowSource, predict: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    """What ``predict`` returns for all rows, which it is given window by window."""
    if len(source) <= source.window_rows:
        return predict(source.read(0, len(source)))
    result = CollectedRows(len(source))
    with closing(WindowReader(source).read()) as windows:
        for window in windows:
            result.add(predict(window.X))
    whole: NDArray[Any] = result.whole
    return whole


def _rows_of(X: Any, window_rows: int | None, name: str) -> Any:
    """X, which is read whole if it is row-sliceable and no larger than a window.

    Parameters
    ----------
    X : object
        The data as passed to a method.
    window_rows : int or None
        Rows of a window; None for the default.
    name : str
        What X is called in errors.

    Returns
    -------
    X : object
        X itself if its rows are not read by slices; else an array or a CSR matrix, or a RowSource.
    """
    if not is_row_sliceable(X):
        return X
    source = source_of(X, window_rows, name)
    return source if len(source) > source.window_rows else source.read(0, len(source))


def _engine_rows(X: Any, dtype: Any, window_rows: int | None, name: str) -> Any:
    """Validated data as the engine needs them for a network of this dtype.

    What is in memory is read window by window too if ``window_rows`` asks for that.
    """
    if not isinstance(X, RowSource):
        X = as_engine_input(X, dtype)
        if window_rows is None or X.shape[0] <= window_rows:
            return X
        X = SlicedRows(X, name, window_rows)
    return X.for_network(dtype)
