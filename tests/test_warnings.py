"""Warnings: of settings that do nothing, and of a fit that left most of its schedule out."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from cymlp import MLPClassifier, MLPRegressor, schedules

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 4))
y = X[:, 0] + 0.1 * rng.standard_normal(60)
labels = (y > 0).astype(int)


def messages_of(function, *args, **kwargs):
    """The UserWarnings of a call, which all point to this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)
        function(*args, **kwargs)
    assert {warning.filename for warning in caught} <= {__file__}
    assert {warning.category for warning in caught} <= {UserWarning}
    return [str(warning.message) for warning in caught]


def linear(step, total):
    return 1 - step / total


class TestScheduleCutShort:
    """A schedule spans max_iter; a fit that stops long before has had little of it."""

    def fit(self, schedule, **params):
        params = {"max_iter": 200, "tol": 10.0, "early_stopping": True, **params}
        self.clf = MLPClassifier((3,), learning_rate=schedule, batch_size=20, **params)
        return messages_of(self.clf.fit, X, labels)

    @pytest.mark.parametrize("early_stopping", [False, True])
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_what_it_says(self, solver, early_stopping):
        """tol is such that no epoch counts as progress."""
        (message,) = self.fit(schedules.CosineDecay(), solver=solver, early_stopping=early_stopping)
        n_iter = self.clf.n_iter_
        assert n_iter < 20
        share = self.clf.history_["learning_rate"][-1] / self.clf.learning_rate_init
        for text in (
            f"epoch {n_iter} of max_iter=200", f"{share:.1%} of learning_rate_init",
            "CosineDecay(", "n_iter_no_change=np.inf",
        ):  # fmt: skip
            assert text in message
        assert hasattr(self.clf, "coefs_")

    @pytest.mark.parametrize(
        "schedule",
        [
            schedules.CosineDecay(alpha=0.1, warmup_steps=0.1),
            schedules.LinearDecay(),
            schedules.LinearDecay(decay_steps=0.9),
            schedules.OneCycle(),
            schedules.ExponentialDecay(0.1),
            schedules.StepDecay(0.3),
            schedules.InverseTimeDecay(9.0),
        ],
        ids=repr,
    )
    def test_all_that_span_max_iter(self, schedule):
        assert len(self.fit(schedule)) == 1
        assert self.fit(schedule, n_iter_no_change=np.inf) == []

    @pytest.mark.parametrize(
        "schedule",
        [
            "constant",
            "adaptive",
            pytest.param(linear, id="a function, whose author knows how it ends"),
            schedules.ExponentialDecay(0.5, decay_steps=10),
            schedules.StepDecay(20),
            schedules.StepDecay(1.0),
            schedules.LinearDecay(decay_steps=20),
            schedules.LinearDecay(end_factor=0.6),
            schedules.InverseTimeDecay(0.5),
            schedules.CosineDecay(first_decay_steps=30),
            schedules.CosineDecay(alpha=0.5),
        ],
        ids=str,
    )
    def test_those_that_lose_little(self, schedule):
        assert self.fit(schedule, solver="sgd") == []

    @pytest.mark.parametrize("max_iter", [12, 20])
    def test_in_the_second_half(self, max_iter):
        """It stops after 11 or 12 epochs."""
        assert self.fit(schedules.CosineDecay(), max_iter=max_iter) == []
        assert 11 <= self.clf.n_iter_ <= 12

    def test_not_where_somebody_else_stops_the_fit(self):
        pytest.importorskip("sklearn.callback")
        clf = MLPClassifier((3,), learning_rate=schedules.CosineDecay())
        clf.set_callbacks(lambda _, epoch: epoch == 3)
        assert messages_of(clf.fit, X, labels) == []
        assert clf.n_iter_ == 3

    def test_interrupted_after_a_fit_that_stopped_by_itself(self):
        class Interrupts(schedules.Schedule):
            def _at(self, step, total):
                raise KeyboardInterrupt

        clf = MLPClassifier((3,), tol=10.0, warm_start=True).fit(X, labels)
        clf.set_params(learning_rate=Interrupts())
        assert messages_of(clf.fit, X, labels) == ["Training interrupted by user."]
        assert clf.n_iter_ == 0

    def test_not_in_partial_fit(self):
        clf = MLPClassifier((3,), learning_rate=schedules.CosineDecay(), tol=10.0)
        for _ in range(20):
            assert messages_of(clf.partial_fit, X, labels, classes=[0, 1]) == []

    def test_where_warnings_are_errors_the_model_is_fitted(self):
        clf = MLPClassifier((3,), learning_rate=schedules.CosineDecay(), tol=10.0)
        with pytest.raises(UserWarning, match="CosineDecay"), warnings.catch_warnings():
            warnings.simplefilter("error")
            clf.fit(X, labels)
        assert pickle.loads(pickle.dumps(clf)).predict(X).shape == (60,)


class TestSettingsThatDoNothing:
    SCORING = "scoring='loss' does nothing without validation data"

    @pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
    def test_scoring_without_validation_data(self, Estimator):
        estimator = Estimator(hidden_layer_sizes=3, scoring="loss", max_iter=2)
        (message,) = messages_of(estimator.fit, X, labels)
        assert message.startswith(self.SCORING)
        assert "early_stopping=True" in message
        assert "X_val" in message
        assert messages_of(estimator.fit, X, labels, X_val=X, y_val=labels) == []
        assert messages_of(estimator.partial_fit, X, labels) == []
        assert messages_of(estimator.set_params(early_stopping=True).fit, X, labels) == []

    def test_early_stopping_holds_nothing_out_for_lbfgs(self):
        clf = MLPClassifier((3,), scoring="loss", max_iter=2, solver="lbfgs", early_stopping=True)
        (message,) = messages_of(clf.fit, X, labels)
        assert message.startswith(self.SCORING)
        assert messages_of(clf.fit, X, labels, X_val=X, y_val=labels) == []

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
    def test_parameters_of_other_losses(self, loss, method):
        reg = MLPRegressor(loss, (3,), quantile=0.5, delta=2.0, max_iter=2)
        expected = [
            f"{setting} does nothing without loss={owner!r}."
            for setting, owner in (("quantile=0.5", "quantile"), ("delta=2.0", "huber"))
            if owner != loss
        ]
        assert messages_of(getattr(reg, method), X, y) == expected

    def test_defaults(self):
        assert messages_of(MLPRegressor(max_iter=2).fit, X, y) == []
        clf = MLPClassifier((3,), max_iter=2, momentum=0.5, power_t=0.1, validation_fraction=0.2)
        assert messages_of(clf.fit, X, labels) == []


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_batches_larger_than_the_data(method):
    estimator = MLPRegressor(batch_size=61, max_iter=1)
    (message,) = messages_of(getattr(estimator, method), X, y)
    assert "clipped" in message
