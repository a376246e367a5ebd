"""X, targets and weights in the form that the engine needs, and rows of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._network.arrays import slices
from cymlp._network.row_source import RowSource, SelectedRows, row_numbers

_TOO_SMALL = (
    "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Samples with their targets and weights.

    Attributes
    ----------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features)
        Of any type that the engine reads; see ``as_engine_input``. A RowSource is read window by
        window.
    targets : ndarray of shape (n_samples, n_outputs) or (n_samples,)
        C-contiguous. Numbers of the network's dtype; bools, one column for each label; or a vector
        of C ints, the class of each sample.
    n_outputs : int
        Number of outputs of the network.
    weights : ndarray of shape (n_samples,) or None
        Has the network's dtype; None for weights of 1.
    dtype : numpy.dtype or None
        The network's; None for float32 if X has it, else for float64.
    """

    X: Any
    targets: NDArray[Any]
    n_outputs: int
    weights: NDArray[Any] | None = None
    dtype: np.dtype[Any] | None = None

    @property
    def n_samples(self) -> int:
        """Number of rows of X."""
        return int(self.X.shape[0])

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(self.n_samples if self.weights is None else self.weights.sum(dtype=np.float64))

    def part(self, X: Any, rows: Any) -> "TrainingData":
        """The data of some rows, given by a slice or indices; X has these rows alone."""
        weights = None if self.weights is None else self.weights[rows]
        return TrainingData(X, self.targets[rows], self.n_outputs, weights, self.dtype)

    def dataset(self) -> Any:
        """These data, which must be in memory, as an engine Dataset."""
        return _engine.Dataset(
            self.X, self.targets, self.weights, n_classes=self.n_outputs, dtype=self.dtype
        )


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of data, given by their indices, so that nothing is copied.

    Attributes
    ----------
    data : TrainingData
    indices : ndarray of shape (n_rows,), intp, or None
        None for all rows of the data.
    """

    data: TrainingData
    indices: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return self.data.n_samples if self.indices is None else len(self.indices)

    def select(self, array: Any) -> Any:
        """These rows of one of the data's arrays."""
        return array if self.indices is None or array is None else array[self.indices]

    def slices(self, n_rows: int) -> Iterator[NDArray[np.intp] | None]:
        """The indices, at most ``n_rows`` at a time; None for all rows of the data."""
        if len(self) <= n_rows:
            yield self.indices
            return
        indices = self.indices
        if indices is None:
            indices = np.arange(len(self), dtype=np.intp)
        for part in slices(len(self), n_rows):
            yield indices[part]


def split_for_validation(
    data: TrainingData, fraction: float, stratify: bool, random_state: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Rows to train on and rows to hold out, split as scikit-learn's MLP does.

    Raises
    ------
    ValueError
        If fewer than two rows would be held out, or a class is too small to be stratified.
    """
    from sklearn.model_selection import train_test_split  # late, to keep import cymlp fast

    if fraction == 0:
        raise ValueError(_TOO_SMALL)
    train, validation = train_test_split(
        np.arange(data.n_samples, dtype=np.intp),
        random_state=random_state,
        test_size=fraction,
        stratify=data.targets if stratify else None,
    )
    if len(validation) < 2:
        raise ValueError(_TOO_SMALL)
    return Rows(data, train), Rows(data, validation)


def split_blocks_for_validation(
    data: TrainingData,
    scored_data: TrainingData,
    fraction: float,
    random_state: np.random.RandomState,
) -> tuple[Rows, Rows]:
    """Rows to train on and rows to hold out, of data that are read by slices.

    Of each block of rows a run at a random place is held out, so that both parts are read by long
    slices.

    Parameters
    ----------
    data, scored_data : TrainingData
        The data to train on and to hold out: they have the same RowSource as X, and differ in their
        weights.
    fraction : float
        Of the rows, to hold out.
    random_state : RandomState

    Raises
    ------
    ValueError
        If fewer than two rows would be held out.
    """
    source: RowSource = data.X
    n_held_out = min(math.ceil(fraction * len(source)), len(source) - 1)
    if n_held_out < 2:
        raise ValueError(_TOO_SMALL)
    edges = source.blocks(source.window_rows)
    starts, stops = edges[:-1], edges[1:]
    sizes = stops - starts
    counts = sizes * n_held_out // len(source)
    counts[random_state.permutation(len(counts))[: n_held_out - counts.sum()]] += 1
    firsts = starts + random_state.randint(sizes - counts + 1)
    before, held_out, after = (
        np.stack(run, axis=1)
        for run in ((starts, firsts), (firsts, firsts + counts), (firsts + counts, stops))
    )
    train = np.stack([before, after], axis=1).reshape(-1, 2)
    return (
        _selected(data, train, sizes - counts),
        _selected(scored_data, held_out, counts),
    )


def _selected(data: TrainingData, runs: NDArray[np.intp], chunk_rows: NDArray[np.intp]) -> Rows:
    """The data of these runs of rows."""
    runs = runs[runs[:, 0] < runs[:, 1]]
    source = SelectedRows(data.X, runs, chunk_rows.tolist())
    return Rows(data.part(source, row_numbers(runs)))
