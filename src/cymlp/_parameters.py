"""What each constructor parameter may be, checked when fit begins, in scikit-learn's words."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config

from cymlp._initializers import INITIALIZERS


class InvalidParameterError(ValueError, TypeError):
    """A parameter's type or value is not allowed; a ValueError and a TypeError in one."""


@dataclass(frozen=True)
class Allowed:
    """One kind of value that a parameter may have, and how a message calls it.

    ``options`` are the names among such values, of which a wrong one may be a misspelling.
    """

    text: str
    contains: Callable[[Any], bool]
    options: Callable[[], Iterable[str]] = lambda: ()


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
        f"a str among {{{names}}}",
        lambda value: isinstance(value, str) and value in options,
        lambda: options,
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

_CALLABLE = Allowed("a callable", callable)


def _each(kind: Allowed, what: str) -> Allowed:
    """A list or the like of values of a kind that is itself allowed."""
    return Allowed(
        f"a list of such values, one for each {what}",
        lambda values: (
            isinstance(values, list | tuple | np.ndarray)
            and np.ndim(values) == 1
            and all(kind.contains(value) for value in values)
        ),
    )


def _names_of_scorers() -> list[str]:
    """What ``scoring`` may name in scikit-learn."""
    from sklearn.metrics import get_scorer_names  # late, for a quick import of cymlp

    return list(get_scorer_names())


_ACTIVATION = _choice(
    "identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish",
    "softplus",
)  # fmt: skip
_CLASS_WEIGHT = [_choice("balanced"), _instance("dict", dict), _NONE]
_PENALTY = _interval(Real, 0.0)
_SHARE = _interval(Real, 0.0, 1.0, closed="both")
_RATE = _interval(Real, 0.0, 1.0)

