"""Conversion of fitted estimators from and to scikit-learn's MLP.

scikit-learn's private names are used in this module only.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import __version__ as sklearn_version
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.utils.validation import check_is_fitted

from cymlp._estimators.fitted_state import HISTORY
from cymlp._estimators.parameters import check_parameters
from cymlp._network.layer_sizes import hidden_units
from cymlp._network.network import Network
from cymlp._training.optimizers import OPTIMIZERS, Optimizer

# Parameters that change neither training nor predictions, or whose effect the weights have.
_HARMLESS = ("dtype", "n_jobs", "record_every", "record_train_score")
# Parameters that may be lists, with a value for each layer.
_PER_LAYER = ("activation", "alpha", "dropout", "l1_ratio")
# Whether scikit-learn knows a value, for the parameters that can have others.
_THEIR_VALUES: dict[str, Callable[[Any], bool]] = {
    "activation": lambda value: value in ("identity", "logistic", "tanh", "relu"),
    "alpha": lambda value: not isinstance(value, list),
    "learning_rate": lambda value: isinstance(value, str),
    "loss": lambda value: value in ("squared_error", "poisson"),
}
# Fitted attributes with the same name and meaning; "lbfgs" sets only some of them.
_FITTED = (
    "n_features_in_",
    "feature_names_in_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_iter_",
    *HISTORY,
)
# The names that its optimizers have for their settings and state.
_THEIR_SETTINGS = {
    "adam": {name: name for name in ("learning_rate_init", "beta_1", "beta_2", "epsilon")},
    "sgd": {
        "learning_rate_init": "learning_rate_init",
        "learning_rate": "lr_schedule",
        "momentum": "momentum",
        "nesterovs_momentum": "nesterov",
        "power_t": "power_t",
    },
}
_THEIR_STATES = {"adam": ("ms", "vs"), "sgd": ("velocities",)}


class ConversionMixin:
    """``from_sklearn`` and ``to_sklearn``."""

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """A fitted estimator from scikit-learn's fitted model of the same name.

        It has the model's parameters, weights, classes, feature names, curves and counts, and the
        state of its optimizer, all of them copied. So its predictions are the model's, and
        partial_fit, or fit with warm_start=True, goes on with the numbers that scikit-learn's
        would give.

        Parameters
        ----------
        model : sklearn.neural_network.MLPClassifier or MLPRegressor
            The fitted model, which may be of a subclass: a classifier for MLPClassifier, a
            regressor for MLPRegressor.

        Returns
        -------
        estimator : MLPClassifier or MLPRegressor
            The fitted estimator. Its ``history_`` has the loss of each epoch, and with
            early_stopping the validation score, "val_score"; for "lbfgs" it is empty.

        Raises
        ------
        TypeError
            If the model is of another class.
        NotFittedError
            If the model has not been fitted.
        ValueError
            If a parameter or the weights are not valid.
        RuntimeError
            If the installed version of scikit-learn keeps no state that cymlp can read.

        See Also
        --------
        from_weights : Make a fitted estimator from arrays.
        to_sklearn : The opposite.

        Notes
        -----
        scikit-learn's SGD does not count its updates, so "n_updates" of later records begins at 0,
        as does a schedule of the learning rate that you set.

        Examples
        --------
        >>> import cymlp, sklearn.neural_network
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.0]
        >>> theirs = sklearn.neural_network.MLPRegressor(solver="lbfgs", random_state=0).fit(X, y)
        >>> ours = cymlp.MLPRegressor.from_sklearn(theirs)
        >>> bool(abs(ours.predict(X) - theirs.predict(X)).max() < 1e-9)
        True
        """
        estimator: Self = _from_scikit_learn(cls, model)
        return estimator

    def to_sklearn(self) -> Any:
        """scikit-learn's fitted model of the same name, with the same numbers.

        It has this estimator's parameters, weights, classes, feature names, curves and counts, and
        the state of its optimizer, all of them copied. So its partial_fit, or fit with
        warm_start=True, goes on with the numbers that this estimator would give.

        Parameters that scikit-learn has not must have their default values, except ``n_jobs``,
        ``dtype``, ``record_every`` and ``record_train_score``, which are left out, as ``history_``
        is. A list with the same value for each layer counts as that value.

        Returns
        -------
        model : sklearn.neural_network.MLPClassifier or MLPRegressor
            The fitted model.

        Raises
        ------
        NotFittedError
            If the estimator has no weights yet.
        ValueError
            If parameters are not valid or have no counterpart in the installed version of
            scikit-learn: the message names all of them. Also for a classifier with two outputs
            for two classes, from `from_weights`, as scikit-learn's has one.

        See Also
        --------
        from_sklearn : The opposite.

        Examples
        --------
        >>> from cymlp import MLPRegressor
        >>> ours = MLPRegressor.from_weights([[[2.0]], [[3.0]]], [[1.0], [0.5]])
        >>> ours.to_sklearn().predict([[1.0], [-1.0]])
        array([9.5, 0.5])
        """
        return _to_scikit_learn(self)


def original_class(name: str) -> Any:
    """scikit-learn's own class, even while `patch_sklearn` has put cymlp's in its place."""
    from sklearn import neural_network  # late, to keep import cymlp fast

    return _private(_private(neural_network, "_multilayer_perceptron"), name)


def _counterpart(cls: Any) -> Any:
    """scikit-learn's class for this class of cymlp's."""
    return original_class("MLPClassifier" if issubclass(cls, ClassifierMixin) else "MLPRegressor")


def _private(owner: Any, name: str) -> Any:
    """A private attribute of scikit-learn; RuntimeError if the installed version lacks it."""
    try:
        return getattr(owner, name)
    except AttributeError:
        where = getattr(owner, "__name__", type(owner).__name__)
        raise RuntimeError(
            f"scikit-learn {sklearn_version} has no {where}.{name}, which cymlp needs to exchange "
            "fitted models with it."
        ) from None


# From scikit-learn.


def _from_scikit_learn(cls: Any, model: Any) -> Any:
    original = _counterpart(cls)
    if not isinstance(model, original):
        is_class = isinstance(model, type)
        got = model if is_class else type(model)
        raise TypeError(
            f"model must be a fitted sklearn.neural_network.{original.__name__}, got "
            f"{'the class' if is_class else 'an instance of'} {got.__module__}.{got.__qualname__}."
        )
    check_is_fitted(model, "coefs_")
    names = inspect.signature(original).parameters
    estimator = cls(**{name: copy.deepcopy(getattr(model, name)) for name in names})
    if is_classifier(estimator):
        binarizer = _private(model, "_label_binarizer")
        estimator.classes_ = model.classes_.copy()
        estimator._y_type, estimator._y_is_sparse = binarizer.y_type_, binarizer.sparse_input_
    estimator._set_weights(model.coefs_, model.intercepts_, sizes_are_given=True)
    if hasattr(model, "feature_names_in_"):
        estimator.feature_names_in_ = model.feature_names_in_.copy()
    estimator.t_, estimator.n_iter_ = int(model.t_), int(model.n_iter_)
    if hasattr(model, "loss_"):  # not after Ctrl-C in the first epoch
        estimator.loss_ = float(model.loss_)
    # Otherwise a last fit by "lbfgs" leaves attributes of an earlier one.
    if model.solver != "lbfgs" and hasattr(model, "loss_curve_"):
        _copy_training(estimator, model)
    return estimator


def _copy_training(estimator: Any, model: Any) -> None:
    """Copy what "sgd" and "adam" report, and continue from."""
    estimator.loss_curve_ = [*map(float, model.loss_curve_)]
    scores = model.validation_scores_
    estimator.validation_scores_ = None if scores is None else [*map(float, scores)]
    for name in ("best_loss_", "best_validation_score_"):
        best = getattr(model, name)
        setattr(estimator, name, None if best is None else float(best))
    estimator.best_iteration_ = _best_iteration(estimator)
    estimator._no_improvement_count = int(_private(model, "_no_improvement_count"))
    estimator._records = [{"loss": loss} for loss in estimator.loss_curve_]
    if scores and len(scores) == len(estimator._records):
        for record, score in zip(estimator._records, estimator.validation_scores_, strict=True):
            record["val_score"] = score
    # Without one, scikit-learn's partial_fit makes a new one too.
    optimizer = _our_optimizer(estimator, getattr(model, "_optimizer", None))
    if optimizer is not None:
        estimator._optimizer = optimizer


def _best_iteration(estimator: Any) -> int | None:
    """The epoch of the last fit, from 1, with the best score; None if no epoch of it was better."""
    scores, best_score = estimator.validation_scores_, estimator.best_validation_score_
    if not (estimator.early_stopping and scores and best_score in scores):
        return None
    best = scores.index(best_score) - (len(scores) - estimator.n_iter_)
    return None if best < 0 else best + 1


def _our_optimizer(estimator: Any, theirs: Any) -> Optimizer | None:
    """The optimizer with the settings and state of theirs; None if that fits other weights."""
    if theirs is None:
        return None
    parameters = estimator._network.parameters
    solver = "adam" if isinstance(theirs, original_class("AdamOptimizer")) else "sgd"
    states = [_private(theirs, name) for name in _THEIR_STATES[solver]]
    settings = {ours: _private(theirs, name) for ours, name in _THEIR_SETTINGS[solver].items()}
    rows = [np.concatenate([array.ravel() for array in arrays]) for arrays in states]
    if rows[0].size != parameters.size:
        return None
    config = estimator._training_config(estimator._fitted_targets(), len(estimator.coefs_))
    optimizer = OPTIMIZERS[solver](replace(config, **settings), parameters)
    # Plain SGD has no state here, but velocities there.
    for state, row in zip(optimizer.state, rows, strict=False):
        state[...] = row
    if solver == "adam":
        optimizer.n_updates = _private(theirs, "t")
    else:
        optimizer.learning_rate = float(_private(theirs, "learning_rate"))
    return optimizer


# To scikit-learn.


def _to_scikit_learn(estimator: Any) -> Any:
    check_is_fitted(estimator, ("coefs_", "n_outputs_", "n_features_in_"))
    check_parameters(estimator)
    original = _counterpart(type(estimator))
    model = original(**_their_parameters(estimator, original))
    network = estimator._current_network()
    targets = estimator._fitted_targets()
    if is_classifier(estimator):
        if targets.is_multiclass and estimator.n_outputs_ == 2:
            raise ValueError(
                "The network has two outputs for two classes; scikit-learn's MLPClassifier has one."
            )
        model._label_binarizer = copy.deepcopy(targets.binarizer())
        model.classes_ = estimator.classes_.copy()
    model.coefs_, model.intercepts_ = _arrays(network, network.parameters)
    model._best_coefs, model._best_intercepts = model.coefs_, model.intercepts_
    for name in _FITTED:
        if hasattr(estimator, name):
            setattr(model, name, copy.copy(getattr(estimator, name)))
    optimizer = vars(estimator).get("_optimizer")
    if model.solver != "lbfgs" and optimizer is not None and optimizer.matches(network.parameters):
        model._optimizer = _their_optimizer(optimizer, network)
    return model


def _their_parameters(estimator: Any, original: Any) -> dict[str, Any]:
    """The parameters for scikit-learn's class.

    Raises
    ------
    ValueError
        If some have no counterpart.
    """
    names = inspect.signature(original).parameters
    parameters, others = {}, []
    for field in fields(estimator):
        name, value = field.name, getattr(estimator, field.name)
        if name == "hidden_layer_sizes":
            value = tuple(hidden_units(value)) if isinstance(value, str) else value
        elif name in _PER_LAYER:
            value = _for_all_layers(value, field.default)
        if name in names and (name not in _THEIR_VALUES or _THEIR_VALUES[name](value)):
            parameters[name] = copy.deepcopy(value)
        elif name not in _HARMLESS and value != field.default:
            others.append(f"{name}={getattr(estimator, name)!r}")
    if others:
        raise ValueError(
            f"The installed scikit-learn's {original.__name__} has no counterpart of "
            f"{', '.join(others)}."
        )
    return parameters


def _for_all_layers(values: Any, default: Any) -> Any:
    """The one value of all layers, ``default`` if there are none; a list if values differ."""
    if isinstance(values, str) or np.ndim(values) == 0:
        return values
    values = list(values)
    if not values:
        return default
    return values[0] if values.count(values[0]) == len(values) else values


def _their_optimizer(ours: Optimizer, network: Network) -> Any:
    """scikit-learn's optimizer with the settings and state of ours."""
    parts = [_arrays(network, row) for row in ours.state]
    states = [coefs + intercepts for coefs, intercepts in parts]
    weights = [*network.coefs, *network.intercepts]
    values = ours.to_dict()
    settings = values["settings"]
    if values["solver"] == "adam":
        theirs = original_class("AdamOptimizer")(weights, ours.learning_rate, **settings)
        theirs.t = ours.n_updates
        theirs.ms, theirs.vs = states
        return theirs
    theirs = original_class("SGDOptimizer")(
        weights,
        values["learning_rate_init"],
        values["schedule"] or "constant",
        settings["momentum"],
        values["rule_name"] == "nesterov",
        values["power_t"],
    )
    theirs.learning_rate = ours.learning_rate
    if states:
        theirs.velocities = states[0]
    return theirs


def _arrays(
    network: Network, parameters: NDArray[Any]
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Copies of the vector's parts, in the shapes of the network's weights and intercepts."""
    parts = Network(network.units, parameters)
    return [W.copy() for W in parts.coefs], [b.copy() for b in parts.intercepts]
