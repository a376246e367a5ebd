"""Cost by rows, hidden units and threads; on a busy machine; and two fits at once.

cymlp and scikit-learn run in their own processes, in turns, with float32, random rows and Adam.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import joblib

from benchmarks.fits import MODULES, Fits
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import interleaved, ratio
from benchmarks.worker import Worker, workers

DTYPES = ("float32",)
_ROWS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_HIDDEN = (16, 64, 256, 1024, 4096)
_BATCH_SIZES = (64, 512)
_NETWORKS = (((100,), 200), ((300,), 64), ((1024, 1024), 512))
_LOAD = ((300,), 64)
_LEAST_ROWS = 10_000  # that a fit visits, in as many epochs as that takes
Workers = dict[str, Worker]
Case = dict[str, Any]


def measure(options: Options) -> Results:
    """Measure every selected part."""
    results = new_results(options, ["cymlp", "sklearn", "numpy", "scipy", "joblib"])
    with workers({name: partial(Fits, name) for name in MODULES}) as started:
        for name, part in (
            ("rows", _by_rows),
            ("hidden", _by_hidden),
            ("threads", _by_threads),
            ("busy", _on_a_busy_machine),
            ("two", _two_at_once),
        ):
            if options.takes(name):
                progress(name)
                results[name] = part(started, options)
    return results


def _load(
    started: Workers, rows: int, features: int, hidden: tuple[int, ...], batch_size: int
) -> Case:
    """Load a network and its data into every worker, and return the case, still without times."""
    epochs = max(1, _LEAST_ROWS // rows)
    params = {"hidden_layer_sizes": hidden, "batch_size": batch_size, "max_iter": epochs}
    for worker in started.values():
        worker.call("load", rows, features, params)
    units = "-".join(str(size) for size in (features, *hidden, 10))
    return {"rows": rows, "epochs": epochs, "network": units, "batch_size": batch_size}


def _turns(started: Workers, threads: int | None = None) -> dict[str, Callable[[], float]]:
    return {name: partial(worker.call, "seconds", threads) for name, worker in started.items()}


def _by_rows(started: Workers, options: Options) -> list[Case]:
    cases = []
    for rows in sorted({options.rows(rows) for rows in _ROWS}):
        case = _load(started, rows, 100, (100,), 200)
        cases.append(case | {"seconds": interleaved(_turns(started), options.rounds)})
    return cases


def _by_hidden(started: Workers, options: Options) -> list[Case]:
    cases = []
    for batch_size in _BATCH_SIZES:
        for hidden in _HIDDEN:
            case = _load(started, options.rows(4_096), 784, (hidden,), batch_size)
            seconds = interleaved(_turns(started), options.rounds)
            cases.append(case | {"hidden": hidden, "seconds": seconds})
    return cases


def _by_threads(started: Workers, options: Options) -> list[Case]:
    cores = joblib.cpu_count()
    numbers = sorted({*(2**i for i in range(cores.bit_length()) if 2**i <= cores), cores})
    cases = []
    for hidden, batch_size in _NETWORKS:
        case = _load(started, options.rows(10_000), 784, hidden, batch_size)
        turns = {
            f"{name}, {threads}": turn
            for threads in numbers
            for name, turn in _turns(started, threads).items()
        }
        seconds = interleaved(turns, options.rounds)
        cases += [
            case
            | {
                "threads": threads,
                "seconds": {name: seconds[f"{name}, {threads}"] for name in MODULES},
            }
            for threads in numbers
        ]
    return cases


@contextmanager
def _busy() -> Iterator[None]:
    """Keep every core busy with a process that computes all the time."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(joblib.cpu_count())
    ]
    try:
        time.sleep(0.3)  # until they have started
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _when_busy(turn: Callable[[], float]) -> float:
    with _busy():
        return turn()


def _on_a_busy_machine(started: Workers, options: Options) -> Case:
    case = _load(started, options.rows(20_000), 784, *_LOAD)
    turns = {}
    for name, turn in _turns(started).items():
        turns[f"{name}, quiet"] = turn
        turns[f"{name}, busy"] = partial(_when_busy, turn)
    return case | {"seconds": interleaved(turns, options.rounds)}


def _two_at_once(started: Workers, options: Options) -> Case:
    case = _load(started, options.rows(20_000), 784, *_LOAD)
    turns = {}
    for name, worker in started.items():
        worker.call("two_at_once", "loky")  # starts joblib's processes
        for way, backend in (("in turn", None), ("threads", "threading"), ("processes", "loky")):
            turns[f"{name}, {way}"] = partial(worker.call, "two_at_once", backend)
    seconds = interleaved(turns, options.rounds)
    for worker in started.values():
        worker.call("end_processes")
    return case | {"seconds": seconds}


def _row_us(case: Case, name: str) -> float:
    """Microseconds for each row in an epoch."""
    return 1e6 * median(case["seconds"][name]) / case["rows"] / case["epochs"]


