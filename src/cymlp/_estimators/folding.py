"""Moving a scaler of the features into the first layer of a fitted network."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from cymlp._estimators.base import BaseMLP
from cymlp._network.network import Network

Estimator = TypeVar("Estimator", bound=BaseMLP)


def fold_scaler(scaler: Any, estimator: Estimator) -> Estimator:
    """A copy of a fitted estimator that scales the features itself.

    The copy's outputs for X are those of ``estimator`` for ``scaler.transform(X)``, up to
    rounding: the scaling becomes part of the first layer's weights and intercepts. So a model that
    was trained on scaled data predicts from raw data, such as the bytes of images, without a
    scaled copy of them.

    Parameters
    ----------
    scaler : StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler
        One of scikit-learn's scalers, fitted.
    estimator : MLPClassifier or MLPRegressor
        Fitted to data that the scaler has transformed. It is not changed.

    Returns
    -------
    folded : instance of the same class
        It has the estimator's parameters and history, new weights of the same dtype, and the
        scaler's feature names. It has no optimizer, as the state of one belongs to scaled features:
        partial_fit, and fit with warm_start=True, begin with a new one.

    Raises
    ------
    TypeError
        If the scaler or the estimator is of another class.
    NotFittedError
        If one of them has not been fitted.
    ValueError
        If they were fitted to different numbers of features, the scaler clips, or a new weight is
        not finite.

    Examples
    --------
    >>> from cymlp import MLPClassifier, fold_scaler
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(tol=1e-2, random_state=0)).fit(X, y)
    >>> folded = fold_scaler(model[0], model[-1])
    >>> bool(abs(folded.predict_proba(X) - model.predict_proba(X)).max() < 1e-9)
    True
    """
    factors, offsets = _affine(scaler)
    if not isinstance(estimator, BaseMLP):
        raise TypeError(
            f"estimator must be an MLPClassifier or an MLPRegressor, got {estimator!r}."
        )
    check_is_fitted(estimator)
    network = estimator._current_network()
    if len(factors) != network.units[0]:
        raise ValueError(
            f"The scaler was fitted to {len(factors)} features, the estimator to "
            f"{network.units[0]}."
        )
    new = network.copy()
    # In float64, so that there is one rounding.
    W = network.coefs[0].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        new.coefs[0][...] = factors[:, np.newaxis] * W
        new.intercepts[0][...] = network.intercepts[0] + offsets @ W
    if not new.is_finite():
        raise ValueError(
            "With this scaler folded into them, weights of the first layer are infinite or NaN."
        )
    return _with_network(estimator, new, getattr(scaler, "feature_names_in_", None))


def _affine(scaler: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors a, c (n_features,) with which the scaler transforms X to a X + c."""
    # Late, to keep import cymlp fast.
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    # Not instances of derived classes, which may transform in another way.
    kinds = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
    if type(scaler) not in kinds:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"scaler must be one of {names}, got {scaler!r}.")
    check_is_fitted(scaler)
    if getattr(scaler, "clip", False):
        raise ValueError(f"{scaler!r} clips, which a layer of weights cannot do.")
    if isinstance(scaler, MinMaxScaler):
        return scaler.scale_, scaler.min_
    center, scale = np.zeros(scaler.n_features_in_), np.ones(scaler.n_features_in_)
    if isinstance(scaler, StandardScaler):
        center = scaler.mean_ if scaler.with_mean else center
        scale = scaler.scale_ if scaler.with_std else scale
    elif isinstance(scaler, RobustScaler):
        center = scaler.center_ if scaler.with_centering else center
        scale = scaler.scale_ if scaler.with_scaling else scale
    else:
        scale = scaler.scale_
    return 1 / scale, -center / scale


def _with_network(estimator: Estimator, network: Network, feature_names: Any) -> Estimator:
    """A copy of the estimator with this network and these feature names, or none."""
    result = copy.deepcopy(estimator)
    result.__dict__.pop("_optimizer", None)
    result._set_network(network, estimator.out_activation_)
    if feature_names is None:
        result.__dict__.pop("feature_names_in_", None)
    else:
        result.feature_names_in_ = feature_names.copy()
    return result
