"""Small work: predict_proba of one row and of 10,000 rows, and short fits.

All libraries run the same network in float32, each in its own process, in turns.
"""

from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.fits import MODULES, Fits
from benchmarks.predictors import FEATURES, PREDICTORS
from benchmarks.report import (
    Options,
    Results,
    kernels_table,
    new_results,
    number,
    progress,
    table,
)
from benchmarks.timing import interleaved
from benchmarks.worker import Worker, workers

DTYPES = ("float32",)
_HIDDEN = [(100,), (256, 128, 64)]
_ROWS = 10_000
_EPOCHS = (1, 100)


def _network(hidden: tuple[int, ...]) -> str:
    return "-".join(str(units) for units in (FEATURES, *hidden, 10))


def measure(options: Options) -> Results:
    """Time the selected networks with every library that is installed, then the short fits."""
    predictors = [predictor for predictor in PREDICTORS if predictor.is_present()]
    packages = {package for predictor in predictors for package in predictor.packages}
    results = new_results(options, packages)
    results |= {"rows": options.rows(_ROWS), "predict": [], "fit": {}}
    with workers({predictor.name: predictor for predictor in predictors}) as started:
        results["kernels"] = {name: worker.call("kernels") for name, worker in started.items()}
        for hidden in _HIDDEN:
            if options.takes(_network(hidden)):
                progress(_network(hidden))
                results["predict"].append(
                    _predictions(hidden, results["rows"], started, options.rounds)
                )
    if options.takes("fit"):
        progress("fit")
        with workers({name: partial(Fits, name) for name in MODULES}) as started:
            for epochs in _EPOCHS:
                params = {"hidden_layer_sizes": (10,), "max_iter": epochs}
                for worker in started.values():
                    worker.call("load", 100, 10, params)
                results["fit"][str(epochs)] = interleaved(_turns(started), options.rounds)
    return results


def _turns(started: dict[str, Worker], *arguments: Any) -> dict[str, Any]:
    """A function for each worker that times it once."""
    return {name: partial(worker.call, "seconds", *arguments) for name, worker in started.items()}


def _predictions(
    hidden: tuple[int, ...], rows: int, started: dict[str, Worker], rounds: int
) -> dict[str, Any]:
    """Seconds of a call for one row and for many rows, with every library."""
    outputs = {name: worker.call("load", hidden) for name, worker in started.items()}
    for name, probabilities in outputs.items():
        np.testing.assert_allclose(
            probabilities, outputs["NumPy"], rtol=1e-3, atol=1e-6, err_msg=name
        )
    return {
        "network": _network(hidden),
        "one": interleaved(_turns(started, 1), rounds),
        "many": interleaved(_turns(started, rows), rounds),
    }


def _cells(seconds: dict[str, list[float]], scale: float, names: list[str]) -> list[str]:
    return [number(scale * median(seconds[name])) for name in names]


def tables(results: Results) -> str:
    """A table of predictions, then one of short fits."""
    rows, names = [], []
    for case in results["predict"]:
        names = list(case["one"])
        rows.append([case["network"], "1 row, us", *_cells(case["one"], 1e6, names)])
        many = f"{results['rows']:,} rows, ms"
        rows.append([case["network"], many, *_cells(case["many"], 1e3, names)])
    text = f"predict_proba:\n\n{table(['network', '', *names], rows)}\n" if rows else ""
    if kernels := kernels_table(results):
        text = f"{kernels}\n{text}"
    if not results["fit"]:
        return text
    names = list(results["fit"]["1"])
    fits = [
        [
            epochs,
            *_cells(seconds, 1e6, names),
            *_cells(seconds, 1e6 / int(epochs), names),
        ]
        for epochs, seconds in results["fit"].items()
    ]
    head = [
        "epochs",
        *(f"{name}, us" for name in names),
        *(f"{name}, us an epoch" for name in names),
    ]
    return f"{text}`fit` of 100 rows, 10-10-10, Adam:\n\n{table(head, fits)}"


def figures(results: Results) -> dict[str, Any]:
    """A figure of one row and of many rows, side by side."""
    from benchmarks.charts import bars

    cases = results["predict"]
    titled = {
        title: {
            name: [scale * median(case[part][name]) for case in cases] for name in cases[0][part]
        }
        for title, part, scale in (
            ("predict_proba of 1 row: us", "one", 1e6),
            (f"of {results['rows']:,} rows: ms", "many", 1e3),
        )
    }
    return {"": bars([case["network"] for case in cases], titled)}
