from numpy import float32, float64, intp
from numpy.typing import NDArray

from cymlp._engine.layout import Layout
from cymlp._engine.samples import Samples
from cymlp._engine.updates import Update

_Array = NDArray[float32] | NDArray[float64]

def workspace_elements(net: Layout, samples: Samples, n_rows: int) -> tuple[int, int]: ...
def train(
    net: Layout,
    update: Update,
    parameters: _Array,
    gradient: _Array | None,
    state: _Array,
    samples: Samples,
    order: NDArray[intp] | None,
    batch_size: int,
    work: _Array,
) -> float: ...
def loss_gradient(
    net: Layout,
    parameters: _Array,
    gradient: _Array,
    samples: Samples,
    alpha: float,
    work: _Array,
) -> float: ...
def predict(
    net: Layout,
    parameters: _Array,
    samples: Samples,
    order: NDArray[intp] | None,
    out: _Array,
    linked: bool,
    work: _Array,
) -> None: ...
