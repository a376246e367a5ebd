"""cymlp against scikit-learn: seconds of an epoch, the same network to the same loss.

The two fit in turns, in one process; the table has medians and their ratio. The time is that
of ``fit`` as a user calls it, divided by its epochs, validation of the data included.
"""

import warnings
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import sklearn.neural_network
from sklearn.datasets import load_digits

import cymlp
from benchmarks.report import circumstances, interleaved
from tests.idx import image_folder, load_images


@dataclass(frozen=True)
class Workload:
    """A network, its data and how it is trained."""

    name: str
    data: str
    rows: int
    epochs: int
    params: dict[str, Any]


def _sgd(rate: float) -> dict[str, Any]:
    return {"solver": "sgd", "momentum": 0, "learning_rate_init": rate}


def _of(hidden: tuple[int, ...], batch_size: int, activation: str = "relu") -> dict[str, Any]:
    return {"hidden_layer_sizes": hidden, "batch_size": batch_size, "activation": activation}


ADAM = {"solver": "adam"}
WORKLOADS = [
    Workload("64-100-10, batch 200, Adam", "digits", 1797, 20, _of((100,), 200) | ADAM),
    Workload("784-100-10, batch 200, Adam", "mnist", 20_000, 1, _of((100,), 200) | ADAM),
    Workload(
        "784-300-10 logistic, batch 64, SGD", "mnist", 20_000, 1,
        _of((300,), 64, "logistic") | _sgd(0.1),
    ),
    Workload("784-100-10, batch 1500, SGD", "mnist", 60_000, 1, _of((100,), 1500) | _sgd(0.5)),
    Workload(
        "784-256-128-64-10, batch 32, Adam", "fashion-mnist", 10_000, 1,
        _of((256, 128, 64), 32) | ADAM,
    ),
    Workload(
        "784-32-32-10 logistic, batch 1, SGD", "mnist", 3_000, 1,
        _of((32, 32), 1, "logistic") | _sgd(0.01),
    ),
    Workload("784-64-10, batch 20, SGD", "fashion-mnist", 10_000, 1, _of((64,), 20) | _sgd(0.05)),
    Workload("784-10 softmax, batch 1500, SGD", "mnist", 60_000, 1, _of((), 1500) | _sgd(0.5)),
    Workload("784-1024-1024-10, batch 512, Adam", "mnist", 5_000, 1, _of((1024, 1024), 512) | ADAM),
]  # fmt: skip


def _load(name: str, rows: int, dtype: Any) -> tuple[Any, Any] | None:
    """The first rows of a data set, or None where its files are not there."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(dtype), y
    folder = image_folder(name)
    if not folder.is_dir():
        return None
    X, y = load_images(folder, "train")
    return X[:rows].astype(dtype), y[:rows]


def _row(workload: Workload, dtype: Any, rounds: int) -> tuple[str, float] | None:
    """A row of the table, and how many times as fast cymlp was."""
    data = _load(workload.data, workload.rows, dtype)
    if data is None:
        return None
    losses = {}

    def contender(module: Any) -> Any:
        def fit() -> None:
            estimator = module.MLPClassifier(
                **workload.params, max_iter=workload.epochs, tol=0, random_state=0
            )
            losses[module.__name__] = estimator.fit(*data).loss_

        return fit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = interleaved(
            {name: contender(module) for name, module in CONTENDERS.items()}, rounds
        )
    first, second = losses.values()
    if not np.isclose(first, second, rtol=1e-2):
        raise RuntimeError(f"{workload.name}: the contenders' losses differ: {losses}")
    ours, theirs = (median(seconds[name]) / workload.epochs for name in CONTENDERS)
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    row = (
        f"| {workload.data} {workload.name} | {theirs:.4f} | {ours:.4f} | {theirs / ours:.1f}x "
        f"({min(ratios):.1f} to {max(ratios):.1f}) |"
    )
    return row, theirs / ours


CONTENDERS = {"cymlp": cymlp, "scikit-learn": sklearn.neural_network}


def run(rounds: int) -> None:
    """Print the tables of both dtypes as Markdown."""
    print(f"{circumstances()}; medians of {rounds} rounds\n")
    for dtype in (np.float32, np.float64):
        print(f"\n{np.dtype(dtype)}, seconds of an epoch\n")
        print("| workload | scikit-learn | cymlp | ratio (least to most) |")
        print("|---|---|---|---|")
        ratios = []
        for workload in WORKLOADS:
            result = _row(workload, dtype, rounds)
            if result is None:
                print(f"| {workload.data} {workload.name} | its files are absent | | |")
                continue
            print(result[0], flush=True)
            ratios.append(result[1])
        print(f"\ngeometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}x")
