"""Validation data passed to fit: their records, and early stopping on them."""

import warnings

import numpy as np
import pandas
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.metrics import (
    log_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from comparing import assert_state, fitted_attributes, parameters, state
from cymlp import MLPClassifier, MLPRegressor
from cymlp._training import validation
from problems import (
    N_EPOCHS,
    N_VAL,
    N,
    after_each_epoch,
    classifier,
    mean_confidence,
    parts,
    regressor,
    targets_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PROBLEMS = pytest.mark.parametrize(
    "kind",
    ("binary", "multiclass", "strings", "multilabel", "numbers", "several outputs", "counts"),
)


def loss_of(estimator, X, y, weights=None):
    """The loss without penalty, by scikit-learn's metrics."""
    if isinstance(estimator, MLPRegressor):
        if estimator.loss == "poisson":
            return mean_poisson_deviance(y, estimator.predict(X), sample_weight=weights) / 2
        return mean_squared_error(y, estimator.predict(X), sample_weight=weights) / 2
    probabilities = estimator.predict_proba(X)
    if y.ndim == 2:
        return sum(
            log_loss(y[:, i], probabilities[:, i], sample_weight=weights) for i in range(y.shape[1])
        )
    return log_loss(y, probabilities, sample_weight=weights, labels=estimator.classes_)


class TestRecords:
    """val_loss and val_score of each epoch are those of the model after that epoch."""

    @PROBLEMS
    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_loss_and_score(self, problem, early_stopping):
        estimator, X, y, X_val, y_val = problem
        weights = np.linspace(0, 2, N_VAL) ** 2
        estimator.set_params(early_stopping=early_stopping)
        estimator.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
        models = list(after_each_epoch(estimator, X, y))
        losses = [loss_of(model, X_val, y_val, weights) for model in models]
        scores = [model.score(X_val, y_val, weights) for model in models]
        assert_allclose(estimator.history_["val_loss"], losses)
        assert_allclose(estimator.history_["val_score"], scores)
        if early_stopping:
            assert_allclose(estimator.validation_scores_, scores)
            assert estimator.best_validation_score_ == max(estimator.validation_scores_)
        else:
            assert estimator.validation_scores_ is None
            assert estimator.best_validation_score_ is None

    @pytest.mark.parametrize("kind", ["strings", "multilabel", "numbers"])
    def test_validation_weights_are_used(self, problem):
        """Weight 0 equals a missing row, weight 2 a repeated one."""
        estimator, X, y, X_val, y_val = problem
        weights = np.arange(N_VAL) % 3
        rows = np.repeat(np.arange(N_VAL), weights)
        estimator.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
        weighted = estimator.history_
        repeated = estimator.fit(X, y, X_val=X_val[rows], y_val=y_val[rows]).history_
        plain = estimator.fit(X, y, X_val=X_val, y_val=y_val).history_
        for name in ("val_loss", "val_score"):
            assert_allclose(weighted[name], repeated[name])
        assert np.abs(weighted["val_loss"] - plain["val_loss"]).min() > 1e-6

    @pytest.mark.parametrize("kind", ["multiclass", "several outputs"])
    def test_training_is_unaffected(self, problem):
        """The weights are identical with and without validation data."""
        estimator, X, y, X_val, y_val = problem
        without = parameters(estimator.fit(X, y))
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        assert_array_equal(parameters(estimator), without)

    @pytest.mark.parametrize("kind", ["binary", "several outputs"])
    def test_lbfgs(self, problem):
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(solver="lbfgs").fit(X, y, X_val=X_val, y_val=y_val)
        models = list(after_each_epoch(estimator, X, y))
        losses = [loss_of(model, X_val, y_val) for model in models]
        scores = [model.score(X_val, y_val) for model in models]
        assert_allclose(estimator.history_["val_loss"], losses, rtol=1e-6)
        assert_allclose(estimator.history_["val_score"], scores, rtol=1e-6)

    def test_no_penalties_dropout_or_class_weights(self, classes):
        X, y, X_val, y_val = classes
        estimator = classifier(
            alpha=10.0, dropout=0.4, class_weight={label: label + 1.0 for label in range(10)}
        )
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        assert_allclose(estimator.history_["val_loss"][-1], loss_of(estimator, X_val, y_val))
        assert_allclose(estimator.history_["val_score"][-1], estimator.score(X_val, y_val))

    def test_record_every(self, classes):
        """Records within an epoch have validation scores too; early stopping counts epochs."""
        X, y, X_val, y_val = classes
        estimator = classifier(batch_size=50, record_every=4, early_stopping=True)
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        assert_array_equal(estimator.history_["n_updates"], [4, 8, 12, 16, 20, 24])
        assert np.isfinite(estimator.history_["val_score"]).all()
        assert len(estimator.validation_scores_) == N_EPOCHS
        # 12 and 24 updates are 2 and 4 epochs.
        assert_array_equal(
            estimator.history_["val_score"][2::3], estimator.validation_scores_[1::2]
        )

    @pytest.mark.parametrize("kind", ["multiclass"])
    def test_epochs_without_validation_data_have_nan(self, problem):
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(warm_start=True).fit(X, y, X_val=X_val, y_val=y_val).fit(X, y)
        scores = estimator.history_["val_score"]
        assert_array_equal(np.isnan(scores), [False] * N_EPOCHS + [True] * N_EPOCHS)


@pytest.mark.parametrize("slice_bytes", [10**6, 100])
def test_sparse_labels(digits, slice_bytes, monkeypatch):
    """Sparse label indicators give the same result as dense ones."""
    monkeypatch.setattr(validation, "SLICE_BYTES", slice_bytes)
    X, Y, X_val, Y_val = parts(digits[0], targets_of(*digits)["multilabel"][1])
    for params, data in (({}, {"X_val": X_val}), ({"early_stopping": True}, {})):
        dense, sparse = (
            classifier(**params).fit(X, to(Y), **data, **({"y_val": to(Y_val)} if data else {}))
            for to in (np.asarray, csr_matrix)
        )
        for name in ("val_loss", "val_score"):
            assert_array_equal(sparse.history_[name], dense.history_[name])


@pytest.mark.parametrize("kind", ["binary", "strings", "multilabel", "several outputs"])
def test_rows_are_evaluated_in_slices(problem, monkeypatch):
    """The result is that of all rows at once."""
    estimator, X, y, X_val, y_val = problem
    data = {"X_val": X_val, "y_val": y_val, "sample_weight_val": np.linspace(0, 2, N_VAL)}
    at_once = estimator.fit(X, y, **data).history_
    monkeypatch.setattr(validation, "SLICE_BYTES", 100)
    in_slices = estimator.fit(X, y, **data).history_
    for name in ("val_loss", "val_score"):
        assert_allclose(in_slices[name], at_once[name], rtol=1e-12)
    estimator.set_params(early_stopping=True, validation_fraction=0.3).fit(X, y)
    in_slices = estimator.history_
    monkeypatch.undo()
    assert_allclose(in_slices["val_loss"], estimator.fit(X, y).history_["val_loss"], rtol=1e-12)


class TestEarlyStopping:
    @pytest.mark.parametrize("kind", ["multiclass", "numbers"])
    def test_all_rows_train(self, problem):
        """With X_val nothing is held out: the weights are those of a fit to all rows."""
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(early_stopping=True, n_iter_no_change=np.inf, max_iter=8)
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        n_best = 1 + int(np.argmax(estimator.validation_scores_))
        plain = type(estimator)(
            **estimator.get_params() | {"early_stopping": False, "max_iter": n_best}
        ).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(plain))
        assert estimator.t_ == N * 8

    @pytest.mark.parametrize("kind", ["strings", "multilabel", "numbers"])
    def test_best_weights_are_kept(self, problem):
        """The learning rate is so high that the best epoch is not the last."""
        estimator, X, y, X_val, y_val = problem
        rate = 0.3 if isinstance(estimator, MLPClassifier) else 0.1
        estimator.set_params(early_stopping=True, learning_rate_init=rate, max_iter=20)
        estimator.set_params(n_iter_no_change=5)
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        scores = estimator.validation_scores_
        assert max(scores) > scores[-1]
        assert_allclose(estimator.score(X_val, y_val), max(scores))

    @pytest.mark.parametrize("kind", ["multiclass", "numbers"])
    def test_best_iteration(self, problem):
        """It is counted from 1, in the last fit."""
        estimator, X, y, X_val, y_val = problem
        estimator.set_params(early_stopping=True, learning_rate_init=0.1, max_iter=20)
        estimator.set_params(warm_start=True, n_iter_no_change=5)
        assert not hasattr(estimator, "best_iteration_")
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        assert estimator.best_iteration_ == 1 + int(np.argmax(estimator.validation_scores_))
        n_before, best = len(estimator.validation_scores_), estimator.best_validation_score_
        estimator.fit(X, y, X_val=X_val, y_val=y_val)
        later = estimator.validation_scores_[n_before:]
        assert estimator.best_iteration_ == (
            1 + int(np.argmax(later)) if max(later) > best else None
        )

    def test_losses_that_r2_does_not_measure_are_watched(self):
        """R^2 falls while the estimate of the 5 % quantile improves."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((2_000, 5))
        y = X[:, 0] + 1.5 * rng.standard_normal(2_000)
        estimator = regressor(
            loss="quantile", quantile=0.05, early_stopping=True, max_iter=200, hidden_layer_sizes=20
        ).fit(X, y)
        below = np.mean(y < estimator.predict(X))
        assert 0.03 < below < 0.07
        by_name = regressor(**estimator.get_params() | {"scoring": "loss"}).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(by_name))
        assert estimator.validation_scores_ == by_name.validation_scores_
        assert_array_equal(estimator.history_["val_loss"], -np.array(estimator.validation_scores_))

    @pytest.mark.parametrize("loss", ["absolute_error", "huber"])
    def test_outliers(self, loss):
        """A few outliers make R^2 useless for the rest."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((1_500, 5))
        y = X @ rng.standard_normal(5)
        clean = y.copy()
        outliers = rng.random(len(y)) < 0.05
        y[outliers] += rng.standard_normal(outliers.sum()) * 300
        estimator = regressor(
            loss=loss, early_stopping=True, max_iter=300, hidden_layer_sizes=30
        ).fit(X, y)
        assert np.abs(estimator.predict(X) - clean).mean() < 0.15

    @pytest.mark.parametrize("loss", ["squared_error", "poisson"])
    def test_scikit_learns_losses_are_watched_by_score(self, loss):
        X = np.random.default_rng(0).standard_normal((200, 5))
        estimator = regressor(loss=loss, early_stopping=True).fit(X, np.exp(X[:, 0]))
        assert_array_equal(estimator.history_["val_score"], estimator.validation_scores_)


class TestForms:
    """Validation data may have all forms of training data."""

    @pytest.mark.parametrize(
        "early_stopping, scoring",
        [(False, None), (True, "loss"), (True, "neg_log_loss"), (False, mean_confidence)],
        ids=["score", "loss", "scorer", "function"],
    )
    def test_data_frames_give_no_warning(self, classes, early_stopping, scoring):
        X, y, X_val, y_val = classes
        names = [f"pixel {i}" for i in range(64)]
        frame, frame_val = (pandas.DataFrame(data, columns=names) for data in (X, X_val))
        params = {"early_stopping": early_stopping, "scoring": scoring}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
            estimator = classifier(**params).fit(
                frame, pandas.Series(y), X_val=frame_val, y_val=pandas.Series(y_val)
            )
        assert list(estimator.feature_names_in_) == names
        plain = classifier(**params).fit(X, y, X_val=X_val, y_val=y_val)
        assert_array_equal(estimator.history_["val_score"], plain.history_["val_score"])

    def test_feature_names_in_another_order(self, classes):
        X, y, X_val, y_val = classes
        names = [f"pixel {i}" for i in range(64)]
        frame = pandas.DataFrame(X, columns=names)
        frame_val = pandas.DataFrame(X_val, columns=names[::-1])
        with pytest.raises(ValueError, match="feature names"):
            classifier().fit(frame, y, X_val=frame_val, y_val=y_val)

    @pytest.mark.parametrize(
        "container, scoring, sparse_X",
        [(csr_matrix, None, True), (csc_matrix, "neg_log_loss", False)],
        ids=["csr", "csc"],
    )
    def test_sparse(self, classes, container, scoring, sparse_X):
        X, y, X_val, y_val = classes
        estimator = classifier(scoring=scoring, early_stopping=True)
        dense = estimator.fit(X, y, X_val=X_val, y_val=y_val).history_
        sparse = estimator.fit(
            container(X) if sparse_X else X, y, X_val=container(X_val), y_val=y_val
        ).history_
        for name in ("val_loss", "val_score"):
            assert_allclose(sparse[name], dense[name])

    @pytest.mark.parametrize(
        "dtype, dtype_val", [(np.float32, np.float64), (np.float64, np.float32),
                             (np.float32, np.float16)],
    )  # fmt: skip
    def test_dtypes(self, classes, dtype, dtype_val):
        """The network's dtype is that of X."""
        X, y, X_val, y_val = classes
        estimator = classifier(early_stopping=True, scoring="neg_log_loss")
        expected = estimator.fit(X, y, X_val=X_val, y_val=y_val).history_
        estimator.fit(X.astype(dtype), y, X_val=X_val.astype(dtype_val), y_val=y_val)
        assert estimator.coefs_[0].dtype == dtype
        for name in ("val_loss", "val_score"):
            assert_allclose(estimator.history_[name], expected[name], rtol=2e-3)

    def test_lists_integers_fortran_order(self, classes):
        X, y, X_val, y_val = classes
        whole, whole_val = np.round(16 * X), np.round(16 * X_val)
        expected = classifier().fit(whole, y, X_val=whole_val, y_val=y_val).history_["val_loss"]
        for given in (
            whole_val.tolist(), whole_val.astype(int), np.asfortranarray(whole_val),
            np.repeat(whole_val, 2, axis=1)[:, ::2],
        ):  # fmt: skip
            estimator = classifier().fit(whole, y, X_val=given, y_val=y_val.tolist())
            assert_allclose(estimator.history_["val_loss"], expected)

    def test_validation_data_are_not_modified(self, classes):
        X, y, X_val, y_val = (np.array(array) for array in classes)
        weights = np.ones(N_VAL)
        copies = [array.copy() for array in (X_val, y_val, weights)]
        for array in (X_val, y_val, weights):
            array.flags.writeable = False
        classifier(early_stopping=True).fit(
            X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights
        )
        for array, copy in zip((X_val, y_val, weights), copies, strict=True):
            assert_array_equal(array, copy)

    def test_one_row_and_a_subset_of_the_classes(self, classes):
        X, y, X_val, y_val = classes
        estimator = classifier().fit(X, y, X_val=X_val[:1], y_val=y_val[:1])
        expected = loss_of(estimator, X_val[:1], y_val[:1])
        assert_allclose(estimator.history_["val_loss"][-1], expected)


def with_value(array, value):
    array = array.copy()
    array[3] = value
    return array


# Bad X_val, y_val and sample_weight_val, and the error messages.
BAD = {
    "no y_val": (lambda X, y: {"X_val": X}, "X_val and y_val must be given together"),
    "no X_val": (lambda X, y: {"y_val": y}, "X_val and y_val must be given together"),
    "weights only": (
        lambda X, y: {"sample_weight_val": np.ones(len(y))},
        "X_val and y_val must be given together",
    ),
    "other features": (lambda X, y: {"X_val": X[:, :9], "y_val": y}, "X has 9 features"),
    "other lengths": (lambda X, y: {"X_val": X, "y_val": y[1:]}, "inconsistent numbers of samples"),
    "no rows": (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, "0 sample"),
    "NaN in X_val": (lambda X, y: {"X_val": with_value(X, np.nan), "y_val": y}, "NaN"),
    "1d X_val": (lambda X, y: {"X_val": X[:, 0], "y_val": y}, "Expected 2D array"),
    "too few weights": (
        lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.ones(3)},
        "sample_weight",
    ),
    "negative weights": (
        lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.full(len(y), -1.0)},
        "Negative values",
    ),
    "weights all 0": (
        lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.zeros(len(y))},
        "at least one non-zero",
    ),
}
BAD_OF_CLASSES = {
    "unknown class": (
        lambda X, y: {"X_val": X, "y_val": with_value(y, 11)},
        r"classes \[11\] that are not in classes_",
    ),
    "unknown strings": (
        lambda X, y: {"X_val": X, "y_val": np.full(len(y), "seven")},
        "seven",
    ),
    "numbers as strings": (
        lambda X, y: {"X_val": X, "y_val": y.astype(str)},
        "not in classes_|Mix|mix|string",
    ),
    "several outputs": (lambda X, y: {"X_val": X, "y_val": np.c_[y > 3, y > 4]}, "shape"),
    "continuous": (lambda X, y: {"X_val": X, "y_val": y + 0.5}, "Unknown label type|not in"),
}
BAD_OF_NUMBERS = {
    "several outputs": (lambda X, y: {"X_val": X, "y_val": np.c_[y, y]}, "2 outputs"),
    "strings": (lambda X, y: {"X_val": X, "y_val": np.full(len(y), "seven")}, "string"),
    "NaN in y_val": (lambda X, y: {"X_val": X, "y_val": with_value(y, np.nan)}, "NaN"),
}
BAD_CASES = [
    pytest.param(make, *case, id=f"{make.__name__}-{name}")
    for make, cases in ((classifier, BAD | BAD_OF_CLASSES), (regressor, BAD_OF_NUMBERS))
    for name, case in cases.items()
]


