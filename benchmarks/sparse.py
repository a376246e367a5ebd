"""Sparse text: fits and predictions beside scikit-learn's, and what accuracy they come to.

Two data sets of 20 classes. In "words" each row draws its features by Zipf's law, as texts draw
their words, and a random linear model gives the class. In "packages" the rows are pieces of the
source code and documentation of installed Python packages, hashed; the class is the package.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.fits import MODULES, fitted
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import call_seconds, interleaved, ratio
from benchmarks.worker import workers
from benchmarks.workloads import SEED

DTYPES = ("float64",)
_CLASSES = 20
_ROWS, _FEATURES, _ENTRIES = 50_000, 100_000, 80
_LINES = 30  # of a piece of text
# Rows of a fit, as scikit-learn takes minutes for all of them; both fit the same.
_HIDDEN = {1: 10_000, 64: 4_000, 256: 2_000}
_SOLVERS: dict[str, dict[str, Any]] = {
    "SGD": {"solver": "sgd", "learning_rate_init": 0.1},
    "Adam": {"solver": "adam"},
    "Adam, alpha=0": {"solver": "adam", "alpha": 0.0},
}
_EPOCHS = 3  # of the fits whose accuracy is compared
_TRAIN = 0.8


def _words(rows: int) -> tuple[Any, NDArray[np.intp]]:
    """Rows of words that are drawn by Zipf's law, and the class that a linear model gives them."""
    rng = np.random.default_rng(SEED)
    frequency = 1 / np.arange(1, _FEATURES + 1)
    words = np.searchsorted(frequency.cumsum() / frequency.sum(), rng.random((rows, _ENTRIES)))
    X = csr_array(
        (
            rng.uniform(0.5, 1.5, words.size),
            words.ravel().clip(0, _FEATURES - 1).astype(np.int32),
            np.arange(0, words.size + 1, _ENTRIES, dtype=np.int32),
        ),
        shape=(rows, _FEATURES),
    )
    X.sum_duplicates()
    return X, np.asarray((X @ rng.standard_normal((_FEATURES, _CLASSES))).argmax(axis=1))


def _packages(rows: int) -> tuple[Any, NDArray[np.intp]]:
    """Pieces of the texts of the installed packages that have most, hashed; and the package."""
    from sklearn.feature_extraction.text import HashingVectorizer

    texts: dict[str, list[str]] = {}
    for distribution in distributions():
        pieces = texts.setdefault(distribution.metadata["Name"], [])
        for file in sorted(distribution.files or []):
            if file.suffix in (".py", ".pyi", ".pyx", ".pxd", ".rst", ".md", ".txt"):
                path = Path(str(distribution.locate_file(file)))
                lines = path.read_text("utf-8", "ignore").splitlines() if path.is_file() else []
                pieces += ["\n".join(lines[i : i + _LINES]) for i in range(0, len(lines), _LINES)]
    names = sorted(texts, key=lambda name: -len(texts[name]))[:_CLASSES]
    numbered = [(i, piece) for i, name in enumerate(names) for piece in texts[name]]
    order = np.random.default_rng(SEED).permutation(len(numbered))[:rows]
    own_names = re.compile("|".join(map(re.escape, names)), re.IGNORECASE)
    vectorizer = HashingVectorizer(n_features=2**17, alternate_sign=False)
    X = vectorizer.transform(own_names.sub(" ", numbered[i][1]) for i in order)
    return csr_array(X), np.array([numbered[i][0] for i in order])


_DATA: dict[str, Callable[[int], tuple[Any, NDArray[np.intp]]]] = {
    "words": _words,
    "packages": _packages,
}


class SparseFits:
    """A library's fits and predictions of a sparse data set, in a process of its own."""

    def __init__(self, library: str, data: str, rows: int) -> None:
        self._fit = partial(fitted, MODULES[library])
        self._X, self._y = _DATA[data](rows)

    def load(self, rows: int, params: dict[str, Any]) -> tuple[int, int]:
        """Choose the rows and the network; return rows and features, and warm up."""
        self._rows = min(rows, self._X.shape[0])
        self._data = self._X[: self._rows], self._y[: self._rows]
        self._params = params | {"max_iter": 1}
        few = slice(200)
        self._model = self._fit((self._data[0][few], self._data[1][few]), **self._params)
        return self._rows, self._X.shape[1]

    def fit_seconds(self) -> float:
        """Seconds of an epoch."""
        start = time.perf_counter()
        self._model = self._fit(self._data, **self._params)
        return time.perf_counter() - start

    def predict_seconds(self) -> float:
        """Seconds of predict, of all rows."""
        return call_seconds(lambda: self._model.predict(self._X))


def _speeds(data: str, options: Options) -> list[dict[str, Any]]:
    """Seconds of fits and predictions of both libraries, in turns."""
    cases = []
    rows = options.rows(_ROWS)
    with workers({name: partial(SparseFits, name, data, rows) for name in MODULES}) as there:
        for hidden, fit_rows in _HIDDEN.items():
            for solver, params in _SOLVERS.items():
                name = f"{data}, {hidden} hidden, {solver}"
                if not options.takes(name):
                    continue
                progress(name)
                params = params | {"hidden_layer_sizes": (hidden,)}
                for worker in there.values():
                    shape = worker.call("load", fit_rows, params)
                seconds = {
                    method: interleaved(
                        {name: partial(w.call, f"{method}_seconds") for name, w in there.items()},
                        options.rounds,
                    )
                    for method in ("fit", "predict")
                }
                cases.append({"name": name, "rows": shape[0], "features": shape[1], **seconds})
    return cases


