"""Whether the tests notice mistakes: small ones are put into the sources, one at a time.

    python tests/mutants.py [PATH ...]

Each mutant is a line of the table below: a file, a text that occurs in it once, and a wrong text
to put in its place. The mutant is made in a copy of the source tree, in a temporary folder. There
``pytest -x -q`` runs the tests that are named like its module, and if these do not notice it, those
of PATH ..., which are ``tests`` if no path is given. A test that fails kills the mutant; one that
survives shows what no test looks at. The exit status is the number of survivors.

    --list         Print the mutants' names and what they change, and run nothing.
    --only NAME    Run this mutant alone; may be given several times.
    --group GROUP  "python" (the default), "engine" or "all". Mutants of the engine are compiled
                   in the copy first, by ``python setup.py build_ext --inplace``.
    --tree FOLDER  The source tree to copy, compiled in place, if not the one of this file.
    --jobs N       Mutants at a time, each in a copy of its own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path("src/cymlp")


class Mutant(NamedTuple):
    """A wrong text in place of a right one; ``file`` is below src/cymlp."""

    name: str
    file: str
    old: str
    new: str
    group: str = "python"


MUTANTS = [
    # A network's parameters.
    Mutant(
        "a copied network shares its parameters", "_network/network.py",
        "return Network(self.units, self.parameters.copy())",
        "return Network(self.units, self.parameters)",
    ),
    Mutant(
        "arrays put into coefs_ are not noticed", "_network/network.py",
        "len(own) == len(given) and all(map(is_, own, given))", "len(own) == len(given)",
    ),
    Mutant(
        "one float32 array makes a network float32", "_network/network.py",
        "single = all(", "single = any(",
    ),
    Mutant(
        "variance by fan_out", "_network/initializers.py",
        '"lecun_normal": lambda fan_in, fan_out: 1 / fan_in',
        '"lecun_normal": lambda fan_in, fan_out: 1 / fan_out',
    ),
    Mutant(
        "normal numbers cut off are too small", "_network/initializers.py",
        "numbers * (deviation / _CUT_DEVIATION)", "numbers * deviation",
    ),
    Mutant(
        "glorot's bound for logistic", "_network/initializers.py",
        'factor = 2.0 if first == "logistic" else 6.0', "factor = 6.0",
    ),
    Mutant(
        "penalty without its half", "_network/gradient.py",
        "0.5 * l2 * np.vdot(W, W)", "l2 * np.vdot(W, W)",
    ),
    Mutant(
        "penalty over samples, not weights", "_network/gradient.py",
        "G += (l2 * W + l1 * np.sign(W)) / total",
        "G += (l2 * W + l1 * np.sign(W)) / samples.n_samples",
    ),
    Mutant(
        "the last slice is lost if it is one row", "_network/arrays.py",
        "range(0, n_rows, rows_per_slice)", "range(0, n_rows - 1, rows_per_slice)",
    ),
    Mutant(
        "a single value that overflows", "_network/arrays.py",
        "np.isinf(numbers).any()", "np.isinf(numbers).all()",
    ),
    Mutant(
        "layers of no units", "_network/layer_sizes.py", "any(size <= 0", "any(size < 0",
    ),
    # Training.
    Mutant(
        "one epoch less of patience", "_training/stopping.py",
        "n_epochs_without_progress <= config", "n_epochs_without_progress < config",
    ),
    Mutant(
        "progress without tol", "_training/stopping.py",
        "not loss > best - self._config.tol", "not loss > best",
    ),
    Mutant(
        "the best parameters go on changing", "_training/stopping.py",
        "self.best_parameters = network.parameters.copy()",
        "self.best_parameters = network.parameters",
    ),
    Mutant(
        "the last of equal scores is best", "_training/stopping.py",
        "if score > best:", "if score >= best:",
    ),
    Mutant(
        "no return to the best parameters", "_training/stochastic.py",
        "if stopping.best_parameters is not None:", "if False:",
    ),
    Mutant(
        "invscaling begins a sample early", "_training/optimizers.py",
        "(n_samples_seen + 1)", "(n_samples_seen + 2)",
    ),
    Mutant(
        "the least adaptive rate", "_training/optimizers.py",
        "self.learning_rate <= 1e-6", "self.learning_rate <= 1e-5",
    ),
    Mutant(
        "an optimizer of another dtype", "_training/optimizers.py",
        "or self.state.dtype != parameters.dtype", "or False",
    ),
    Mutant(
        "each epoch is shuffled from the start", "_training/stochastic.py",
        "permutation if self._order is None else self._order[permutation]", "permutation",
    ),
    Mutant(
        "the last mini-batch is not in a schedule's total", "_training/stochastic.py",
        "per_epoch = -(-self._n_samples // self._batch_size)",
        "per_epoch = self._n_samples // self._batch_size",
    ),
    Mutant(
        "a record's mean is never reset", "_training/stochastic.py",
        "self._record_loss, self._last_time = RunningMean(), now", "self._last_time = now",
    ),
    Mutant(
        "records begin anew in each epoch", "_training/stochastic.py",
        "(every - self._n_batches % every)", "every",
    ),
    Mutant(
        "a mean of parts of unequal sizes", "_training/history.py",
        "(n / (self.n + n))", "0.5",
    ),
    Mutant(
        "scores of training add up", "_training/history.py", "self.sums[...] = 0", "pass",
    ),
    Mutant(
        "one row held out", "_training/data.py", "len(validation) < 2", "len(validation) < 1",
    ),
    Mutant(
        "L-BFGS keeps its parameters to itself", "_training/lbfgs.py",
        "network.parameters[...] = intermediate_result.x", "pass",
    ),
    Mutant(
        "the greater loss is better", "_training/validation.py",
        "watched = -loss.value", "watched = loss.value",
    ),
    Mutant(
        "an unchecked batch size of 0", "_training/config.py",
        "min(max(int(self.batch_size), 1), n_samples)", "min(int(self.batch_size), n_samples)",
    ),
    # Estimators.
    Mutant(
        "L2 beside L1", "_estimators/base.py",
        "float(alpha * (1 - ratio))", "float(alpha)",
    ),
    Mutant(
        "class weights in rows held out", "_estimators/base.py",
        "replace(data, weights=score_weights)", "data",
    ),
    Mutant(
        "a new fit goes on with the old optimizer", "_estimators/base.py",
        "optimizer=optimizer if incremental else None", "optimizer=optimizer",
    ),
    Mutant(
        "a partial_fit that failed keeps its optimizer", "_estimators/base.py",
        'self.__dict__.pop("_optimizer", None)\n            raise', "pass\n            raise",
    ),
    Mutant(
        "lists stay longer after a fit that failed", "_estimators/fitted_state.py",
        "del attribute[length:]", "pass",
    ),
    Mutant(
        "best_iteration_ of an earlier fit", "_estimators/fitted_state.py",
        'fitted.pop("best_iteration_", None)', "pass",
    ),
    Mutant(
        "one class alone is the second", "_estimators/targets.py",
        "& (len(self.classes) == 2)", "",
    ),
    Mutant(
        "labels of several columns are stratified", "_estimators/targets.py",
        "targets.dtype == bool and targets.shape[1] == 1", "targets.dtype == bool",
    ),
    Mutant(
        "log-odds of the first class", "_estimators/classifier.py",
        "return Z[:, 1] - Z[:, 0]", "return Z[:, 0] - Z[:, 1]",
    ),
    Mutant(
        "a function is called for an epoch cut short", "_estimators/callbacks.py",
        "estimator.n_iter_ <= context.task_id", "estimator.n_iter_ < context.task_id",
    ),
    Mutant(
        "a schedule cut short late", "_estimators/warning.py",
        "0 < 2 * n_iter < max_iter", "0 < n_iter < max_iter",
    ),
    Mutant(
        "weights whose sum is too large", "_estimators/input_validation.py",
        "or total > 1 / least", "",
    ),
    Mutant(
        "index pointers that fall", "_estimators/input_validation.py",
        "if (checked.indptr[1:] < checked.indptr[:-1]).any():", "if False:",
    ),
    # Schedules and parameters.
    Mutant(
        "a warm-up of one update more", "schedules.py", "step < warmup,", "step <= warmup,",
    ),
    Mutant(
        "shares are rounded down", "schedules.py",
        "round(float(steps) * total)", "int(float(steps) * total)",
    ),
    Mutant(
        "restarts put off by rounding", "schedules.py", "margin = 1e-9", "margin = 0.0",
    ),
    Mutant(
        "a bound that belongs to its interval", "_constraints.py",
        "value > low)", "value >= low)",
    ),
]  # fmt: skip


def is_killed(mutant: Mutant, tree: Path, paths: list[str]) -> bool:
    """Make the mutant in a copy of the tree; return whether a test fails there."""
    with tempfile.TemporaryDirectory(prefix="cymlp-mutant-") as folder:
        copy = Path(folder) / "cymlp"
        ignored = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", "_build")
        shutil.copytree(tree, copy, ignore=ignored)
        file = copy / SOURCES / mutant.file
        source = file.read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            raise ValueError(f"{mutant.file} must have {mutant.old!r} once, for {mutant.name!r}")
        file.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
        if mutant.group == "engine":
            build = [sys.executable, "setup.py", "build_ext", "--inplace"]
            subprocess.run(build, cwd=copy, env=environment, check=True, capture_output=True)
        near = [str(path) for path in nearest_tests(mutant, copy)]
        return (bool(near) and fails(near, copy, environment)) or fails(paths, copy, environment)


def nearest_tests(mutant: Mutant, tree: Path) -> list[Path]:
    """The tests that are named like the mutant's module, which are the likeliest to notice it."""
    file = Path(mutant.file)
    folder = tree / "tests" / file.parent.name.lstrip("_")
    return sorted(folder.glob(f"test_{file.stem.lstrip('_')}*.py"))


def fails(paths: list[str], tree: Path, environment: dict[str, str]) -> bool:
    """Whether a test of these paths fails, in the tree."""
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *paths],
        cwd=tree, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    # 1: a test has failed; 2: one could not even be collected; below 0: the process has crashed,
    # as an index out of bounds makes it. All else is no verdict.
    if result.returncode > 2:
        raise RuntimeError(f"pytest could not run:\n{result.stdout}{result.stderr}")
    return result.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", default=["tests"])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--group", choices=["python", "engine", "all"], default="python")
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if (mutant.name in options.only if options.only else options.group in (mutant.group, "all"))
    ]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name}\n    {mutant.file}: {mutant.old!r} -> {mutant.new!r}")
        return 0

    def verdict(mutant: Mutant) -> bool:
        killed = is_killed(mutant, options.tree, options.paths)
        print(f"{'killed' if killed else 'SURVIVED':8}  {mutant.name}", flush=True)
        return killed

    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(verdict, chosen))
    print(f"{sum(verdicts)} of {len(verdicts)} mutants killed")
    return verdicts.count(False)


if __name__ == "__main__":
    sys.exit(main())
