"""to_onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cymlp._network.arrays import FLOATS
from cymlp._version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

    from cymlp._estimators.classifier import MLPClassifier
    from cymlp._estimators.regressor import MLPRegressor

# Those of ONNX 1.8, which has all the operators: old runtimes can read the models.
_OPSET, _IR_VERSION = 13, 7
_OUTPUTS = ("label", "probabilities", "variable")


def to_onnx(
    estimator: MLPClassifier | MLPRegressor,
    *,
    probabilities: bool = True,
    dtype: Any = None,
    by_column: bool | None = None,
) -> ModelProto:
    """Convert a fitted estimator to an ONNX model.

    The model computes what ``predict`` and ``predict_proba`` do. It uses the operators of opset 13
    only, in float32 or float64.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The fitted estimator. skl2onnx converts pipelines and searches that contain one, as soon as
        :mod:`cymlp.onnx` is imported.
    probabilities : bool, default=True
        Whether a classifier's model has the output "probabilities" beside "label".
    dtype : {"float32", "float64"} or dtype, default=None
        Of the inputs, the weights and the computation. None for that of ``coefs_``.
    by_column : bool, default=None
        Whether the model has an input of shape (n_samples, 1) for each feature, named after it, as
        skl2onnx makes it of a DataFrame. If False, it has one input "X" of shape (n_samples,
        n_features). None means True if the estimator has ``feature_names_in_``.

    Returns
    -------
    model : onnx.ModelProto
        The model. A classifier's outputs are "label" of shape (n_samples,), or (n_samples,
        n_outputs) if it is multilabel, and "probabilities" of shape (n_samples, n_classes).
        Labels of int become int64; those of bool, str and float remain what they are. A regressor's
        output is "variable" of shape (n_samples, n_outputs), with one output too.

    Raises
    ------
    ImportError
        If onnx is not installed.
    TypeError
        If the estimator is not one of cymlp's.
    NotFittedError
        If it is not fitted.
    ValueError
        If dtype is not valid; by_column is True but the features have no names, or their names
        cannot be inputs; the weights, activations or classes have been changed to what does not
        match; a weight is too large for the dtype; or the classes are of a type that ONNX lacks.

    Notes
    -----
    Unlike ``predict``, the model does not check its input: NaN in a row gives NaN for the row.

    Examples
    --------
    >>> from cymlp import MLPClassifier
    >>> from cymlp.onnx import to_onnx
    >>> clf = MLPClassifier.from_weights(
    ...     [[[1.0, -1.0]], [[2.0], [0.0]]], [[0.0, 0.0], [-1.0]], classes=["no", "yes"]
    ... )
    >>> model = to_onnx(clf, dtype="float32")
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']

    ``model.SerializeToString()`` is what ``onnxruntime.InferenceSession`` takes, and what a file
    ``.onnx`` contains.
    """
    try:
        from onnx import helper
    except ImportError as error:
        raise ImportError('to_onnx needs onnx: pip install "cymlp[onnx]"') from error
    from cymlp.onnx._graph import Graph, Tensor, unique_names, value_info
    from cymlp.onnx._predictions import (
        add_predictions,
        check_estimator,
        fitted_network,
        label_array,
        output_types,
    )

    check_estimator(estimator)
    network = fitted_network(estimator, _checked_dtype(dtype))
    float_type, n_features = network.parameters.dtype, network.units[0]
    columns = _column_names(estimator, by_column)
    inputs = {"X": n_features} if columns is None else dict.fromkeys(columns, 1)
    graph = Graph(float_type, unique_names([*inputs, *_OUTPUTS]))
    X = graph.side_by_side([Tensor(graph, name) for name in inputs])
    classes = label_array(estimator)
    predictions = add_predictions(
        graph, X, estimator, network, classes, probabilities=probabilities
    )
    types = output_types(estimator, classes, float_type)
    for name, tensor in predictions.items():
        graph.node("Identity", tensor, output=name)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            type(estimator).__name__,
            [value_info(name, float_type, "n_samples", n) for name, n in inputs.items()],
            [value_info(name, *types[name]) for name in predictions],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="cymlp",
        producer_version=__version__,
    )


def _checked_dtype(dtype: Any) -> Any:
    """``dtype`` as one of NumPy's, or None; ValueError if it is neither float32 nor float64."""
    if dtype is None:
        return None
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked not in FLOATS:
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {dtype!r}.")
    return checked


def _column_names(estimator: Any, by_column: Any) -> list[str] | None:
    """The names of the inputs with one for each feature; None if there is a single input.

    Raises
    ------
    ValueError
        If there are to be names but there are none, or they are not valid.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if by_column is None:
        by_column = names is not None
    if not by_column:
        return None
    if names is None:
        raise ValueError("by_column=True needs an estimator with feature_names_in_.")
    columns = [str(name) for name in names]
    n_features = estimator.n_features_in_
    if len(set(columns)) != n_features or len(columns) != n_features:
        raise ValueError(
            f"feature_names_in_ must be {n_features} different names to be inputs, got {columns}. "
            "by_column=False makes one input of them."
        )
    reserved = [name for name in columns if name in ("", *_OUTPUTS)]
    if reserved:
        raise ValueError(
            f"A feature called {reserved[0]!r} cannot be an input: it is the name of an output. "
            "by_column=False makes one input of them."
        )
    return columns
