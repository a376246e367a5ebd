"""Loss and score on rows that are not trained on."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._network.network import Network
from cymlp._training.data import SLICE_BYTES, Problem, stacked
from cymlp._training.history import RunningMean


@dataclass(frozen=True)
class HeldOut:
    """Rows of a problem that are not trained on.

    Attributes
    ----------
    problem : Problem
    rows : ndarray of shape (n_rows,), intp, or None
        None for all rows of the problem.
    """

    problem: Problem
    rows: NDArray[np.intp] | None

    def part(self, array: Any) -> Any:
        """The held-out rows of an array of the problem."""
        return array if self.rows is None or array is None else array[self.rows]

    @property
    def n_rows(self) -> int:
        return self.problem.n_samples if self.rows is None else len(self.rows)

    def slices(self, n_rows: int) -> Iterator[NDArray[np.intp] | None]:
        """The rows, at most so many at a time; None for all rows of the problem."""
        if self.n_rows <= n_rows:
            yield self.rows
            return
        rows = np.arange(self.n_rows, dtype=np.intp) if self.rows is None else self.rows
        for start in range(0, self.n_rows, n_rows):
            yield rows[start : start + n_rows]


class Validated(NamedTuple):
    """What a network does on held-out rows: its loss, its score, and which of them is watched.

    ``watched`` is the score, or the negative loss where that is watched: better if greater.
    """

    loss: float
    score: float
    watched: float


class Validation:
    """Loss and score of a network that is being trained, on held-out rows.

    Parameters
    ----------
    estimator : estimator
        The one being fitted; its fitted attributes are set.
    network : Network
        The one being trained.
    held_out : HeldOut
    """

    def __init__(self, estimator: Any, network: Network, held_out: HeldOut) -> None:
        problem = held_out.problem
        self._estimator = estimator
        self._network = network
        self._held_out = held_out
        self._layout = estimator._training_layout(network)
        self._activation, self._out_activation = estimator._activation(), estimator.out_activation_
        self._samples = problem.samples(problem.score_weights)
        self._truth = estimator._decoded(held_out.part(problem.targets))
        self._weights = held_out.part(problem.score_weights)
        n_outputs, dtype = problem.n_outputs, network.parameters.dtype
        self._n_rows = min(1 + SLICE_BYTES // (n_outputs * dtype.itemsize), held_out.n_rows)
        self._work = np.empty(self._n_rows * (n_outputs + 1), dtype)
        self._watches_loss = estimator._watches_loss()
        self._scorer_predicts = estimator.scoring not in (None, "loss")
        self._score = self._scorer(estimator)

    def _scorer(self, estimator: Any) -> Callable[[Any], float]:
        """The function that gives the score, of the predictions unless it makes its own."""
        if not self._scorer_predicts:
            return lambda found: estimator._validation_score(self._truth, found, self._weights)
        from sklearn.metrics import check_scoring  # late, for a quick import of cymlp

        scorer = check_scoring(estimator, estimator.scoring)
        X = self._held_out.part(self._held_out.problem.X)
        weights = {} if self._weights is None else {"sample_weight": self._weights}
        # It shares the network; and X has lost the names of its features.
        fitted = copy.copy(estimator)
        fitted.__dict__.pop("feature_names_in_", None)
        return lambda _: float(scorer(fitted, X, self._truth, **weights))

    def evaluate(self, team: Any) -> Validated:
        """Loss, without penalties, and score of the network as it is."""
        loss, predicted = RunningMean(), []
        for rows in self._held_out.slices(self._n_rows):
            Z = self._network.outputs(
                self._held_out.problem.X,
                self._activation,
                self._out_activation,
                rows=rows,
                linked=False,
                team=team,
            )
            loss.add(*_engine.mean_loss(self._layout, self._samples, rows, Z.copy(), self._work))
            _engine.apply_link(self._layout, Z)
            if not self._scorer_predicts:
                predicted.append(self._estimator._decoded(Z))
        score = self._score(stacked(predicted) if predicted else None)
        return Validated(loss.value, score, -loss.value if self._watches_loss else score)
