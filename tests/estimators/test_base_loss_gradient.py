"""loss_gradient: the loss that training minimises and its gradient, for every option."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from comparing import assert_state, parameters, state
from small import X, classifier, indicators, numbers, regressor, several, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Estimators with every option that affects the loss, and their targets.
SMOOTH = {
    "class weights": (classifier(class_weight={0: 2.0, 1: 0.5}), y),
    "balanced": (classifier(class_weight="balanced"), y == 1),
    "smoothed, L2": (classifier(label_smoothing=0.2, alpha=[0.5, 2.0]), y),
    "two smoothed": (classifier(label_smoothing=0.3), y > 0),
    "labels": (classifier(label_smoothing=0.1, class_weight=[{0: 1, 1: 3}] * 3), indicators),
    "one number": (regressor(alpha=[1.0, 0.1]), numbers),
    "huber": (regressor(loss="huber", delta=0.7), several),
    "poisson": (regressor(loss="poisson"), np.abs(np.round(3 * several))),
    "several numbers": (regressor(), several),
}
OF_UPDATES_ONLY = {
    "L1": (classifier(l1_ratio=[0.5, 1.0], alpha=0.5), y),
    "quantile": (regressor(loss="quantile", quantile=0.3), several),
    "absolute error": (regressor(loss="absolute_error", l1_ratio=1.0, alpha=2.0), numbers),
    "of training alone": (classifier(weight_decay=0.5, clip_norm=1e-3, dropout=0.5), y),
}


def cases(table):
    return [pytest.param(*case, id=name) for name, case in table.items()]


ALL = pytest.mark.parametrize("estimator, target", cases(SMOOTH | OF_UPDATES_ONLY))


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


@ALL
def test_against_central_differences(estimator, target):
    """For dense rows, and for sparse ones with weights."""
    for weights, form in ((None, np.asarray), (np.linspace(0, 1, 30), csr_array)):
        assert_directional_derivatives(estimator, target, weights, form)


def assert_directional_derivatives(estimator, target, weights, form):
    """In random directions of the parameters and of X, on other data than the fit's."""
    rng = np.random.default_rng(1)
    estimator = clone(estimator).set_params(activation="tanh").fit(X, target)
    data, truth, step = X[20:50].copy(), target[20:50], 1e-6
    loss, coefs, intercepts, X_grad = estimator.loss_gradient(form(data), truth, weights)
    for array, gradient in zip(
        [*estimator.coefs_, *estimator.intercepts_, data], [*coefs, *intercepts, X_grad],
        strict=True,
    ):  # fmt: skip
        assert gradient.shape == array.shape
        assert np.abs(gradient).max() > 1e-6
        direction = rng.standard_normal(array.shape)
        original, ends = array.copy(), []
        for sign in (1, -1):
            array[...] = original + sign * step * direction
            ends.append(estimator.loss_gradient(form(data), truth, weights)[0])
        array[...] = original
        slope = (ends[0] - ends[1]) / (2 * step)
        assert_allclose(np.vdot(gradient, direction), slope, rtol=1e-5, atol=1e-7)
    assert estimator.loss_gradient(form(data), truth, weights)[0] == loss


@ALL
def test_an_sgd_step_follows_the_gradient(estimator, target):
    """A step on all rows reports this loss, and its update is this gradient."""
    for dtype in (np.float32, np.float64):
        assert_step(estimator, target, dtype)


def assert_step(estimator, target, dtype):
    """The update of one mini-batch of all rows is the gradient."""
    data = X.astype(dtype)
    estimator = clone(estimator).set_params(
        solver="sgd", momentum=0.0, batch_size=60, learning_rate_init=0.1, warm_start=True,
        max_iter=1, dropout=0.0, weight_decay=0.0, clip_norm=None, l1_ratio=0.0,
    )  # fmt: skip
    estimator.fit(data, target)
    before = parameters(estimator)
    loss, coefs, intercepts, _ = estimator.loss_gradient(data, target)
    gradient = flat(coefs + intercepts)
    assert gradient.dtype == dtype
    estimator.fit(data, target)
    tolerance = {"rtol": 1e-9, "atol": 1e-12} if dtype == np.float64 else {"atol": 2e-6}
    assert_allclose(parameters(estimator), before - 0.1 * gradient, **tolerance)
    if target is not several or estimator.loss != "squared_error":
        assert_allclose(estimator.loss_, loss, rtol=1e-9 if dtype == np.float64 else 1e-5)


