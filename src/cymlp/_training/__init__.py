"""Training of networks, from plain values and arrays only."""

from cymlp._training.config import TrainingConfig
from cymlp._training.data import (
    Rows,
    TrainingData,
    split_blocks_for_validation,
    split_for_validation,
)
from cymlp._training.lbfgs import LbfgsTraining
from cymlp._training.optimizers import Optimizer
from cymlp._training.report import Ending, Epoch, Outcome, Report, TrainingState
from cymlp._training.stochastic import StochasticTraining
from cymlp._training.validation import ValidationSet

__all__ = [
    "Ending",
    "Epoch",
    "LbfgsTraining",
    "Optimizer",
    "Outcome",
    "Report",
    "Rows",
    "StochasticTraining",
    "TrainingConfig",
    "TrainingData",
    "TrainingState",
    "ValidationSet",
    "split_blocks_for_validation",
    "split_for_validation",
]
