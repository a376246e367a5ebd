"""What the contenders of the race and of ``predict`` have in common."""

from abc import ABC
from importlib.util import find_spec
from typing import Any, ClassVar


class Contender(ABC):
    """A library at work on a network; imported where it is used, in its own worker's process."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @classmethod
    def is_present(cls) -> bool:
        """Whether all its packages can be imported."""
        return all(find_spec(package) for package in cls.packages)


def torch_linear(W: Any, b: Any) -> Any:
    """PyTorch's layer with the weights (fan_in, fan_out) and intercepts of a NumPy one."""
    import torch

    fan_in, fan_out = W.shape
    linear = torch.nn.Linear(fan_in, fan_out, dtype=torch.from_numpy(W).dtype)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(W.T))
        linear.bias.copy_(torch.from_numpy(b))
    return linear
