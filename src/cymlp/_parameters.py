"""What each constructor parameter may be, checked when fit begins, in scikit-learn's words."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config


class InvalidParameterError(ValueError, TypeError):
    """A parameter's type or value is not allowed; a ValueError and a TypeError in one."""


@dataclass(frozen=True)
class Allowed:
    """One kind of value that a parameter may have, and how a message calls it."""

    text: str
    contains: Callable[[Any], bool]


def _interval(kind: type, low: float, high: float = np.inf, closed: str = "left") -> Allowed:
    """Numbers of ``kind`` from low to high; ``closed`` says which ends belong to them."""
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


def _choice(*options: str) -> Allowed:
    """One of these strings."""
    names = ", ".join(repr(option) for option in options)
    return Allowed(
        f"a str among {{{names}}}", lambda value: isinstance(value, str) and value in options
    )


def _instance(name: str, kind: type) -> Allowed:
    return Allowed(f"an instance of {name!r}", lambda value: isinstance(value, kind))


_BOOLEAN = [_instance("bool", bool), _instance(f"numpy.{np.bool_.__name__}", np.bool_)]
_COUNT = _interval(Integral, 1)
_NONE = Allowed("None", lambda value: value is None)
_ARRAY_LIKE = Allowed(
    "an array-like",
    lambda value: (
        (hasattr(value, "__len__") or hasattr(value, "shape") or hasattr(value, "__array__"))
        and not isinstance(value, str | bytes)
        and not np.isscalar(value)
    ),
)

_PARAMETERS: dict[str, list[Allowed]] = {
    "loss": [_choice("squared_error", "poisson")],
    "hidden_layer_sizes": [_ARRAY_LIKE, _COUNT],
    "activation": [_choice("identity", "logistic", "tanh", "relu")],
    "solver": [_choice("lbfgs", "sgd", "adam")],
    "alpha": [_interval(Real, 0.0)],
    "batch_size": [_choice("auto"), _COUNT],
    "learning_rate": [_choice("constant", "invscaling", "adaptive")],
    "learning_rate_init": [_interval(Real, 0.0, closed="neither")],
    "power_t": [_interval(Real, 0.0)],
    "max_iter": [_COUNT],
    "shuffle": _BOOLEAN,
    "random_state": [
        _interval(Integral, 0, 2**32 - 1, closed="both"),
        _instance("numpy.random.mtrand.RandomState", np.random.RandomState),
        _NONE,
    ],
    "tol": [_interval(Real, 0.0)],
    "verbose": [_interval(Integral, 0), *_BOOLEAN],
    "warm_start": _BOOLEAN,
    "momentum": [_interval(Real, 0.0, 1.0, closed="both")],
    "nesterovs_momentum": _BOOLEAN,
    "early_stopping": _BOOLEAN,
    "validation_fraction": [_interval(Real, 0.0, 1.0)],
    "beta_1": [_interval(Real, 0.0, 1.0)],
    "beta_2": [_interval(Real, 0.0, 1.0)],
    "epsilon": [_interval(Real, 0.0, closed="neither")],
    "n_iter_no_change": [
        _COUNT,
        Allowed("a float among {inf}", lambda value: isinstance(value, Real) and value == np.inf),
    ],
    "max_fun": [_COUNT],
    "n_jobs": [
        _NONE,
        Allowed(
            "an int other than 0",
            lambda value: (
                isinstance(value, Integral) and not isinstance(value, bool) and value != 0
            ),
        ),
    ],
}


def check_parameters(estimator: Any) -> None:
    """Check every parameter of an estimator, unless scikit-learn is configured not to.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, what is allowed and the value.
    """
    if get_config()["skip_parameter_validation"]:
        return
    for name, allowed in _PARAMETERS.items():
        if not hasattr(estimator, name):  # another estimator's
            continue
        value = getattr(estimator, name)
        if not any(kind.contains(value) for kind in allowed):
            *others, last = [kind.text for kind in allowed]
            texts = f"{', '.join(others)} or {last}" if others else last
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {texts}. "
                f"Got {value!r} instead."
            )


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
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if not all(isinstance(size, Integral) for size in sizes):
        raise TypeError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]
