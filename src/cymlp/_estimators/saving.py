"""Estimators in safetensors files: their weights as arrays, all else as JSON.

The metadata of a file have one entry, "cymlp", a JSON object of ``format_version``, ``class``,
``cymlp_version``, ``params`` and ``fitted``. What is in a file is never trusted: names are looked
up in tables, and every value is checked before it becomes part of an estimator.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from cymlp import _engine, _safetensors
from cymlp._estimators.json_values import check_keys, decode, encode
from cymlp._estimators.parameters import check_parameters
from cymlp._network.arrays import FLOATS
from cymlp._network.layer_sizes import hidden_units
from cymlp._training.optimizers import OPTIMIZERS, optimizer_from_dict
from cymlp._version import __version__

FORMAT_VERSION = 1
_KEYS = ("format_version", "class", "cymlp_version", "params", "fitted")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


# Fitted attributes that not every fit has, and what they may be.
_ATTRIBUTES = {
    "n_iter_": _is_count,
    "t_": _is_count,
    "loss_": _is_number,
    "loss_curve_": _is_list_of_numbers,
    "best_loss_": _or_none(_is_number),
    "validation_scores_": _or_none(_is_list_of_numbers),
    "best_validation_score_": _or_none(_is_number),
    "best_iteration_": _or_none(_is_count),
    "_no_improvement_count": _is_count,
}


class SavingMixin:
    """``save`` and ``load``."""

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        include_optimizer: bool = False,
        skip: str | Iterable[str] = (),
    ) -> None:
        """Write the fitted estimator to a ``.safetensors`` file.

        The file has the weights, the parameters and the fitted attributes. Loading it runs no code.
        It takes the place of a file that is there already once it is complete; should writing it
        fail, the old file is still there. Callbacks and metadata requests are not saved.

        Parameters
        ----------
        path : str or path-like
            The file.
        include_optimizer : bool, default=False
            Whether to save the optimizer's state, with which the file is two or three times as
            large. ``partial_fit`` of the loaded estimator then continues where this one is, instead
            of with a new optimizer. Predictions and ``fit`` do not need it.
        skip : str or iterable of str, default=()
            Parameters to leave out, such as a scorer; a loaded estimator has their default values.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        ValueError
            If a parameter cannot be saved, such as a function or a ``RandomState``, or is not
            valid; if ``skip`` has a name that is no parameter; or if a weight is not finite.
        OSError
            If the file cannot be written.

        See Also
        --------
        cymlp.load : Load an estimator of either class.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from cymlp import MLPRegressor
        >>> reg = MLPRegressor.from_weights([[[2.0]], [[3.0]]], [[1.0], [0.5]])
        >>> with TemporaryDirectory() as folder:
        ...     reg.save(Path(folder) / "model.safetensors")
        ...     MLPRegressor.load(Path(folder) / "model.safetensors").predict([[1.0], [-1.0]])
        array([9.5, 0.5])
        """
        check_is_fitted(self)
        tensors, description = _describe(self, include_optimizer, skip)
        text = json.dumps(description, allow_nan=False, separators=(",", ":"))
        # Whatever is written can be loaded.
        _restore(type(self), tensors, _parse(text))
        _safetensors.write(path, tensors, {"cymlp": text})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Load an estimator from a file that ``save`` has written.

        No code in the file is run, and everything in it is checked.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        estimator : instance of this class
            It makes the same predictions as the saved one, to the last bit.

        Raises
        ------
        ValueError
            If the file is damaged, is not one of cymlp's, is from a newer version of cymlp with
            another format, or has an estimator of another class.
        OSError
            If the file cannot be read.
        """
        loaded: Self = load_as(path, lambda name: cls if name == _public_name(cls) else None)
        return loaded


def load_as(path: str | os.PathLike[str], class_named: Callable[[str], type[Any] | None]) -> Any:
    """Load an estimator, as the class that ``class_named`` returns for the name in the file."""
    tensors, metadata = _safetensors.read(path)
    try:
        if "cymlp" not in metadata:
            raise ValueError("no estimator of cymlp, as its metadata lack the entry 'cymlp'")
        description = _parse(metadata["cymlp"])
        name = description["class"]
        cls = class_named(name) if isinstance(name, str) else None
        if cls is None:
            raise ValueError(f"has an estimator of another class, {name!r}")
        return _restore(cls, tensors, description)
    except RecursionError:
        raise ValueError(f"{os.fsdecode(path)}: the description is nested too deeply") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{os.fsdecode(path)}: {error}") from error


def _public_name(cls: type[Any]) -> str:
    """The name of cymlp's own class that this class is, or is derived from."""
    return "MLPClassifier" if issubclass(cls, ClassifierMixin) else "MLPRegressor"


# Writing.


