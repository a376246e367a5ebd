from numpy import float32, float64, intp
from numpy.typing import NDArray

from cymlp._engine.architecture import Architecture
from cymlp._engine.dataset import Dataset
from cymlp._engine.team import Team
from cymlp._engine.update_rule import UpdateRule

_Array = NDArray[float32] | NDArray[float64]

USES_BLAS: bool

def is_finite(X: _Array) -> bool: ...
def workspace_elements(
    layout: Architecture, samples: Dataset, n_rows: int, size: int = 1
) -> tuple[int, int]: ...
def prediction_elements(
    layout: Architecture, samples: Dataset, n_rows: int, size: int = 1
) -> tuple[int, int]: ...
def needs_gradient(
    layout: Architecture, update: UpdateRule, samples: Dataset, batch_size: int, chunk_rows: int
) -> bool: ...
def train(
    layout: Architecture,
    update: UpdateRule,
    parameters: _Array,
    gradient: _Array | None,
    state: _Array,
    samples: Dataset,
    order: NDArray[intp] | None,
    batch_size: int,
    work: _Array,
    team: Team | None = None,
    rates: NDArray[float64] | None = None,
    scores: NDArray[float64] | None = None,
) -> tuple[float, int]: ...
def loss_gradient(
    layout: Architecture,
    update: UpdateRule,
    parameters: _Array,
    gradient: _Array,
    samples: Dataset,
    work: _Array,
    team: Team | None = None,
    X_gradient: _Array | None = None,
) -> float: ...
def mean_loss(
    layout: Architecture, samples: Dataset, order: NDArray[intp] | None, Z: _Array, work: _Array
) -> tuple[float, float]: ...
def apply_link(layout: Architecture, Z: _Array) -> None: ...
def predict(
    layout: Architecture,
    parameters: _Array,
    samples: Dataset,
    order: NDArray[intp] | None,
    out: _Array,
    linked: bool,
    work: _Array,
    finite: bool = True,
    team: Team | None = None,
) -> bool: ...
