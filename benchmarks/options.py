"""How much time each option of a fit costs, relative to a plain fit.

The fits are of 784-256-128-64-10 to Fashion-MNIST (of 64-256-128-64-10 to digits if its files are
absent), with mini-batches of 32, Adam and float32, and take turns in one process.
"""

from functools import partial
from statistics import median
from typing import Any

from numpy.typing import NDArray

from benchmarks.fits import fitted
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import call_seconds, interleaved, ratio
from benchmarks.workloads import WORKLOADS, Workload, is_present, load
from cymlp import schedules

DTYPES = ("float32",)
_PLAIN = "plain"
_EPOCHS = 2
_ACTIVATIONS = ("leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "tanh", "logistic")
_OPTIONS: dict[str, dict[str, Any]] = {
    _PLAIN: {},
    "dropout=0.2": {"dropout": 0.2},
    "clip_norm=1.0": {"clip_norm": 1.0},
    "dropout=0.2, clip_norm=1.0": {"dropout": 0.2, "clip_norm": 1.0},
    "l1_ratio=0.15": {"l1_ratio": 0.15},
    "alpha, one for each layer": {"alpha": [1e-4, 1e-3, 1e-4, 1e-3]},
    "weight_decay=0.01": {"weight_decay": 0.01},
    "label_smoothing=0.1": {"label_smoothing": 0.1},
    'class_weight="balanced"': {"class_weight": "balanced"},
    "learning_rate=CosineDecay()": {"learning_rate": schedules.CosineDecay()},
    "learning_rate=a lambda": {"learning_rate": lambda step, total: 1 - step / total},
    "record_train_score": {"record_train_score": True},
    "record_every=10": {"record_every": 10},
} | {f'activation="{name}"': {"activation": name} for name in _ACTIVATIONS}


def _data() -> tuple[Workload, tuple[NDArray[Any], NDArray[Any]]]:
    """The workload, and its data (X, y)."""
    workload = next(w for w in WORKLOADS if w.hidden == (256, 128, 64))
    if not is_present(workload.data):
        workload = Workload("digits", 1_797, workload.hidden, workload.batch_size, workload.solver)
    return workload, load(workload, "float32")


def measure(options: Options) -> Results:
    """Time fits with each selected option, in turns."""
    results = new_results(options, {"numpy", "scipy"})
    workload, (X, y) = _data()
    rows = options.rows(workload.rows)
    params = {
        "hidden_layer_sizes": workload.hidden,
        "batch_size": workload.batch_size,
        "learning_rate_init": workload.learning_rate,
        "max_iter": _EPOCHS,
    }
    fit = partial(fitted, "cymlp", (X[:rows], y[:rows]), **params)
    wanted = {
        name: settings
        for name, settings in _OPTIONS.items()
        if name == _PLAIN or options.takes(name)
    }
    progress(workload.name)
    turns = {
        name: partial(call_seconds, partial(fit, **settings), least=0.0)
        for name, settings in wanted.items()
    }
    for turn in turns.values():
        turn()
    results["workload"] = f"{workload.name}, {rows:,} rows, {_EPOCHS} epochs"
    results["seconds"] = interleaved(turns, options.rounds)
    return results


def tables(results: Results) -> str:
    """Milliseconds of each fit, and its ratio to the plain fit."""
    plain = results["seconds"][_PLAIN]
    rows = [
        [name, number(1e3 * median(seconds)), str(ratio(seconds, plain))]
        for name, seconds in results["seconds"].items()
    ]
    head = ["option", "ms", "times the plain fit (least to most)"]
    return f"{results['workload']}:\n\n{table(head, rows)}"


def figures(results: Results) -> dict[str, Any]:
    """No figures: the table is enough."""
    return {}
