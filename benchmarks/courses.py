"""The examples in the courses' own settings: their tables, and how long each takes.

Each example runs ``--rounds`` times, in its own process, with all its imports and figures. One
round of all examples takes about ten minutes.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.report import ROOT, Options, Results, new_results, number, progress, table

DTYPES = ("float32",)


def _title(example: Path) -> str:
    """The first line of an example's docstring."""
    docstring = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""
    return docstring.splitlines()[0]


def _rows(output: str) -> list[list[str]]:
    """The rows of the Markdown table in the output, beginning with its head."""
    lines = [line for line in output.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if set("".join(row)) != {"-"}]


def _timed(example: Path) -> tuple[float, str]:
    """Run an example in the course's own setting: the seconds, and what it printed."""
    environment = {**os.environ, "MPLBACKEND": "agg"}
    if "CYMLP_DATA" in environment:  # examples look for MNIST in scikit-learn's data home
        environment["SCIKIT_LEARN_DATA"] = environment["CYMLP_DATA"]
    start = perf_counter()
    run = subprocess.run(
        [sys.executable, example.name, "--full"],
        cwd=example.parent,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return perf_counter() - start, run.stdout


def measure(options: Options) -> Results:
    """Run the examples; record those that fail as errors."""
    results = new_results(options, ("cymlp", "numpy", "scipy", "sklearn"))
    results["examples"] = []
    for example in sorted((ROOT / "examples").glob("plot_*.py")):
        if not options.takes(example.stem):
            continue
        progress(example.stem)
        try:
            runs = [_timed(example) for _ in range(options.rounds)]
        except subprocess.CalledProcessError as error:
            results["errors"].append(str(error))
            continue
        results["examples"].append(
            {
                "title": _title(example),
                "seconds": [seconds for seconds, _ in runs],
                "rows": _rows(runs[-1][1]),
            }
        )
    return results


def tables(results: Results) -> str:
    """A table of all courses' figures, and one of the times."""
    examples = results["examples"]
    rows = [
        [example["title"] if index == 0 else "", *row]
        for example in examples
        for index, row in enumerate(example["rows"][1:])
    ]
    times = [[example["title"], number(median(example["seconds"]))] for example in examples]
    total = sum(median(example["seconds"]) for example in examples)
    return (
        table(["example", "what", "course", "cymlp"], rows)
        + "\nSeconds, start to end:\n\n"
        + table(["example", "seconds"], [*times, ["all", number(total)]])
    )


def figures(results: Results) -> dict[str, Any]:
    """No figures: the examples draw their own."""
    return {}