class TestErrors:
    @pytest.mark.parametrize("make, given, message", BAD_CASES)
    def test_bad_validation_data(self, digits, make, given, message):
        """ValueError before training; the estimator stays as it was."""
        X, y, X_val, y_val = parts(*digits)
        if make is regressor:
            y, y_val = y.astype(float), y_val.astype(float)
        for early_stopping in (False, True):
            estimator = make(early_stopping=early_stopping)
            with pytest.raises(ValueError, match=message):
                estimator.fit(X, y, **given(X_val, y_val))
            assert not fitted_attributes(estimator)
        fitted = make(max_iter=1).fit(X[:, :30], y)
        before = state(fitted)
        with pytest.raises(ValueError):
            fitted.fit(X, y, **given(X_val, y_val))
        assert_state(fitted, before)

    def test_multilabel_of_other_labels(self, digits):
        X, y, X_val, y_val = parts(digits[0], np.c_[digits[1] > 2, digits[1] > 5].astype(int))
        for wrong in (np.c_[y_val, y_val], y_val[:, 0]):
            with pytest.raises(ValueError, match="shape"):
                classifier().fit(X, y, X_val=X_val, y_val=wrong)

    def test_negative_counts(self, numbers):
        X, _, X_val, _ = numbers
        estimator = regressor(loss="poisson")
        with pytest.raises(ValueError, match="requires y >= 0"):
            estimator.fit(X, np.ones(N), X_val=X_val, y_val=np.full(N_VAL, -1.0))

    def test_validation_data_are_keyword_only(self, classes):
        """Positional validation data would be too easy to confuse."""
        X, y, X_val, y_val = classes
        with pytest.raises(TypeError, match="positional argument"):
            classifier().fit(X, y, None, X_val, y_val)


@pytest.mark.parametrize("kind", ["multiclass", "numbers"])
def test_callbacks_see_the_training_data(problem):
    """scikit-learn's callbacks get the same data with and without validation data."""
    callback = pytest.importorskip(
        "sklearn.callback", reason="scikit-learn has no callbacks before 1.9"
    )
    estimator, X, y, X_val, y_val = problem
    estimator.set_params(early_stopping=True, scoring=lambda fitted, X, y: fitted.score(X, y))
    plain = type(estimator)(**estimator.get_params()).fit(X, y, X_val=X_val, y_val=y_val)
    name = "accuracy" if isinstance(estimator, MLPClassifier) else "r2"
    monitor = callback.ScoringMonitor(scoring=name)
    estimator.set_callbacks(monitor).fit(X, y, X_val=X_val, y_val=y_val)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    rows = [row for row in rows if name in row]
    assert len(rows) == estimator.n_iter_ == len(estimator.history_["val_score"])
    assert_allclose(rows[-1][name], estimator.score(X, y))
    for quantity in ("loss", "val_loss", "val_score"):
        assert_array_equal(estimator.history_[quantity], plain.history_[quantity])
