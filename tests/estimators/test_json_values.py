"""Values as JSON and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from cymlp import schedules
from cymlp._estimators.json_values import decode, encode

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars,
    lambda items: (
        st.lists(items) | st.lists(items).map(tuple) | st.dictionaries(st.integers(), items)
    ),
    max_leaves=10,
)
arrays = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="="),
        hnp.unsigned_integer_dtypes(endianness="="),
        hnp.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
        hnp.unicode_string_dtypes(endianness="=", max_len=5),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


def there_and_back(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@given(values)
def test_values(value):
    assert repr(there_and_back(value)) == repr(value)  # equal, of the same types, and nan is nan


@given(arrays)
def test_arrays(array):
    assert_array_equal(there_and_back(array), array, strict=True)


@pytest.mark.parametrize("scalar", [np.float32(0.1), np.int8(-3), np.True_, np.str_("a"), np.inf])
def test_scalars_of_numpy_become_pythons(scalar):
    back = there_and_back(scalar)
    assert back == scalar
    assert type(back) in (float, int, bool, str)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.CosineDecay(alpha=0.1, first_decay_steps=3),
        schedules.ExponentialDecay(0.5, 0.1, staircase=True),
        schedules.InverseTimeDecay(2),
        schedules.LinearDecay(),
        schedules.OneCycle(anneal_strategy="linear"),
        schedules.StepDecay(10),
    ],
)
def test_schedules(schedule):
    assert there_and_back(schedule) == schedule


@pytest.mark.parametrize(
    "value",
    [
        print, int, {1}, b"a", 1j, np.complex64(1), range(3), object(),
        np.array([1j]), np.array(["2020-01-01"], "datetime64"), np.array([object()]), [print],
        schedules, schedules.OneCycle,
    ],
)  # fmt: skip
def test_what_has_no_json(value):
    with pytest.raises(ValueError, match="cannot be written to a file"):
        encode(value)
