"""An ONNX graph in the making, and arithmetic on its tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Graph:
    """Nodes and constants that are added one after the other.

    Parameters
    ----------
    dtype : dtype
        Of the computation: numbers become constants of it.
    new_name : callable
        Takes a name and returns one like it that is still unused.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In the order of computation.
    initializers : list of onnx.TensorProto
        The constants.
    """

    def __init__(self, dtype: Any, new_name: Callable[[str], str]) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._new_name = new_name
        self._numbers: dict[float, Tensor] = {}

    def constant(self, array: NDArray[Any], name: str) -> Tensor:
        """A constant tensor of the array's dtype; object arrays contain str."""
        tensor = numpy_helper.from_array(array, self._new_name(name))
        self.initializers.append(tensor)
        return Tensor(self, tensor.name)

    def number(self, value: float) -> Tensor:
        """A constant number in the graph's dtype, the same tensor for the same number."""
        if value not in self._numbers:
            self._numbers[value] = self.constant(np.array(value, dtype=self.dtype), "number")
        return self._numbers[value]

    def node(
        self, operator: str, *inputs: Tensor | float, output: str = "", **attributes: Any
    ) -> Tensor:
        """The result of an ONNX operator, called ``output`` if that is given."""
        names = [
            (tensor if isinstance(tensor, Tensor) else self.number(tensor)).name
            for tensor in inputs
        ]
        output = output or self._new_name(operator.lower())
        self.nodes.append(
            helper.make_node(operator, names, [output], name=f"{operator}_{output}", **attributes)
        )
        return Tensor(self, output)

    def side_by_side(self, matrices: list[Tensor]) -> Tensor:
        """One matrix of the columns of all."""
        return matrices[0] if len(matrices) == 1 else self.node("Concat", *matrices, axis=1)


def unique_names(taken: Iterable[str]) -> Callable[[str], str]:
    """A function for ``Graph.new_name``; the names ``taken`` are used already."""
    used = set(taken)

    def new_name(name: str) -> str:
        candidates = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
        unused = next(candidate for candidate in candidates if candidate not in used)
        used.add(unused)
        return unused

    return new_name


def value_info(name: str, dtype: Any, *shape: int | str) -> Any:
    """The description of an input or output; object is the dtype of str."""
    element_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element_type, list(shape))


class Tensor:
    """A tensor of a graph. Arithmetic with others and with numbers adds nodes to the graph."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def __neg__(self) -> Tensor:
        return self.graph.node("Neg", self)

    def __abs__(self) -> Tensor:
        return self.graph.node("Abs", self)

    def __add__(self, other: Tensor | float) -> Tensor:
        return self.graph.node("Add", self, other)

    def __radd__(self, other: float) -> Tensor:
        return self.graph.node("Add", other, self)

    def __sub__(self, other: Tensor | float) -> Tensor:
        return self.graph.node("Sub", self, other)

    def __rsub__(self, other: float) -> Tensor:
        return self.graph.node("Sub", other, self)

    def __mul__(self, other: Tensor | float) -> Tensor:
        return self.graph.node("Mul", self, other)

    def __rmul__(self, other: float) -> Tensor:
        return self.graph.node("Mul", other, self)

    def __truediv__(self, other: Tensor | float) -> Tensor:
        return self.graph.node("Div", self, other)

    def __rtruediv__(self, other: float) -> Tensor:
        return self.graph.node("Div", other, self)
