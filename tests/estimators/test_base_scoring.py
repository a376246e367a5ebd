"""``scoring``: what early stopping watches and history_ records."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    get_scorer,
    make_scorer,
)
from sklearn.model_selection import train_test_split

from problems import N_EPOCHS, N_VAL, N, after_each_epoch, classifier, mean_confidence

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def negative_median_error(estimator, X, y):
    return -np.median(np.abs(estimator.predict(X) - y))


CLASSIFIERS_SCORERS = {
    "accuracy": (None, get_scorer("accuracy")),
    "loss": ("loss", get_scorer("neg_log_loss")),
    "f1_macro": ("f1_macro", get_scorer("f1_macro")),
    "make_scorer": (make_scorer(balanced_accuracy_score),) * 2,
    "function": (mean_confidence,) * 2,
}
REGRESSORS_SCORERS = {
    "R^2": (None, get_scorer("r2")),
    "loss": ("loss", lambda *args: get_scorer("neg_mean_squared_error")(*args) / 2),
    "neg_mean_absolute_error": (
        "neg_mean_absolute_error",
        get_scorer("neg_mean_absolute_error"),
    ),
    "function": (negative_median_error,) * 2,
}
SCORERS = [
    pytest.param(kind, *scorers, id=f"{kind}-{name}")
    for kind, cases in (("multiclass", CLASSIFIERS_SCORERS), ("numbers", REGRESSORS_SCORERS))
    for name, scorers in cases.items()
]


class TestScoring:
    @pytest.mark.parametrize("kind, scoring, scorer", SCORERS)
    def test_scores_match_the_scorer(self, problem, scoring, scorer):
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(early_stopping=True, scoring=scoring)
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        expected = [scorer(model, X_val, y_val) for model in after_each_epoch(estimator, X, y)]
        assert_allclose(estimator.validation_scores_, expected)
        if scoring != "loss":
            assert_array_equal(estimator.history_["val_score"], estimator.validation_scores_)

    @pytest.mark.parametrize("kind", ["multiclass", "numbers"])
    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_loss_is_watched_and_the_score_is_recorded(self, problem, solver):
        """With scoring="loss" the history has both, like Keras's."""
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(solver=solver, scoring="loss", early_stopping=solver == "adam")
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        history = estimator.history_
        if solver == "adam":
            assert_array_equal(estimator.validation_scores_, -history["val_loss"])
        best = np.argmin(history["val_loss"]) if solver == "adam" else -1
        assert_allclose(history["val_score"][best], estimator.score(X_val, y_val))

    @pytest.mark.parametrize("kind", ["multiclass"])
    @pytest.mark.parametrize(
        "scoring", ["f1_macro", make_scorer(balanced_accuracy_score)], ids=["name", "scorer"]
    )
    def test_weights_go_to_the_scorer(self, problem, scoring):
        estimator, X, y, X_val, y_val = problem
        weights = np.linspace(0, 1, N_VAL)
        estimator.set_params(scoring=scoring)
        estimator.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
        scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
        expected = scorer(estimator, X_val, y_val, sample_weight=weights)
        assert_allclose(estimator.history_["val_score"][-1], expected)

    def test_training_weights_are_not_passed_to_the_scorer(self, classes):
        """For validation data without weights, a function need not accept sample_weight."""
        X, y, X_val, y_val = classes
        estimator = classifier(scoring=mean_confidence)
        estimator.fit(X, y, np.ones(N), X_val=X_val, y_val=y_val)
        expected = mean_confidence(estimator, X_val, y_val)
        assert_allclose(estimator.history_["val_score"][-1], expected)

    @pytest.mark.parametrize("kind", ["strings", "binary", "multilabel"])
    def test_the_scorer_gets_the_labels_of_y(self, problem):
        estimator, X, y, X_val, y_val = problem
        seen = []

        def scoring(fitted, X, y):
            seen.append((X, y))
            return accuracy_score(y, fitted.predict(X))

        estimator.set_params(scoring=scoring).fit(X, y, X_val=X_val, y_val=y_val)
        assert len(seen) == N_EPOCHS
        for X_seen, y_seen in seen:
            assert_array_equal(X_seen, X_val)
            assert_array_equal(y_seen, y_val)
        assert_allclose(estimator.history_["val_score"][-1], estimator.score(X_val, y_val))

    def test_the_scorer_may_keep_the_estimator_to_predict(self, classes):
        """The estimator has the parameters, the classes and the weights of that epoch."""
        X, y, X_val, y_val = classes
        firsts = []

        def scoring(fitted, X, y):
            firsts.append(fitted.coefs_[0][30, 0])
            assert fitted.get_params()["hidden_layer_sizes"] == 12
            return fitted.score(X, y)

        estimator = classifier(scoring=scoring).fit(X, y, X_val=X_val, y_val=y_val)
        assert len(set(firsts)) == N_EPOCHS
        assert firsts[-1] == estimator.coefs_[0][30, 0]

    def test_a_scorer_that_raises(self, classes):
        """Because a class is missing in y_val; the estimator stays as it was."""
        X, y, X_val, y_val = classes
        estimator = classifier(early_stopping=True).fit(X, y)
        before, n_records = estimator.predict_proba(X), len(estimator.history_["loss"])
        estimator.set_params(scoring="neg_log_loss")
        with pytest.raises(ValueError, match="different number of classes"):
            estimator.fit(X, y, X_val=X_val[y_val < 9], y_val=y_val[y_val < 9])
        assert_array_equal(estimator.predict_proba(X), before)
        assert len(estimator.history_["loss"]) == n_records

    @pytest.mark.parametrize("name", ["loss", "f1_macro", None])
    def test_scoring_of_held_out_rows(self, digits, name):
        """The scorer gets the rows that were split off."""
        X, y = digits[0][:N], digits[1][:N] % 3
        estimator = classifier(early_stopping=True, scoring=name).fit(X, y)
        random_state = np.random.RandomState(0)  # the initial weights are drawn before the split
        for fan_in, fan_out in ((64, 12), (12, 3)):
            random_state.uniform(size=(fan_in + 1) * fan_out)
        _, rows = train_test_split(np.arange(N), test_size=0.1, random_state=random_state)
        scorer = get_scorer({"loss": "neg_log_loss", None: "accuracy"}.get(name, name))
        expected = scorer(estimator, X[rows], y[rows])
        assert_allclose(estimator.best_validation_score_, expected)
