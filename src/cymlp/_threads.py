"""How many threads SciPy's BLAS may use while the engine runs."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

# From this size of a step on, BLAS's own threads pay: `python -m benchmarks threads` measures it.
_CROSSING_FLOPS = 20_000_000
_CROSSING_ROWS = 64

# A run below this size is done before BLAS's threads, which may have to wait some milliseconds
# for NumPy's BLAS to stop spinning, have woken.
_WAKING_FLOPS = 1_000_000_000

# Below this size of a run BLAS libraries use one thread of their own accord.
_ALWAYS_ONE_FLOPS = 1_000_000


class _Blas:
    """SciPy's BLAS, shared by all runs of the engine in this process.

    The number of its threads is the process's, not a run's. So the first run to enter notes
    it, all share one thread while there are several, and the last to leave restores it. A
    run within a run, such as the score of a fit's validation data, changes nothing.
    """

    def __init__(self) -> None:
        self._libraries: list[Any] | None = None
        self._found: list[int] = []
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[int, bool] = {}  # thread -> whether its run wants all threads

    @contextmanager
    def threads(self, all_of_them: bool) -> Iterator[None]:
        """Hold BLAS at one thread, or at all it has."""
        thread = threading.get_ident()
        if thread in self._runs:
            yield
            return
        with self._lock:
            if not self._runs:
                libraries = self._libraries or _scipy_blas()
                self._found = [library.get_num_threads() for library in libraries]
                self._libraries = libraries
            self._runs[thread] = all_of_them
            self._share()
        try:
            yield
        finally:
            with self._lock:
                self._runs.pop(thread, None)  # it is gone in a child forked meanwhile
                self._share()

    def _share(self) -> None:
        """Give BLAS the threads that the present runs call for."""
        wants = list(self._runs.values())
        for library, found in zip(self._libraries or [], self._found, strict=False):
            _set_threads(library, found if not wants or wants == [True] else 1)

    def after_fork(self) -> None:
        """In a forked child none of the parent's other threads runs any more."""
        self._reset()
        self._share()


def _set_threads(library: Any, n_threads: int) -> None:
    """Give a library so many threads, from whatever thread this is called."""
    if library.get_num_threads() == n_threads:
        return
    # threadpoolctl >= 3.8 lets one thread at a time have control, and ignores all others.
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(n_threads)
    release(force=True)


def _scipy_blas() -> list[Any]:
    """threadpoolctl's controllers of SciPy's BLAS; of every BLAS where it has none of its own."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    own = [lib for lib in libraries if "scipy" in str(Path(lib.filepath).parent)]
    return own or libraries


_blas = _Blas()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.after_fork)


def blas_threads(n_rows: int, n_weights: int, n_steps: float) -> AbstractContextManager[None]:
    """Context in which SciPy's BLAS uses one thread, or all where a run repays them.

    What it used before is restored at the end, also after an exception. Where several fits
    run at once, in threads, each gets one. Only speed depends on it.

    Parameters
    ----------
    n_rows : int
        Rows of X in a step.
    n_weights : int
        Weights of the network; forwards and backwards a step takes 6 n_rows n_weights flops.
    n_steps : float
        Steps of the run.
    """
    flops = 6 * n_rows * n_weights
    if flops * n_steps < _ALWAYS_ONE_FLOPS:
        return nullcontext()
    return _blas.threads(
        n_rows >= _CROSSING_ROWS and flops >= _CROSSING_FLOPS and flops * n_steps >= _WAKING_FLOPS
    )


def blas_info() -> list[dict[str, Any]]:
    """Name, version and threads of the BLAS that the engine uses, for a bug report."""
    return [library.info() for library in _scipy_blas()]
