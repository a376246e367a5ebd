"""The graph of an estimator's predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.utils.validation import check_is_fitted

from cymlp._estimators.classifier import MLPClassifier
from cymlp._estimators.regressor import MLPRegressor
from cymlp._network.layer_sizes import per_layer
from cymlp._network.network import Network
from cymlp.onnx._activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from cymlp.onnx._graph import Graph, Tensor

_FITTED = ["coefs_", "intercepts_", "out_activation_", "n_features_in_", "n_outputs_"]


def check_estimator(estimator: Any) -> None:
    """Check that this is a fitted estimator of cymlp.

    Raises
    ------
    TypeError
        If it is something else.
    NotFittedError
        If it is not fitted.
    """
    if not isinstance(estimator, MLPClassifier | MLPRegressor):
        raise TypeError(
            "estimator must be a cymlp.MLPClassifier or a cymlp.MLPRegressor, got "
            f"{estimator!r}. Pipelines and searches can be converted by skl2onnx."
        )
    is_classifier = isinstance(estimator, MLPClassifier)
    check_is_fitted(estimator, [*_FITTED, "classes_"] if is_classifier else _FITTED)


def fitted_network(estimator: Any, dtype: Any = None) -> Network:
    """A copy of a fitted estimator's weights, checked, in this dtype; None for their own.

    Raises
    ------
    ValueError
        If they are not real numbers that are finite in the dtype, or if their shapes match neither
        each other nor the other attributes.
    """
    try:
        coefs, intercepts = list(estimator.coefs_), list(estimator.intercepts_)
    except TypeError as error:
        raise ValueError(f"coefs_ and intercepts_ must be lists of arrays: {error}") from error
    network = Network.from_finite_arrays(coefs, intercepts, "coefs_ and intercepts_")
    found = network.units[0], network.units[-1]
    wanted = estimator.n_features_in_, estimator.n_outputs_
    if found != wanted:
        raise ValueError(
            f"The weights have {found[0]} inputs and {found[1]} outputs, but n_features_in_ is "
            f"{wanted[0]} and n_outputs_ is {wanted[1]}."
        )
    if dtype is not None:
        with np.errstate(over="ignore"):
            network = network.astype(dtype)
        if not network.is_finite():
            raise ValueError(f"coefs_ or intercepts_ have values too large for {dtype}.")
    return network


def label_array(estimator: Any) -> NDArray[Any] | None:
    """A classifier's classes (n_classes,) in a dtype that ONNX has, object for str.

    None for a regressor.

    Raises
    ------
    ValueError
        If they are neither int, float, bool nor str, or an int is too large for int64.
    """
    if isinstance(estimator, MLPRegressor):
        return None
    classes = np.asarray(estimator.classes_)
    if classes.dtype.kind == "O":
        classes = np.asarray(classes.tolist())
    kind = classes.dtype.kind
    if classes.ndim != 1 or kind not in "biufU":
        raise ValueError(
            "classes_ must be one-dimensional, of int, float, bool or str, got "
            f"{estimator.classes_!r}."
        )
    if kind == "u" and len(classes) and classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"classes_ must fit into int64, got {estimator.classes_!r}.")
    if kind == "f":
        return classes if classes.dtype in (np.float32, np.float64) else classes.astype(np.float64)
    return classes.astype({"b": bool, "i": np.int64, "u": np.int64, "U": object}[kind])


def output_types(
    estimator: Any, classes: NDArray[Any] | None, dtype: Any
) -> dict[str, tuple[Any, ...]]:
    """The dtype and the shape of each output that `add_predictions` makes."""
    n_outputs = estimator.n_outputs_
    if classes is None:
        return {"variable": (dtype, "n_samples", n_outputs)}
    label: tuple[Any, ...] = (classes.dtype, "n_samples")
    if _is_multilabel(estimator):
        label = (np.int64, "n_samples", n_outputs)
    return {"label": label, "probabilities": (dtype, "n_samples", max(n_outputs, 2))}


def add_predictions(
    graph: Graph,
    X: Tensor,
    estimator: Any,
    network: Network,
    classes: NDArray[Any] | None,
    *,
    probabilities: bool = True,
    raw_scores: bool = False,
) -> dict[str, Tensor]:
    """Add what a fitted estimator predicts for X (n_samples, n_features) to a graph.

    Parameters
    ----------
    graph : Graph
        The graph, of the network's dtype.
    X : Tensor
        The samples, of the same dtype.
    estimator : MLPClassifier or MLPRegressor
        The estimator.
    network : Network
        Its weights, from `fitted_network`.
    classes : ndarray of shape (n_classes,) or None
        What a classifier predicts for each class, from `label_array`; None for a regressor.
    probabilities : bool, default=True
        Whether to add a classifier's probabilities.
    raw_scores : bool, default=False
        Whether these are what ``decision_function`` returns, for two classes with its negative in
        front of it.

    Returns
    -------
    predictions : dict of Tensor
        Of a classifier "label" (n_samples,), or (n_samples, n_outputs) if it is multilabel, and
        "probabilities" (n_samples, n_classes); of a regressor "variable" (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If an activation is not known, or there is not one for each layer, or the classes do not
        match the outputs.
    """
    Z = _add_network(graph, X, estimator, network)
    outputs = _named(estimator.out_activation_, OUTPUT_ACTIVATIONS, "out_activation_")(Z)
    if classes is None:
        return {"variable": outputs}
    is_binary, is_multilabel = network.units[-1] == 1, _is_multilabel(estimator)
    if len(classes) not in ((1, 2) if is_binary else network.units[-1:]):
        raise ValueError(
            f"classes_ has {len(classes)} classes, but n_outputs_ is {network.units[-1]}."
        )
    if is_binary:
        numbers = graph.node("Cast", graph.node("Greater", outputs, 0.5), to=TensorProto.INT64)
        flat = graph.constant(np.array([-1]), "shape")
        # With a single class, that is the answer whatever the output.
        label = _class_of(graph, np.resize(classes, 2), graph.node("Reshape", numbers, flat))
    elif is_multilabel:
        label = graph.node("Cast", graph.node("Greater", outputs, 0.5), to=TensorProto.INT64)
    else:
        label = _class_of(graph, classes, graph.node("ArgMax", outputs, axis=1, keepdims=0))
    if not probabilities:
        return {"label": label}
    if raw_scores and is_binary:
        outputs = graph.side_by_side([-Z, Z])
    elif raw_scores and len(classes) == 2 and not is_multilabel:
        differences = np.array([[1, -1], [-1, 1]], dtype=graph.dtype)
        outputs = graph.node("MatMul", Z, graph.constant(differences, "differences"))
    elif raw_scores:
        outputs = Z
    elif is_binary:
        outputs = graph.side_by_side([1 - outputs, outputs])
    return {"label": label, "probabilities": outputs}


def _is_multilabel(classifier: MLPClassifier) -> bool:
    return classifier._fitted_targets().is_multilabel


def _add_network(graph: Graph, X: Tensor, estimator: Any, network: Network) -> Tensor:
    """The output layer's pre-activations (n_samples, n_outputs), layer after layer."""
    n_hidden = len(network.coefs) - 1
    names = per_layer(estimator.activation, n_hidden, "activation", "hidden layers")
    # Of the inputs of each layer.
    activations = ["identity", *names]
    layers = zip(activations, network.coefs, network.intercepts, strict=True)
    Z = X
    for i, (activation, coefs, intercepts) in enumerate(layers):
        W, b = graph.constant(coefs, f"coefs_{i}"), graph.constant(intercepts, f"intercepts_{i}")
        A = _named(activation, ACTIVATIONS, "activation")(Z)
        Z = graph.node("Gemm", A, W, b)
    return Z


def _named(name: Any, functions: dict[str, Any], parameter: str) -> Any:
    """The function of this name; ValueError if there is none."""
    if not isinstance(name, str) or name not in functions:
        raise ValueError(f"{parameter} must be one of {list(functions)}, got {name!r}.")
    return functions[name]


def _class_of(graph: Graph, classes: NDArray[Any], numbers: Tensor) -> Tensor:
    """The classes (n_samples,) of these numbers."""
    return graph.node("Gather", graph.constant(classes, "classes"), numbers)
