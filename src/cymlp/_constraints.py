"""Allowed values of constructor parameters, and an error with scikit-learn's message."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import numpy as np


class InvalidParameterError(ValueError, TypeError):
    """A parameter's type or value is not allowed. Both a ValueError and a TypeError."""


@dataclass(frozen=True, eq=False)
class Allowed:
    """One kind of value that a parameter may have, and its description in messages.

    ``options`` returns the allowed strings, to suggest one for a misspelling.
    """

    text: str
    contains: Callable[[Any], bool]
    options: Callable[[], Iterable[str]] = lambda: ()


def interval(kind: type, low: float, high: float = np.inf, closed: str = "left") -> Allowed:
    """Numbers of ``kind`` from low to high; ``closed`` says which ends are included."""
    left, right = closed in ("left", "both"), closed in ("right", "both")

    def above(value: Any) -> bool:
        return bool(value >= low if left else value > low)

    def below(value: Any) -> bool:
        return bool(value <= high if right else value < high)

    name = "an int" if kind is Integral else "a float"
    return Allowed(
        f"{name} in the range {'[('[not left]}{low}, {high}{'])'[not right]}",
        lambda value: isinstance(value, kind) and above(value) and below(value),
    )


def choice(*options: str) -> Allowed:
    """One of these strings."""
    names = ", ".join(repr(option) for option in options)
    return Allowed(
        f"a str among {{{names}}}",
        lambda value: isinstance(value, str) and value in options,
        lambda: options,
    )


def instance(name: str, kind: type) -> Allowed:
    return Allowed(f"an instance of {name!r}", lambda value: isinstance(value, kind))


BOOLEAN = [instance("bool", bool), instance(f"numpy.{np.bool_.__name__}", np.bool_)]
COUNT = interval(Integral, 1)
NONE = Allowed("None", lambda value: value is None)
ARRAY_LIKE = Allowed(
    "an array-like",
    lambda value: (
        (hasattr(value, "__len__") or hasattr(value, "shape") or hasattr(value, "__array__"))
        and not isinstance(value, str | bytes)
        and not np.isscalar(value)
    ),
)

CALLABLE = Allowed("a callable", callable)


def list_of(kind: Allowed, what: str) -> Allowed:
    """A list, tuple or vector of values that are each of a kind."""
    return Allowed(
        f"a list of such values, one for each {what}",
        lambda values: (
            isinstance(values, list | tuple | np.ndarray)
            and np.ndim(values) == 1
            and all(kind.contains(value) for value in values)
        ),
    )


_FLOATS = (np.float32, np.float64)

# Names used in other libraries, and their equivalents here.
_OTHER_NAMES = {
    "activation": {"swish": "'silu'", "sigmoid": "'logistic'", "linear": "'identity'"},
    "solver": {"adamw": "solver='adam' with weight_decay"},
    "learning_rate": {
        "cosine": "cymlp.schedules.CosineDecay()",
        "linear": "cymlp.schedules.LinearDecay()",
        "onecycle": "cymlp.schedules.OneCycle()",
    },
    "dtype": {"float": "'float64'", "double": "'float64'", "single": "'float32'"},
    "loss": {"mse": "'squared_error'", "mae": "'absolute_error'", "pinball": "'quantile'"},
    "init": {
        "he": "'he_normal'",
        "kaiming_normal": "'he_normal'",
        "kaiming_uniform": "'he_uniform'",
        "xavier_normal": "'glorot_normal'",
        "xavier_uniform": "'glorot_uniform'",
    },
    "scoring": {
        "acc": "'accuracy'",
        "auc": "'roc_auc'",
        "mae": "'neg_mean_absolute_error'",
        "mse": "'neg_mean_squared_error'",
        "rmse": "'neg_root_mean_squared_error'",
    },
}


def check_parameter(owner: Any, name: str, allowed: list[Allowed]) -> None:
    """Check one parameter of an estimator or a schedule.

    Raises
    ------
    InvalidParameterError
        If the value is not allowed. The message names the parameter, the value and what is allowed.
    """
    value = getattr(owner, name)
    for kind in allowed:
        if kind.contains(value):
            return
    *others, last = [kind.text for kind in allowed]
    texts = f"{', '.join(others)} or {last}" if others else last
    raise InvalidParameterError(
        f"The {name!r} parameter of {type(owner).__name__} must be {texts}. Got {value!r} instead."
        + _hint(name, value, allowed)
    )


def _hint(name: str, value: Any, allowed: list[Allowed]) -> str:
    """A question that suggests what the value was meant to be; empty if there is no suggestion."""
    meant = None
    if isinstance(value, list | tuple):
        value = next(
            (one for one in value if not any(kind.contains(one) for kind in allowed)), None
        )
    if isinstance(value, str):
        options = [option for kind in allowed for option in kind.options()]
        close = [repr(option) for option in get_close_matches(value.lower(), options, n=1)]
        meant = _OTHER_NAMES.get(name, {}).get(value.lower(), *close)
    elif name == "learning_rate" and isinstance(value, Real) and not isinstance(value, bool):
        meant = f"learning_rate_init={value!r}"
    elif name == "dtype" and isinstance(value, type | np.dtype) and value in _FLOATS:
        meant = repr(np.dtype(value).name)
    elif name == "learning_rate" and getattr(value, "__module__", "") == "cymlp.schedules":
        meant = f"{value.__name__}()"
    return f" Did you mean {meant}?" if meant else ""
