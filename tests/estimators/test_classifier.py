"""MLPClassifier: classes in successive calls, probabilities, class weights, from_weights."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.utils.class_weight import compute_class_weight

from comparing import assert_state, fitted_attributes, parameters, state
from cymlp import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.9])  # 0, 1, 2, very imbalanced
indicators = np.c_[y > 0, X[:, 2] > 0.5, X[:, 3] > -1].astype(int)


def classifier(**params):
    return MLPClassifier(
        **{"hidden_layer_sizes": 7, "max_iter": 5, "random_state": 0, "learning_rate_init": 0.01,
           "batch_size": 16} | params
    )  # fmt: skip


def random_layers(*units, seed=0):
    rng = np.random.default_rng(seed)
    coefs = [rng.standard_normal(pair) for pair in pairwise(units)]
    return coefs, [rng.standard_normal(n) for n in units[1:]]


def forward(X, coefs, intercepts):
    """Pre-activations of the output layer of a ReLU network, computed with NumPy."""
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        X = np.maximum(X @ W + b, 0)
    return X @ coefs[-1] + intercepts[-1]


class TestPredictions:
    @pytest.mark.parametrize(
        "target, shape", [(y, (60, 3)), (y > 0, (60,)), (indicators, (60, 3))],
        ids=["three classes", "two classes", "labels"],
    )  # fmt: skip
    def test_methods_agree(self, target, shape):
        clf = classifier().fit(X, target)
        decision, proba = clf.decision_function(X), clf.predict_proba(X)
        assert decision.shape == shape
        if clf.out_activation_ == "softmax":
            expected = softmax(decision, axis=1)
            labels = clf.classes_[decision.argmax(axis=1)]
        elif decision.ndim == 1:
            expected = np.c_[1 - expit(decision), expit(decision)]
            labels = clf.classes_[(decision > 0).astype(int)]
        else:
            expected, labels = expit(decision), decision > 0
        assert_allclose(proba, expected)
        assert_allclose(clf.predict_log_proba(X), np.log(proba))
        assert_array_equal(clf.predict(X), labels)
        assert clf.score(X, target) == (labels == target).reshape(60, -1).all(axis=1).mean()

    def test_log_of_probability_0(self):
        clf = MLPClassifier.from_weights([[[1e5]]], [[0.0]], classes=[0, 1])
        assert_array_equal(clf.predict_log_proba([[-1.0]]), [[0, -np.inf]])

    def test_one_class(self):
        for solver in ("adam", "sgd", "lbfgs"):
            clf = classifier(solver=solver).fit(X, ["a"] * 60)
            assert set(clf.predict(X)) == {"a"}
            assert clf.predict_proba(X).shape == (60, 2)

    def test_unfitted(self):
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted"):
                getattr(MLPClassifier(), method)(X)


class TestClasses:
    """Classes in partial_fit and with warm_start."""

    def test_first_partial_fit_needs_classes(self):
        with pytest.raises(ValueError, match="classes must be passed on the first call"):
            MLPClassifier().partial_fit(X, y)
        for wrong in (y + 1, y * 0.5):
            clf = MLPClassifier()
            with pytest.raises(ValueError, match=r"has classes not in|Unknown label type"):
                clf.partial_fit(X, wrong, classes=[0, 1, 2])
            assert not fitted_attributes(clf)

    def test_different_classes_later(self):
        clf = MLPClassifier().partial_fit(X, y, classes=[0, 1, 2])
        before = state(clf)
        with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
            clf.partial_fit(X, y, classes=[0, 1, 2, 3])
        with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
            clf.partial_fit(X, y + 1)
        assert_state(clf, before)
        clf.partial_fit(X, y, classes=[2, 1, 0]).partial_fit(X[y < 2], y[y < 2])
        assert_array_equal(clf.classes_, [0, 1, 2])

    def test_batches_with_a_subset_of_the_classes(self):
        """Same result as one call with all rows in the same order."""
        clf, whole = (classifier(shuffle=False, batch_size=20) for _ in range(2))
        order = np.argsort(y, kind="stable")
        for start in range(0, 60, 20):
            rows = order[start : start + 20]
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        whole.partial_fit(X[order], y[order], classes=[0, 1, 2])
        assert_array_equal(parameters(clf), parameters(whole))

    def test_labels_of_the_first_call(self):
        clf = classifier().partial_fit(X, indicators, classes=[0, 1, 2])
        assert clf.out_activation_ == "logistic"
        assert clf.predict(X).shape == (60, 3)

    def test_warm_start_needs_the_same_classes(self):
        clf = classifier(warm_start=True).fit(X, y)
        before = state(clf)
        for wrong in (y + 1, y % 2):
            with pytest.raises(ValueError, match="warm_start can only be used where `y` has the"):
                clf.fit(X, wrong)
        assert_state(clf, before)
        assert classifier().fit(X, y).fit(X, y + 1).classes_.tolist() == [1, 2, 3]


class TestClassWeight:
    """Class weights are equivalent to sample weights."""

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_balanced(self, solver):
        weights = np.random.default_rng(1).random(60)
        of_classes = compute_class_weight("balanced", classes=np.arange(3), y=y)
        clf = classifier(solver=solver, class_weight="balanced").fit(X, y, weights)
        expected = classifier(solver=solver).fit(X, y, of_classes[y] * weights)
        assert_allclose(parameters(clf), parameters(expected), rtol=1e-9)
        plain = classifier(solver=solver).fit(X, y, weights)
        assert np.abs(parameters(plain) - parameters(clf)).max() > 1e-4

    @pytest.mark.parametrize("target", [y, np.minimum(y, 1)], ids=["three", "two"])
    def test_weight_2_equals_a_repeated_row(self, target):
        full = {"solver": "lbfgs", "max_iter": 8}
        weight = {0: 3, 1: 1} if target.max() == 1 else {0: 3, 1: 1, 2: 2}
        clf = classifier(class_weight=weight, **full).fit(X, target)
        rows = np.repeat(np.arange(60), [weight[label] for label in target])
        repeated = classifier(**full).fit(X[rows], target[rows])
        assert_allclose(parameters(clf), parameters(repeated), rtol=1e-6, atol=1e-8)
        assert_allclose(clf.loss_, repeated.loss_, rtol=1e-9)

    def test_partial_fit_with_dict(self):
        """Even if a batch has a subset of the classes and the dict lacks some."""
        clf, expected = classifier(class_weight={0: 3.0, 2: 0.5}), classifier()
        for rows in (slice(None), y == 1, y < 2):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
            weights = np.array([3.0, 1.0, 0.5])[y[rows]]
            expected.partial_fit(X[rows], y[rows], weights, classes=[0, 1, 2])
            assert_array_equal(parameters(clf), parameters(expected))

    @pytest.mark.parametrize("fitted", [False, True])
    def test_partial_fit_with_balanced(self, fitted):
        """The error is SGDClassifier's."""
        clf = classifier(class_weight="balanced")
        if fitted:
            clf.fit(X, y)
        before, errors = state(clf), []
        for each in (clf, SGDClassifier(class_weight="balanced")):
            with pytest.raises(ValueError, match="'balanced' is not supported for") as e:
                each.partial_fit(X, y, classes=[0, 1, 2])
            errors.append(str(e.value))
        assert errors[0] == errors[1]
        assert_state(clf, before)

    def test_class_weights_that_make_training_impossible(self):
        for weight, message in (
            ({0: -1.0}, "class_weight must have finite weights"),
            ({0: 1e306, 1: 1e306, 2: 1e306}, "sample_weight times class_weight must have a"),
        ):
            clf = classifier(class_weight=weight)
            with pytest.raises(ValueError, match=message):
                clf.fit(X, y)
            assert not fitted_attributes(clf)

    def test_validation_ignores_class_weights(self):
        """Early stopping watches the loss and the accuracy without class weights."""
        clf = classifier(
            class_weight={0: 50.0}, early_stopping=True, max_iter=1, scoring="neg_log_loss",
            validation_fraction=0.5,
        )  # fmt: skip
        history = clf.fit(X, y, np.linspace(1, 2, 60)).history_
        assert_allclose(history["val_score"], -history["val_loss"])
        accuracy = clf.set_params(scoring=None).fit(X, y).validation_scores_
        assert set(np.round(np.array(accuracy) * 30, 9)) <= set(range(31))