_PARAMETERS: dict[str, list[Allowed]] = {
    "loss": [_choice("squared_error", "poisson", "absolute_error", "huber", "quantile")],
    "quantile": [_SHARE, _NONE],
    "delta": [_interval(Real, 0.0, closed="neither")],
    "hidden_layer_sizes": [
        _ARRAY_LIKE,
        _COUNT,
        Allowed(
            "a str of sizes such as '256-128'",
            lambda value: isinstance(value, str) and all(map(str.isdecimal, value.split("-"))),
        ),
    ],
    "activation": [_ACTIVATION, _each(_ACTIVATION, "hidden layer")],
    "solver": [_choice("lbfgs", "sgd", "adam")],
    "alpha": [_PENALTY, _each(_PENALTY, "layer of weights")],
    "l1_ratio": [_SHARE, _each(_SHARE, "layer of weights")],
    "weight_decay": [_PENALTY],
    "dropout": [_RATE, _each(_RATE, "hidden layer")],
    "label_smoothing": [_RATE],
    "clip_norm": [_interval(Real, 0.0, closed="neither"), _NONE],
    "class_weight": [
        *_CLASS_WEIGHT,
        Allowed(
            "a list of such values, one for each column of a multilabel y",
            lambda values: (
                isinstance(values, list)
                and all(any(kind.contains(value) for kind in _CLASS_WEIGHT) for value in values)
            ),
        ),
    ],
    "init": [_choice(*INITIALIZERS), _CALLABLE],
    "scoring": [
        Allowed(
            "'loss', the name of a scorer in sklearn.metrics.get_scorer_names()",
            lambda value: (
                isinstance(value, str) and (value == "loss" or value in _names_of_scorers())
            ),
            lambda: ["loss", *_names_of_scorers()],
        ),
        _CALLABLE,
        _NONE,
    ],
    "record_train_score": _BOOLEAN,
    "record_every": [_COUNT, _NONE],
    "batch_size": [_choice("auto"), _COUNT],
    "learning_rate": [
        _choice("constant", "invscaling", "adaptive"),
        Allowed(
            "a schedule of cymlp.schedules or a callable (step, total) -> factor",
            lambda value: callable(value) and not isinstance(value, type),
        ),
    ],
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
    "momentum": [_SHARE],
    "nesterovs_momentum": _BOOLEAN,
    "early_stopping": _BOOLEAN,
    "validation_fraction": [_RATE],
    "beta_1": [_RATE],
    "beta_2": [_RATE],
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


# What goes by another name in other libraries, and what it is here.
_OTHER_NAMES = {
    "activation": {"swish": "'silu'", "sigmoid": "'logistic'", "linear": "'identity'"},
    "solver": {"adamw": "solver='adam' with weight_decay"},
    "learning_rate": {
        "cosine": "cymlp.schedules.CosineDecay()",
        "linear": "cymlp.schedules.LinearDecay()",
        "onecycle": "cymlp.schedules.OneCycle()",
    },
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
        check_parameter(estimator, name, allowed)


def check_parameter(owner: Any, name: str, allowed: list[Allowed]) -> None:
    """Check one parameter of an estimator or a schedule.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, what is allowed and the value.
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
    """What a value that is not allowed may have been meant to be, as a question; else nothing."""
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
    elif name == "learning_rate" and getattr(value, "__module__", "") == "cymlp.schedules":
        meant = f"{value.__name__}()"
    return f" Did you mean {meant}?" if meant else ""


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
    """A parameter's value for each layer: the same for all, or one for each.

    Raises
    ------
    ValueError
        If there are not as many values as layers.
    """
    if isinstance(values, str) or np.ndim(values) == 0:
        return (values,) * n_layers
    if len(values) != n_layers:
        raise ValueError(
            f"{name} must be one value, or one for each of the {n_layers} {layers}, got {values!r}."
        )
    return tuple(values)


def check_solver(estimator: Any) -> None:
    """ValueError where the solver "lbfgs" cannot do what another parameter asks for."""
    if estimator.solver != "lbfgs":
        return
    reasons = {
        "dropout": ("is not deterministic", np.any(np.asarray(estimator.dropout) != 0)),
        "l1_ratio": ("makes a penalty that is not smooth", np.any(np.asarray(estimator.l1_ratio))),
        "weight_decay": ("goes by updates of the weights", estimator.weight_decay != 0),
        "clip_norm": ("goes by updates of the weights", estimator.clip_norm is not None),
        "learning_rate": (
            "is a schedule, which goes by updates of the weights",
            not isinstance(estimator.learning_rate, str),
        ),
        "record_every": ("goes by mini-batches", estimator.record_every is not None),
        "record_train_score": ("goes by mini-batches", estimator.record_train_score),
        "loss": (
            "is not smooth",
            getattr(estimator, "loss", None) in ("absolute_error", "quantile"),
        ),
    }
    for name, (reason, asked) in reasons.items():
        if asked:
            raise ValueError(
                f"solver='lbfgs' does not support {name}={getattr(estimator, name)!r}, which "
                f"{reason}. Use solver='adam' or 'sgd'."
            )


def warn_of_unused(estimator: Any, validates: bool, stacklevel: int) -> None:
    """UserWarning for each parameter that is set, but does nothing beside the others.

    Not for those of scikit-learn's MLP, which are silent there too.

    Parameters
    ----------
    estimator : estimator
    validates : bool
        Whether there are validation data; True where that is not asked, as in partial_fit.
    stacklevel : int
        Of the caller of fit, from here.
    """
    loss = getattr(estimator, "loss", None)
    reasons = {
        "scoring": (
            "without validation data: set early_stopping=True, or give fit X_val and y_val",
            estimator.scoring is not None and not validates,
        ),
        "quantile": (
            "without loss='quantile'",
            loss != "quantile" and getattr(estimator, "quantile", None) is not None,
        ),
        "delta": ("without loss='huber'", loss != "huber" and getattr(estimator, "delta", 1) != 1),
    }
    for name, (reason, is_unused) in reasons.items():
        if is_unused:
            warnings.warn(
                f"{name}={getattr(estimator, name)!r} does nothing {reason}.", stacklevel=stacklevel
            )
