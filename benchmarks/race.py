"""An epoch of training: cymlp beside scikit-learn, PyTorch, JAX and Keras.

Each library trains the same network from the same weights by the same rule, in its own process,
and they take turns. After one round, all must have reached the same loss. For scikit-learn and
cymlp, the time is that of ``fit``, including the validation of the data; for PyTorch and JAX, the
tensors are prepared in advance. Only scikit-learn and cymlp run the sparse matrix and the grid
search.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import (
    Options,
    Results,
    circumstances,
    kernels_table,
    new_results,
    number,
    progress,
    table,
)
from benchmarks.timing import Ratio, geometric_mean, interleaved, ratio
from benchmarks.trainers import TRAINERS, Cymlp, ScikitLearn
from benchmarks.worker import Worker, WorkerError, workers
from benchmarks.workloads import (
    SEED,
    WORKLOADS,
    Weights,
    Workload,
    is_present,
    load,
    mean_loss,
)
from cymlp._network.initializers import initializer
from cymlp._network.network import Network

DTYPES = ("float32", "float64")
OURS, THEIRS = Cymlp.name, ScikitLearn.name
_LOSS_ROWS = 5_000
_NOISE = 0.1  # how far a loss may be from the median: each library shuffles in its own way
Case = dict[str, Any]
_WORKLOADS = {workload.name: workload for workload in WORKLOADS}
_BATCH_1 = (
    "† With batch 1 scikit-learn spends its time on function calls rather than arithmetic, so "
    "means are also given without this row.\n"
)


class GemmPeak:
    """The machine's peak in matrix products, by NumPy's BLAS with all its threads."""

    size = 2048

    def __init__(self, dtype: str) -> None:
        rng = np.random.default_rng(0)
        self._A, self._B = (rng.random((self.size, self.size)).astype(dtype) for _ in range(2))
        self._C = np.empty_like(self._A)

    def flops(self) -> float:
        """Flops per second, the best of several products."""
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            np.matmul(self._A, self._B, out=self._C)
            best = min(best, time.perf_counter() - start)
        return 2 * self.size**3 / best


def measure(options: Options) -> Results:
    """Race on every selected workload whose data are available."""
    trainers = [trainer for trainer in TRAINERS if trainer.is_present()]
    packages = {package for trainer in trainers for package in trainer.packages}
    results = new_results(options, packages | {"numpy", "scipy"})
    wanted = [
        replace(workload, rows=options.rows(workload.rows))
        for workload in WORKLOADS
        if options.takes(workload.name)
    ]
    absent = sorted({workload.data for workload in wanted if not is_present(workload.data)})
    left_out = [w.name for w in wanted if not set(w.dtypes) & set(options.dtypes)]
    missing = [trainer.name for trainer in TRAINERS if trainer not in trainers]
    results["notes"] = [f"{name} is absent" for name in absent + missing]
    results["notes"] += [f"left out, as it has another precision: {name}" for name in left_out]
    for dtype in options.dtypes:
        results[dtype] = []
        with (
            workers({trainer.name: trainer for trainer in trainers}) as racers,
            Worker(partial(GemmPeak, dtype)) as peak,
        ):
            results["kernels"] = {name: racer.call("kernels") for name, racer in racers.items()}
            for workload in wanted:
                if workload.data in absent or dtype not in workload.dtypes:
                    continue
                progress(f"{dtype} {workload.name}")
                taking = {t.name: racers[t.name] for t in trainers if t.takes(workload)}
                case = _race(workload, dtype, taking, peak, options.rounds, results["errors"])
                if case is not None:
                    results[dtype].append(case)
    return results


def initial_weights(workload: Workload, dtype: str) -> Weights:
    """The weights that scikit-learn and cymlp draw themselves, for the others to start from."""
    network = Network.initialized(
        workload.units,
        dtype,
        initializer("glorot_uniform", (workload.activation,)),
        np.random.RandomState(SEED),
    )
    return list(zip(network.coefs, network.intercepts, strict=True))


def _race(
    workload: Workload,
    dtype: str,
    racers: dict[str, Worker],
    peak: Worker,
    rounds: int,
    errors: list[str],
) -> Case | None:
    """Measure a workload; None if the result is not valid, with the reason in ``errors``."""
    weights = initial_weights(workload, dtype)
    X, y = (array[:_LOSS_ROWS] for array in load(workload, dtype))
    losses = {}
    for name, worker in racers.items():
        try:
            worker.call("load", workload, dtype, weights)
            losses[name] = mean_loss(workload, worker.call("after_one_round"), X, y)
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
        "initial_loss": mean_loss(workload, weights, X, y),
        "losses": losses,
        "peak_flops": measured.pop("peak"),
        "seconds": measured,
    }


def _rival(case: Case) -> str | None:
    """The fastest contender other than cymlp and scikit-learn."""
    others = {
        name: median(seconds)
        for name, seconds in case["seconds"].items()
        if name not in (OURS, THEIRS)
    }
    return min(others, key=others.__getitem__, default=None)


def _over(case: Case, other: str, name: str = OURS) -> Ratio | None:
    """How many times as fast as ``other`` a contender was."""
    seconds = case["seconds"]
    return ratio(seconds[other], seconds[name]) if {other, name} <= seconds.keys() else None


def _arithmetic(case: Case) -> list[str]:
    """GFLOP in matrix products, and cymlp's speed in them as a share of the peak."""
    flops = case["gemm_flops"]
    if flops is None:
        return ["-", "-"]
    rounds = zip(case["seconds"][OURS], case["peak_flops"], strict=True)
    share = median(flops / seconds / peak for seconds, peak in rounds)
    return [f"{1e-9 * flops:.2f}", f"{share:.0%}"]


