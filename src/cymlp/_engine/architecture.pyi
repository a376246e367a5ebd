from collections.abc import Sequence
from typing import Self

ACTIVATIONS: tuple[str, ...]
OUTPUT_ACTIVATIONS: tuple[str, ...]
LOSSES: tuple[str, ...]

class Architecture:
    def __new__(
        cls,
        units: Sequence[int],
        activation: str | Sequence[str],
        output_activation: str,
        *,
        loss: str | None = None,
        loss_parameter: float = 0.0,
        label_smoothing: float = 0.0,
        dropout: Sequence[float] = (),
        l2: Sequence[float] = (),
        l1: Sequence[float] = (),
    ) -> Self: ...
    @property
    def n_weights(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
