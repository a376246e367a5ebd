"""MNIST as bytes, as float32 and as scikit-learn takes it: seconds of an epoch, and memory.

cymlp computes in float32 from the pixels as they are in the files, or from pixels / 255 in float32;
scikit-learn in float64 from pixels / 255 in float64, to which it converts bytes.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits import MODULES, fitted
from benchmarks.memory import peak, reset_peak
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import call_seconds, interleaved, ratio
from benchmarks.worker import Worker, workers
from benchmarks.workloads import is_present
from cymlp.datasets import fetch_mnist

DTYPES = ("float32",)
_EPOCHS = 3
_WARM_ROWS = 100
# Each contender's library and the form of its pixels.
_BYTES, _FLOATS = "cymlp, uint8", "cymlp, float32"
_CONTENDERS = {
    _BYTES: ("cymlp", "uint8"),
    _FLOATS: ("cymlp", "float32"),
    "scikit-learn, float64": ("scikit-learn", "float64"),
}
_NETWORKS: dict[str, dict[str, Any]] = {
    "784-10 softmax, batch 1500, SGD": {
        "hidden_layer_sizes": (), "batch_size": 1500, "solver": "sgd", "learning_rate_init": 0.5,
    },
    "784-100-10, batch 200, Adam": {"hidden_layer_sizes": (100,), "batch_size": 200},
    "784-300-10, batch 64, Adam": {"hidden_layer_sizes": (300,), "batch_size": 64},
}  # fmt: skip


def _pixels(rows: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Pixels (n, 784) and digits."""
    data = fetch_mnist("mnist", data_home=os.environ.get("CYMLP_DATA"))
    return data.X_train[:rows], data.y_train[:rows]


class Pixels:
    """A contender's fits to its form of the pixels, in a process of its own."""

    def __init__(self, name: str, rows: int, params: Mapping[str, Any]) -> None:
        library, form = _CONTENDERS[name]
        X, y = _pixels(rows)
        settings = dict(params)
        if form == "uint8":
            settings["dtype"] = "float32"
            # Inputs 255 times as large: the steps of SGD are those for pixels / 255.
            if params.get("solver") == "sgd":
                settings["learning_rate_init"] /= 255**2
        else:
            X = X.astype(form)
            X /= 255
        self._data = X, y
        self._fit = partial(fitted, MODULES[library], **settings)
        self._fit((X[:_WARM_ROWS], y[:_WARM_ROWS]), max_iter=1, batch_size=_WARM_ROWS)

    def seconds(self) -> float:
        """Seconds of an epoch, of which a fit has several."""
        fit = partial(self._fit, self._data, max_iter=_EPOCHS)
        return call_seconds(fit, least=0.0) / _EPOCHS

    def n_bytes(self) -> tuple[int, int]:
        """The bytes of X, and the most bytes that a fit adds."""
        before = reset_peak()
        self._fit(self._data, max_iter=1)
        return self._data[0].nbytes, peak() - before


def _n_bytes(make: Callable[[], Pixels]) -> tuple[int, int]:
    """``n_bytes`` in a new process."""
    with Worker(make) as worker:
        sizes: tuple[int, int] = worker.call("n_bytes")
        return sizes


def measure(options: Options) -> Results:
    """Time each selected network, the contenders in turns, and measure their memory."""
    results = new_results(options, ["cymlp", "sklearn", "numpy", "scipy"])
    results["cases"] = []
    if not is_present("mnist"):
        results["notes"].append("$CYMLP_DATA has no mnist/, so nothing was measured.")
        return results
    rows = options.rows(60_000)
    for network, params in _NETWORKS.items():
        if not options.takes(network):
            continue
        progress(network)
        makes = {name: partial(Pixels, name, rows, params) for name in _CONTENDERS}
        with workers(makes) as there:
            turns = {name: partial(one.call, "seconds") for name, one in there.items()}
            seconds = interleaved(turns, options.rounds)
        n_bytes = {name: _n_bytes(make) for name, make in makes.items()}
        results["cases"].append(
            {"name": network, "rows": rows, "seconds": seconds, "bytes": n_bytes}
        )
    return results


def tables(results: Results) -> str:
    """Milliseconds of an epoch, then megabytes."""
    seconds, megabytes = [], []
    for case in results["cases"]:
        of_bytes = case["seconds"][_BYTES]
        others = [name for name in _CONTENDERS if name != _BYTES]
        seconds.append(
            [
                f"{case['name']}, {case['rows']:,} rows",
                *(number(1e3 * median(case["seconds"][name])) for name in _CONTENDERS),
                *(str(ratio(case["seconds"][name], of_bytes)) for name in others),
            ]
        )
        sizes = (case["bytes"][name] for name in _CONTENDERS)
        megabytes.append(
            [case["name"], *(f"{number(1e-6 * X)} + {number(1e-6 * more)}" for X, more in sizes)]
        )
    head = ["", *_CONTENDERS]
    return (
        "Milliseconds of an epoch, and how many times as long as from bytes:\n\n"
        + table([*head, "float32 / uint8", "scikit-learn / uint8"], seconds)
        + "\nMB of X, and of what a fit adds at most:\n\n"
        + table(head, megabytes)
    )


def figures(results: Results) -> dict[str, Any]:
    """No figures: the tables are enough."""
    return {}
