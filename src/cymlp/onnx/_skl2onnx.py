"""Converters of cymlp's estimators for skl2onnx, which takes them from there for pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from cymlp._estimators.classifier import MLPClassifier
from cymlp._estimators.regressor import MLPRegressor
from cymlp.onnx._graph import Graph, Tensor
from cymlp.onnx._predictions import (
    add_predictions,
    check_estimator,
    fitted_network,
    label_array,
    output_types,
)

_TENSOR_TYPES = {
    np.dtype(np.float32): FloatTensorType,
    np.dtype(np.float64): DoubleTensorType,
    np.dtype(np.int64): Int64TensorType,
    np.dtype(object): StringTensorType,
}
# Those of skl2onnx's own classifiers.
_CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],  # which CalibratedClassifierCV asks for
}


def register() -> None:
    """Make skl2onnx use these converters."""
    for estimator, options in ((MLPClassifier, _CLASSIFIER_OPTIONS), (MLPRegressor, None)):
        update_registered_converter(
            estimator, f"Cymlp{estimator.__name__}", _set_output_types, _convert, options=options
        )


def _set_output_types(operator: Any) -> None:
    """Tell skl2onnx the types and shapes of the outputs."""
    estimator = operator.raw_operator
    check_estimator(estimator)
    types = output_types(estimator, _labels(operator), _float_type(operator))
    n_samples = operator.inputs[0].get_first_dimension()
    for variable, (dtype, _, *shape) in zip(operator.outputs, types.values(), strict=True):
        variable.set_type(_TENSOR_TYPES[np.dtype(dtype)]([n_samples, *shape]))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the estimator's nodes to skl2onnx's graph."""
    estimator, dtype = operator.raw_operator, _float_type(operator)
    graph = Graph(dtype, scope.get_unique_variable_name)
    to = helper.np_dtype_to_tensor_dtype(dtype)
    inputs = (Tensor(graph, variable.full_name) for variable in operator.inputs)
    X = graph.side_by_side([graph.node("Cast", tensor, to=to) for tensor in inputs])
    network = fitted_network(estimator, dtype)
    predictions = add_predictions(
        graph, X, estimator, network, _labels(operator), raw_scores=_option(operator, "raw_scores")
    )
    for variable, tensor in zip(operator.outputs, predictions.values(), strict=True):
        graph.node("Identity", tensor, output=variable.full_name)
    container.initializers.extend(graph.initializers)
    for node in graph.nodes:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=node.name, **attributes
        )


def _float_type(operator: Any) -> np.dtype[Any]:
    """The dtype of the computation: float64 if the inputs are, else float32, as in skl2onnx."""
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return np.dtype(np.float64 if is_double else np.float32)


def _option(operator: Any, name: str) -> bool:
    """The value of a classifier's option; False if it is not set, and for a regressor."""
    options = operator.scope_inst.get_options(operator.raw_operator, {name: False}, fail=False)
    return bool(options[name])


def _labels(operator: Any) -> NDArray[Any] | None:
    """What a classifier predicts for each class; None for a regressor.

    As in skl2onnx, bool and whole floats become int64, which its ZipMap needs.
    """
    estimator = operator.raw_operator
    classes = label_array(estimator)
    if classes is None:
        return None
    if _option(operator, "nocl"):
        return np.arange(len(classes))
    if classes.dtype == bool or (classes.dtype.kind == "f" and (classes == classes // 1).all()):
        return classes.astype(np.int64)
    return classes
