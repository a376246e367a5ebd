"""One BLAS thread against all: from which size of a step on BLAS's own threads pay.

What ``cymlp._threads`` decides by is read off this table.
"""

from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import circumstances, interleaved
from cymlp import _engine, _threads
from cymlp._network import Network, n_parameters

ROWS = 3_000
BATCH_SIZES = (16, 32, 64, 128, 200, 500, 1500)
HIDDEN = (16, 32, 64, 100, 300, 1000)


def _epoch(X: Any, targets: Any, hidden: int, batch_size: int) -> Any:
    """A function that trains an epoch of plain SGD, with the threads that BLAS has."""
    units = (X.shape[1], hidden, targets.shape[1])
    network = Network(units, np.zeros(n_parameters(units), dtype=X.dtype))
    layout = network.layout("relu", "softmax")
    samples = _engine.Samples(X, targets)
    work = np.empty(_engine.workspace_elements(layout, samples, batch_size)[0], dtype=X.dtype)
    gradient = np.empty_like(network.parameters)
    state = np.empty((0, network.parameters.size), dtype=X.dtype)
    update = _engine.Update("sgd", learning_rate=1e-3, alpha=0.0)

    def epoch() -> None:
        _engine.train(
            layout, update, network.parameters, gradient, state, samples, None, batch_size, work
        )

    return epoch


def _with_threads(epoch: Any, n_threads: int) -> Any:
    def run() -> None:
        for library in _threads._scipy_blas():
            _threads._set_threads(library, n_threads)
        epoch()

    return run


def run(rounds: int) -> None:
    """Print the table as Markdown."""
    available = max(info["num_threads"] for info in _threads.blas_info())
    print(f"{circumstances()}; medians of {rounds} rounds\n")
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        X = rng.random((ROWS, 784)).astype(dtype)
        targets = np.eye(10, dtype=bool)[rng.integers(10, size=ROWS)]
        print(f"\n{np.dtype(dtype)}, 784-h-10: time with 1 thread over that with {available}\n")
        print("| batch | " + " | ".join(f"h = {hidden}" for hidden in HIDDEN) + " |")
        print("|---|" + "---|" * len(HIDDEN))
        for batch_size in BATCH_SIZES:
            cells = []
            for hidden in HIDDEN:
                epoch = _epoch(X, targets, hidden, batch_size)
                seconds = interleaved(
                    {str(n): _with_threads(epoch, n) for n in (1, available)}, rounds
                )
                one, all_of_them = (median(times) for times in seconds.values())
                megaflops = 6e-6 * batch_size * hidden * (784 + 10)
                cells.append(f"{one / all_of_them:.2f} ({megaflops:.0f} MFLOP)")
            print(f"| {batch_size} | " + " | ".join(cells) + " |", flush=True)
