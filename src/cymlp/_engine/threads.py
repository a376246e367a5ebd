"""The threads of a fit or a predict: how many, and what BLAS may use meanwhile."""

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from cymlp import _engine

# A thread is worth its share of a step from this many flops on, and a team that has to be
# started from this many in all: `python -m benchmarks scaling` shows the crossing.
_THREAD_STEP_FLOPS = 2_500_000
_TEAM_FLOPS = 100_000_000

# Below this size of a run, in products, BLAS libraries use one thread of their own accord.
_TINY_PRODUCTS = 160_000

# The most threads that the engine can take.
_MOST_THREADS = 256


class _Blas:
    """SciPy's BLAS, where the engine, or SciPy's L-BFGS, calls it.

    The number of its threads is the process's, not a run's, and the engine has threads of its
    own. So BLAS is held at one thread as long as any team is at work that calls it. (A BLAS whose
    threads are OpenMP's has a number for each thread that calls it, and is not held.)

    Attributes
    ----------
    runs : set of Team
        Those teams, which come and go by themselves.
    """

    def __init__(self) -> None:
        self.runs: set[Any] = set()
        self._libraries: list[Any] | None = None
        self._found: list[int] | None = None  # its threads before, while it is held
        self._lock = threading.RLock()

    def adjust(self) -> None:
        """Hold BLAS at one thread if there are runs, else give it back what it had.

        A team calls this in a thread that does nothing else, so that no signal handler interrupts
        it; in the calling thread only where no other can start. If it is interrupted there, the
        next call repairs what it left.
        """
        with self._lock:
            if self.runs and self._found is None:
                self._libraries = self._libraries or _scipy_blas()
                self._found = [library.get_num_threads() for library in self._libraries]
                for library in self._libraries:
                    _set_threads(library, 1)
            elif not self.runs:
                self._restore()

    def _restore(self) -> None:
        for library, found in zip(self._libraries or [], self._found or [], strict=False):
            _set_threads(library, found)
        self._found = None

    def after_fork(self) -> None:
        """In a forked child none of the parent's other threads runs any more."""
        self._lock = threading.RLock()
        self.runs.clear()
        self._restore()


def _after_fork() -> None:
    """In a forked child the calling thread is the only one left of any team."""
    for team in _engine.AT_WORK:
        team.forget_threads()
    _engine.AT_WORK.clear()
    _blas.after_fork()


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
    os.register_at_fork(after_in_child=_after_fork)


def engine_threads(
    n_jobs: int | None, n_rows: int, n_weights: int, n_steps: float, *, calls_blas: bool = False
) -> Any:
    """The team of threads for a run of the engine, to be started and closed.

    Where BLAS is called, it uses one thread meanwhile. What it used before is restored at the end.

    Parameters
    ----------
    n_jobs : int or None
        The estimator's parameter.
    n_rows : int
        Rows of X in a step.
    n_weights : int
        Weights of the network; forwards and backwards a step takes 6 n_rows n_weights flops.
    n_steps : float
        Steps of the run.
    calls_blas : bool, default=False
        Whether BLAS is called between the steps, even if not by the engine: its threads, idle but
        spinning, would be in the way of the next step.

    Returns
    -------
    team : Team
    """
    calls_blas = calls_blas or _engine.USES_BLAS
    limits_blas = calls_blas and not is_tiny(n_rows * n_weights * n_steps)
    return _engine.Team(
        _n_threads(n_jobs, 6 * n_rows * n_weights, n_steps), _blas if limits_blas else None
    )


def is_tiny(n_products: float) -> bool:
    """Whether a run of so many products of rows and weights is not worth any preparation."""
    return n_products < _TINY_PRODUCTS


def _n_threads(n_jobs: int | None, flops: float, n_steps: float) -> int:
    """Threads of a team, for steps of so many flops."""
    if n_jobs is not None:
        return max(1, min(n_jobs if n_jobs > 0 else cpus() + 1 + n_jobs, _MOST_THREADS))
    if flops < 2 * _THREAD_STEP_FLOPS or flops * n_steps < _TEAM_FLOPS:
        return 1
    return max(1, min(cpus_for_run(), int(flops / _THREAD_STEP_FLOPS), _MOST_THREADS))


@cache
def _counted_cpus() -> int:
    """CPUs that joblib counts, within the limits of containers, which take long to read."""
    return int(joblib.cpu_count())


def cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min(_counted_cpus(), len(os.sched_getaffinity(0)))
    return _counted_cpus()


def cpus_for_run() -> int:
    """CPUs that a run may use of those, beside the other runs of this process and of joblib.

    joblib sets OMP_NUM_THREADS, which users may set too, to the share of each process that it
    starts; its threads have one CPU each.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    available = min(cpus(), int(limit)) if limit.isdecimal() and int(limit) > 0 else cpus()
    if not limit and get_active_backend()[0].nesting_level > 0:
        return 1
    return available // (1 + len(_engine.AT_WORK))


def blas_info() -> list[dict[str, Any]]:
    """Name, version and threads of the BLAS that the engine uses, for a bug report."""
    return [library.info() for library in _scipy_blas()]
