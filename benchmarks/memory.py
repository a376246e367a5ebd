"""Memory needed beyond the data to fit and to predict, and the time of the import.

Each measurement runs in a fresh process that has already fitted a hundred rows, so that memory
which BLAS allocates once does not count.
"""

import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.fits import MODULES, fitted
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import interleaved
from benchmarks.worker import Worker
from benchmarks.workloads import synthetic

DTYPES = ("float32",)
_WARM_ROWS = 100
_IMPORTS = {
    "cymlp": "import sklearn.base; start = perf_counter(); import cymlp",
    "sklearn.neural_network": (
        "import sklearn.base; start = perf_counter(); import sklearn.neural_network"
    ),
    "sklearn.base": "start = perf_counter(); import sklearn.base",
}


class Memory:
    """A library's peak of resident memory, in its own process; available on Linux only."""

    def __init__(self, module: str, rows: int, features: int, hidden: tuple[int, ...]) -> None:
        self._module, self._params = module, {"hidden_layer_sizes": hidden, "max_iter": 1}
        self._data = synthetic(rows, features)
        X, y = self._data
        self._warm = fitted(module, (X[:_WARM_ROWS], y[:_WARM_ROWS]), **self._params)

    def fit(self) -> int:
        """The most bytes that a fit of one epoch adds."""
        before = reset_peak()
        fitted(self._module, self._data, **self._params)
        return peak() - before

    def predict(self) -> int:
        """The most bytes that predict_proba of all rows adds."""
        before = reset_peak()
        self._warm.predict_proba(self._data[0])
        return peak() - before


def reset_peak() -> int:
    """Reset the peak, and return the bytes that are resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """The most bytes that were resident since the reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    raise OSError("the system does not report the peak of resident memory")


def _measured(method: str, *case: Any) -> int:
    """What a method of Memory returns in a new process."""
    with Worker(partial(Memory, *case)) as worker:
        return worker.call(method)


def _import_seconds(statements: str) -> float:
    """Seconds from ``start`` to the end of the statements, in a new process."""
    program = f"from time import perf_counter; {statements}; print(perf_counter() - start)"
    finished = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return float(finished.stdout)


def measure(options: Options) -> Results:
    """Measure every selected case, in a new process for each library and round."""
    results = new_results(options, ["cymlp", "sklearn", "numpy", "scipy"])
    results |= {"memory": [], "imports": {}}
    for method, rows, features, hidden in (
        ("fit", 60_000, 784, (100,)),
        ("fit", 60_000, 784, (1024, 1024)),
        ("predict", 1_000_000, 100, (100,)),
    ):
        units = (features, *hidden, 10)
        n_rows = options.rows(rows)
        name = f"{method} of {n_rows:,} rows, {'-'.join(map(str, units))}"
        if not options.takes(name):
            continue
        progress(name)
        turns = {
            library: partial(_measured, method, module, n_rows, features, hidden)
            for library, module in MODULES.items()
        }
        n_parameters = sum((a + 1) * b for a, b in pairwise(units))
        results["memory"].append(
            {
                "name": name,
                "bytes": interleaved(turns, options.rounds),
                "data_bytes": 4 * n_rows * features,
                "parameter_bytes": 4 * n_parameters,
                "result_bytes": 4 * n_rows * units[-1] if method == "predict" else 0,
            }
        )
    if options.takes("import"):
        progress("import")
        results["imports"] = interleaved(
            {name: partial(_import_seconds, text) for name, text in _IMPORTS.items()},
            options.rounds,
        )
    return results


def _megabytes(n_bytes: float) -> str:
    return number(1e-6 * n_bytes)


def tables(results: Results) -> str:
    """A table of memory, then one of imports."""
    rows = [
        [
            case["name"],
            *(_megabytes(median(case["bytes"][library])) for library in MODULES),
            *(_megabytes(case[f"{kind}_bytes"]) for kind in ("data", "parameter", "result")),
        ]
        for case in results["memory"]
    ]
    head = ["float32", *MODULES, "the data", "the parameters", "the result"]
    text = (
        "MB above the data, at most, beside the size of the data, of the parameters and of the "
        f"result:\n\n{table(head, rows)}\n"
        if rows
        else ""
    )
    imports = [
        [f"`{name}`", number(1e3 * median(seconds))] for name, seconds in results["imports"].items()
    ]
    if imports:
        text += (
            "Milliseconds of an import, the first two after that of `sklearn.base`:\n\n"
            + table(["module", "ms"], imports)
        )
    return text


def figures(results: Results) -> dict[str, Any]:
    """A figure of the memory beyond the data."""
    from benchmarks.charts import bars

    cases = results["memory"]
    values = {
        library: [1e-6 * median(case["bytes"][library]) for case in cases] for library in MODULES
    }
    labels = [case["name"] for case in cases]
    return {"": bars(labels, {"Memory above the data, at most: MB": values})}
