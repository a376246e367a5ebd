"""What a training tells its caller: one Epoch after each epoch, an Outcome at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingState:
    """How far training has come: what the next one needs to go on from there.

    Attributes
    ----------
    n_samples_seen : int
        Samples visited since the first training began.
    best : float or None
        The least loss of an epoch, or with early stopping the best validation score; None before
        the first epoch.
    best_iteration : int or None
        The epoch of this run, from 1, with the best validation score.
    n_epochs_without_progress : int
        Epochs since ``best`` improved by more than ``tol``.
    """

    n_samples_seen: int = 0
    best: float | None = None
    best_iteration: int | None = None
    n_epochs_without_progress: int = 0


@dataclass(frozen=True)
class Epoch:
    """What has happened in one epoch, or in one iteration of L-BFGS.

    Attributes
    ----------
    number : int
        Of this run, from 1.
    loss : float
        Mean over the samples, penalties included.
    validation_score : float or None
        What is watched on the validation set, better if greater; None without such a set.
    records : list of dict
        Quantities to record, by name: one record, or one for each part of the epoch.
    state : TrainingState or None
        None in L-BFGS, which has its own rule to stop by.
    message : str
        Why training stops now, or changes the learning rate; empty if there is nothing to say.
    best_parameters : ndarray of shape (n_parameters,) or None
        What training would return to if it stopped here; None for the network as it is.
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

    CONVERGED = auto()  # or there was no more progress
    REPORT = auto()  # the caller's report said so
    EPOCHS = auto()  # there were no more epochs to do
    INTERRUPTED = auto()  # Ctrl-C
    FAILED = auto()  # L-BFGS could not go on


@dataclass(frozen=True)
class Outcome:
    """How a training has ended.

    Attributes
    ----------
    ending : Ending
    n_epochs : int
        Epochs that were completed.
    loss : float
        That of the last one, or of L-BFGS's result; NaN if there was none.
    message : str
        L-BFGS's own words.
    records : list of dict
        Those of an epoch that was cut short.
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