@pytest.mark.parametrize(
    "y, expected",
    [
        ([0, 1, 2], 0.7 * np.eye(3) + 0.1),
        ([0, 1, 1], [[0.85, 0.15], [0.15, 0.85], [0.15, 0.85]]),
        (np.eye(3, dtype=int), 0.7 * np.eye(3) + 0.15),
    ],
    ids=["three classes", "two classes", "labels"],
)
def test_the_optimum_is_the_smoothed_label(y, expected):
    """(1 - s) y + s / k with k classes, where k = 2 for each label if multilabel (Keras)."""
    clf = MLPClassifier(
        (), solver="lbfgs", alpha=0.0, label_smoothing=0.3, tol=1e-9, random_state=0
    )
    clf.fit(np.eye(3), y)
    assert_allclose(clf.predict_proba(np.eye(3)), expected, atol=1e-4)


class TestFromWeights:
    @pytest.mark.parametrize(
        "classes",
        [[0, 1, 2], ["high", "low", "middle"], np.array(["a", "b", "c"], dtype=object)],
        ids=["numbers", "strings", "objects"],
    )
    def test_several_classes(self, classes):
        coefs, intercepts = random_layers(5, 4, 3)
        clf = MLPClassifier.from_weights(coefs, intercepts, classes=classes)
        Z = forward(X, coefs, intercepts)
        assert_allclose(clf.decision_function(X), Z)
        assert_allclose(clf.predict_proba(X), softmax(Z, axis=1))
        assert_array_equal(clf.predict(X), np.asarray(classes)[Z.argmax(axis=1)])
        assert_array_equal(clf.classes_, classes)
        assert clf.out_activation_ == "softmax"

    @pytest.mark.parametrize("classes", [[0, 1], [False, True], ["no", "yes"], [-1, 1]], ids=str)
    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_two_classes(self, classes, n_outputs):
        """One output is the log-odds of the second class; two are the inputs of the softmax.

        Scorers expect every binary classifier's decision function to have shape (n_samples,).
        """
        coefs, intercepts = random_layers(5, 4, n_outputs)
        clf = MLPClassifier.from_weights(coefs, intercepts, classes=classes)
        Z = forward(X, coefs, intercepts)
        odds = Z[:, 0] if n_outputs == 1 else Z[:, 1] - Z[:, 0]
        expected = expit(odds)
        assert_allclose(clf.decision_function(X), odds)
        assert_allclose(clf.predict_proba(X), np.c_[1 - expected, expected])
        assert_array_equal(clf.predict(X), np.asarray(classes)[(odds > 0).astype(int)])
        assert clf.n_outputs_ == n_outputs
        labels = np.asarray(classes)[(X[:, 0] > 0).astype(int)]
        area = roc_auc_score(labels, expected)
        assert_allclose(get_scorer("roc_auc")(clf, X, labels), area)

    @pytest.mark.parametrize("n_labels", [2, 4])
    def test_scikit_learns_multilabel_model(self, n_labels):
        """It gives the same predictions, and trains further in the same way."""
        Y = (X[:, :n_labels] + X[:, -1:] > 0).astype(int)
        params = {"solver": "sgd", "hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
        theirs = sklearn.neural_network.MLPClassifier(**params, momentum=0.0).fit(X, Y)
        ours = MLPClassifier.from_weights(
            theirs.coefs_, theirs.intercepts_, multilabel=True, classes=theirs.classes_.tolist(),
            **theirs.get_params(),
        )  # fmt: skip
        for _ in range(2):
            assert_array_equal(ours.predict(X), theirs.predict(X))
            assert ours.predict(X).dtype == theirs.predict(X).dtype
            assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
            assert ours.out_activation_ == theirs.out_activation_ == "logistic"
            assert_array_equal(ours.classes_, theirs.classes_)
            assert ours.decision_function(X).shape == Y.shape
            ours.partial_fit(X, Y), theirs.partial_fit(X, Y)
        for estimator in (ours, theirs):
            estimator.set_params(warm_start=True).fit(X, Y)
        assert_allclose(ours.coefs_[0], theirs.coefs_[0])
        assert_array_equal(pickle.loads(pickle.dumps(ours)).predict(X), ours.predict(X))

    def test_two_classes_with_two_outputs_can_be_trained(self):
        coefs, intercepts = random_layers(5, 4, 2)
        clf = MLPClassifier.from_weights(
            coefs, intercepts, classes=["no", "yes"], warm_start=True, max_iter=30,
            learning_rate_init=0.1, batch_size=16,
        )  # fmt: skip
        labels = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
        before = clf.loss_gradient(X, labels)[0]
        clf.fit(X, labels, X_val=X, y_val=labels)
        assert clf.coefs_[-1].shape == (4, 2)
        assert clf.history_["val_loss"][-1] < before - 0.1
        assert_allclose(clf.history_["val_score"][-1], clf.score(X, labels))
        twin = pickle.loads(pickle.dumps(clf))
        assert_array_equal(twin.predict_proba(X), clf.predict_proba(X))
        clf.set_params(warm_start=False).fit(X, labels)
        assert clf.coefs_[-1].shape[1] == 1

    @pytest.mark.parametrize("target", [y, y > 0], ids=["three", "two"])
    def test_partial_fit_continues_like_the_original(self, target):
        for method, params in (
            ("partial_fit", {"solver": "sgd", "momentum": 0.0}), ("fit", {"warm_start": True})
        ):  # fmt: skip
            clf = classifier(**params).fit(X, target)
            twin = MLPClassifier.from_weights(
                clf.coefs_, clf.intercepts_, classes=np.unique(target), **clf.get_params()
            )
            getattr(clf, method)(X, target), getattr(twin, method)(X, target)
            assert_array_equal(parameters(twin), parameters(clf))
            twin.partial_fit(X, target, classes=np.unique(target))

    def test_a_clone_is_not_fitted(self):
        clf = MLPClassifier.from_weights(*random_layers(5, 4, 3), classes=[0, 1, 2])
        assert clone(clf).get_params() == clf.get_params()
        assert not fitted_attributes(clone(clf))

    @pytest.mark.parametrize(
        "classes, n_outputs",
        [(["b", "a"], 2), ([1, 0], 1), ([0, 0], 2), ([0, 1, 1], 3), ([0], 1), ([], 1),
         ([[0, 1]], 2), (3, 3), ([0, np.nan], 2), ([0, 1, 2], 2), ([0, 1, 2], 1), ([0, 1], 3)],
        ids=str,
    )  # fmt: skip
    def test_bad_classes(self, classes, n_outputs):
        with pytest.raises(ValueError, match=r"classes"):
            MLPClassifier.from_weights(*random_layers(5, 4, n_outputs), classes=classes)

    @pytest.mark.parametrize(
        "classes, n_outputs",
        [([0, 1], 1), ([1, 2, 3], 3), (["a", "b", "c"], 3), ([0, 1], 3), ([0], 1)],
        ids=str,
    )
    def test_bad_classes_of_a_multilabel_model(self, classes, n_outputs):
        """Labels are the numbers of y's columns; an indicator matrix has at least two."""
        with pytest.raises(ValueError, match=r"classes"):
            MLPClassifier.from_weights(
                *random_layers(5, 4, n_outputs), classes=classes, multilabel=True
            )

    def test_classes_are_required(self):
        with pytest.raises(TypeError, match="classes"):
            MLPClassifier.from_weights(*random_layers(5, 4, 3))
        with pytest.raises(ValueError):
            MLPClassifier.from_weights([], [], classes=[0, 1])
