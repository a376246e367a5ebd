"""Estimators from what their files contain.

What is in a file is never trusted: names are looked up in tables, and every value is checked before
it becomes part of an estimator.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from reprlib import repr as shown
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import ClassifierMixin

from cymlp import _engine, _safetensors
from cymlp._estimators.json_values import check_keys, decode
from cymlp._estimators.parameters import check_parameters
from cymlp._network.arrays import FLOATS
from cymlp._network.layer_sizes import hidden_units
from cymlp._training.optimizers import OPTIMIZERS, optimizer_from_dict
from cymlp._version import __version__

# The version of what a file contains, to be raised when older versions of cymlp cannot read it.
FORMAT_VERSION = 1


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


# Fitted attributes that not every fit has, and a check of each.
SCALARS: dict[str, Callable[[Any], bool]] = {
    "n_iter_": _is_count,
    "t_": _is_count,
    "loss_": _is_number,
    "best_loss_": _is_number_or_none,
    "validation_scores_": lambda value: value is None,  # if it is not a vector
    "best_validation_score_": _is_number_or_none,
    "best_iteration_": lambda value: value is None or _is_count(value),
    "_no_improvement_count": _is_count,
}
# Those that are vectors.
CURVES = ("loss_curve_", "validation_scores_")

# What settings of an optimizer may be, if they are not numbers.
_SETTINGS = {
    "solver": tuple(OPTIMIZERS),
    "rule_name": _engine.UPDATE_RULES,
    "schedule": (None, "constant", "invscaling", "adaptive"),
}


def load_as(path: str | os.PathLike[str], class_named: Callable[[str], type[Any] | None]) -> Any:
    """Load an estimator, as the class that ``class_named`` returns for the name in the file.

    Raises
    ------
    ValueError
        If the file does not contain such an estimator; the message has the path and the reason.
    OSError
        If the file cannot be read.
    """
    tensors, metadata = _safetensors.read(path)
    try:
        if "cymlp" not in metadata:
            raise ValueError("has no estimator of cymlp: its metadata lack the entry 'cymlp'")
        description = parse(metadata["cymlp"])
        name = description["class"]
        cls = class_named(name) if isinstance(name, str) else None
        if cls is None:
            raise ValueError(f"has an estimator of another class, {shown(name)}")
        return restore(cls, tensors, description)
    except RecursionError:
        raise ValueError(f"{os.fsdecode(path)}: has JSON that is nested too deeply") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{os.fsdecode(path)}: {error}") from error


def public_name(cls: type[Any]) -> str:
    """The name of cymlp's own class that this class is, or is derived from."""
    return "MLPClassifier" if issubclass(cls, ClassifierMixin) else "MLPRegressor"


def parse(text: str) -> dict[str, Any]:
    """The description of an estimator; ValueError if it is not of this version."""
    description = _safetensors.parse(text)
    version = description.get("format_version") if isinstance(description, dict) else None
    if not _is_count(version):
        raise ValueError("has no description of an estimator in the entry 'cymlp'")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"was written by cymlp {shown(description.get('cymlp_version'))} in version {version} "
            f"of the format; cymlp {__version__} reads version {FORMAT_VERSION}"
        )
    return check_keys(description, "format_version", "class", "cymlp_version", "params", "fitted")


def restore(
    cls: type[Any], tensors: Mapping[str, NDArray[Any]], description: Mapping[str, Any]
) -> Any:
    """The fitted estimator of which these are the arrays and the description.

    Raises
    ------
    ValueError, TypeError, OverflowError
        If anything is missing, unknown or not valid.
    """
    arrays = dict(tensors)
    params, fitted = _decoded(description["params"]), _decoded(description["fitted"])
    curves = {name: _pop_vector(arrays, name) for name in CURVES if name in arrays}
    records = _pop_records(arrays)
    state = arrays.pop("optimizer.state", None)
    coefs, intercepts = _layers(arrays)
    if unknown := params.keys() - set(cls._get_param_names()):
        raise ValueError(f"has parameters that {cls.__name__} lacks: {_listed(unknown)}")
    estimator = cls(**params)
    # These parameters may have changed since the fit.
    sizes, dtype = estimator.hidden_layer_sizes, estimator.dtype
    estimator.dtype = None
    if issubclass(cls, ClassifierMixin):
        _set_labels(estimator, fitted, intercepts[-1].size)
    with config_context(skip_parameter_validation=False):
        estimator._set_weights(coefs, intercepts, sizes_are_given=False)
        estimator.hidden_layer_sizes, estimator.dtype = sizes, dtype
        check_parameters(estimator)
    hidden_units(sizes)
    _set_attributes(estimator, fitted)
    vars(estimator).update(curves, _records=records)
    _set_optimizer(estimator, fitted.pop("optimizer", None), state)
    if fitted:
        raise ValueError(f"has unknown fitted attributes {_listed(fitted)}")
    return estimator


def _decoded(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"has {shown(values)} in place of a JSON object")
    return {name: decode(value) for name, value in values.items()}


def _listed(names: Iterable[str]) -> str:
    return shown(sorted(names))


def _pop_vector(arrays: dict[str, NDArray[Any]], name: str) -> list[Any]:
    vector = arrays.pop(name)
    if vector.ndim != 1 or vector.dtype not in (np.float64, np.int64):
        raise ValueError(f"has an array {name} that is not a vector of float64 or int64")
    values: list[Any] = vector.tolist()
    return values


