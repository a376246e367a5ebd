"""Checks of the constructor parameters when fit begins, with scikit-learn's error messages."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config

from cymlp._constraints import (
    ARRAY_LIKE,
    BOOLEAN,
    CALLABLE,
    COUNT,
    NONE,
    Allowed,
    check_parameter,
    choice,
    instance,
    interval,
    list_of,
)
from cymlp._engine import ACTIVATIONS, LOSSES
from cymlp._estimators.remembering import Remembered
from cymlp._network.initializers import INITIALIZERS
from cymlp._training.optimizers import OPTIMIZERS


def _scorer_names() -> list[str]:
    """scikit-learn's names for ``scoring``."""
    from sklearn.metrics import get_scorer_names  # late, to keep import cymlp fast

    return list(get_scorer_names())


_ACTIVATION = choice(*ACTIVATIONS)
_CLASS_WEIGHT = [choice("balanced"), instance("dict", dict), NONE]
_PENALTY = interval(Real, 0.0)
_SHARE = interval(Real, 0.0, 1.0, closed="both")
_RATE = interval(Real, 0.0, 1.0)

_PARAMETERS: dict[str, list[Allowed]] = {
    "loss": [choice(*(loss for loss in LOSSES if loss != "log_loss"))],
    "quantile": [_SHARE, NONE],
    "delta": [interval(Real, 0.0, closed="neither")],
    "hidden_layer_sizes": [
        ARRAY_LIKE,
        COUNT,
        Allowed(
            "a str of sizes such as '256-128'",
            lambda value: isinstance(value, str) and all(map(str.isdecimal, value.split("-"))),
        ),
    ],
    "activation": [_ACTIVATION, list_of(_ACTIVATION, "hidden layer")],
    "solver": [choice("lbfgs", *OPTIMIZERS)],
    "alpha": [_PENALTY, list_of(_PENALTY, "layer of weights")],
    "l1_ratio": [_SHARE, list_of(_SHARE, "layer of weights")],
    "weight_decay": [_PENALTY],
    "dropout": [_RATE, list_of(_RATE, "hidden layer")],
    "label_smoothing": [_RATE],
    "clip_norm": [interval(Real, 0.0, closed="neither"), NONE],
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
    "init": [choice(*INITIALIZERS), CALLABLE],
    "scoring": [
        Allowed(
            "'loss', the name of a scorer in sklearn.metrics.get_scorer_names()",
            lambda value: isinstance(value, str) and (value == "loss" or value in _scorer_names()),
            lambda: ["loss", *_scorer_names()],
        ),
        CALLABLE,
        NONE,
    ],
    "record_train_score": BOOLEAN,
    "record_every": [COUNT, NONE],
    "batch_size": [choice("auto"), COUNT],
    "learning_rate": [
        choice("constant", "invscaling", "adaptive"),
        Allowed(
            "a schedule of cymlp.schedules or a callable (step, total) -> factor",
            lambda value: callable(value) and not isinstance(value, type),
        ),
    ],
    "learning_rate_init": [interval(Real, 0.0, closed="neither")],
    "power_t": [interval(Real, 0.0)],
    "max_iter": [COUNT],
    "shuffle": BOOLEAN,
    "random_state": [
        interval(Integral, 0, 2**32 - 1, closed="both"),
        instance("numpy.random.mtrand.RandomState", np.random.RandomState),
        NONE,
    ],
    "tol": [interval(Real, 0.0)],
    "verbose": [interval(Integral, 0), *BOOLEAN],
    "warm_start": BOOLEAN,
    "momentum": [_SHARE],
    "nesterovs_momentum": BOOLEAN,
    "early_stopping": BOOLEAN,
    "validation_fraction": [_RATE],
    "beta_1": [_RATE],
    "beta_2": [_RATE],
    "epsilon": [interval(Real, 0.0, closed="neither")],
    "n_iter_no_change": [
        COUNT,
        Allowed("a float among {inf}", lambda value: isinstance(value, Real) and value == np.inf),
    ],
    "max_fun": [COUNT],
    "dtype": [choice("float32", "float64"), NONE],
    "n_jobs": [
        NONE,
        Allowed(
            "an int other than 0",
            lambda value: (
                isinstance(value, Integral) and not isinstance(value, bool) and value != 0
            ),
        ),
    ],
    "shuffle_buffer": [COUNT, NONE],
}

_valid = Remembered[bool]()


def check_parameters(estimator: Any) -> None:
    """Check every parameter of an estimator, unless scikit-learn is configured not to.

    Raises
    ------
    InvalidParameterError
        If a value is not allowed. The message names the parameter, the value and what is allowed.
    """
    if get_config()["skip_parameter_validation"]:
        return
    values = [getattr(estimator, name, None) for name in _PARAMETERS]
    if _valid.recall(type(estimator), values):
        return
    for name, allowed in _PARAMETERS.items():
        if not hasattr(estimator, name):  # a parameter of the other estimator
            continue
        check_parameter(estimator, name, allowed)
    _valid.remember(type(estimator), values, True)


def is_stochastic(estimator: Any) -> bool:
    """Whether partial_fit exists; the AttributeError says why not."""
    if estimator.solver not in OPTIMIZERS:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


def check_solver(estimator: Any) -> None:
    """ValueError if another parameter asks for something that solver="lbfgs" cannot do."""
    if estimator.solver != "lbfgs":
        return
    reasons = {
        "dropout": ("is not deterministic", np.any(np.asarray(estimator.dropout) != 0)),
        "l1_ratio": ("makes a penalty that is not smooth", np.any(np.asarray(estimator.l1_ratio))),
        "weight_decay": ("applies to gradient steps", estimator.weight_decay != 0),
        "clip_norm": ("applies to gradient steps", estimator.clip_norm is not None),
        "learning_rate": (
            "is a schedule of gradient steps",
            not isinstance(estimator.learning_rate, str),
        ),
        "record_every": ("needs mini-batches", estimator.record_every is not None),
        "record_train_score": ("needs mini-batches", estimator.record_train_score),
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
