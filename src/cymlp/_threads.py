"""The threads of a fit or a predict: how many, and what BLAS may use meanwhile."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from cymlp import _engine

# A thread is worth its share of a step from this many flops on, and a team that has to be
# started from this many in all: `python -m benchmarks scaling` shows the crossing.
_MEMBER_STEP_FLOPS = 2_500_000
_TEAM_FLOPS = 100_000_000

# Below this size of a run, in products, BLAS libraries use one thread of their own accord.
_TINY_PRODUCTS = 160_000

# The most threads that the engine can take.
_MOST_THREADS = 256


class _Blas:
    """SciPy's BLAS, shared by all runs of the engine in this process.

    The number of its threads is the process's, not a run's. So the first run to enter notes
    it and holds BLAS at one thread, as the engine has threads of its own; the last to leave
    restores it.
    """

    def __init__(self) -> None:
        self._libraries: list[Any] | None = None
        self._found: list[int] = []
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self.n_runs = 0

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Hold BLAS at one thread."""
        lock = self._lock
        with lock:
            if self.n_runs == 0:
                libraries = self._libraries or _scipy_blas()
                self._found = [library.get_num_threads() for library in libraries]
                self._libraries = libraries
                for library in libraries:
                    _set_threads(library, 1)
            self.n_runs += 1
        try:
            yield
        finally:
            if lock is self._lock:  # else this is a child, forked meanwhile
                with lock:
                    self.n_runs -= 1
                    if self.n_runs == 0:
                        self._restore()

    def _restore(self) -> None:
        for library, found in zip(self._libraries or [], self._found, strict=False):
            _set_threads(library, found)

    def after_fork(self) -> None:
        """In a forked child none of the parent's other threads runs any more."""
        held = self.n_runs > 0
        self._reset()
        if held:
            self._restore()
        for team in _teams:
            team.go_on_alone()


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

# The teams at work in this process.
_teams: set[Any] = set()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.after_fork)


@contextmanager
def engine_threads(
    n_jobs: int | None, n_rows: int, n_weights: int, n_steps: float
) -> Iterator[Any]:
    """Context of a run of the engine, with the team of threads that makes it.

    SciPy's BLAS uses one thread meanwhile; what it used before is restored at the end, also
    after an exception.

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

    Yields
    ------
    team : Team
    """
    flops = 6 * n_rows * n_weights
    with nullcontext() if is_tiny(n_rows * n_weights * n_steps) else _blas.one_thread():
        team = _engine.Team(_n_threads(n_jobs, flops, n_steps))
        threads: list[threading.Thread] = []
        _teams.add(team)
        try:
            _start(team, threads)
            yield team
        finally:
            _teams.discard(team)
            team.close()
            for thread in threads:
                thread.join()


def _start(team: Any, threads: list[threading.Thread]) -> None:
    """Start the team's threads, and list them; should one not start, the calling one does all."""
    for rank in range(1, team.size):
        thread = threading.Thread(
            target=team.serve, args=(rank,), name=f"cymlp-{rank}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            team.go_on_alone()
            return
        threads.append(thread)


def is_tiny(n_products: float) -> bool:
    """Whether a run of so many products of rows and weights is not worth any preparation."""
    return n_products < _TINY_PRODUCTS


def _n_threads(n_jobs: int | None, flops: float, n_steps: float) -> int:
    """Threads of a team, for steps of so many flops."""
    if n_jobs is not None:
        return max(1, min(n_jobs if n_jobs > 0 else cpus() + 1 + n_jobs, _MOST_THREADS))
    if flops < 2 * _MEMBER_STEP_FLOPS or flops * n_steps < _TEAM_FLOPS:
        return 1
    return max(1, min(own_cpus(), int(flops / _MEMBER_STEP_FLOPS), _MOST_THREADS))


@cache
def _counted_cpus() -> int:
    """CPUs that joblib counts: with the limits of containers, which take it long to read."""
    return int(joblib.cpu_count())


def cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min(_counted_cpus(), len(os.sched_getaffinity(0)))
    return _counted_cpus()


def own_cpus() -> int:
    """CPUs that a run may use of those, beside the other runs of this process and of joblib.

    joblib tells the processes that it starts their share in OMP_NUM_THREADS, which users set
    too; its threads have one CPU each.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    available = min(cpus(), int(limit)) if limit.isdecimal() and int(limit) > 0 else cpus()
    if not limit and get_active_backend()[0].nesting_level > 0:
        return 1
    return available // max(1, _blas.n_runs)


def blas_info() -> list[dict[str, Any]]:
    """Name, version and threads of the BLAS that the engine uses, for a bug report."""
    return [library.info() for library in _scipy_blas()]
