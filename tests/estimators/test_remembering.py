import numpy as np
import pytest

from cymlp._estimators.remembering import Remembered


@pytest.fixture
def remembered():
    return Remembered()


def test_the_last_result(remembered):
    values = [0.5, "relu", (100, (0.1, None)), True, None, 10**9]
    assert remembered.recall("key", values) is None
    remembered.remember("key", values, "result")
    assert remembered.recall("key", list(values)) == "result"
    assert remembered.recall("other", values) is None
    remembered.remember("other", values, "another")
    assert remembered.recall("key", values) is None


@pytest.mark.parametrize("value", [1, True, 1.0, "1"])
def test_values_that_are_equal_are_not_the_same(remembered, value):
    remembered.remember("key", [value], "result")
    for other in (1, True, 1.0, "1"):
        result = remembered.recall("key", [other])
        assert result == ("result" if type(other) is type(value) else None)


@pytest.mark.parametrize(
    "value", [[0.1], {}, np.zeros(2), np.float64(1), ([0.1],), print, np.random.RandomState(0)]
)  # fmt: skip
def test_what_may_change_is_not_remembered(remembered, value):
    remembered.remember("key", [value], "result")
    assert remembered.recall("key", [value]) is None