def _accuracies(data: str, options: Options) -> list[dict[str, Any]]:
    """Accuracy on rows that were held out, and seconds, of cymlp and of linear models."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    X, y = _DATA[data](options.rows(_ROWS))
    n = int(_TRAIN * X.shape[0])
    mlp = {"max_iter": _EPOCHS, "alpha": 0.0}
    linear = {"learning_rate_init": 0.01, "hidden_layer_sizes": ()}
    models = {
        f"cymlp, no hidden units, {_EPOCHS} epochs": partial(fitted, "cymlp", **mlp | linear),
        f"cymlp, 64 hidden, {_EPOCHS} epochs": partial(
            fitted, "cymlp", hidden_layer_sizes=(64,), learning_rate_init=0.003, **mlp
        ),
        "SGDClassifier(loss='log_loss')": lambda data: SGDClassifier(
            loss="log_loss", random_state=SEED
        ).fit(*data),
        "LogisticRegression()": lambda data: LogisticRegression().fit(*data),
    }
    cases = []
    for name, fit in models.items():
        progress(f"{data}: {name}")
        start = time.perf_counter()
        model = fit((X[:n], y[:n]))
        seconds = time.perf_counter() - start
        accuracy = float(model.score(X[n:], y[n:]))
        cases.append({"data": data, "name": name, "seconds": seconds, "accuracy": accuracy})
    return cases


def _waiting(data: str, options: Options) -> dict[str, Any]:
    """Adam whose rows without a gradient wait, beside Adam that updates all of them each time."""
    X, y = _DATA[data](options.rows(_ROWS))
    # A limit that no gradient reaches: the whole gradient must be known for it.
    updates_all = {"clip_norm": 1e30}
    rows = slice(min(10_000, X.shape[0]))
    fit = partial(
        fitted, "cymlp", (X[rows], y[rows]), hidden_layer_sizes=(64,), max_iter=1, alpha=0.0
    )
    models: dict[str, Any] = {}

    def timed(name: str, **params: Any) -> float:
        start = time.perf_counter()
        models[name] = fit(**params)
        return time.perf_counter() - start

    seconds = interleaved(
        {"wait": partial(timed, "wait"), "all": partial(timed, "all", **updates_all)},
        options.rounds,
    )
    first, second = (models[name].coefs_[0] for name in ("wait", "all"))
    largest = float(np.abs(first).max())
    return {
        "data": data, "seconds": seconds,
        "difference": float(np.abs(first - second).max()) / largest,
    }  # fmt: skip


def measure(options: Options) -> Results:
    """Speeds, accuracies, and what waiting gains, of both data sets."""
    results = new_results(options, ["cymlp", "sklearn", "numpy", "scipy"])
    results |= {"speeds": [], "accuracies": [], "waiting": []}
    for data in _DATA:
        results["speeds"] += _speeds(data, options)
        if options.takes(f"{data} accuracy"):
            results["accuracies"] += _accuracies(data, options)
        if options.takes(f"{data} waiting"):
            results["waiting"].append(_waiting(data, options))
    return results


def tables(results: Results) -> str:
    """Speeds, accuracies, waiting."""
    ours, theirs = "cymlp", "scikit-learn"
    speeds = [
        [
            f"{case['name']}, {case['rows']:,} rows",
            *(
                cell
                for method in ("fit", "predict")
                for cell in (
                    number(1e3 * median(case[method][ours])),
                    number(1e3 * median(case[method][theirs])),
                    str(ratio(case[method][theirs], case[method][ours])),
                )
            ),
        ]
        for case in results["speeds"]
    ]
    head = [
        "", "fit: cymlp, ms an epoch", "scikit-learn", "ratio",
        "predict all rows: cymlp, ms", "scikit-learn", "ratio",
    ]  # fmt: skip
    accuracies = [
        [case["data"], case["name"], number(case["seconds"]), f"{100 * case['accuracy']:.1f}"]
        for case in results["accuracies"]
    ]
    waiting = [
        [
            case["data"],
            number(1e3 * median(case["seconds"]["wait"])),
            number(1e3 * median(case["seconds"]["all"])),
            str(ratio(case["seconds"]["all"], case["seconds"]["wait"])),
            f"{case['difference']:.1e}",
        ]
        for case in results["waiting"]
    ]
    waits = ["64 hidden, Adam, alpha=0", "rows wait, ms", "all updated, ms", "ratio", "difference"]
    return "\n".join(
        (
            table(head, speeds),
            table(["", "", "seconds", "accuracy, %"], accuracies),
            table(waits, waiting),
        )
    )


def figures(results: Results) -> dict[str, Any]:
    """None: the tables say it."""
    return {}
