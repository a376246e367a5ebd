"""Data larger than memory: rows per second and memory of an epoch, and what a buffer costs.

A file of bytes, by default of 20 GB, is made of Fashion-MNIST at twice its resolution (of digits if
its files are absent), again and again. It lies in the folder for temporary files; the environment
variable TMPDIR names another. --rows-limit makes it smaller. An epoch over it, memory-mapped, takes
turns with one over its first rows as an array in memory. zarr and h5py have a twentieth of it.

A network is also trained on shuffled rows and on rows sorted by class, with buffers of 1, 10 and
100 % of them, and its accuracy on other rows is compared.
"""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits import estimator
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import call_seconds, interleaved
from benchmarks.worker import Worker
from benchmarks.workloads import is_present

DTYPES = ("uint8",)
_BYTES = 20_000_000_000
_IN_MEMORY_BYTES = 400_000_000
_CHUNK_BYTES = 1_000_000
_PARAMS: dict[str, Any] = {"hidden_layer_sizes": (100,), "max_iter": 1, "dtype": "float32"}
_SHARES = (0.01, 0.1, 1.0)
_SEEDS = 3


def _images() -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[np.uint8], NDArray[Any]]:
    """X_train, y_train, X_test, y_test; rows of pixels, shuffled."""
    if is_present("fashion-mnist"):
        from cymlp.datasets import fetch_mnist

        data = fetch_mnist("fashion-mnist", data_home=os.environ.get("CYMLP_DATA"))
        return data.X_train, data.y_train, data.X_test, data.y_test
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(15 * X, y, test_size=0.3, random_state=0)
    return X_train.astype(np.uint8), y_train, X_test.astype(np.uint8), y_test