def _pop_records(arrays: dict[str, NDArray[Any]]) -> list[dict[str, float]]:
    """The records, which are an array for each quantity."""
    prefix = "history."
    names = [name for name in arrays if name.startswith(prefix)]
    columns = [_pop_vector(arrays, name) for name in names]
    if len(set(map(len, columns))) > 1:
        raise ValueError(f"has arrays {_listed(names)} that differ in length")
    quantities = [name.removeprefix(prefix) for name in names]
    return [dict(zip(quantities, row, strict=True)) for row in zip(*columns, strict=True)]


def _layers(arrays: dict[str, NDArray[Any]]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """The weights and the intercepts of each layer, all of the same dtype."""
    n_layers = len(arrays) // 2
    names = [f"{kind}.{i}" for kind in ("coefs_", "intercepts_") for i in range(n_layers)]
    if n_layers == 0 or arrays.keys() != set(names):
        raise ValueError(f"has the arrays {_listed(arrays)}, not those of a network")
    dtypes = {array.dtype for array in arrays.values()}
    if len(dtypes) > 1 or not dtypes <= set(map(np.dtype, FLOATS)):
        raise ValueError(f"has weights of {_listed(map(str, dtypes))}, not float32 or float64")
    layers = [arrays[name] for name in names]
    return layers[:n_layers], layers[n_layers:]


def _set_labels(classifier: Any, fitted: dict[str, Any], n_outputs: int) -> None:
    """Set what a classifier knows of its labels."""
    names = "classes_", "y_type", "y_is_sparse"
    classes, y_type, is_sparse = (fitted.pop(name, None) for name in names)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or not classes.size:
        raise ValueError("has no vector classes_")
    if not (classes[1:] > classes[:-1]).all():
        raise ValueError(f"has classes_ that are not in ascending order, {shown(classes)}")
    has_output_for_each = n_outputs == len(classes) >= 2
    fits = {
        "binary": n_outputs == 1 and len(classes) <= 2,
        "multiclass": has_output_for_each,
        "multilabel-indicator": has_output_for_each,
    }
    if not isinstance(y_type, str) or not fits.get(y_type) or not isinstance(is_sparse, bool):
        raise ValueError(
            f"has y_type {shown(y_type)}, y_is_sparse {shown(is_sparse)} and {len(classes)} "
            f"classes for {n_outputs} outputs"
        )
    classifier.classes_, classifier._y_type, classifier._y_is_sparse = classes, y_type, is_sparse


def _set_attributes(estimator: Any, fitted: dict[str, Any]) -> None:
    """Set the fitted attributes that do not follow from the weights, and remove them."""
    for name in (*SCALARS, *CURVES):
        vars(estimator).pop(name, None)
    for name in SCALARS.keys() & fitted.keys():
        value = fitted.pop(name)
        if not SCALARS[name](value):
            raise ValueError(f"has {name} {shown(value)}")
        setattr(estimator, name, value)
    activation = fitted.pop("out_activation_", None)
    if activation not in _engine.OUTPUT_ACTIVATIONS:
        raise ValueError(f"has out_activation_ {shown(activation)}")
    estimator.out_activation_ = activation
    names = fitted.pop("feature_names_in_", None)
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"has feature_names_in_ {shown(names)}")
        if len(names) != estimator.n_features_in_:
            raise ValueError(f"has {len(names)} feature names for {estimator.n_features_in_}")
        estimator.feature_names_in_ = np.array(names, dtype=object)


def _set_optimizer(estimator: Any, settings: Any, state: NDArray[Any] | None) -> None:
    """Set the optimizer, if the file has one."""
    if settings is None and state is None:
        return
    solver = settings.get("solver") if isinstance(settings, dict) else None
    if state is None or not isinstance(solver, str) or solver not in OPTIMIZERS:
        raise ValueError(f"has an optimizer that is not complete, {shown(settings)}")
    network = estimator._network
    config = estimator._training_config(estimator._fitted_targets(), len(network.coefs))
    expected = OPTIMIZERS[solver](config, network.parameters).to_dict()
    del expected["state"]
    if not _are_settings(settings, expected):
        raise ValueError(f"has optimizer settings {shown(settings)}")
    optimizer = optimizer_from_dict({**settings, "state": np.array(state)})
    shape = (optimizer.rule().n_states, network.parameters.size)
    if state.shape != shape or state.dtype != network.parameters.dtype:
        raise ValueError(f"has optimizer.state of shape {state.shape}, not {shape}")
    if not _engine.is_finite(optimizer.state):
        raise ValueError("has NaN or infinity in optimizer.state")
    estimator._optimizer = optimizer


def _are_settings(values: Any, expected: dict[str, Any]) -> bool:
    """Whether these settings have the expected names, and possible values."""
    if not isinstance(values, dict) or values.keys() != expected.keys():
        return False
    for name, value in values.items():
        if isinstance(expected[name], dict):
            is_valid = _are_settings(value, expected[name])
        elif name in _SETTINGS:
            is_valid = value in _SETTINGS[name]
        elif name == "n_updates":
            is_valid = _is_count(value)
        else:
            is_valid = _is_number(value) and 0 <= value < math.inf
        if not is_valid:
            return False
    return True
