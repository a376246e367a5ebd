"""What every benchmark says of its circumstances, and how it times."""

import datetime
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import joblib

PACKAGES = ("cymlp", "scikit-learn", "numpy", "scipy")


def cpu_name() -> str:
    """The CPU's name as the system has it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def circumstances() -> str:
    """Machine, versions and date, in one line."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{cpu_name()}, {joblib.cpu_count()} cores, Python {platform.python_version()}, "
        f"{versions}, {datetime.date.today()}"
    )


def interleaved(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, all taking turns after one warm-up each."""
    for contender in contenders.values():
        contender()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender()
            seconds[name].append(time.perf_counter() - start)
    return seconds
