"""Evaluation of a network during training, on rows that it is not trained on."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._network.arrays import SLICE_BYTES, CollectedRows
from cymlp._network.network import Network
from cymlp._network.row_source import RowSource
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows
from cymlp._training.history import RunningMean
from cymlp._training.windows import Parts


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """Rows that are not trained on, and how predictions for them are scored.

    Attributes
    ----------
    rows : Rows
    score : callable or None
        Returns the score, greater is better, of the predictions that ``decode`` returns for all
        rows. None to compute only the loss.
    decode : callable or None
        Turns outputs (n_rows, n_outputs) into predictions. None if ``score`` computes its own
        predictions and ignores its argument.
    watches_loss : bool
        Whether early stopping watches the loss on these rows instead of the score.
    """

    rows: Rows
    score: Callable[[Any], float] | None = None
    decode: Callable[[Any], Any] | None = None
    watches_loss: bool = True


class ValidationResult(NamedTuple):
    """The loss without penalties, and the score; ``watched`` is the score or the negative loss."""

    loss: float
    score: float
    watched: float


class Evaluator:
    """Evaluates a network on a validation set, a slice of the rows at a time.

    Parameters
    ----------
    network : Network
        The network being trained.
    config : TrainingConfig
    validation_set : ValidationSet
    """

    def __init__(
        self, network: Network, config: TrainingConfig, validation_set: ValidationSet
    ) -> None:
        rows = validation_set.rows
        n_outputs, dtype = rows.data.n_outputs, network.parameters.dtype
        self._network = network
        self._config = config
        self._set = validation_set
        self._architecture = config.architecture(network.units)
        self._parts = Parts(rows.data) if isinstance(rows.data.X, RowSource) else None
        self._dataset = None if self._parts is not None else rows.data.dataset()
        self._n_rows = min(1 + SLICE_BYTES // (n_outputs * dtype.itemsize), len(rows))

    def evaluate(self, team: Any) -> ValidationResult:
        """Loss and score of the network with its current parameters."""
        decode = self._set.decode
        loss, predictions = RunningMean(), CollectedRows(len(self._set.rows))
        with closing(self._slices()) as slices:
            for X, dataset, indices in slices:
                Z = self._network.outputs(
                    X,
                    self._config.activation,
                    self._config.output_activation,
                    rows=indices,
                    apply_output_activation=False,
                    team=team,
                )
                loss.add(*_engine.mean_loss(self._architecture, dataset, indices, Z.copy()))
                if decode is not None:
                    _engine.apply_output_activation(self._architecture, Z)
                    predictions.add(decode(Z))
        score = np.nan if self._set.score is None else self._set.score(predictions.whole)
        watched = -loss.value if self._set.watches_loss else score
        return ValidationResult(loss.value, score, watched)

    def _slices(self) -> Generator[tuple[Any, Any, NDArray[np.intp] | None], None, None]:
        """X, the dataset and the indices of some of their rows, until all have been seen."""
        rows = self._set.rows
        if self._parts is None:
            for indices in rows.slices(self._n_rows):
                yield rows.data.X, self._dataset, indices
            return
        with closing(self._parts.read()) as parts:
            for part in parts:
                dataset = part.dataset()
                for indices in Rows(part).slices(self._n_rows):
                    yield part.X, dataset, indices
