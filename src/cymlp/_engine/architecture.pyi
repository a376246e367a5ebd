from collections.abc import Sequence

class Architecture:
    def __init__(
        self,
        units: Sequence[int],
        activation: str | Sequence[str],
        output: str,
        *,
        loss_parameter: float = 0.0,
        label_smoothing: float = 0.0,
        dropout: Sequence[float] = (),
    ) -> None: ...
    @property
    def n_weights(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
