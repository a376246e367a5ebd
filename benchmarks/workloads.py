"""What the race's contenders train: data, network, update rule; and the loss they end at."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.idx import image_folder, load_images

ALPHA = 1e-4
ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
SEED = 0
Weights = list[tuple[NDArray[Any], NDArray[Any]]]  # (fan_in, fan_out), (fan_out,) of each layer


@dataclass(frozen=True)
class Workload:
    """A network, its data and how it is trained."""

    data: str
    rows: int
    hidden: tuple[int, ...]
    batch_size: int
    solver: str
    learning_rate: float = 1e-3
    activation: str = "relu"
    epochs: int = 1

    @property
    def units(self) -> tuple[int, ...]:
        """Inputs, units of each hidden layer, outputs."""
        return (64 if self.data == "digits" else 784, *self.hidden, 10)

    @property
    def name(self) -> str:
        """What tables call it."""
        sizes = "-".join(str(size) for size in self.units)
        kind = " logistic" if self.activation == "logistic" else "" if self.hidden else " softmax"
        solver = {"adam": "Adam", "sgd": "SGD"}[self.solver]
        return f"{self.data} {sizes}{kind}, batch {self.batch_size}, {solver}"

    @property
    def gemm_flops(self) -> float:
        """Flops of an epoch in matrix products: forwards, gradients, deltas passed back."""
        return sum(
            2.0 * self.rows * fan_in * fan_out * (3 if layer else 2)
            for layer, (fan_in, fan_out) in enumerate(pairwise(self.units))
        )


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
]


def is_present(data: str) -> bool:
    """Whether a data set's files are there."""
    return data == "digits" or image_folder(data).is_dir()


@cache
def _images(data: str) -> tuple[NDArray[Any], NDArray[Any]]:
    return load_images(image_folder(data), "train")


def load(workload: Workload, dtype: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The rows that are trained on, in [0, 1], and their labels."""
    if workload.data == "digits":
        from sklearn.datasets import load_digits  # not at the top: peers' workers do without

        X, y = load_digits(return_X_y=True)
        X = X / 16
    else:
        X, y = _images(workload.data)
    return X[: workload.rows].astype(dtype), y[: workload.rows].astype(np.int64)


def synthetic(rows: int, features: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random rows of ten classes, for what depends on sizes alone."""
    rng = np.random.default_rng(SEED)
    return rng.random((rows, features), dtype=np.float32), rng.integers(10, size=rows)


def log_loss(workload: Workload, weights: Weights, X: NDArray[Any], y: NDArray[np.int64]) -> float:
    """Mean log loss of a network, in plain NumPy."""
    A = X.astype(np.float64)
    for layer, (W, b) in enumerate(weights, start=1):
        A = A @ W + b
        if layer < len(weights):
            A = 1 / (1 + np.exp(-A)) if workload.activation == "logistic" else np.maximum(A, 0)
    A -= A.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(A).sum(axis=1)) - A[np.arange(len(y)), y]))