def test_squared_error_is_summed_over_outputs():
    reg = regressor(alpha=0.0).fit(X, several)
    squares = (reg.predict(X) - several) ** 2
    assert_allclose(reg.loss_gradient(X, several)[0], squares.sum(axis=1).mean() / 2)
    reg.set_params(solver="sgd", learning_rate_init=1e-300, batch_size=60, warm_start=True)
    assert_allclose(2 * reg.fit(X, several).loss_, reg.loss_gradient(X, several)[0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "alpha, l1_ratio", [(2.0, 0.0), (2.0, 1.0), ([1.0, 0.0, 3.0], [0.0, 1.0, 0.3])], ids=str
)
def test_penalties(l1_ratio, alpha, weighted):
    """alpha (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|^2) per layer, over the sum of the weights."""
    weights = np.linspace(0, 1, 60) if weighted else None
    reg = regressor(hidden_layer_sizes=(4, 3)).fit(X, numbers, weights)
    bare = reg.set_params(alpha=0.0).loss_gradient(X, numbers, weights)[0]
    reg.set_params(alpha=alpha, l1_ratio=l1_ratio)
    ratios, alphas = np.broadcast_to(l1_ratio, 3), np.broadcast_to(alpha, 3)
    penalty = sum(
        a * (ratio * np.abs(W).sum() + (1 - ratio) / 2 * (W**2).sum())
        for a, ratio, W in zip(alphas, ratios, reg.coefs_, strict=True)
    )
    expected = bare + penalty / (weights.sum() if weighted else 60)
    assert_allclose(reg.loss_gradient(X, numbers, weights)[0], expected)


@pytest.mark.parametrize("target", [y, y > 0, indicators], ids=["three", "two", "labels"])
def test_smoothed_labels(target):
    """(1 - s) y + s / k with k classes, where k = 2 for each label if multilabel (Keras)."""
    clf = classifier(label_smoothing=0.3, alpha=0.0).fit(X, target)
    P = clf.predict_proba(X)
    if target is y:
        T = 0.7 * np.eye(3)[y] + 0.1
        expected = -(T * np.log(P)).sum(axis=1).mean()
    else:
        P = P if target is indicators else P[:, 1:]
        T = 0.7 * target.reshape(60, -1) + 0.15
        expected = -(T * np.log(P) + (1 - T) * np.log(1 - P)).sum(axis=1).mean()
    assert_allclose(clf.loss_gradient(X, target)[0], expected)


# Except the squared error with several outputs, whose gradient is not that of loss_.
@pytest.mark.parametrize("estimator, target", cases(SMOOTH)[:-1])
def test_gradient_is_0_where_lbfgs_ends(estimator, target):
    estimator = clone(estimator).set_params(solver="lbfgs", activation="tanh", tol=1e-6)
    if np.ndim(estimator.alpha) == 0:
        estimator.set_params(alpha=1.0)
    largest = []
    for n in (1, 2000):
        estimator.set_params(max_iter=n).fit(X, target)
        loss, coefs, intercepts, _ = estimator.loss_gradient(X, target)
        assert_allclose(loss, estimator.loss_, rtol=1e-12)
        largest.append(np.abs(flat(coefs + intercepts)).max())
    # SciPy stops when the relative decrease of the loss is below 2e-9.
    assert largest[1] < 2e-3 * largest[0]


@pytest.mark.parametrize("name", ["class weights", "poisson"])
def test_nothing_is_changed(name):
    estimator, target = SMOOTH[name]
    estimator = clone(estimator).fit(X, target)
    before, data, truth = state(estimator), X.copy(), target.copy()
    first = estimator.loss_gradient(data, truth, np.ones(60))
    assert_state(estimator, before)
    assert_array_equal(data, X)
    assert_array_equal(truth, target)
    for array in (*first[1], *first[2], first[3]):  # the caller owns them
        array[...] = 7
    assert_state(estimator, before)
    twin = pickle.loads(pickle.dumps(estimator))
    estimator.partial_fit(X, target), twin.partial_fit(X, target)
    assert_array_equal(parameters(estimator), parameters(twin))


def test_dropout_is_ignored():
    clf = classifier(dropout=0.5).fit(X, y)
    expected = clf.loss_gradient(X, y)[0]
    assert clf.set_params(dropout=0.0).loss_gradient(X, y)[0] == expected


def test_strings_and_one_row():
    labels = np.array(["low", "middle", "high"])[y]
    clf = classifier().fit(X, labels)
    dense, sparse = (clf.loss_gradient(data, labels) for data in (X, csr_matrix(X)))
    assert_allclose(dense[0], sparse[0])
    assert_allclose(flat(dense[1]), flat(sparse[1]), rtol=1e-9, atol=1e-12)
    loss = clf.set_params(alpha=0.0).loss_gradient(X[:1], labels[:1])[0]
    place = list(clf.classes_).index(labels[0])
    assert_allclose(loss, -np.log(clf.predict_proba(X[:1])[0, place]))


def test_errors():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        classifier().loss_gradient(X, y)
    clf = classifier().fit(X, y)
    before = state(clf)
    for message, args in {
        "X has 4 features": (X[:, :4], y),
        r"classes \[3\] that are not in classes_": (X, y + 1),
        "inconsistent numbers of samples": (X, y[1:]),
        "NaN": (np.full_like(X, np.nan), y),
        "y of shape": (X, indicators),
        "sample_weight": (X, y, np.ones(3)),
        "non-zero": (X, y, np.zeros(60)),
        "largest value": (X, y, np.full(60, 1e-310)),
    }.items():
        with pytest.raises(ValueError, match=message):
            clf.loss_gradient(*args)
    assert_state(clf, before)
    with pytest.raises(ValueError, match="2 outputs"):
        regressor().fit(X, numbers).loss_gradient(X, several)
