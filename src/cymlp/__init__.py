"""Compiled multi-layer perceptrons with scikit-learn's interface and numbers."""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING as _TYPE_CHECKING

from cymlp._estimators.classifier import MLPClassifier
from cymlp._estimators.folding import fold_scaler
from cymlp._estimators.loading import load
from cymlp._estimators.regressor import MLPRegressor
from cymlp._patching import patch_sklearn, unpatch_sklearn
from cymlp._show_versions import show_versions
from cymlp._version import __version__

if _TYPE_CHECKING:
    from cymlp import datasets, onnx, plotting, schedules

# The public name in pickles, reprs and documentation, wherever the code is.
for _public in (
    MLPClassifier,
    MLPRegressor,
    fold_scaler,
    load,
    patch_sklearn,
    show_versions,
    unpatch_sklearn,
):
    _public.__module__ = __name__
del _public

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "__version__",
    "datasets",
    "fold_scaler",
    "load",
    "onnx",
    "patch_sklearn",
    "plotting",
    "schedules",
    "show_versions",
    "unpatch_sklearn",
]


def __getattr__(name: str) -> _ModuleType:
    """Import a public module on first use, as not everyone needs it."""
    if name in ("datasets", "onnx", "plotting", "schedules"):
        return _import_module(f"cymlp.{name}")
    raise AttributeError(f"module 'cymlp' has no attribute {name!r}")
