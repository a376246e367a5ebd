"""Loss and score on rows that are not trained on."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._data import Problem
from cymlp._network import Network


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


class Validated(NamedTuple):
    """What a network does on held-out rows: its loss, its score, and which of them is watched.

    ``watched`` is the score, or with scoring="loss" the negative loss: better if greater.
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
        self._network = network
        self._held_out = held_out
        self._layout = estimator._training_layout(network)
        self._activation, self._out_activation = estimator._activation(), estimator.out_activation_
        self._samples = _engine.Samples(problem.X, problem.targets, problem.score_weights)
        self._truth = estimator._decoded(held_out.part(problem.targets))
        self._weights = held_out.part(problem.score_weights)
        self._work = np.empty(len(self._truth) * (network.units[-1] + 1), network.parameters.dtype)
        self._watches_loss = estimator.scoring == "loss"
        self._score = self._scorer(estimator)

    def _scorer(self, estimator: Any) -> Callable[[NDArray[Any]], float]:
        """The function of the outputs that gives the score."""
        if estimator.scoring is None or self._watches_loss:
            return lambda outputs: estimator._validation_score(self._truth, outputs, self._weights)
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
        Z = self._network.outputs(
            self._held_out.problem.X,
            self._activation,
            self._out_activation,
            rows=self._held_out.rows,
            linked=False,
            team=team,
        )
        loss = _engine.mean_loss(
            self._layout, self._samples, self._held_out.rows, Z.copy(), self._work
        )
        _engine.apply_link(self._layout, Z)
        score = self._score(Z)
        return Validated(loss, score, -loss if self._watches_loss else score)
