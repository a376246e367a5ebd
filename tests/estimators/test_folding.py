"""Scalers folded into the first layer, against pipelines of scaler and network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from comparing import assert_state, state
from cymlp import MLPClassifier, MLPRegressor, fold_scaler
from small import classifier, numbers, regressor, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.integers(0, 256, (60, 5)).astype(np.uint8)
X[:, 3] = 7  # a constant feature

SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler(),
    MinMaxScaler((-2, 5)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False, quantile_range=(10, 60)),
    RobustScaler(with_scaling=False),
]


@pytest.mark.parametrize("dtype, rtol", [("float32", 1e-4), ("float64", 1e-11)])
@pytest.mark.parametrize("hidden", [(), (7,)])
@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_outputs_are_those_for_scaled_X(scaler, hidden, dtype, rtol):
    scaled = scaler.fit(X).transform(X)
    for estimator, target in ((classifier(), y), (regressor(), numbers)):
        estimator.set_params(hidden_layer_sizes=hidden, dtype=dtype).fit(scaled, target)
        before = state(estimator)
        folded = fold_scaler(scaler, estimator)
        assert_state(estimator, before)
        predict = "predict_proba" if hasattr(estimator, "classes_") else "predict"
        expected, found = (
            getattr(one, predict)(data) for one, data in ((estimator, scaled), (folded, X))
        )
        assert_allclose(found, expected, rtol=rtol, atol=rtol)
        assert type(folded) is type(estimator)
        assert folded.coefs_[0].dtype == found.dtype == dtype
        assert folded.get_params() == estimator.get_params()
        assert_array_equal(folded.loss_curve_, estimator.loss_curve_)


def test_training_goes_on_with_a_new_optimizer():
    scaler = StandardScaler().fit(X)
    reg = regressor().fit(scaler.transform(X), numbers)
    folded = fold_scaler(scaler, reg)
    assert not hasattr(folded, "_optimizer")
    before = state(reg)
    folded.partial_fit(X, numbers)
    assert folded._optimizer.n_updates < reg._optimizer.n_updates
    assert_state(reg, before)


def test_feature_names_are_the_scalers():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    with_names, without = MinMaxScaler().fit(frame), MinMaxScaler().fit(X)
    of_arrays = regressor().fit(without.transform(X), numbers)
    folded = fold_scaler(with_names, of_arrays)
    assert_array_equal(folded.feature_names_in_, list("abcde"))
    assert_allclose(folded.predict(frame), of_arrays.predict(without.transform(X)))
    assert not hasattr(fold_scaler(without, folded), "feature_names_in_")


@pytest.mark.parametrize(
    "scaler, estimator, error, message",
    [
        (PowerTransformer().fit(X), None, TypeError, "StandardScaler, MinMaxScaler, MaxAbsScaler, "
         "RobustScaler, got PowerTransformer"),
        (type("Mine", (StandardScaler,), {})().fit(X), None, TypeError, "got Mine"),
        (StandardScaler, None, TypeError, "got <class"),
        (StandardScaler(), None, NotFittedError, "StandardScaler instance is not fitted"),
        (MinMaxScaler(clip=True).fit(X), None, ValueError, "clip=True.* clips"),
        (MinMaxScaler().fit(X), LogisticRegression(), TypeError, "got LogisticRegression"),
        (MinMaxScaler().fit(X), MLPClassifier(), NotFittedError, "MLPClassifier instance"),
        (MinMaxScaler().fit(X[:, :2]), None, ValueError, "to 2 features, the estimator to 5"),
        (MinMaxScaler().fit(1e-10 * X), None, ValueError, "infinite or NaN"),
        (StandardScaler().fit(np.where(X == 7, np.nan, X)), None, ValueError, "infinite or NaN"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_errors(scaler, estimator, error, message):
    if estimator is None:
        estimator = MLPRegressor.from_weights([np.full((5, 1), 1e305)], [[0.0]])
    with pytest.raises(error, match=message):
        fold_scaler(scaler, estimator)
