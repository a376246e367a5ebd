"""What a fit records during training."""

import numpy as np
from numpy.typing import NDArray

from cymlp._training.data import TrainingData


def as_arrays(records: list[dict[str, float]]) -> dict[str, NDArray[np.float64]]:
    """Arrays (n_records,) of each quantity; NaN where a record lacks it."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: np.array([record.get(name, np.nan) for record in records]) for name in names}


class RunningMean:
    """A weighted mean that is updated part by part.

    The mean of a single part is exactly that part; without parts it is NaN.
    """

    def __init__(self) -> None:
        self.value, self.n = np.nan, 0.0

    def add(self, value: float, n: float) -> None:
        """Add a part of weight ``n`` whose mean is ``value``."""
        if n:
            change = (value - self.value) * (n / (self.n + n))
            self.value = self.value + change if self.n else value
            self.n += n


class TrainingScore:
    """Accuracy or R^2 on the training rows, from the forward passes of the updates.

    Parameters
    ----------
    data : TrainingData
    """

    def __init__(self, data: TrainingData) -> None:
        self._targets = data.targets
        self._weights = data.weights
        self._n_outputs = data.n_outputs
        self._rows: list[NDArray[np.intp] | None] = []
        self.sums = np.empty((0, 0))

    def allocate(self, team_size: int) -> None:
        """Allocate the sums (team_size, n_outputs) that the engine adds to."""
        self.sums = np.zeros((team_size, self._n_outputs))

    def add_rows(self, rows: NDArray[np.intp] | None) -> None:
        """Note that the engine has processed these rows; None for all."""
        self._rows.append(rows)

    def pop(self) -> float:
        """The score since the last call; resets it."""
        totals = self.sums.sum(axis=0)
        parts = [rows for rows in self._rows if rows is not None]
        seen = np.concatenate(parts) if parts else slice(None)
        targets = self._targets[seen]
        weights = None if self._weights is None else self._weights[seen]
        self.sums[...] = 0
        self._rows.clear()
        if weights is not None and not weights.any():
            return np.nan
        n = len(targets) if weights is None else weights.sum(dtype=np.float64)
        if targets.dtype.kind in "bi":
            return float(totals[0] / n)
        means = np.average(targets, axis=0, weights=weights)
        squares = np.average((targets - means) ** 2, axis=0, weights=weights)
        # As in r2_score if the targets are constant.
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(squares > 0, 1 - totals / (n * squares), totals == 0)
        return float(scores.mean())
