"""X as users pass it, in memory or as a source of rows that are read window by window."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import issparse

from cymlp._network.arrays import CollectedRows, as_engine_input, cast_to
from cymlp._network.row_source import RowSource, SlicedRows, is_row_sliceable
from cymlp._network.windows import WindowReader


def rows_of(X: Any, window_rows: int | None, name: str = "X") -> Any:
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


def engine_rows(X: Any, dtype: Any, window_rows: int | None, name: str = "X") -> Any:
    """Validated data as the engine needs them for a network of this dtype.

    What is in memory is read window by window too if ``window_rows`` asks for that.
    """
    if not isinstance(X, RowSource):
        X = as_engine_input(cast_to(X, dtype, "X") if issparse(X) else X)
        if window_rows is None or X.shape[0] <= window_rows:
            return X
        X = SlicedRows(X, name, window_rows)
    return X.for_network(dtype)


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
