"""Fits of cymlp's or scikit-learn's estimators, whichever module is named."""

import warnings
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.timing import call_seconds
from benchmarks.workloads import SEED, synthetic

warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations")

MODULES = {"scikit-learn": "sklearn.neural_network", "cymlp": "cymlp"}


def estimator(module: str, kind: str = "MLPClassifier", **params: Any) -> Any:
    """The module's estimator, set up to train for exactly ``max_iter`` epochs."""
    endless = {"tol": 0, "n_iter_no_change": np.inf, "random_state": SEED}
    return getattr(import_module(module), kind)(**endless | params)


def fitted(module: str, data: tuple[Any, Any], **params: Any) -> Any:
    """The module's MLPClassifier, fitted for exactly ``max_iter`` epochs."""
    return estimator(module, **params).fit(*data)


class Fits:
    """A library's fits to synthetic data; it runs in its own process."""

    def __init__(self, name: str) -> None:
        self._module = MODULES[name]

    def load(self, rows: int, features: int, params: dict[str, Any]) -> None:
        """Make the data, store the estimator's parameters, and warm up."""
        self._data = synthetic(rows, features)
        self._params = params
        fitted(self._module, self._data, **params)

    def seconds(self, threads: int | None = None) -> float:
        """Seconds of a fit; with None, the library chooses its number of threads."""
        params, limits = self._params, nullcontext()
        if threads is not None and self._module == "cymlp":
            params = params | {"n_jobs": threads}
        elif threads is not None:
            from threadpoolctl import threadpool_limits

            limits = threadpool_limits(threads, user_api="blas")
        with limits:
            return call_seconds(lambda: fitted(self._module, self._data, **params))

    def two_at_once(self, backend: str | None) -> float:
        """Seconds of two fits, in two of joblib's threads or processes; one by one if None."""
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=1 if backend is None else 2, backend=backend)
        fit = delayed(fitted)(self._module, self._data, **self._params)
        return call_seconds(lambda: parallel([fit, fit]))

    def end_processes(self) -> None:
        """End joblib's processes, which would otherwise keep this one alive for minutes."""
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown()
