"""The rows of an epoch, window by window: all at once, or as they are read into memory."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._network.row_source import RowSource, row_numbers
from cymlp._network.windows import WindowReader
from cymlp._training.data import Rows, TrainingData


class Window(NamedTuple):
    """Rows that the engine can be trained on.

    Attributes
    ----------
    dataset : Dataset
    order : ndarray of shape (n_rows,), intp, or None
        The dataset's rows to visit, in this order; None for all as they come.
    numbers : ndarray of shape (n_samples,), intp, or None
        Which row of all data each of the dataset's is; None if they are all the data.
    is_last : bool
        Whether it is the last of the epoch.
    """

    dataset: _engine.Dataset
    order: NDArray[np.intp] | None
    numbers: NDArray[np.intp] | None
    is_last: bool

    @property
    def n_rows(self) -> int:
        """Number of rows to visit."""
        return int(self.dataset.n_samples) if self.order is None else len(self.order)

    def in_all_data(self, rows: NDArray[np.intp] | None) -> NDArray[np.intp] | None:
        """The numbers that these rows of the dataset have in all data."""
        return rows if self.numbers is None else self.numbers[slice(None) if rows is None else rows]


class Windows(ABC):
    """What is trained on in an epoch.

    Attributes
    ----------
    example : Dataset
        Like those of the windows, for the workspace to be made for.
    """

    example: _engine.Dataset

    @abstractmethod
    def epoch(self) -> Generator[Window, None, None]:
        """The windows of the next epoch; the iterator must be closed."""


class OneWindow(Windows):
    """Rows of data in memory, shuffled like ``sklearn.utils.shuffle``, without its slow checks.

    Parameters
    ----------
    rows : Rows
    batch_size : int
    random_state : RandomState or None
        For the order; None to keep it.
    """

    def __init__(
        self, rows: Rows, batch_size: int, random_state: np.random.RandomState | None
    ) -> None:
        self.example = rows.data.dataset()
        self._random_state = random_state
        self._order, self._n_rows = rows.indices, len(rows)
        # The order within a single batch does not matter, and in-order rows are read fastest.
        self._keeps_order = batch_size >= self._n_rows

    def epoch(self) -> Generator[Window, None, None]:
        """All rows, in the order of the last epoch permuted."""
        if self._random_state is not None:
            permutation = np.arange(self._n_rows, dtype=np.intp)
            self._random_state.shuffle(permutation)
            if not self._keeps_order:
                order = self._order
                self._order = permutation if order is None else order[permutation]
        yield Window(self.example, self._order, None, True)


class ReadWindows(Windows):
    """Data that are read window by window, shuffled as in CorgiPile.

    The blocks of the data are permuted, and then the rows of each window. All windows but the last
    are whole mini-batches.

    Parameters
    ----------
    data : TrainingData
        Its X is a RowSource.
    batch_size : int
    random_state : RandomState or None
        For the order; None to keep it.

    References
    ----------
    L. Xu et al., "In-database machine learning with CorgiPile: stochastic gradient descent without
    full data shuffle", SIGMOD 2022.
    """

    def __init__(
        self, data: TrainingData, batch_size: int, random_state: np.random.RandomState | None
    ) -> None:
        source: RowSource = data.X
        self._data, self._random_state = data, random_state
        self._reader = WindowReader(
            source, max(batch_size, source.window_rows // batch_size * batch_size)
        )
        self.example = _engine.Dataset(source.sample, dtype=data.dtype)

    def epoch(self) -> Generator[Window, None, None]:
        """The windows of the blocks in a new order, each with its rows in a new order."""
        data, random_state = self._data, self._random_state
        blocks = None if random_state is None else random_state.permutation(self._reader.n_blocks)
        n_left = data.n_samples
        with closing(self._reader.read(blocks)) as windows:
            for X, runs in windows:
                numbers = row_numbers(runs)
                order = None
                if random_state is not None:
                    order = np.arange(len(numbers), dtype=np.intp)
                    random_state.shuffle(order)
                n_left -= len(numbers)
                yield Window(data.part(X, numbers).dataset(), order, numbers, n_left == 0)


class Parts:
    """Data as they come: at once if they are in memory, else as they are read.

    Parameters
    ----------
    data : TrainingData

    Attributes
    ----------
    most_rows : int
        Rows of the largest part.
    """

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self._reader = WindowReader(data.X) if isinstance(data.X, RowSource) else None
        self.most_rows = data.n_samples if self._reader is None else self._reader.window_rows

    def read(self) -> Generator[TrainingData, None, None]:
        """The parts, one after the other; the generator must be closed."""
        if self._reader is None:
            yield self._data
            return
        with closing(self._reader.read()) as windows:
            for X, runs in windows:
                yield self._data.part(X, slice(runs[0][0], runs[-1][1]))


def windows_of(rows: Rows, batch_size: int, random_state: np.random.RandomState | None) -> Windows:
    """These rows, at once or as they are read, in an order that ``random_state`` draws."""
    if isinstance(rows.data.X, RowSource):
        return ReadWindows(rows.data, batch_size, random_state)
    return OneWindow(rows, batch_size, random_state)