def _enlarged(X: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Square images with each pixel doubled in both directions."""
    side = round(X.shape[1] ** 0.5)
    images = X.reshape(-1, side, side).repeat(2, axis=1).repeat(2, axis=2)
    return images.reshape(len(X), -1)


def _parts(n_rows: int) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """The rows of a file, as many at a time as there are images."""
    X = _enlarged(_images()[0])
    for start in range(0, n_rows, len(X)):
        stop = min(start + len(X), n_rows)
        yield slice(start, stop), X[: stop - start]


def _write(form: str, path: Path, shape: tuple[int, int]) -> None:
    """Write the images, repeated, into a file of this form."""
    chunks = max(1, _CHUNK_BYTES // shape[1]), shape[1]
    if form == "h5py":
        with import_module("h5py").File(path, "w") as file:
            data = file.create_dataset("X", shape, np.uint8, chunks=chunks)
            for rows, X in _parts(shape[0]):
                data[rows] = X
    elif form == "zarr":
        data = import_module("zarr").create_array(path, shape=shape, dtype=np.uint8, chunks=chunks)
        for rows, X in _parts(shape[0]):
            data[rows] = X
    else:
        with path.open("wb") as file:
            for _, X in _parts(shape[0]):
                X.tofile(file)


def _opened(form: str, path: Path, shape: tuple[int, int]) -> Any:
    """The file's rows, to be read by slices; with "array", its first rows in memory."""
    if form == "h5py":
        return import_module("h5py").File(path)["X"]
    if form == "zarr":
        return import_module("zarr").open_array(path, mode="r")
    rows = np.memmap(path, np.uint8, "r", shape=shape)
    return rows if form == "memmap" else np.array(rows[: _IN_MEMORY_BYTES // shape[1]])


class Streaming:
    """Epochs over a file of this form, in its own process."""

    def __init__(self, form: str, path: Path, shape: tuple[int, int]) -> None:
        self._X = _opened(form, path, shape)
        y = _images()[1].astype(np.uint8)
        self._y = np.resize(y, len(self._X) if form == "array" else shape[0])
        self._model = estimator("cymlp", **_PARAMS)
        self._model.fit(self._X[:1000], self._y[:1000])

    def epoch(self) -> tuple[float, int]:
        """Rows per second of an epoch, and the most bytes by which private memory grew."""
        with _private_memory() as growth:
            seconds = call_seconds(lambda: self._model.fit(self._X, self._y), least=0.0)
        return len(self._y) / seconds, growth()


@contextmanager
def _private_memory() -> Iterator[Callable[[], int]]:
    """A function that returns by how many bytes private memory has grown at most meanwhile."""
    before = most = _private_bytes()
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, _private_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most - before
    finally:
        ended.set()
        watcher.join()


def _private_bytes() -> int:
    """Bytes of memory, pages of mapped files included, that no other process has; Linux only."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE)))


def _accuracy(is_sorted: bool, share: float, options: Options) -> list[float]:
    """Of a network on other rows, for each seed."""
    X, y, X_test, y_test = _images()
    n_rows = options.rows(len(X))
    X, y = X[:n_rows], y[:n_rows]
    if is_sorted:
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    X, X_test = X.astype(np.float32) / 255, X_test.astype(np.float32) / 255
    buffer = None if share == 1 else max(1, int(share * n_rows))
    params = _PARAMS | {"max_iter": 10, "shuffle_buffer": buffer}
    return [
        estimator("cymlp", **params | {"random_state": seed}).fit(X, y).score(X_test, y_test)
        for seed in range(_SEEDS)
    ]


def measure(options: Options) -> Results:
    """Write the files, run the epochs in turns, then train with every buffer."""
    forms = [form for form in ("zarr", "h5py") if find_spec(form) is not None]
    results = new_results(options, ["cymlp", "numpy", "sklearn", *forms])
    results |= {"epochs": {}, "accuracy": []}
    n_features = 4 * _images()[0].shape[1]
    for form in ("memmap", *forms):
        n_bytes = _BYTES if form == "memmap" else _BYTES // 20
        shape = options.rows(n_bytes // n_features), n_features
        if options.takes(form):
            progress(f"{form}, {shape[0]:,} rows")
            results["epochs"][form] = _epochs(form, shape, options.rounds)
    for is_sorted in (False, True):
        for share in _SHARES:
            name = f"accuracy, {'sorted' if is_sorted else 'shuffled'}, {share:.0%}"
            if options.takes(name):
                progress(name)
                accuracies = _accuracy(is_sorted, share, options)
                results["accuracy"].append([is_sorted, share, accuracies])
    return results


def _epochs(form: str, shape: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Rows per second from a file and from memory, and the growth of memory."""
    with tempfile.TemporaryDirectory() as folder:
        path, array = Path(folder, "rows"), Path(folder, "array")
        _write(form, path, shape)
        in_memory = min(shape[0], _IN_MEMORY_BYTES // shape[1]), shape[1]
        _write("memmap", array, in_memory)
        with (
            Worker(partial(Streaming, form, path, shape)) as file,
            Worker(partial(Streaming, "array", array, in_memory)) as memory,
        ):
            turns = {
                name: partial(worker.call, "epoch")
                for name, worker in (("file", file), ("memory", memory))
            }
            return {"shape": shape, **interleaved(turns, rounds)}


def tables(results: Results) -> str:
    """A table of speed and memory, and one of accuracies."""
    text = ""
    if results["epochs"]:
        rows = []
        for form, case in results["epochs"].items():
            file, memory = ([speed for speed, _ in case[name]] for name in ("file", "memory"))
            shares = [a / b for a, b in zip(file, memory, strict=True)]
            rows.append(
                [
                    form,
                    f"{case['shape'][0]:,} x {case['shape'][1]:,}",
                    number(1e-9 * case["shape"][0] * case["shape"][1]),
                    number(median(file)),
                    number(median(memory)),
                    f"{median(shares):.0%}",
                    number(1e-6 * max(growth for _, growth in case["file"])),
                ]
            )
        head = ["form", "rows x bytes", "GB", "rows/s", "in memory", "share", "private MB"]
        text = (
            "An epoch over a file, beside one over rows in memory; by how many MB private memory "
            f"grew at most:\n\n{table(head, rows)}\n"
        )
    if results["accuracy"]:
        rows = [
            [
                "sorted by class" if is_sorted else "shuffled",
                f"{share:.0%}",
                f"{np.mean(accuracies):.4f}",
                f"{min(accuracies):.4f} to {max(accuracies):.4f}",
            ]
            for is_sorted, share, accuracies in results["accuracy"]
        ]
        head = ["rows", "buffer", "mean accuracy", f"of {_SEEDS} seeds"]
        text += f"Accuracy on other rows after 10 epochs:\n\n{table(head, rows)}"
    return text


def figures(results: Results) -> dict[str, Any]:
    """No figures: the tables are enough."""
    return {}
