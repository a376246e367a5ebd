"""The compiled engine: the one door through which Python reaches it.

The module ``engine`` exists once for each instruction set that cymlp was built for. The best that
the CPU has is taken; the environment variable CYMLP_INSTRUCTION_SET names another, for a test or
a comparison. ``testing``, the kernels one by one, is for tests and benchmarks: it is built in the
source tree alone, and imported when asked for.
"""

import importlib
import importlib.util
import os
from types import ModuleType
from typing import TYPE_CHECKING

from cymlp._engine.architecture import (
    ACTIVATIONS,
    LOSSES,
    OUTPUT_ACTIVATIONS,
    Architecture,
)
from cymlp._engine.cpu import instruction_sets
from cymlp._engine.dataset import Dataset
from cymlp._engine.team import AT_WORK, Team
from cymlp._engine.update_rule import UPDATE_RULES, UpdateRule

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
    from cymlp._engine import engine
    from cymlp._engine import testing as testing
else:
    engine = importlib.import_module(f"cymlp._engine.engine{_SUFFIXES[BUILD]}")

USES_BLAS = engine.USES_BLAS
Workspace = engine.Workspace
apply_output_activation = engine.apply_output_activation
is_finite = engine.is_finite
loss_gradient = engine.loss_gradient
mean_loss = engine.mean_loss
predict = engine.predict
train = engine.train

__all__ = [
    "ACTIVATIONS",
    "AT_WORK",
    "BUILD",
    "LOSSES",
    "OUTPUT_ACTIVATIONS",
    "UPDATE_RULES",
    "USES_BLAS",
    "Architecture",
    "Dataset",
    "Team",
    "UpdateRule",
    "Workspace",
    "apply_output_activation",
    "is_finite",
    "loss_gradient",
    "mean_loss",
    "predict",
    "train",
]


def __getattr__(name: str) -> ModuleType:
    if name != "testing":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module(f"cymlp._engine.testing{_SUFFIXES[BUILD]}")
    except ModuleNotFoundError:
        raise ImportError(
            "cymlp._engine.testing is for tests and benchmarks and not part of wheels; "
            "`python setup.py build_ext --inplace` builds it in the source tree."
        ) from None
