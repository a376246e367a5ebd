from typing import Any, Self

from numpy import dtype
from numpy.typing import NDArray

class Dataset:
    def __new__(
        cls,
        X: Any,
        targets: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
        n_classes: int = 0,
        dtype: dtype[Any] | None = None,
    ) -> Self: ...
    @property
    def n_samples(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