def _describe(
    estimator: Any, include_optimizer: bool, skip: str | Iterable[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the description of a fitted estimator."""
    network = estimator._current_network()
    tensors = {f"coefs_.{i}": W for i, W in enumerate(network.coefs)}
    tensors |= {f"intercepts_.{i}": b for i, b in enumerate(network.intercepts)}
    fitted = {name: getattr(estimator, name) for name in _ATTRIBUTES if hasattr(estimator, name)}
    fitted |= {"out_activation_": estimator.out_activation_}
    if hasattr(estimator, "feature_names_in_"):
        fitted["feature_names_in_"] = list(estimator.feature_names_in_)
    if hasattr(estimator, "classes_"):
        fitted |= {
            "classes_": estimator.classes_,
            "y_type": estimator._y_type,
            "y_is_sparse": estimator._y_is_sparse,
        }
    optimizer = estimator.__dict__.get("_optimizer")
    if include_optimizer and optimizer is not None and optimizer.matches(network.parameters):
        values = optimizer.to_dict()
        tensors["optimizer.state"] = values.pop("state")
        fitted["optimizer"] = values
    records = estimator._records
    names = dict.fromkeys(name for record in records for name in record)
    history = {name: [encode(record.get(name)) for record in records] for name in names}
    description = {
        "format_version": FORMAT_VERSION,
        "class": _public_name(type(estimator)),
        "cymlp_version": __version__,
        "params": _encode_parameters(estimator, skip),
        "fitted": {**{name: encode(value) for name, value in fitted.items()}, "history": history},
    }
    return tensors, description


def _encode_parameters(estimator: Any, skip: str | Iterable[str]) -> dict[str, Any]:
    params = estimator.get_params(deep=False)
    skipped = {skip} if isinstance(skip, str) else set(skip)
    if unknown := skipped - params.keys():
        raise ValueError(
            f"skip has {unknown}, and {type(estimator).__name__} has no such parameter"
        )
    encoded = {}
    for name, value in params.items():
        if name in skipped:
            continue
        try:
            encoded[name] = encode(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"The parameter {name}={value!r} cannot be saved: {error}. To save the estimator "
                f"without it, use skip=[{name!r}]."
            ) from error
    return encoded


# Reading.


def _parse(text: str) -> dict[str, Any]:
    """The description, whose format is one that is known."""
    description = _safetensors.parse(text)
    version = description.get("format_version") if isinstance(description, dict) else None
    if not _is_count(version):
        raise ValueError("the entry 'cymlp' is not the description of an estimator")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"has version {version} of cymlp's format, written by cymlp "
            f"{description.get('cymlp_version')!r}. cymlp {__version__} reads version "
            f"{FORMAT_VERSION}; a newer cymlp may read it."
        )
    return check_keys(description, *_KEYS)


def _restore(
    cls: type[Any], tensors: Mapping[str, NDArray[Any]], description: dict[str, Any]
) -> Any:
    """The estimator with this description."""
    fitted = _mapping(description["fitted"], "fitted")
    estimator = _unfitted(cls, _mapping(description["params"], "params"))
    sizes = estimator.hidden_layer_sizes
    coefs, intercepts, state = _sorted_tensors(tensors)
    if issubclass(cls, ClassifierMixin):
        _set_labels(estimator, fitted, len(intercepts[-1]))
    with config_context(skip_parameter_validation=False):
        estimator._set_weights(coefs, intercepts, sizes_are_given=False)
        estimator.hidden_layer_sizes = sizes  # may have been changed since the fit
        check_parameters(estimator)
    hidden_units(sizes)
    _set_attributes(estimator, fitted)
    _set_optimizer(estimator, fitted.pop("optimizer", None), state)
    if fitted:
        raise ValueError(f"unknown fitted attributes {sorted(fitted)}")
    return estimator


def _mapping(value: Any, name: str) -> dict[str, Any]:
    """A copy of a JSON object, decoded one level down, except for the history."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no JSON object")
    return {key: item if key == "history" else decode(item) for key, item in value.items()}


def _unfitted(cls: type[Any], params: dict[str, Any]) -> Any:
    if unknown := params.keys() - set(cls._get_param_names()):
        raise ValueError(f"{cls.__name__} has no parameters {sorted(unknown)}")
    return cls(**params)


def _sorted_tensors(
    tensors: Mapping[str, NDArray[Any]],
) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any] | None]:
    """The weights and the intercepts, layer by layer, and the optimizer's state."""
    rest = dict(tensors)
    state = rest.pop("optimizer.state", None)
    n_layers = len(rest) // 2
    names = [f"{kind}.{i}" for kind in ("coefs_", "intercepts_") for i in range(n_layers)]
    if n_layers == 0 or rest.keys() != set(names):
        raise ValueError(f"has the arrays {_few(rest)}, not those of a network")
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) > 1 or not dtypes <= set(map(np.dtype, FLOATS)):
        raise ValueError(f"has arrays of {sorted(map(str, dtypes))}, not all float32 or float64")
    arrays = [rest[name] for name in names]
    if arrays[-1].ndim != 1:
        raise ValueError(f"intercepts_ have the shape {arrays[-1].shape}")
    return arrays[:n_layers], arrays[n_layers:], state


