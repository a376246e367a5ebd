from collections.abc import Sequence

class Layout:
    n_layers: int
    n_weights: int
    n_parameters: int
    def __init__(self, units: Sequence[int], activation: str, output: str) -> None: ...
