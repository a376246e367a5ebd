from numpy import float32, float64
from numpy.typing import NDArray

from cymlp._engine.architecture import Architecture
from cymlp._engine.update_rule import UpdateRule

_Array = NDArray[float32] | NDArray[float64]

def gemm(
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    A: _Array,
    B: _Array,
    beta: float,
    C: _Array,
) -> None: ...
def activate(net: Architecture, Z: _Array) -> None: ...
def multiply_derivative(net: Architecture, A: _Array, D: _Array) -> None: ...
def activate_keeping_slope(net: Architecture, Z: _Array, slopes: _Array) -> None: ...
def drop_out(
    A: _Array,
    slopes: _Array,
    rate: float,
    seed: int,
    n_updates: int = 0,
    layer: int = 0,
    first: int = 0,
) -> None: ...
def output_delta(net: Architecture, Z: _Array, T: _Array, w: _Array) -> float: ...
def apply(update: UpdateRule, w: _Array, g: _Array, state: _Array, penalty: float) -> None: ...
