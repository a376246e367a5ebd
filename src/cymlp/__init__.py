"""Multi-layer perceptrons with scikit-learn's interface and numbers, compiled."""

from cymlp._classifier import MLPClassifier
from cymlp._regressor import MLPRegressor
from cymlp._version import __version__

__all__ = ["MLPClassifier", "MLPRegressor", "__version__"]
