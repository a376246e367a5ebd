"""Kinds of values that parameters may have, and the error that names them."""

from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cymlp._constraints import (
    ARRAY_LIKE,
    BOOLEAN,
    COUNT,
    NONE,
    InvalidParameterError,
    check_parameter,
    choice,
    interval,
    list_of,
)

NUMBERS = st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, np.inf, -np.inf])


@given(NUMBERS, st.sampled_from(["left", "right", "both", "neither"]))
def test_an_interval_has_the_ends_that_are_closed(value, closed):
    expected = 0 < value < 1
    expected |= value == 0 and closed in ("left", "both")
    expected |= value == 1 and closed in ("right", "both")
    assert interval(Real, 0.0, 1.0, closed).contains(value) == expected
    assert interval(Integral, 0, 1, closed).contains(value) == (
        expected and isinstance(value, int)
    )  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, "1", None, [1], 1j], ids=repr)
def test_what_is_no_number_is_in_no_interval(value):
    assert not interval(Real, -np.inf, np.inf, "both").contains(value)


def test_the_name_of_an_interval_shows_its_ends():
    names = [interval(Real, 0.0, 1.0, closed).text for closed in ("left", "right", "both")]
    assert [name[-10:] for name in names] == ["[0.0, 1.0)", "(0.0, 1.0]", "[0.0, 1.0]"]
    assert COUNT.text == "an int in the range [1, inf)"
    assert interval(Real, 0.0).text == "a float in the range [0.0, inf)"


def test_numbers_of_numpy_are_numbers():
    assert COUNT.contains(np.int32(3)) and not COUNT.contains(np.float64(3))
    assert interval(Real, 0.0).contains(np.float32(0.5))


ARRAY_LIKES = [
    ([1, 2], True), ((), True), (np.ones(3), True), (range(3), True), ("ab", False),
     (b"ab", False), (np.float64(1), False), (3, False), (None, False),
]  # fmt: skip


def test_array_likes():
    for value, expected in ARRAY_LIKES:
        assert ARRAY_LIKE.contains(value) is expected, value


LISTS_OF_COUNTS = [
    ([1, 2], True), ((1,), True), ([], True), (np.array([1, 2]), True), ([0, 1], False),
     ([[1, 2]], False), (1, False), ({1: 2}, False), ([1, "a"], False),
]  # fmt: skip


def test_a_value_for_each():
    for value, expected in LISTS_OF_COUNTS:
        assert bool(list_of(COUNT, "layer").contains(value)) is expected, value


@pytest.mark.parametrize(
    "value, expected", [(True, True), (np.False_, True), (1, False), (None, False)]
)
def test_booleans(value, expected):
    assert any(kind.contains(value) for kind in BOOLEAN) is expected


def check(name, value, *allowed):
    check_parameter(SimpleNamespace(**{name: value}), name, list(allowed))


def test_one_kind_is_enough():
    check("x", None, COUNT, NONE)
    check("x", 3, COUNT, NONE)


@pytest.mark.parametrize(
    "allowed, text",
    [
        ([COUNT], "an int in the range [1, inf)"),
        ([COUNT, NONE], "an int in the range [1, inf) or None"),
        ([choice("a", "b"), COUNT, NONE], "a str among {'a', 'b'}, an int in the range [1, inf) or "
         "None"),
    ],
    ids=len,
)  # fmt: skip
def test_the_error_names_parameter_kinds_and_value(allowed, text):
    with pytest.raises(InvalidParameterError) as caught:
        check("x", 0, *allowed)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, TypeError)
    assert str(caught.value) == (
        f"The 'x' parameter of SimpleNamespace must be {text}. Got 0 instead."
    )


@pytest.mark.parametrize(
    "value, meant",
    [("rad", "'red'"), ("RED", "'red'"), ("xyz", None), (3, None), (["green", "blu"], "'blue'")],
    ids=repr,
)
def test_a_misspelling_is_recognised(value, meant):
    colour = choice("red", "green", "blue")
    with pytest.raises(InvalidParameterError) as caught:
        check("x", value, colour, list_of(colour, "layer"))
    end = f"Got {value!r} instead." + (f" Did you mean {meant}?" if meant else "")
    assert str(caught.value).endswith(end)
