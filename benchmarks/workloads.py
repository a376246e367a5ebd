"""What the contenders of ``race`` train: data, network, update rule; and the loss they reach."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHA = 1e-4
ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
SEED = 0
Weights = list[tuple[NDArray[Any], NDArray[Any]]]  # for each layer (fan_in, fan_out), (fan_out,)


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16, y


def _images(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    from cymlp.datasets import fetch_mnist

    data = fetch_mnist(name, data_home=os.environ.get("CYMLP_DATA"))
    return data.X_train.astype(np.float32) / 255, data.y_train


def _standardized(X: NDArray[Any]) -> NDArray[Any]:
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _classes(rows: int, features: int, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Clusters of points, in which half of the features are informative."""
    from sklearn.datasets import make_classification

    X, y = make_classification(
        rows, features, n_informative=features // 2, n_classes=classes, random_state=SEED
    )
    return _standardized(X), y


def _friedman() -> tuple[NDArray[Any], NDArray[Any]]:
    """Friedman's first function, which depends on five of the features, with noise."""
    from sklearn.datasets import make_friedman1

    X, y = make_friedman1(20_000, 30, noise=3.0, random_state=SEED)
    return _standardized(X), _standardized(y)


def _text() -> tuple[Any, NDArray[Any]]:
    """TF-IDF (CSR) of made-up documents, whose word frequencies follow Zipf's law.

    A third of the words of a document are drawn by the same law, but with the words in an order
    that belongs to its class.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    n_rows, n_words, n_classes = 10_000, 20_000, 20
    rng = np.random.default_rng(SEED)
    y = rng.integers(n_classes, size=n_rows)
    rows = np.repeat(np.arange(n_rows), rng.integers(10, 125, size=n_rows))
    frequencies = 1 / np.arange(3, n_words + 3)
    words = rng.choice(n_words, size=rows.size, p=frequencies / frequencies.sum())
    shifts = np.where(rng.random(rows.size) < 1 / 3, y[rows] + 1, 0) * (n_words // (n_classes + 1))
    counts = csr_matrix((np.ones(rows.size), (rows, (words + shifts) % n_words)), (n_rows, n_words))
    return TfidfTransformer().fit_transform(counts), y


def _frame() -> tuple[Any, NDArray[Any]]:
    """A DataFrame with two thirds of its columns float64 and one third int64, not standardized."""
    import pandas as pd

    X, y = _classes(2_000, 30, 2)
    frame = pd.DataFrame(10 * X + 3).add_prefix("x")
    return frame.astype(dict.fromkeys(frame.columns[::3], "int64")), y


@dataclass(frozen=True)
class Data:
    """A data set: the number of features, a network's outputs, and a function that makes it."""

    features: int
    outputs: int
    output: str
    make: Callable[[], tuple[Any, NDArray[Any]]]


DATA = {
    "digits": Data(64, 10, "softmax", _digits),
    "mnist": Data(784, 10, "softmax", partial(_images, "mnist")),
    "fashion-mnist": Data(784, 10, "softmax", partial(_images, "fashion-mnist")),
    "covertype-shaped": Data(54, 7, "softmax", partial(_classes, 50_000, 54, 7)),
    "HIGGS-shaped": Data(28, 1, "logistic", partial(_classes, 50_000, 28, 2)),
    "regression": Data(30, 1, "identity", _friedman),
    "sparse text": Data(20_000, 20, "softmax", _text),
    "pandas": Data(30, 1, "logistic", _frame),
}


