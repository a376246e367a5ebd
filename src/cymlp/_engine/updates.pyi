class Update:
    learning_rate: float
    alpha: float
    momentum: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_updates: int
    def __init__(
        self,
        rule: str,
        *,
        learning_rate: float,
        alpha: float,
        momentum: float = 0.0,
        beta_1: float = 0.0,
        beta_2: float = 0.0,
        epsilon: float = 0.0,
        n_updates: int = 0,
    ) -> None: ...
    @property
    def n_states(self) -> int: ...