def _row_cells(case: Case) -> list[str]:
    """The cost of a row with each library, and their ratio."""
    speed = ratio(case["seconds"]["scikit-learn"], case["seconds"]["cymlp"])
    return [*(number(_row_us(case, name)) for name in MODULES), str(speed)]


_ROW_HEAD = [*(f"{name}, us a row" for name in MODULES), "ratio (least to most)"]


def tables(results: Results) -> str:
    """A table for each part that was measured."""
    parts: dict[str, Callable[[Any], str]] = {
        "rows": _rows_table,
        "hidden": _hidden_table,
        "threads": _threads_table,
        "busy": _busy_table,
        "two": _two_table,
    }
    return "\n".join(show(results[name]) for name, show in parts.items() if name in results)


def _rows_table(cases: list[Case]) -> str:
    text = "An epoch of 100-100-10, batch 200, by rows:\n\n"
    return text + table(
        ["rows", *_ROW_HEAD], ([f"{case['rows']:,}", *_row_cells(case)] for case in cases)
    )


def _hidden_table(cases: list[Case]) -> str:
    text = f"An epoch of 784-h-10, {cases[0]['rows']:,} rows, by the hidden layer's size:\n\n"
    return text + table(
        ["batch", "h", *_ROW_HEAD],
        ([str(case["batch_size"]), str(case["hidden"]), *_row_cells(case)] for case in cases),
    )


def _speed_up(cases: list[Case], case: Case, name: str) -> float:
    """How many times as fast a case is as the same network with one thread."""
    one = next(
        other for other in cases if other["network"] == case["network"] and other["threads"] == 1
    )
    return ratio(one["seconds"][name], case["seconds"][name]).middle


def _threads_table(cases: list[Case]) -> str:
    rows = [
        [
            f"{case['network']}, batch {case['batch_size']}",
            str(case["threads"]),
            *_row_cells(case),
            *(f"{_speed_up(cases, case, name):.2f}x" for name in MODULES),
        ]
        for case in cases
    ]
    head = ["network", "threads", *_ROW_HEAD, *(f"{name} over 1 thread" for name in MODULES)]
    return f"By threads:\n\n{table(head, rows)}"


def _busy_table(case: Case) -> str:
    seconds = case["seconds"]
    rows = [
        [
            name,
            *(number(1e3 * median(seconds[f"{name}, {state}"])) for state in ("quiet", "busy")),
            str(ratio(seconds[f"{name}, busy"], seconds[f"{name}, quiet"])),
        ]
        for name in MODULES
    ]
    return (
        f"A fit of {case['network']}, batch {case['batch_size']}, {case['rows']:,} rows, while the "
        "machine is quiet, and while one process for each core computes all the time (a fair share "
        f"would take 2x):\n\n{table(['', 'quiet, ms', 'busy, ms', 'busy over quiet'], rows)}"
    )


def _two_table(case: Case) -> str:
    seconds = case["seconds"]
    rows = []
    for name in MODULES:
        in_turn = seconds[f"{name}, in turn"]
        cells = [name, number(1e3 * median(in_turn))]
        for way in ("threads", "processes"):
            at_once = seconds[f"{name}, {way}"]
            cells += [number(1e3 * median(at_once)), str(ratio(in_turn, at_once))]
        rows.append(cells)
    head = [
        "", "one after the other, ms", "in two threads, ms", "faster by", "in two processes, ms",
        "faster by",
    ]  # fmt: skip
    return f"Two such fits, by joblib:\n\n{table(head, rows)}"


def figures(results: Results) -> dict[str, Any]:
    """A figure of the cost of a row by rows and by hidden units, and of the gain by threads."""
    from benchmarks.charts import draw_lines, panels

    figure, (by_rows, by_hidden, by_threads) = panels(3, 12, 3.6)
    rows, hidden, threads = (results[part] for part in ("rows", "hidden", "threads"))
    draw_lines(
        by_rows,
        {
            name: ([case["rows"] for case in rows], [_row_us(case, name) for case in rows])
            for name in MODULES
        },
        log="x",
    )
    by_rows.set(title="100-100-10, batch 200", xlabel="rows", ylabel="us a row")
    lines = {}
    for batch_size in _BATCH_SIZES:
        cases = [case for case in hidden if case["batch_size"] == batch_size]
        sizes = [case["hidden"] for case in cases]
        for name in MODULES:
            costs = [_row_us(case, name) for case in cases]
            lines[f"{name}, batch {batch_size}"] = sizes, costs
    draw_lines(by_hidden, lines, log="xy")
    by_hidden.set(title="784-h-10", xlabel="h", ylabel="us a row")
    lines = {}
    for network in dict.fromkeys(case["network"] for case in threads):
        cases = [case for case in threads if case["network"] == network]
        numbers = [case["threads"] for case in cases]
        for name in MODULES:
            speeds = [_speed_up(cases, case, name) for case in cases]
            lines[f"{name}, {network}"] = numbers, speeds
    draw_lines(by_threads, lines)
    by_threads.set(title="By threads", xlabel="threads", ylabel="times as fast as one thread")
    return {"": figure}
