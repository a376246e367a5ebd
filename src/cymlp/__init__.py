"""Multi-layer perceptrons with scikit-learn's interface and numbers, compiled."""

from cymlp import datasets, plotting, schedules
from cymlp._classifier import MLPClassifier
from cymlp._regressor import MLPRegressor
from cymlp._version import __version__
from cymlp._versions import show_versions

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "__version__",
    "datasets",
    "plotting",
    "schedules",
    "show_versions",
]
