"""When training by mini-batches stops because it makes no more progress."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.report import TrainingState


class StoppingRule:
    """Counts the epochs without progress, across successive trainings.

    Parameters
    ----------
    config : TrainingConfig
    state : TrainingState
        The state to continue from.

    Attributes
    ----------
    best_parameters : ndarray of shape (n_parameters,) or None
        The parameters to return to at the end; None to keep the last ones.
    """

    needs_validation = False
    best_parameters: NDArray[Any] | None = None
    _reason: str

    def __init__(self, config: TrainingConfig, state: TrainingState) -> None:
        self._config = config
        self._best = state.best
        self._best_iteration: int | None = None
        self._n_epochs_without_progress = state.n_epochs_without_progress

    def state(self, n_samples_seen: int) -> TrainingState:
        """The state to continue from, after so many samples."""
        return TrainingState(
            n_samples_seen, self._best, self._best_iteration, self._n_epochs_without_progress
        )

    def _count(self, has_progressed: bool) -> None:
        self._n_epochs_without_progress += 1
        if has_progressed:
            self._n_epochs_without_progress = 0

    def check_patience(self, on_plateau: Callable[[str], tuple[bool, str]]) -> tuple[bool, str]:
        """Whether to stop, and a message, empty if there is nothing to say.

        ``on_plateau`` is called with the reason once patience has run out. It returns whether to
        stop (the optimizer may lower the learning rate instead) and the message.
        """
        config = self._config
        if self._n_epochs_without_progress <= config.n_iter_no_change:
            return False, ""
        stops, message = on_plateau(
            f"{self._reason} more than tol={config.tol:f} for "
            f"{int(config.n_iter_no_change)} consecutive epochs."
        )
        if not stops:
            self._count(has_progressed=True)
        return stops, message


class LossStopping(StoppingRule):
    """Watches the training loss."""

    _reason = "Training loss did not improve"

    def end_epoch(self, number: int, loss: float, score: float | None, network: Network) -> None:
        """Update the count with an epoch's loss."""
        best = np.inf if self._best is None else self._best
        # A NaN loss counts as progress, as it does in scikit-learn.
        self._count(not loss > best - self._config.tol)
        self._best = min(best, loss)

    def has_diverged(self, loss: float, network: Network) -> bool:
        """Whether a parameter is not finite, which later epochs cannot repair."""
        return not np.isfinite(loss) and not network.is_finite()


class EarlyStopping(StoppingRule):
    """Watches the score on the validation set, and keeps the best parameters.

    Parameters
    ----------
    config, state
        As in StoppingRule.
    best_parameters : ndarray of shape (n_parameters,) or None
        The parameters to return to if no epoch's score is better than ``state.best``.
    """

    _reason = "Validation score did not improve"
    needs_validation = True

    def __init__(
        self,
        config: TrainingConfig,
        state: TrainingState,
        best_parameters: NDArray[Any] | None,
    ) -> None:
        super().__init__(config, state)
        self.best_parameters = best_parameters

    def end_epoch(self, number: int, loss: float, score: float | None, network: Network) -> None:
        """Update the count and the best parameters with an epoch's validation score."""
        if score is None:
            raise ValueError("Early stopping needs a validation set.")
        best = -np.inf if self._best is None else self._best
        # A NaN score counts as progress, as it does in scikit-learn.
        self._count(not score < best + self._config.tol)
        if score > best:
            self._best, self._best_iteration = score, number
            self.best_parameters = network.parameters.copy()

    def has_diverged(self, loss: float, network: Network) -> bool:
        """False: the best parameters so far are finite and will be restored."""
        return False
