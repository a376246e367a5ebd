"""What the contenders of ``race`` and of ``predict`` have in common."""

import re
from abc import ABC
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ClassVar

from benchmarks.blas import loaded_blas


class Contender(ABC):
    """A library that runs a network; its worker's process imports it, and no other process."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @classmethod
    def is_present(cls) -> bool:
        """Whether all its packages can be imported."""
        return all(find_spec(package) for package in cls.packages)

    def kernels(self) -> str:
        """What computes its matrix products, as far as the library reports it."""
        return _KERNELS.get(self.name, loaded_blas)()


def _cymlp_kernels() -> str:
    from cymlp import _engine

    return f"its own, for {_engine.BUILD}; {loaded_blas('scipy')}"


def _torch_kernels() -> str:
    import torch

    built_with = re.findall(
        r"(Kernel|DNN)(?: Library Version)? v?([\d.]+)", torch.__config__.show()
    )
    names = {"Kernel": "MKL", "DNN": "oneDNN"}
    libraries = ", ".join(f"{names[word]} {number}" for word, number in built_with)
    return (
        f"{libraries or 'not told'}; PyTorch's loops for "
        f"{torch.backends.cpu.get_cpu_capability()}, threads: {torch.get_num_threads()}"
    )


_KERNELS: dict[str, Callable[[], str]] = {
    "cymlp": _cymlp_kernels,
    "PyTorch": _torch_kernels,
    "torch.compile": _torch_kernels,
    "JAX": lambda: "XLA's own",
    "Keras": lambda: "XLA's own",
    "ONNX Runtime": lambda: "its own",
}


def torch_linear(W: Any, b: Any) -> Any:
    """PyTorch's layer with NumPy's weights (fan_in, fan_out) and intercepts (fan_out,)."""
    import torch

    fan_in, fan_out = W.shape
    linear = torch.nn.Linear(fan_in, fan_out, dtype=torch.from_numpy(W).dtype)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(W.T))
        linear.bias.copy_(torch.from_numpy(b))
    return linear
