"""RandomStates of a seed, which NumPy takes a third of a millisecond to make."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# MT19937 generators that nobody uses; a list's pop and append are safe from any thread.
_idle: list[np.random.RandomState] = []


@contextmanager
def random_state_of(random_state: Any) -> Iterator[np.random.RandomState]:
    """scikit-learn's check_random_state, for use within the context only.

    The RandomState of an int is one that an earlier context has left, seeded anew: it draws the
    same numbers as a new one.

    Parameters
    ----------
    random_state : int, RandomState or None
        The estimator's parameter.

    Raises
    ------
    ValueError
        If it is none of these, or a seed out of range.
    """
    if not isinstance(random_state, Integral):
        yield check_random_state(random_state)
        return
    try:
        own = _idle.pop()
        own.seed(int(random_state))
    except IndexError:
        own = check_random_state(random_state)
    yield own
    _idle.append(own)