@dataclass(frozen=True)
class Workload:
    """A network, its data, and how it is trained; with a ``grid``, a search over a pipeline."""

    data: str
    rows: int
    hidden: tuple[int, ...]
    batch_size: int
    solver: str
    learning_rate: float = 1e-3
    activation: str = "relu"
    epochs: int = 1
    grid: dict[str, list[float]] | None = None

    @property
    def output(self) -> str:
        """The activation of the outputs, which determines the loss."""
        return DATA[self.data].output

    @property
    def units(self) -> tuple[int, ...]:
        """The number of inputs, of units in each hidden layer, and of outputs."""
        data = DATA[self.data]
        return (data.features, *self.hidden, data.outputs)

    @property
    def name(self) -> str:
        """Its name in the tables."""
        sizes = "-".join(str(size) for size in self.units)
        kind = "" if self.activation == "relu" else f" {self.activation}"
        if not self.hidden:
            kind = f" {self.output}"
        solver = {"adam": "Adam", "sgd": "SGD"}[self.solver]
        search = ", float64, whole grid search" if self.grid else ""
        return f"{self.data} {sizes}{kind}, batch {self.batch_size}, {solver}{search}"

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes it is trained in; the scaler of the grid search returns float64."""
        return ("float64",) if self.grid else ("float32", "float64")

    @property
    def is_images(self) -> bool:
        """Whether its data are images."""
        return self.data in ("digits", "mnist", "fashion-mnist")

    @property
    def is_sparse(self) -> bool:
        """Whether its data are a sparse matrix."""
        return self.data == "sparse text"

    @property
    def gemm_flops(self) -> float | None:
        """Flops of an epoch in matrix products: forward pass, gradients, deltas passed back.

        None for a whole search, and for sparse products.
        """
        if self.grid or self.is_sparse:
            return None
        return sum(
            2.0 * self.rows * fan_in * fan_out * (3 if layer else 2)
            for layer, (fan_in, fan_out) in enumerate(pairwise(self.units))
        )


_GRID = {"mlp__alpha": [1e-4, 1e-2], "mlp__learning_rate_init": [1e-3, 1e-2]}

WORKLOADS = [
    Workload("digits", 1_797, (100,), 200, "adam", epochs=20),
    Workload("mnist", 20_000, (100,), 200, "adam"),
    Workload("mnist", 20_000, (300,), 64, "sgd", 0.1, "logistic"),
    Workload("mnist", 60_000, (100,), 1500, "sgd", 0.2),
    Workload("fashion-mnist", 10_000, (256, 128, 64), 32, "adam", 3e-4),
    Workload("mnist", 2_000, (32, 32), 1, "sgd", 0.05, "logistic"),
    Workload("fashion-mnist", 10_000, (64,), 20, "sgd", 0.02),
    Workload("mnist", 60_000, (), 1500, "sgd", 0.5),
    Workload("mnist", 20_000, (1024, 1024), 512, "adam", 3e-4),
    Workload("covertype-shaped", 50_000, (128, 128), 256, "adam"),
    Workload("HIGGS-shaped", 50_000, (50,), 100, "sgd", 0.1, "tanh"),
    Workload("regression", 20_000, (100, 50), 200, "adam", epochs=5),
    Workload("sparse text", 10_000, (100,), 200, "adam"),
    Workload("pandas", 2_000, (100,), 200, "adam", epochs=50, grid=_GRID),
]


def is_present(data: str) -> bool:
    """Whether a data set is available: the files of MNIST are in the folder $CYMLP_DATA."""
    if data in ("mnist", "fashion-mnist"):
        folder = os.environ.get("CYMLP_DATA")
        return folder is not None and Path(folder, data).is_dir()
    return data != "pandas" or find_spec("pandas") is not None


@cache
def _whole(data: str) -> tuple[Any, NDArray[Any]]:
    return DATA[data].make()


def load(workload: Workload, dtype: str) -> tuple[Any, NDArray[Any]]:
    """The rows to train on, and their labels or targets."""
    X, y = (array[: workload.rows] for array in _whole(workload.data))
    if not workload.grid:
        X = X.astype(dtype)
    return X, y.astype(dtype if workload.output == "identity" else np.int64)


def synthetic(rows: int, features: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random rows of ten classes, to time what depends only on sizes."""
    rng = np.random.default_rng(SEED)
    return rng.random((rows, features), dtype=np.float32), rng.integers(10, size=rows)


def mean_loss(workload: Workload, weights: Weights, X: Any, y: NDArray[Any]) -> float:
    """A network's mean log loss, or half its mean squared error, in plain NumPy."""
    A = X.astype(np.float64)
    if workload.grid:  # as the pipeline's scaler does
        A = ((A - A.mean()) / A.std(ddof=0)).to_numpy()
    for layer, (W, b) in enumerate(weights, start=1):
        A = A @ W + b
        if layer == len(weights):
            break
        if workload.activation == "logistic":
            A = 1 / (1 + np.exp(-A))
        else:
            A = np.tanh(A) if workload.activation == "tanh" else np.maximum(A, 0)
    if workload.output == "identity":
        return float(np.mean((A[:, 0] - y) ** 2) / 2)
    if workload.output == "logistic":  # a softmax in which the other class has 0
        A = np.hstack([np.zeros_like(A), A])
    A -= A.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(A).sum(axis=1)) - A[np.arange(len(y)), y]))
