"""An epoch of training: cymlp beside scikit-learn, PyTorch, JAX and Keras.

Each library trains the same network from the same weights by the same rule, in a process of its
own, and they take turns. After one round all must have come to the same loss. The time of
scikit-learn and cymlp is that of ``fit``, validation of the data included; PyTorch and JAX have
their tensors made before.
"""

import time
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Options, Results, circumstances, new_results, number, progress, table
from benchmarks.timing import Ratio, geometric_mean, interleaved, ratio
from benchmarks.trainers import TRAINERS, Cymlp, ScikitLearn
from benchmarks.worker import Worker, WorkerError, workers
from benchmarks.workloads import SEED, WORKLOADS, Workload, is_present, load, log_loss
from cymlp._initializers import initializer
from cymlp._network import Network

DTYPES = ("float32", "float64")
OURS, THEIRS = Cymlp.name, ScikitLearn.name
_LOSS_ROWS = 5_000
_NOISE = 0.1  # how far losses may be apart: each library shuffles in its own way
Case = dict[str, Any]


class GemmPeak:
    """The most that matrix products do on this machine, by NumPy's BLAS with all its threads."""

    size = 2048

    def __init__(self, dtype: str) -> None:
        rng = np.random.default_rng(0)
        self._A, self._B = (rng.random((self.size, self.size)).astype(dtype) for _ in range(2))
        self._C = np.empty_like(self._A)

    def flops(self) -> float:
        """Flops a second, the best of several."""
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            np.matmul(self._A, self._B, out=self._C)
            best = min(best, time.perf_counter() - start)
        return 2 * self.size**3 / best


def measure(options: Options) -> Results:
    """Race on every workload wanted whose data are there."""
    trainers = [trainer for trainer in TRAINERS if trainer.is_present()]
    packages = {package for trainer in trainers for package in trainer.packages}
    results = new_results(options, packages | {"numpy", "scipy"})
    wanted = [
        replace(workload, rows=options.rows(workload.rows))
        for workload in WORKLOADS
        if options.takes(workload.name)
    ]
    absent = sorted({workload.data for workload in wanted if not is_present(workload.data)})
    results["notes"] = [f"the files of {data} are absent" for data in absent]
    results["notes"] += [
        f"{trainer.name} is absent" for trainer in TRAINERS if trainer not in trainers
    ]
    for dtype in options.dtypes:
        results[dtype] = []
        with (
            workers({trainer.name: trainer for trainer in trainers}) as racers,
            Worker(partial(GemmPeak, dtype)) as peak,
        ):
            for workload in wanted:
                if workload.data in absent:
                    continue
                progress(f"{dtype} {workload.name}")
                case = _race(workload, dtype, racers, peak, options.rounds, results["errors"])
                if case is not None:
                    results[dtype].append(case)
    return results


def _race(
    workload: Workload,
    dtype: str,
    racers: dict[str, Worker],
    peak: Worker,
    rounds: int,
    errors: list[str],
) -> Case | None:
    """All that was measured of a workload, or None where it is not valid."""
    network = Network.initialized(
        workload.units,
        dtype,
        initializer("glorot_uniform", (workload.activation,)),
        np.random.RandomState(SEED),
    )
    weights = list(zip(network.coefs, network.intercepts, strict=True))
    X, y = (array[:_LOSS_ROWS] for array in load(workload, dtype))
    losses = {}
    for name, worker in racers.items():
        try:
            worker.call("load", workload, dtype, weights)
            losses[name] = log_loss(workload, worker.call("after_one_round"), X, y)
            worker.call("seconds")
        except WorkerError as error:
            message = str(error).splitlines()[0]
            errors.append(f"{dtype} {workload.name}: {name}: {message}")
    if not {OURS, THEIRS} <= losses.keys():
        return None
    usual = median(losses.values())
    if not all(abs(loss - usual) <= _NOISE * usual for loss in losses.values()):
        errors.append(f"{dtype} {workload.name}: invalid, the losses disagree: {losses}")
        return None
    turns = {name: partial(racers[name].call, "seconds") for name in losses}
    measured = interleaved({"peak": partial(peak.call, "flops"), **turns}, rounds)
    return {
        "workload": workload.name,
        "rows": workload.rows,
        "gemm_flops": workload.gemm_flops,
        "initial_loss": log_loss(workload, weights, X, y),
        "losses": losses,
        "peak_flops": measured.pop("peak"),
        "seconds": measured,
    }


def _rival(case: Case) -> str | None:
    """The fastest of the others, scikit-learn apart."""
    others = {
        name: median(seconds)
        for name, seconds in case["seconds"].items()
        if name not in (OURS, THEIRS)
    }
    return min(others, key=others.__getitem__, default=None)


def _over(case: Case, other: str, name: str = OURS) -> Ratio | None:
    """How many times as fast as another a contender was."""
    seconds = case["seconds"]
    return ratio(seconds[other], seconds[name]) if {other, name} <= seconds.keys() else None


