"""Warnings: how a fit ended, settings without effect, and schedules that were cut short."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from cymlp import MLPClassifier, MLPRegressor, schedules
from cymlp._estimators.warning import (
    _is_inside,
    warn,
    warn_about_outcome,
    warn_about_unused,
    warn_if_clipped,
    warn_if_cut_short,
)
from cymlp._training.report import Ending, Outcome

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 4))
y = X[:, 0] + 0.1 * rng.standard_normal(60)
labels = (y > 0).astype(int)


def caught(function, *args, **kwargs):
    """Category and text of the warnings of a call, all of which must point to this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    assert {warning.filename for warning in caught} <= {__file__}
    return [(warning.category, str(warning.message)) for warning in caught]


def messages_of(function, *args, **kwargs):
    """The UserWarnings of a call."""
    return [text for kind, text in caught(function, *args, **kwargs) if kind is UserWarning]


class TestPlace:
    """Warnings point to the line that called cymlp."""

    def test_every_warning_of_a_fit(self):
        clf = MLPClassifier((3,), batch_size=1000, max_iter=1, scoring="loss")
        assert len(caught(clf.fit, X, labels)) == 3  # the file is checked by ``caught``
        assert len(caught(clf.partial_fit, X, labels)) == 1
        clf.set_params(solver="lbfgs", scoring=None)
        assert len(caught(clf.fit, X, labels)) == 1

    def test_whole_stack_inside_cymlp(self, monkeypatch):
        monkeypatch.setattr("cymlp._estimators.warning._is_inside", lambda module: True)
        with pytest.warns(UserWarning, match="deep"):
            warn("deep")

    @pytest.mark.parametrize(
        "module, expected",
        [("cymlp", True), ("cymlp._training.data", True), ("cymlp_user", False),
         ("sklearn.callback", True), ("sklearn.pipeline", False), ("", False)],
    )  # fmt: skip
    def test_which_modules_are_skipped(self, module, expected):
        assert _is_inside(module) is expected


class TestOutcome:
    """The messages are scikit-learn's."""

    def warnings_for(self, ending, n_epochs=0, message="", max_iter=7):
        outcome = Outcome(ending, n_epochs, 0.0, message)
        return caught(warn_about_outcome, SimpleNamespace(max_iter=max_iter), outcome)

    @pytest.mark.parametrize("ending", [Ending.CONVERGED, Ending.REPORT])
    def test_no_warning_about_a_fit_that_converged(self, ending):
        assert self.warnings_for(ending) == []

    def test_interrupted(self):
        assert self.warnings_for(Ending.INTERRUPTED) == [
            (UserWarning, "Training interrupted by user.")
        ]

    def test_too_few_epochs(self):
        ((kind, text),) = self.warnings_for(Ending.EPOCHS)
        assert kind is ConvergenceWarning
        assert text == (
            "Stochastic Optimizer: Maximum iterations (7) reached and the optimization hasn't "
            "converged yet."
        )

    @pytest.mark.parametrize("n_epochs", [3, 7])
    def test_lbfgs_failed(self, n_epochs):
        ((kind, text),) = self.warnings_for(Ending.FAILED, n_epochs, "(status=1):\nwhy")
        assert kind is ConvergenceWarning
        assert text.startswith(f"lbfgs failed to converge after {n_epochs} iteration(s) (status=1)")
        assert ("Increase the number of iterations" in text) == (n_epochs == 7)
        assert "preprocessing.html" in text


def test_batches_larger_than_the_data():
    assert caught(warn_if_clipped, "auto", 3) == caught(warn_if_clipped, 3, 3) == []
    ((kind, text),) = caught(warn_if_clipped, 4, 3)
    assert kind is UserWarning and "clipped" in text


def stopped(schedule, n_iter=12, max_iter=200, count=11, patience=10, per_epoch=3):
    """An estimator whose fit stopped after ``n_iter`` epochs."""
    return SimpleNamespace(
        learning_rate=schedule, n_iter_=n_iter, max_iter=max_iter, _no_improvement_count=count,
        n_iter_no_change=patience, _optimizer=SimpleNamespace(n_updates=per_epoch * n_iter),
    )  # fmt: skip


def linear(step, total):
    return 1 - step / total


