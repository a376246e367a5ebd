from typing import Any, Self

from numpy import float32, float64
from numpy.typing import NDArray

from cymlp._engine.architecture import Architecture
from cymlp._engine.update_rule import UpdateRule

_Array = NDArray[float32] | NDArray[float64]

class Memory:
    def __new__(cls, n_elements: int, itemsize: int) -> Self: ...

def gemm(
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    A: _Array,
    B: _Array,
    beta: float,
    C: _Array,
    row: _Array | None = None,
) -> None: ...
def tiled_gemm(
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    A: _Array,
    B: _Array,
    beta: float,
    C: _Array,
) -> None: ...
def blas_gemm(
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    A: _Array,
    B: _Array,
    beta: float,
    C: _Array,
) -> None: ...
def activate(architecture: Architecture, Z: _Array) -> None: ...
def multiply_derivative(architecture: Architecture, A: _Array, D: _Array) -> None: ...
def activate_keeping_derivative(architecture: Architecture, Z: _Array, F: _Array) -> None: ...
def drop_out(
    A: _Array,
    F: _Array,
    rate: float,
    seed: int,
    n_updates: int = 0,
    layer: int = 0,
    first: int = 0,
) -> None: ...
def loss_and_delta(architecture: Architecture, Z: _Array, T: _Array, w: _Array) -> float: ...
def apply(rule: UpdateRule, w: _Array, g: _Array, state: _Array, penalty: float) -> None: ...
def skip_updates(
    rule: UpdateRule,
    w: _Array,
    state: _Array,
    rates: _Array,
    penalty: float,
    precision: float,
    most_age: int = 256,
) -> int: ...
def add_weighted_rows(x: _Array, rows: NDArray[Any], W: _Array, z: _Array) -> None: ...
def convert(X: NDArray[Any], out: _Array) -> None: ...
