"""What has last been made of an estimator's parameters, so that a stream of calls makes it once."""

from collections.abc import Sequence
from operator import is_
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_UNCHANGEABLE = frozenset({bool, int, float, str, type(None)})


def _cannot_change(value: Any) -> bool:
    """Whether a value is the same as long as the object is, so that this needs no comparison."""
    if type(value) is tuple:
        return all(map(_cannot_change, value))
    return type(value) in _UNCHANGEABLE


class Remembered(Generic[Result]):
    """The last result of a function of an estimator's parameters.

    It belongs to the function, not to an estimator: estimators with the same values share it, and
    none has to be told when a parameter is set. Lists, arrays and callables are never remembered,
    as they can change without being replaced.
    """

    def __init__(self) -> None:
        self._last: tuple[Any, Sequence[Any], Result] | None = None

    def recall(self, key: Any, values: Sequence[Any]) -> Result | None:
        """The result for this key and these very objects; None if it was not the last."""
        last = self._last  # which another thread may replace
        if last is None or last[0] != key or not all(map(is_, last[1], values)):
            return None
        return last[2]

    def remember(self, key: Any, values: Sequence[Any], result: Result) -> None:
        """Have the result for the next call; a key goes with a fixed number of values."""
        if all(map(_cannot_change, values)):
            self._last = key, values, result