def _label(case: Case) -> str:
    """The workload's name, with a mark for batch 1."""
    return f"{case['workload']} †" if _is_batch_1(case) else case["workload"]


def _is_batch_1(case: Case) -> bool:
    return _WORKLOADS[case["workload"]].batch_size == 1


def _is_images(case: Case) -> bool:
    return _WORKLOADS[case["workload"]].is_images


# The subsets of the rows over which means are given.
_SUBSETS: dict[str, Callable[[Case], bool]] = {
    "all rows": lambda case: True,
    "without batch 1 (†)": lambda case: not _is_batch_1(case),
    "of those, images": lambda case: not _is_batch_1(case) and _is_images(case),
    "of those, other data": lambda case: not _is_images(case),
}


def _mean(ratios: Iterable[Ratio | None], digits: int = 2) -> str:
    """The geometric mean of the ratios that are not None."""
    middles = [ratio.middle for ratio in ratios if ratio]
    return f"{geometric_mean(middles):.{digits}f}x" if middles else "-"


def _least(ratios: Iterable[Ratio | None]) -> str:
    middles = [ratio.middle for ratio in ratios if ratio]
    return f"{min(middles):.2f}x" if middles else "-"


def _with_rows(case: Case) -> str:
    return f"{_label(case)}, {case['rows']:,} rows"


def _milliseconds(case: Case, name: str | None) -> str:
    return number(1e3 * median(case["seconds"][name])) if name in case["seconds"] else "-"


def _names(cases: list[Case]) -> list[str]:
    """The names of the contenders that took part."""
    present = {name for case in cases for name in case["seconds"]}
    return [trainer.name for trainer in TRAINERS if trainer.name in present]


def tables(results: Results) -> str:
    """The kernels; for each dtype the times, and the speed beside scikit-learn and the others."""
    parts = [_tables(dtype, results[dtype]) for dtype in DTYPES if results.get(dtype)]
    return "\n".join(filter(None, [kernels_table(results), *parts, _BATCH_1]))


def _tables(dtype: str, cases: list[Case]) -> str:
    names = _names(cases)
    times = [[_with_rows(case), *(_milliseconds(case, name) for name in names)] for case in cases]
    peers = [name for name in names if name != THEIRS]
    speeds = [
        [_label(case), *(str(_over(case, THEIRS, name) or "-") for name in peers)] for case in cases
    ]
    rivals = [
        [_label(case), _rival(case) or "-", str(_over_rival(case) or "-"), *_arithmetic(case)]
        for case in cases
    ]
    for subset, belongs in _SUBSETS.items():
        chosen = [case for case in cases if belongs(case)]
        if chosen:
            name = f"geometric mean, {subset}"
            speeds.append(
                [name, *(_mean(_over(case, THEIRS, peer) for case in chosen) for peer in peers)]
            )
            rivals.append([name, "", _mean(map(_over_rival, chosen)), "", ""])
    speeds.append(
        ["least", *(_least(_over(case, THEIRS, peer) for case in cases) for peer in peers)]
    )
    rivals.append(["least", "", _least(map(_over_rival, cases)), "", ""])
    peak = median(flops for case in cases for flops in case["peak_flops"])
    return (
        f"{dtype}, milliseconds of an epoch (of a whole search where a row says so):\n\n"
        f"{table(['workload', *names], times)}\n"
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
    """The README's tables: cymlp beside scikit-learn and the fastest other peer, and the means.

    The rows are those of float32, and of workloads that run in float64 only.
    """
    cases = results["float32"] + [
        case for case in results["float64"] if "float32" not in _WORKLOADS[case["workload"]].dtypes
    ]
    rows = [
        [
            _with_rows(case),
            _milliseconds(case, THEIRS),
            f"{_milliseconds(case, rival)} ({rival})" if rival else "-",
            _milliseconds(case, OURS),
            str(_over(case, THEIRS)),
            str(_over_rival(case) or "-"),
        ]
        for case in cases
        for rival in [_rival(case)]
    ]
    head = [
        "workload", THEIRS, "fastest other peer", OURS, f"over {THEIRS}", "over the other",
    ]  # fmt: skip
    return (
        "Milliseconds of an epoch of training in float32 (where a row says so, of a whole grid "
        "search in float64), the same network to the same loss:\n\n"
        f"{table(head, rows)}\n{_BATCH_1}\n{_means(results)}\n{circumstances(results)}"
    )


def _means(results: Results) -> str:
    """A table of the geometric means for each dtype."""
    rows = []
    for subset, belongs in _SUBSETS.items():
        row = [subset]
        for dtype in DTYPES:
            chosen = [case for case in results[dtype] if belongs(case)]
            row.append(_mean((_over(case, THEIRS) for case in chosen), 1))
            row.append(_mean(map(_over_rival, chosen), 1))
        if set(row[1:]) != {"-"}:
            rows.append(row)
    head = [f"{dtype}, over {other}" for dtype in DTYPES for other in (THEIRS, "fastest other")]
    return table(["geometric means", *head], rows)


def figures(results: Results) -> dict[str, Any]:
    """A figure for each dtype: speed relative to scikit-learn."""
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
            [_label(case) for case in cases],
            {f"An epoch of training, {dtype}: times as fast as scikit-learn": values},
            log_from=1.0,
        )
    return drawn