def _few(names: Iterable[str]) -> str:
    """At most the first ten of these names."""
    listed = sorted(names)
    return ", ".join(map(repr, listed[:10])) + (", ..." if len(listed) > 10 else "")


def _set_labels(classifier: Any, fitted: dict[str, Any], n_outputs: int) -> None:
    """Set what a classifier knows of the labels."""
    labels, kind, is_sparse = (
        fitted.pop(name, None) for name in ("classes_", "y_type", "y_is_sparse")
    )
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or not len(labels):
        raise ValueError("classes_ is not a vector")
    if not (labels[1:] > labels[:-1]).all():
        raise ValueError(f"classes_ are not in ascending order: {labels!r}")
    n_classes = len(labels)
    fits = {
        "binary": n_outputs == 1 and n_classes <= 2,
        "multiclass": n_outputs == n_classes >= 2,
        "multilabel-indicator": n_outputs == n_classes >= 2,
    }
    if not isinstance(kind, str) or not fits.get(kind) or not isinstance(is_sparse, bool):
        raise ValueError(
            f"y_type={kind!r}, y_is_sparse={is_sparse!r} and {n_classes} classes do not fit "
            f"{n_outputs} outputs"
        )
    classifier.classes_, classifier._y_type, classifier._y_is_sparse = labels, kind, is_sparse


def _set_attributes(estimator: Any, fitted: dict[str, Any]) -> None:
    """Move the fitted attributes that do not follow from the weights out of ``fitted``."""
    activation = fitted.pop("out_activation_", None)
    if activation not in _engine.OUTPUT_ACTIVATIONS:
        raise ValueError(f"out_activation_ is {activation!r}")
    estimator.out_activation_ = activation
    for name, is_valid in _ATTRIBUTES.items():
        estimator.__dict__.pop(name, None)
        if name in fitted:
            value = fitted.pop(name)
            if not is_valid(value):
                raise ValueError(f"{name} is {value!r}")
            setattr(estimator, name, value)
    estimator._records = _records(fitted.pop("history", None))
    names = fitted.pop("feature_names_in_", None)
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("feature_names_in_ is not a list of strings")
        if len(names) != estimator.n_features_in_:
            raise ValueError(f"has {len(names)} feature names for {estimator.n_features_in_}")
        estimator.feature_names_in_ = np.array(names, dtype=object)


def _records(history: Any) -> list[dict[str, float]]:
    """The records of which these are the columns."""
    columns = _mapping(history, "history")
    if not all(
        isinstance(column, list) and all(map(_or_none(_is_number), column))
        for column in columns.values()
    ):
        raise ValueError("history is not lists of numbers")
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*columns.values(), strict=True)
    ]


def _set_optimizer(estimator: Any, values: Any, state: NDArray[Any] | None) -> None:
    """Set the optimizer, if the file has one."""
    if values is None and state is None:
        return
    solver = values.get("solver") if isinstance(values, dict) else None
    if state is None or not isinstance(solver, str) or solver not in OPTIMIZERS:
        raise ValueError("optimizer and optimizer.state do not describe an optimizer")
    network = estimator._network
    config = estimator._training_config(estimator._fitted_targets(), len(network.coefs))
    model = OPTIMIZERS[solver](config, network.parameters).to_dict()
    if not _are_settings(values, {name: model[name] for name in model if name != "state"}):
        raise ValueError(f"the settings of the optimizer are {values!r}")
    optimizer = optimizer_from_dict({**values, "state": np.array(state)})
    shape = optimizer.rule().n_states, network.parameters.size
    if state.shape != shape or not _engine.is_finite(optimizer.state):
        raise ValueError(f"optimizer.state is not {shape} finite numbers")
    estimator._optimizer = optimizer


# The settings of an optimizer that are strings.
_NAMES = {
    "solver": tuple(OPTIMIZERS),
    "rule_name": _engine.UPDATE_RULES,
    "schedule": (None, "constant", "invscaling", "adaptive"),
}


def _are_settings(values: Any, model: dict[str, Any]) -> bool:
    """Whether these are settings with the names that ``model`` has, and with possible values."""
    if not isinstance(values, dict) or values.keys() != model.keys():
        return False
    for name, value in values.items():
        if isinstance(model[name], dict):
            is_valid = _are_settings(value, model[name])
        elif name in _NAMES:
            is_valid = value in _NAMES[name]
        elif name == "n_updates":
            is_valid = _is_count(value)
        else:
            is_valid = _is_number(value) and 0 <= value < math.inf
        if not is_valid:
            return False
    return True
