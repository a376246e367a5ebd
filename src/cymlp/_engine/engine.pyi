from typing import Any

from numpy import dtype, float32, float64, intp
from numpy.typing import NDArray

from cymlp._engine.architecture import Architecture
from cymlp._engine.dataset import Dataset
from cymlp._engine.team import Team
from cymlp._engine.update_rule import UpdateRule

_Array = NDArray[float32] | NDArray[float64]

USES_BLAS: bool

class Workspace:
    architecture: Architecture
    rule: UpdateRule | None
    team: Team
    batch_size: int
    itemsize: int
    is_sparse: bool
    def __init__(
        self,
        architecture: Architecture,
        dataset: Dataset,
        rule: UpdateRule | None = None,
        batch_size: int | None = None,
        team: Team | None = None,
        *,
        most_chunk_rows: int | None = None,
    ) -> None: ...
    @property
    def n_bytes(self) -> int: ...
    @property
    def chunk_rows(self) -> int: ...
    @property
    def has_gradient(self) -> bool: ...

def train(
    architecture: Architecture,
    parameters: _Array,
    state: _Array,
    rule: UpdateRule,
    dataset: Dataset,
    workspace: Workspace,
    order: NDArray[intp] | None = None,
    rates: NDArray[float64] | None = None,
    scores: NDArray[float64] | None = None,
    seed: int = 0,
) -> tuple[float, int]: ...
def loss_gradient(
    architecture: Architecture,
    parameters: _Array,
    gradient: _Array,
    dataset: Dataset,
    workspace: Workspace,
    X_gradient: _Array | None = None,
) -> float: ...
def predict(
    architecture: Architecture,
    parameters: _Array,
    dataset: Dataset,
    out: _Array,
    order: NDArray[intp] | None = None,
    apply_output_activation: bool = True,
    check_finite: bool = False,
    team: Team | None = None,
) -> bool: ...
def mean_loss(
    architecture: Architecture, dataset: Dataset, order: NDArray[intp] | None, Z: _Array
) -> tuple[float, float]: ...
def apply_output_activation(architecture: Architecture, Z: _Array) -> None: ...
def is_finite(X: NDArray[Any], dtype: dtype[Any] | None = None) -> bool: ...
