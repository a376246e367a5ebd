"""The compiled engine: the one door through which Python reaches it.

The modules ``engine`` and ``testing`` exist once for each instruction set that cymlp was built
for. The best that the CPU has is taken; the environment variable CYMLP_INSTRUCTION_SET names
another, for a test or a comparison.
"""

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from cymlp._engine.architecture import Architecture
from cymlp._engine.cpu import instruction_sets
from cymlp._engine.dataset import Dataset
from cymlp._engine.team import AT_WORK, Team
from cymlp._engine.update_rule import UpdateRule

_SUFFIXES = {"baseline": "", "x86-64-v3": "_v3", "x86-64-v4": "_v4"}


def _chosen() -> str:
    """The instruction set whose modules are to be used."""
    found = [name for name in instruction_sets() if _is_built(name)]
    wanted = os.environ.get("CYMLP_INSTRUCTION_SET", found[0])
    if wanted not in found:
        raise ImportError(
            f"CYMLP_INSTRUCTION_SET is {wanted!r}; this CPU and this build have {found}."
        )
    return wanted


def _is_built(name: str) -> bool:
    return importlib.util.find_spec(f"cymlp._engine.engine{_SUFFIXES[name]}") is not None


# The instruction set that the engine was compiled for.
BUILD = _chosen()

if TYPE_CHECKING:
    from cymlp._engine import engine, testing
else:
    engine = importlib.import_module(f"cymlp._engine.engine{_SUFFIXES[BUILD]}")
    testing = importlib.import_module(f"cymlp._engine.testing{_SUFFIXES[BUILD]}")

USES_BLAS = engine.USES_BLAS
apply_link = engine.apply_link
is_finite = engine.is_finite
loss_gradient = engine.loss_gradient
mean_loss = engine.mean_loss
needs_gradient = engine.needs_gradient
predict = engine.predict
prediction_elements = engine.prediction_elements
train = engine.train
workspace_elements = engine.workspace_elements

__all__ = [
    "AT_WORK",
    "BUILD",
    "USES_BLAS",
    "Architecture",
    "Dataset",
    "Team",
    "UpdateRule",
    "apply_link",
    "is_finite",
    "loss_gradient",
    "mean_loss",
    "needs_gradient",
    "predict",
    "prediction_elements",
    "testing",
    "train",
    "workspace_elements",
]
