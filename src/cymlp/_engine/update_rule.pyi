UPDATE_RULES: tuple[str, ...]

class UpdateRule:
    learning_rate: float
    def __init__(
        self,
        name: str,
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        momentum: float = 0.0,
        beta_1: float = 0.0,
        beta_2: float = 0.0,
        epsilon: float = 0.0,
        n_updates: int = 0,
    ) -> None: ...
    @property
    def n_updates(self) -> int: ...
    @property
    def n_states(self) -> int: ...
