"""How the benchmarks measure time: contenders take turns, and ratios are taken by round."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median
from typing import TypeVar

T = TypeVar("T")

# Seconds: idle threads of BLAS and OpenMP spin for a while after their last work.
_PAUSE = 0.4


def call_seconds(
    call: Callable[[], object], before: Callable[[], object] | None = None, least: float = 0.05
) -> float:
    """Median seconds of a call, repeated for at least ``least`` seconds, after ``before`` each."""
    seconds: list[float] = []
    end = time.perf_counter() + least
    while not seconds or time.perf_counter() < end:
        if before is not None:
            before()
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def interleaved(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each contender returns in each round; they take turns."""
    returned: dict[str, list[T]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(_PAUSE)
            returned[name].append(contender())
    return returned


@dataclass(frozen=True)
class Ratio:
    """The ratio of two contenders in each round: the median, the least and the most."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 2 if self.middle < 10 else 1
        least, most = f"{self.least:.{digits}f}", f"{self.most:.{digits}f}"
        return f"{self.middle:.{digits}f}x ({least} to {most})"


def ratio(seconds: Sequence[float], others: Sequence[float]) -> Ratio:
    """How many times as long the first took as the others, by round."""
    ratios = [a / b for a, b in zip(seconds, others, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def geometric_mean(values: Sequence[float]) -> float:
    """exp(mean(log(values)))."""
    return exp(fmean(log(value) for value in values))
