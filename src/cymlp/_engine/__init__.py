"""The compiled engine: the one door through which Python reaches it."""

from cymlp._engine import probe
from cymlp._engine.engine import loss_gradient, predict, train, workspace_elements
from cymlp._engine.layout import Layout
from cymlp._engine.samples import Samples
from cymlp._engine.updates import Update

# The instruction set that the engine was compiled for, as show_versions prints it.
BUILD = "baseline"

__all__ = [
    "BUILD",
    "Layout",
    "Samples",
    "Update",
    "loss_gradient",
    "predict",
    "probe",
    "train",
    "workspace_elements",
]
