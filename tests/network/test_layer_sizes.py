"""Sizes of layers in all their forms, and parameters with a value per layer."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cymlp._network.layer_sizes import hidden_units, n_parameters, per_layer


@pytest.mark.parametrize(
    "sizes, expected",
    [
        (3, [3]),
        (np.int64(4), [4]),
        ((), []),
        ((3, 5), [3, 5]),
        ([4, np.int32(3)], [4, 3]),
        (np.array([4, 3]), [4, 3]),
        (range(4, 2, -1), [4, 3]),
        ("7", [7]),
        ("3-2-4", [3, 2, 4]),
        ("08", [8]),
    ],
    ids=repr,
)
def test_forms_of_sizes(sizes, expected):
    assert hidden_units(sizes) == expected
    assert all(type(size) is int for size in hidden_units(sizes))


@pytest.mark.parametrize("sizes", [0, -1, (3, -1), (0,), "4-0"], ids=repr)
def test_sizes_must_be_positive(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
        hidden_units(sizes)


@pytest.mark.parametrize("sizes", [2.5, (2.5,), [("a",)], ("a",), (3, None), [[3]]], ids=repr)
def test_sizes_must_be_integers(sizes):
    with pytest.raises(TypeError, match="hidden_layer_sizes must be integers, got"):
        hidden_units(sizes)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_a_value_for_each_layer(values):
    n = len(values)
    assert per_layer(values[0], n, "alpha", "layers") == (values[0],) * n
    for given_values in (values, tuple(values), np.array(values)):
        assert per_layer(given_values, n, "alpha", "layers") == tuple(values)
    with pytest.raises(ValueError, match=f"^alpha must be .* each of the {n + 1} layers, got"):
        per_layer(values, n + 1, "alpha", "layers")


def test_a_string_is_one_value():
    assert per_layer("relu", 4, "activation", "layers") == ("relu",) * 4
    assert per_layer(["relu", "tanh"], 2, "activation", "layers") == ("relu", "tanh")


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_parameters_are_weights_and_intercepts(units):
    weights = sum(a * b for a, b in pairwise(units))
    assert n_parameters(units) == weights + sum(units[1:])
