"""Comparisons of fitted estimators: their weights, or their complete state."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal


def parameters(estimator):
    """All weights and intercepts as one vector."""
    return np.concatenate([array.ravel() for array in estimator.coefs_ + estimator.intercepts_])


def state(estimator):
    """A deep copy of an estimator's complete state."""
    return copy.deepcopy(vars(estimator))


def assert_state(estimator, before):
    """Assert that nothing has changed since ``state(estimator)`` returned ``before``."""
    now = vars(estimator)
    assert now.keys() == before.keys()
    for name, value in before.items():
        if name in ("coefs_", "intercepts_"):
            for mine, yours in zip(now[name], value, strict=True):
                assert_array_equal(mine, yours)
        elif name == "_network":
            assert_array_equal(now[name].parameters, value.parameters)
        elif name == "_optimizer":
            assert_array_equal(now[name].state, value.state)
            assert now[name].n_updates == value.n_updates
            assert now[name].learning_rate == value.learning_rate
        else:
            assert_array_equal(now[name], value)


def fitted_attributes(estimator):
    """Names of the fitted attributes."""
    return [name for name in vars(estimator) if name.endswith("_")]


def error_of(function, *args, **kwargs):
    """The exception that a call raises."""
    with pytest.raises(Exception) as caught:
        function(*args, **kwargs)
    return caught.value
