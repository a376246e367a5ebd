"""Saving a fitted estimator to a safetensors file.

The weights, the records of each epoch and the optimizer's state are arrays of the file. All else is
in its metadata, whose one entry, "cymlp", is a JSON object of ``format_version``, ``class``,
``cymlp_version``, ``params`` and ``fitted``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from cymlp import _safetensors
from cymlp._estimators.json_values import encode
from cymlp._estimators.restoring import (
    CURVES,
    FORMAT_VERSION,
    SCALARS,
    load_as,
    parse,
    public_name,
    restore,
)
from cymlp._version import __version__


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
        restore(type(self), tensors, parse(text))
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
        loaded: Self = load_as(path, lambda name: cls if name == public_name(cls) else None)
        return loaded


def _describe(
    estimator: Any, include_optimizer: bool, skip: str | Iterable[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the description of a fitted estimator."""
    network, attributes = estimator._current_network(), vars(estimator)
    # The records first: they have the largest items, so every array is aligned in the file.
    tensors = {
        f"history.{name}": column.astype(np.float64 if column.dtype.kind == "f" else np.int64)
        for name, column in estimator.history_.items()
    }
    curves = {name: attributes.get(name) for name in CURVES}
    tensors |= {name: np.array(curve, float) for name, curve in curves.items() if curve is not None}
    tensors |= {f"coefs_.{i}": W for i, W in enumerate(network.coefs)}
    tensors |= {f"intercepts_.{i}": b for i, b in enumerate(network.intercepts)}
    scalars = [name for name in SCALARS if name in attributes and name not in tensors]
    fitted = {name: attributes[name] for name in ("out_activation_", *scalars)}
    if "feature_names_in_" in attributes:
        fitted["feature_names_in_"] = list(estimator.feature_names_in_)
    if "classes_" in attributes:
        fitted |= {
            "classes_": estimator.classes_,
            "y_type": estimator._y_type,
            "y_is_sparse": estimator._y_is_sparse,
        }
    optimizer = attributes.get("_optimizer")
    if include_optimizer and optimizer is not None and optimizer.matches(network.parameters):
        fitted["optimizer"] = optimizer.to_dict()
        tensors["optimizer.state"] = fitted["optimizer"].pop("state")
    return tensors, {
        "format_version": FORMAT_VERSION,
        "class": public_name(type(estimator)),
        "cymlp_version": __version__,
        "params": _encoded(
            _saved_parameters(estimator, skip), ' To leave it out, use skip=["{}"].'
        ),
        "fitted": _encoded(fitted),
    }


def _saved_parameters(estimator: Any, skip: str | Iterable[str]) -> dict[str, Any]:
    """The parameters that are not to be skipped."""
    params: dict[str, Any] = estimator.get_params(deep=False)
    skipped = {skip} if isinstance(skip, str) else set(skip)
    if unknown := skipped - params.keys():
        raise ValueError(
            f"skip has {unknown}, and {type(estimator).__name__} has no such parameter."
        )
    return {name: value for name, value in params.items() if name not in skipped}


def _encoded(values: dict[str, Any], advice: str = "") -> dict[str, Any]:
    encoded = {}
    for name, value in values.items():
        try:
            encoded[name] = encode(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{name}={value!r} cannot be saved: {error}.{advice.format(name)}"
            ) from error
    return encoded
