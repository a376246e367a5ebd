"""A stream of small chunks: partial_fit of each, beside one epoch of fit on the same rows.

Both make the same updates, in mini-batches of 200 rows, by one thread. The case "28-50-2" is a
network so small that hardly anything but what each call needs is left to measure.
"""

import time
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.fits import estimator
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import interleaved, ratio
from benchmarks.worker import Worker
from benchmarks.workloads import SEED

DTYPES = ("float32", "float64")
_CHUNK_ROWS = 200
# Features, hidden units, classes and rows.
_DENSE = {"784-100-10": (784, 100, 10, 200_000), "28-50-2": (28, 50, 2, 200_000)}
_SPARSE = {"sparse 131072-64-20": (2**17, 64, 20, 20_000)}
_ENTRIES = 80  # of a row of a sparse X
_SOLVERS: dict[str, dict[str, Any]] = {
    "SGD": {"solver": "sgd", "learning_rate_init": 0.05},
    "Adam": {"solver": "adam"},
    "Adam, alpha=0": {"solver": "adam", "alpha": 0.0},
}


def _sparse_rows(n_rows: int, n_features: int) -> Any:
    """Rows whose features are drawn by Zipf's law."""
    rng = np.random.default_rng(SEED)
    features = (rng.zipf(1.3, n_rows * _ENTRIES) % n_features).astype(np.int32)
    ends = np.arange(0, n_rows * _ENTRIES + 1, _ENTRIES, dtype=np.int32)
    X = csr_array((rng.random(len(features)), features, ends), shape=(n_rows, n_features))
    X.sum_duplicates()
    return X


class Stream:
    """Rows to fit as a whole or chunk by chunk, in a process of its own."""

    def __init__(self, sizes: tuple[int, int, int, int], is_sparse: bool, dtype: str) -> None:
        n_features, self._hidden, n_classes, n_rows = sizes
        rng = np.random.default_rng(SEED)
        X = _sparse_rows(n_rows, n_features) if is_sparse else rng.random((n_rows, n_features))
        self._X, self._y = X.astype(dtype), rng.integers(n_classes, size=n_rows)
        self._chunks = [
            (self._X[start : start + _CHUNK_ROWS], self._y[start : start + _CHUNK_ROWS])
            for start in range(0, n_rows, _CHUNK_ROWS)
        ]
        self._classes: NDArray[Any] = np.arange(n_classes)

    def seconds(self, method: str, params: dict[str, Any]) -> float:
        """Seconds of an epoch of fit, or of partial_fit of all chunks."""
        model = estimator(
            "cymlp", hidden_layer_sizes=(self._hidden,), batch_size=_CHUNK_ROWS, shuffle=False,
            max_iter=1, n_jobs=1, **params,
        )  # fmt: skip
        start = time.perf_counter()
        if method == "fit":
            model.fit(self._X, self._y)
        else:
            for X, y in self._chunks:
                model.partial_fit(X, y, classes=self._classes)
        return time.perf_counter() - start


def measure(options: Options) -> Results:
    """Both methods in turns, for every network, dtype and solver."""
    results = new_results(options, ["cymlp", "numpy", "scipy", "sklearn"])
    results["cases"] = []
    for network, sizes in (_DENSE | _SPARSE).items():
        sizes = (*sizes[:3], options.rows(sizes[3]))
        for dtype in options.dtypes:
            names = {solver: f"{network}, {dtype}, {solver}" for solver in _SOLVERS}
            if not any(map(options.takes, names.values())):
                continue
            with Worker(partial(Stream, sizes, network in _SPARSE, dtype)) as worker:
                for solver, name in names.items():
                    if not options.takes(name):
                        continue
                    progress(name)
                    turns = {
                        method: partial(worker.call, "seconds", method, _SOLVERS[solver])
                        for method in ("fit", "partial_fit")
                    }
                    seconds = interleaved(turns, options.rounds)
                    chunks = -(-sizes[3] // _CHUNK_ROWS)
                    results["cases"].append({"name": name, "chunks": chunks, **seconds})
    return results


def tables(results: Results) -> str:
    """A row for each case: microseconds of a chunk by each method, and their ratio."""
    rows = [
        [
            case["name"],
            f"{case['chunks']:,}",
            *(
                number(1e6 * median(case[method]) / case["chunks"])
                for method in ("fit", "partial_fit")
            ),
            str(ratio(case["partial_fit"], case["fit"])),
        ]
        for case in results["cases"]
    ]
    head = ["network", "chunks", "fit, us a chunk", "partial_fit, us a chunk", "ratio"]
    return table(head, rows)


def figures(results: Results) -> dict[str, Any]:
    """None: the table says it."""
    return {}