class TestScheduleCutShort:
    """A fit that stops long before max_iter has used little of its schedule."""

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
    def test_schedules_that_span_max_iter(self, schedule):
        assert len(messages_of(warn_if_cut_short, stopped(schedule))) == 1

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
    def test_schedules_that_lose_little(self, schedule):
        assert messages_of(warn_if_cut_short, stopped(schedule)) == []

    @pytest.mark.parametrize("max_iter, n", [(23, 0), (24, 0), (25, 1)])
    def test_only_in_the_first_half(self, max_iter, n):
        estimator = stopped(schedules.CosineDecay(), max_iter=max_iter)
        assert len(messages_of(warn_if_cut_short, estimator)) == n

    @pytest.mark.parametrize("changed", [{"count": 10}, {"n_iter": 0}, {"patience": np.inf}])
    def test_no_warning_if_the_fit_stopped_for_another_reason(self, changed):
        estimator = stopped(schedules.CosineDecay(), **changed)
        assert messages_of(warn_if_cut_short, estimator) == []

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_message_after_a_fit(self, early_stopping):
        """tol is so large that no epoch counts as progress."""
        clf = MLPClassifier(
            (3,), learning_rate=schedules.CosineDecay(), batch_size=20, max_iter=200, tol=10.0,
            early_stopping=early_stopping,
        )  # fmt: skip
        (message,) = messages_of(clf.fit, X, labels)
        share = clf.history_["learning_rate"][-1] / clf.learning_rate_init
        for text in (
            f"epoch {clf.n_iter_} of max_iter=200", f"{share:.1%} of learning_rate_init",
            "CosineDecay(", "n_iter_no_change=np.inf",
        ):  # fmt: skip
            assert text in message
        for _ in range(12):
            assert messages_of(clf.set_params(early_stopping=False).partial_fit, X, labels) == []

    def test_interrupted_after_a_fit_that_stopped_by_itself(self):
        class Interrupts(schedules.Schedule):
            def _factors(self, step, total):
                raise KeyboardInterrupt

        clf = MLPClassifier((3,), tol=10.0, warm_start=True).fit(X, labels)
        clf.set_params(learning_rate=Interrupts())
        assert messages_of(clf.fit, X, labels) == ["Training interrupted by user."]
        assert clf.n_iter_ == 0

    def test_the_model_is_fitted_if_warnings_are_errors(self):
        clf = MLPClassifier((3,), learning_rate=schedules.CosineDecay(), tol=10.0)
        with pytest.raises(UserWarning, match="CosineDecay"), warnings.catch_warnings():
            warnings.simplefilter("error")
            clf.fit(X, labels)
        assert pickle.loads(pickle.dumps(clf)).predict(X).shape == (60,)


class TestUnusedSettings:
    @pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
    def test_scoring_without_validation_data(self, Estimator):
        estimator = Estimator(hidden_layer_sizes=3, scoring="loss", max_iter=2)
        (message,) = messages_of(estimator.fit, X, labels)
        for text in (
            "scoring='loss' does nothing without validation data", "early_stopping=True", "X_val",
        ):  # fmt: skip
            assert text in message
        assert messages_of(estimator.fit, X, labels, X_val=X, y_val=labels) == []
        assert messages_of(estimator.partial_fit, X, labels) == []
        assert messages_of(estimator.set_params(early_stopping=True).fit, X, labels) == []
        estimator.set_params(solver="lbfgs")  # it holds no rows out
        assert messages_of(estimator.fit, X, labels) == [message]

    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
    def test_parameters_of_other_losses(self, loss):
        reg = MLPRegressor(loss, (3,), quantile=0.5, delta=2.0, max_iter=2)
        expected = [
            f"{setting} does nothing without loss={owner!r}."
            for setting, owner in (("quantile=0.5", "quantile"), ("delta=2.0", "huber"))
            if owner != loss
        ]
        assert messages_of(warn_about_unused, reg, validates=True) == expected
        for method in ("fit", "partial_fit"):
            assert messages_of(getattr(reg, method), X, y) == expected

    def test_no_warning_about_scikit_learns_parameters(self):
        assert messages_of(warn_about_unused, MLPRegressor(), validates=False) == []
        clf = MLPClassifier((3,), momentum=0.5, power_t=0.1, validation_fraction=0.2)
        assert messages_of(warn_about_unused, clf, validates=False) == []
