"""What training reports to its caller: an Epoch after each epoch, an Outcome at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class TrainingState(NamedTuple):
    """What a later training needs to continue from this one.

    Attributes
    ----------
    n_samples_seen : int
        Number of samples seen since the first training began.
    best : float or None
        The lowest loss of any epoch, or with early stopping the best validation score; None before
        the first epoch.
    best_iteration : int or None
        The epoch of this run, from 1, with the best validation score.
    n_epochs_without_progress : int
        Number of epochs since ``best`` improved by more than ``tol``.
    """

    n_samples_seen: int = 0
    best: float | None = None
    best_iteration: int | None = None
    n_epochs_without_progress: int = 0


class Epoch(NamedTuple):
    """The result of one epoch, or of one iteration of L-BFGS.

    Attributes
    ----------
    number : int
        Number of the epoch in this run, from 1.
    loss : float
        Mean over the samples, penalties included.
    validation_score : float or None
        What is watched on the validation set, greater is better; None without a validation set.
    records : list of dict
        Quantities to record, by name: one record, or one for each part of the epoch.
    state : TrainingState or None
        None for L-BFGS, which has its own stopping rule.
    message : str
        Why training stops or changes the learning rate; empty if it does neither.
    best_parameters : ndarray of shape (n_parameters,) or None
        What training would return to if it stopped here; None for the current parameters.
    """

    number: int
    loss: float
    validation_score: float | None
    records: list[dict[str, float]]
    state: TrainingState | None = None
    message: str = ""
    best_parameters: NDArray[Any] | None = None


# Called after each epoch; training stops if it returns True.
Report = Callable[[Epoch], bool | None]


class Ending(Enum):
    """Why a training has ended."""

    CONVERGED = auto()  # or made no more progress
    REPORT = auto()  # the report returned True
    EPOCHS = auto()  # all epochs were done
    INTERRUPTED = auto()  # Ctrl-C
    FAILED = auto()  # L-BFGS could not continue


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a training has ended.

    Attributes
    ----------
    ending : Ending
    n_epochs : int
        Number of completed epochs.
    loss : float
        Loss of the last epoch, or of L-BFGS's result; NaN if there was none.
    message : str
        L-BFGS's message.
    records : list of dict
        Records of an epoch that was interrupted.
    """

    ending: Ending
    n_epochs: int = 0
    loss: float = np.nan
    message: str = ""
    records: list[dict[str, float]] = field(default_factory=list)


def no_report(epoch: Epoch) -> None:
    """Do nothing after an epoch."""


def do_nothing() -> None:
    """Do nothing before an epoch."""
