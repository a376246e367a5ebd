"""The sizes of the layers, and parameters with one value for all layers or one for each."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np


def hidden_units(hidden_layer_sizes: Any) -> list[int]:
    """The sizes of the hidden layers as a list.

    Raises
    ------
    ValueError
        If a size is not positive.
    TypeError
        If a size is not an integer.
    """
    sizes = hidden_layer_sizes
    if isinstance(sizes, str):
        sizes = [int(size) for size in sizes.split("-")]
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if not all(isinstance(size, Integral) for size in sizes):
        raise TypeError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def per_layer(values: Any, n_layers: int, name: str, layers: str) -> tuple[Any, ...]:
    """The value of the parameter ``name`` for each of ``n_layers`` layers.

    Raises
    ------
    ValueError
        If the number of values is not ``n_layers``.
    """
    if isinstance(values, str) or np.ndim(values) == 0:
        return (values,) * n_layers
    if len(values) != n_layers:
        raise ValueError(
            f"{name} must be one value, or one for each of the {n_layers} {layers}, got {values!r}."
        )
    return tuple(values)


def n_parameters(units: Sequence[int]) -> int:
    """Number of weights and intercepts in a network with layers of these sizes."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(units))
