"""What all benchmarks share to report results: options, circumstances, tables, files."""

import datetime
import json
import math
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib

from benchmarks.blas import loaded_blas
from cymlp import __version__, _engine

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
Results = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """The choices made on the command line."""

    rounds: int
    dtypes: tuple[str, ...]
    only: str = ""
    rows_limit: int | None = None

    def takes(self, name: str) -> bool:
        """Whether a case of this name is selected."""
        return self.only.lower() in name.lower()

    def rows(self, n_rows: int) -> int:
        """This number of rows, or the limit if that is lower."""
        return n_rows if self.rows_limit is None else min(n_rows, self.rows_limit)


def progress(text: str) -> None:
    """Print on stderr what is being measured."""
    print(text, file=sys.stderr, flush=True)


def new_results(options: Options, packages: Iterable[str]) -> Results:
    """New results: the circumstances, with the versions of these packages, and no errors yet."""
    distributions = packages_distributions()
    names = {distributions[package][0] for package in packages if package != "cymlp"}
    versions = {name: version(name) for name in names} | {"cymlp": __version__}
    return {
        "circumstances": {
            "cpu": _cpu_name(),
            "cores": joblib.cpu_count(),
            "engine": _engine.BUILD,
            "python": platform.python_version(),
            "blas": loaded_blas(),
            "packages": dict(sorted(versions.items())),
            "date": str(datetime.date.today()),
            "rounds": options.rounds,
            "rows_limit": options.rows_limit,
        },
        "notes": [],
        "errors": [],
    }


def _cpu_name() -> str:
    """The name of the CPU, as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def circumstances(results: Results) -> str:
    """The machine, BLAS, versions and date, in one line."""
    facts = results["circumstances"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    rounds = f"medians of {facts['rounds']} rounds" if facts["rounds"] > 1 else "one round"
    limit = f", at most {facts['rows_limit']} rows" if facts["rows_limit"] else ""
    blas = f"{facts['blas']}; " if facts.get("blas") else ""
    return (
        f"{facts['cpu']}, {facts['cores']} cores, engine built for {facts['engine']}; "
        f"{blas}Python {facts['python']}, {versions}; {facts['date']}; {rounds}{limit}."
    )


def number(value: float) -> str:
    """A number to three significant digits, without exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def kernels_table(results: Results) -> str:
    """A table of what computed each contender's products; empty for results of an older form."""
    rows = results.get("kernels", {}).items()
    return table(["contender", "what computes its products"], rows) if rows else ""


def page(results: Results, tables: str) -> str:
    """The circumstances, the tables, then what is missing and what went wrong."""
    notes = "".join(f"\nNote: {note}\n" for note in results["notes"])
    errors = "".join(f"\nError: {error}\n" for error in results["errors"])
    return f"{circumstances(results)}\n\n{tables}{notes}{errors}"


def write(name: str, module: ModuleType, results: Results) -> None:
    """Save the results and the figures, and put the tables into the READMEs."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    images = ""
    for suffix, figure in module.figures(results).items():
        stem = "-".join(filter(None, (name, suffix)))
        figure.savefig(IMAGES / f"{stem}.png", dpi=120)
        images += f"\n![{stem}](../docs/images/{stem}.png)\n"
    text = page(results, module.tables(results)) + images
    _fill_region(ROOT / "benchmarks" / "README.md", name, text)
    if hasattr(module, "summary"):
        _fill_region(ROOT / "README.md", name, module.summary(results))


def read_results(name: str) -> Results:
    """The results that were saved last."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def _fill_region(path: Path, name: str, text: str) -> None:
    """Replace the text between a file's two marks of this name."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    filled, count = re.subn(
        f"{begin}.*?{end}",
        lambda _: f"{begin}\n{text.strip()}\n{end}",
        path.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{path} must have one region {begin} ... {end}, it has {count}")
    path.write_text(filled)
