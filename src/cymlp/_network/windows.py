"""Windows of rows, read by a thread ahead of their use."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from cymlp._network.row_source import RowSource, joined

# Rows from the first number up to the second.
Run = tuple[int, int]


class Window(NamedTuple):
    """Rows in memory, and the runs of the source's rows that they are."""

    X: Any
    runs: list[Run]


class WindowReader:
    """Reads windows of rows, each by a thread while the caller works on the one before.

    A dense window is valid until the next but one is asked for: their memory is used again.

    Parameters
    ----------
    source : RowSource
    window_rows : int, default=None
        The most rows of a window; None for the source's.
    """

    def __init__(self, source: RowSource, window_rows: int | None = None) -> None:
        self._source = source
        self.window_rows = min(window_rows or source.window_rows, len(source))
        self._edges = source.blocks(self.window_rows)
        self._memory: list[NDArray[Any]] = []

    @property
    def n_blocks(self) -> int:
        """Number of blocks that the source is read by."""
        return len(self._edges) - 1

    def read(self, blocks: Iterable[int] | None = None) -> Generator[Window, None, None]:
        """The windows, made of the blocks in this order; None for as they come.

        The iterator must be closed, which ends its thread.
        """
        order = range(self.n_blocks) if blocks is None else blocks
        edges, stopped = self._edges.tolist(), Event()
        windows = _cut(((edges[i], edges[i + 1]) for i in order), self.window_rows)
        runs = next(windows)
        with ThreadPoolExecutor(1, "cymlp-reader") as executor:
            try:
                future = executor.submit(self._load, runs, stopped)
                for next_runs in windows:
                    window = Window(future.result(), runs)
                    future, runs = executor.submit(self._load, next_runs, stopped), next_runs
                    yield window
                yield Window(future.result(), runs)
            finally:
                stopped.set()

    def _load(self, runs: list[Run], stopped: Event) -> Any:
        """The rows of these runs; None if ``stopped`` is set meanwhile."""
        parts, n_rows = [], 0
        memory = None if issparse(self._source.sample) else self._next_memory()
        for start, stop in runs:
            if stopped.is_set():
                return None
            rows = self._source.read(start, stop)
            if memory is None:
                parts.append(rows)
            else:
                memory[n_rows : n_rows + stop - start] = rows
                self._source.forget_pages()
            n_rows += stop - start
        return joined(parts) if memory is None else memory[:n_rows]

    def _next_memory(self) -> NDArray[Any]:
        """The memory that was not used last."""
        if len(self._memory) < 2:
            shape = self.window_rows, self._source.shape[1]
            self._memory.append(np.empty(shape, self._source.dtype))
        else:
            self._memory.reverse()
        return self._memory[-1]


def _cut(runs: Iterable[Run], n_rows: int) -> Iterator[list[Run]]:
    """The runs, cut so that ``n_rows`` rows make a list; the last may have fewer."""
    window: list[Run] = []
    free = n_rows
    for start, stop in runs:
        while start < stop:
            end = min(stop, start + free)
            window.append((start, end))
            free, start = free - (end - start), end
            if not free:
                yield window
                window, free = [], n_rows
    if window:
        yield window
