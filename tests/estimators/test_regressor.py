"""MLPRegressor: its losses, and from_weights."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import HuberRegressor

from comparing import fitted_attributes, parameters
from cymlp import MLPRegressor
from cymlp.schedules import CosineDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
numbers = np.sin(2 * X[:, 0]) + X[:, 1]
several = np.c_[numbers, X[:, 2] * X[:, 3]]


def regressor(**params):
    return MLPRegressor(
        **{"hidden_layer_sizes": 7, "max_iter": 5, "random_state": 0, "learning_rate_init": 0.01,
           "batch_size": 16} | params
    )  # fmt: skip


class TestLosses:
    @pytest.mark.parametrize("quantile", [0.1, 0.9])
    def test_a_quantile_is_above_the_right_fraction_of_targets(self, quantile):
        """Overall, and also in the regions with little and with much noise."""
        rng = np.random.default_rng(1)
        x = rng.uniform(-1, 1, 7000)
        target = np.sin(3 * x) + (0.2 + 0.2 * (x + 1)) * rng.gamma(2.0, 1.0, 7000)
        x = x[:, None]
        reg = MLPRegressor(
            "quantile", (20,), quantile=quantile, learning_rate=CosineDecay(), max_iter=60,
            learning_rate_init=0.02, random_state=0, batch_size=100, tol=0.0, activation="tanh",
        ).fit(x[:3000], target[:3000])  # fmt: skip
        below = target[3000:] < reg.predict(x[3000:])
        assert abs(below.mean() - quantile) < 0.03
        for part in (x[3000:, 0] < 0, x[3000:, 0] >= 0):
            assert abs(below[part].mean() - quantile) < 0.05

    def test_the_median_has_half_the_absolute_error(self):
        params = {"solver": "sgd", "alpha": 0.0}
        half = regressor(loss="absolute_error", learning_rate_init=0.005, **params)
        median = regressor(loss="quantile", quantile=0.5, **params)
        half.fit(X, numbers), median.fit(X, numbers)
        assert_allclose(parameters(half), parameters(median), rtol=1e-12)
        assert_allclose(np.array(half.loss_curve_) / 2, median.loss_curve_, rtol=1e-12)

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    @pytest.mark.parametrize("target", [numbers, several], ids=["one", "several"])
    def test_huber_with_huge_delta_is_the_squared_error(self, solver, target):
        huber = regressor(loss="huber", delta=1e8, solver=solver, max_iter=10).fit(X, target)
        squared = regressor(solver=solver, max_iter=10).fit(X, target)
        assert_allclose(huber.predict(X), squared.predict(X), rtol=1e-6, atol=1e-9)
        if target is numbers:
            assert_allclose(huber.loss_, squared.loss_, rtol=1e-6)

    def test_huber_with_small_delta_is_the_absolute_error(self):
        """Once divided by delta."""
        params = {"solver": "sgd", "alpha": 0.0}
        huber = regressor(loss="huber", delta=1e-7, learning_rate_init=0.01 / 1e-7, **params)
        absolute = regressor(loss="absolute_error", **params)
        huber.fit(X, numbers), absolute.fit(X, numbers)
        assert_allclose(huber.predict(X), absolute.predict(X), rtol=1e-5, atol=1e-6)
        assert_allclose(np.array(huber.loss_curve_) / 1e-7, absolute.loss_curve_, rtol=1e-5)

    def test_huber_is_robust_to_outliers(self):
        target = X @ [1.0, 2.0, 0.0, -1.0, 0.5]
        spoilt = target.copy()
        spoilt[:5] += 300
        params = {"hidden_layer_sizes": (), "solver": "lbfgs", "max_iter": 500, "alpha": 0.0}
        errors = {
            loss: np.abs(regressor(loss=loss, **params).fit(X, spoilt).predict(X) - target).max()
            for loss in ("huber", "squared_error")
        }
        theirs = np.abs(HuberRegressor(alpha=0).fit(X, spoilt).predict(X) - target).max()
        assert errors["huber"] < theirs + 1 < errors["squared_error"] / 3

    def test_quantile_is_required(self):
        for method in ("fit", "partial_fit"):
            reg = regressor(loss="quantile")
            with pytest.raises(ValueError, match="loss='quantile' requires quantile"):
                getattr(reg, method)(X, numbers)
            assert not fitted_attributes(reg)
        assert np.isfinite(regressor(loss="quantile", quantile=0.0).fit(X, numbers).loss_)

    def test_poisson(self):
        """Predictions are positive, and the loss is half the deviance."""
        counts = np.round(np.exp(numbers))
        reg = regressor(loss="poisson", alpha=0.0, max_iter=30).fit(X, counts)
        assert reg.out_activation_ == "exp"
        predicted = reg.predict(X)
        assert (predicted > 0).all()
        logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / predicted), 0)
        assert_allclose(reg.loss_gradient(X, counts)[0], (logs - counts + predicted).mean())
        for method in ("fit", "partial_fit"):
            with pytest.raises(ValueError, match=r"loss='poisson' requires y >= 0"):
                getattr(regressor(loss="poisson"), method)(X, numbers)

    def test_tags(self):
        assert regressor(loss="poisson").__sklearn_tags__().target_tags.positive_only
        assert not regressor().__sklearn_tags__().target_tags.positive_only
        assert regressor().__sklearn_tags__().target_tags.multi_output


def test_outputs_have_the_shape_of_the_targets():
    assert regressor().fit(X, numbers).predict(X).shape == (60,)
    assert regressor().fit(X, several).predict(X).shape == (60, 2)
    with pytest.raises(NotFittedError, match="This MLPRegressor instance is not fitted yet"):
        regressor().predict(X)


def test_one_sample():
    for solver in ("adam", "sgd", "lbfgs"):
        reg = MLPRegressor(solver=solver, max_iter=5).fit(X[:1], [3.0])
        assert np.isfinite(reg.predict(X)).all()


def random_layers(*units, seed=0):
    rng = np.random.default_rng(seed)
    coefs = [rng.standard_normal(pair) for pair in pairwise(units)]
    return coefs, [rng.standard_normal(n) for n in units[1:]]


class TestFromWeights:
    @pytest.mark.parametrize("loss", ["squared_error", "poisson"])
    @pytest.mark.parametrize("units", [(5, 1), (5, 6, 4, 2)], ids=str)
    def test_it_predicts(self, units, loss):
        coefs, intercepts = random_layers(*units)
        reg = MLPRegressor.from_weights(coefs, intercepts, activation="tanh", loss=loss)
        Z = X
        for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
            Z = np.tanh(Z @ W + b)
        Z = Z @ coefs[-1] + intercepts[-1]
        expected = np.exp(Z) if loss == "poisson" else Z
        assert_allclose(reg.predict(X), expected if units[-1] > 1 else expected.ravel())
        assert (reg.n_features_in_, reg.n_outputs_) == (5, units[-1])
        assert reg.n_layers_ == len(units)
        assert reg.out_activation_ == ("exp" if loss == "poisson" else "identity")
        assert reg.n_iter_ == reg.t_ == 0
        assert reg.history_ == {} and reg.loss_curve_ == []

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_weights_are_copied_in_their_dtype(self, dtype):
        coefs, intercepts = ([a.astype(dtype) for a in arrays] for arrays in random_layers(5, 4, 1))
        reg = MLPRegressor.from_weights(coefs, intercepts)
        before = reg.predict(X)
        for array in (*coefs, *intercepts):
            array[...] = 0
        assert_array_equal(reg.predict(X), before)
        assert reg.coefs_[0].dtype == dtype
        assert reg.predict(X.astype(dtype)).dtype == dtype

    def test_parameters_are_passed_on(self):
        coefs, intercepts = random_layers(5, 4, 3, 1)
        reg = MLPRegressor.from_weights(
            coefs, intercepts, activation=["tanh", "elu"], solver="sgd", alpha=[0.1, 0.2, 0.3]
        )
        assert reg.get_params()["solver"] == "sgd"
        assert reg.hidden_layer_sizes == (4, 3)
        assert reg.alpha == [0.1, 0.2, 0.3]
        for sizes in ("4-3", (4, 3), [4, 3], np.array([4, 3])):
            reg = MLPRegressor.from_weights(coefs, intercepts, hidden_layer_sizes=sizes)
            assert reg.hidden_layer_sizes is sizes
        with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(4, 4\) does not match"):
            MLPRegressor.from_weights(coefs, intercepts, hidden_layer_sizes=(4, 4))
        with pytest.raises(TypeError, match="beauty"):
            MLPRegressor.from_weights(coefs, intercepts, beauty=3)

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_warm_start_continues_like_the_original(self, solver):
        reg = regressor(solver=solver, warm_start=True).fit(X, several)
        twin = MLPRegressor.from_weights(reg.coefs_, reg.intercepts_, **reg.get_params())
        reg.fit(X, several), twin.fit(X, several)
        assert_array_equal(parameters(twin), parameters(reg))
        assert twin.n_iter_ == len(twin.history_["loss"]) == 5

    def test_partial_fit_continues(self):
        reg = regressor(solver="sgd", momentum=0.0).fit(X, several)
        twin = MLPRegressor.from_weights(reg.coefs_, reg.intercepts_, **reg.get_params())
        reg.partial_fit(X, several), twin.partial_fit(X, several)
        assert_array_equal(parameters(twin), parameters(reg))
        with pytest.raises(ValueError, match="features"):
            twin.partial_fit(X[:, :4], several)

    def test_feature_names_can_be_set(self):
        pd = pytest.importorskip("pandas")
        data = pd.DataFrame(X, columns=list("abcde"))
        fitted = regressor().fit(data, several)
        moved = MLPRegressor.from_weights(fitted.coefs_, fitted.intercepts_)
        with pytest.warns(UserWarning, match="was fitted without feature names"):
            moved.predict(data)
        moved.feature_names_in_ = fitted.feature_names_in_
        assert_array_equal(moved.predict(data), fitted.predict(data))
        with pytest.raises(ValueError, match="feature names"):
            moved.predict(data[list("edcba")])

    @pytest.mark.parametrize(
        "spoil, message",
        [
            (lambda W, b: ([np.full_like(W[0], np.nan), W[1]], b), "finite"),
            (lambda W, b: (W, [b[0], np.full_like(b[1], np.inf)]), "finite"),
            (lambda W, b: ([W[0].T, W[1]], b), "shapes of the layers do not agree"),
            (lambda W, b: (W, [b[0], 0.5]), "shapes of the layers do not agree"),
            (lambda W, b: (W, []), "shapes of the layers do not agree"),
            (lambda W, b: ([W[0].astype(str), np.full(W[1].shape, "a")], b), "real numbers"),
            (lambda W, b: ([W[0] + 1j, W[1]], b), "real numbers"),
        ],
        ids=["NaN", "inf", "transposed", "b a number", "no b", "strings", "complex"],
    )
    def test_bad_weights(self, spoil, message):
        with pytest.raises(ValueError, match=message):
            MLPRegressor.from_weights(*spoil(*random_layers(5, 4, 3)))
