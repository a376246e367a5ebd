from typing import Any

from numpy.typing import NDArray

class Samples:
    n_samples: int
    n_features: int
    sparse: bool
    def __init__(
        self, X: Any, targets: NDArray[Any] | None = None, weights: NDArray[Any] | None = None
    ) -> None: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