def _share_of_peak(case: Case) -> float:
    """cymlp's flops in matrix products over those of a large one."""
    rounds = zip(case["seconds"][OURS], case["peak_flops"], strict=True)
    return median(case["gemm_flops"] / seconds / peak for seconds, peak in rounds)


def _with_rows(case: Case) -> str:
    return f"{case['workload']}, {case['rows']:,} rows"


def _milliseconds(case: Case, name: str | None) -> str:
    return number(1e3 * median(case["seconds"][name])) if name in case["seconds"] else "-"


def _names(cases: list[Case]) -> list[str]:
    """The contenders that took part."""
    present = {name for case in cases for name in case["seconds"]}
    return [trainer.name for trainer in TRAINERS if trainer.name in present]


def tables(results: Results) -> str:
    """For each dtype: times, speed beside scikit-learn's, and beside the fastest other peer's."""
    return "\n".join(_tables(dtype, results[dtype]) for dtype in DTYPES if results.get(dtype))


def _tables(dtype: str, cases: list[Case]) -> str:
    names = _names(cases)
    times = [[_with_rows(case), *(_milliseconds(case, name) for name in names)] for case in cases]
    peers = [name for name in names if name != THEIRS]
    speeds = [
        [case["workload"], *(str(_over(case, THEIRS, name) or "-") for name in peers)]
        for case in cases
    ]
    for word, of in (("geometric mean", geometric_mean), ("least", min)):
        cells = []
        for name in peers:
            ratios = [found.middle for case in cases if (found := _over(case, THEIRS, name))]
            cells.append(f"{of(ratios):.2f}x" if ratios else "-")
        speeds.append([word, *cells])
    rivals = [
        [
            case["workload"],
            rival or "-",
            str(_over(case, rival)) if rival else "-",
            f"{1e-9 * case['gemm_flops']:.2f}",
            f"{_share_of_peak(case):.0%}",
        ]
        for case in cases
        for rival in [_rival(case)]
    ]
    over_rivals = [over.middle for case in cases if (over := _over_rival(case))]
    if over_rivals:
        rivals.append(["geometric mean", "", f"{geometric_mean(over_rivals):.2f}x", "", ""])
        rivals.append(["least", "", f"{min(over_rivals):.2f}x", "", ""])
    peak = median(flops for case in cases for flops in case["peak_flops"])
    return (
        f"{dtype}, milliseconds of an epoch:\n\n{table(['workload', *names], times)}\n"
        f"{dtype}, times as fast as scikit-learn (least to most of the rounds):\n\n"
        f"{table(['workload', *peers], speeds)}\n"
        f"{dtype}, cymlp beside the fastest of the others, and beside the machine's peak in matrix "
        f"products, {1e-9 * peak:.0f} GFLOP/s:\n\n"
        + table(
            ["workload", "fastest other", "cymlp over it", "GFLOP in products", "of peak"],
            rivals,
        )
    )


def _over_rival(case: Case) -> Ratio | None:
    rival = _rival(case)
    return _over(case, rival) if rival else None


def summary(results: Results) -> str:
    """The README's table: float32, beside scikit-learn and the fastest other peer."""
    rows = [
        [
            _with_rows(case),
            _milliseconds(case, THEIRS),
            f"{_milliseconds(case, rival)} ({rival})" if rival else "-",
            _milliseconds(case, OURS),
            str(_over(case, THEIRS)),
            str(_over_rival(case) or "-"),
        ]
        for case in results["float32"]
        for rival in [_rival(case)]
    ]
    head = [
        "workload", THEIRS, "fastest other peer", OURS, f"over {THEIRS}", "over the other",
    ]  # fmt: skip
    return (
        "Milliseconds of an epoch of training, float32, the same network to the same loss:\n\n"
        f"{table(head, rows)}\n{_means(results)}\n\n{circumstances(results)}"
    )


def _means(results: Results) -> str:
    """A sentence with the geometric means of all dtypes."""
    parts = []
    for dtype in DTYPES:
        cases = results.get(dtype, [])
        speeds = [over.middle for case in cases if (over := _over(case, THEIRS))]
        others = [over.middle for case in cases if (over := _over_rival(case))]
        if speeds:
            text = f"{dtype} {geometric_mean(speeds):.1f}x over {THEIRS}"
            if others:
                text += f", {geometric_mean(others):.1f}x over the fastest other peer"
            parts.append(text)
    return f"Geometric means: {'; '.join(parts)}."


def figures(results: Results) -> dict[str, Any]:
    """A picture for each dtype: speed relative to scikit-learn."""
    from benchmarks.charts import bars

    drawn = {}
    for dtype in DTYPES:
        cases = results.get(dtype)
        if not cases:
            continue
        values = {
            name: [over.middle if (over := _over(case, THEIRS, name)) else None for case in cases]
            for name in _names(cases)
            if name != THEIRS
        }
        drawn[dtype] = bars(
            [case["workload"] for case in cases],
            {f"An epoch of training, {dtype}: times as fast as scikit-learn": values},
            log_from=1.0,
        )
    return drawn
