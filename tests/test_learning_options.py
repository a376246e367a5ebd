"""Options of learning: class weights, schedules, initial weights, losses, given weights."""

import copy
import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import HuberRegressor, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.class_weight import compute_class_weight

from cymlp import MLPClassifier, MLPRegressor
from cymlp.schedules import CosineDecay, ExponentialDecay, LinearDecay, OneCycle, StepDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.9])  # 0, 1, 2, in very different numbers
numbers = np.sin(2 * X[:, 0]) + X[:, 1]
several = np.c_[numbers, X[:, 2] * X[:, 3]]
indicators = np.c_[y > 0, X[:, 2] > 0.5, X[:, 3] > -1].astype(int)

PARAMS = {
    "hidden_layer_sizes": 7, "max_iter": 5, "random_state": 0, "learning_rate_init": 0.01,
    "batch_size": 16,
}  # fmt: skip


def classifier(**params):
    return MLPClassifier(**PARAMS | params)


def regressor(**params):
    return MLPRegressor(**PARAMS | params)


def parameters(estimator):
    return np.concatenate([array.ravel() for array in estimator.coefs_ + estimator.intercepts_])


def name_of(value):
    """Of a test's parameter, the same in every process."""
    if isinstance(value, np.ndarray):
        return "y"
    return getattr(value, "__name__", repr(value)[:70])


def state(estimator):
    """All that an estimator knows, for comparing."""
    return copy.deepcopy(vars(estimator))


def assert_state(estimator, before):
    """Nothing has changed."""
    now = vars(estimator)
    assert now.keys() == before.keys()
    if "coefs_" in before:
        for name in ("coefs_", "intercepts_"):
            for mine, yours in zip(now[name], before[name], strict=True):
                assert_array_equal(mine, yours)
        assert_array_equal(now["_network"].parameters, before["_network"].parameters)
    for name in now.keys() - {"coefs_", "intercepts_", "_network"}:
        if name not in ("_optimizer", "_label_binarizer"):
            assert_array_equal(now[name], before[name])


class TestClassWeight:
    """The same as weights of the samples."""

    FULL_BATCH = {"solver": "sgd", "batch_size": 1_000_000, "max_iter": 8}  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, **params):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the batch size is clipped
            return classifier(**self.FULL_BATCH | params).fit(X, y, sample_weight)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("two_classes", [False, True])
    def test_dict_is_as_good_as_repeated_rows(self, weighted, two_classes):
        labels = np.minimum(y, 1) if two_classes else y
        counts = np.array([3, 1, 2])[labels]
        weights = np.random.default_rng(1).integers(0, 3, 60) if weighted else None
        estimator = self.fit(X, labels, weights, class_weight={0: 3, 1: 1, 2: 2} if not two_classes
                             else {0: 3, 1: 1})  # fmt: skip
        rows = np.repeat(np.arange(len(X)), counts if weights is None else counts * weights)
        repeated = self.fit(X[rows], labels[rows])
        assert_allclose(parameters(estimator), parameters(repeated), rtol=1e-9, atol=1e-12)
        assert_allclose(estimator.loss_curve_, repeated.loss_curve_, rtol=1e-9)
        plain = self.fit(X, labels, weights)
        assert np.abs(parameters(plain) - parameters(estimator)).max() > 1e-4

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_balanced(self, solver, weighted):
        weights = np.random.default_rng(1).random(60) if weighted else None
        of_classes = compute_class_weight("balanced", classes=np.arange(3), y=y)
        assert of_classes.max() > 1.5 * of_classes.min()
        estimator = classifier(solver=solver, class_weight="balanced").fit(X, y, weights)
        factors = of_classes[y] if weights is None else of_classes[y] * weights
        expected = classifier(solver=solver).fit(X, y, factors)
        assert_allclose(parameters(estimator), parameters(expected), rtol=1e-9)
        by_class = dict(enumerate(of_classes))
        same = classifier(solver=solver, class_weight=by_class).fit(X, y, weights)
        assert_array_equal(parameters(same), parameters(estimator))

    def test_strings_and_classes_left_out(self):
        labels = np.array(["low", "middle", "high"])[y]
        estimator = classifier(class_weight={"low": 2.0}).fit(X, labels)
        expected = classifier().fit(X, labels, np.where(labels == "low", 2.0, 1.0))
        assert_array_equal(parameters(estimator), parameters(expected))

    @pytest.mark.parametrize("weighted", [False, True])
    def test_multilabel(self, weighted):
        weights = np.random.default_rng(1).random(60) if weighted else 1.0
        of_columns = [{0: 1, 1: 2}, {0: 3, 1: 1}, {0: 1, 1: 1}]
        estimator = classifier(class_weight=of_columns)
        estimator.fit(X, indicators, weights if weighted else None)
        factors = np.prod(
            [[of_columns[i][label] for label in indicators[:, i]] for i in range(3)], axis=0
        )
        expected = classifier().fit(X, indicators, weights * factors)
        assert_allclose(parameters(estimator), parameters(expected), rtol=1e-9)

    def test_balanced_multilabel(self):
        estimator = classifier(class_weight="balanced").fit(X, indicators)
        factors = np.prod(
            [compute_class_weight("balanced", classes=np.arange(2), y=column)[column]
             for column in indicators.T], axis=0,
        )  # fmt: skip
        expected = classifier().fit(X, indicators, factors)
        assert_allclose(parameters(estimator), parameters(expected), rtol=1e-9)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype_stays(self, dtype):
        estimator = classifier(class_weight="balanced").fit(X.astype(dtype), y)
        assert estimator.coefs_[0].dtype == dtype

    def test_partial_fit_with_dict(self):
        """Also where a batch has few of the classes, and the dict does not have all."""
        estimator = classifier(class_weight={0: 3.0, 2: 0.5}, solver="sgd")
        expected = classifier(solver="sgd")
        for rows in (slice(None), y == 1, y < 2):
            estimator.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
            weights = np.array([3.0, 1.0, 0.5])[y[rows]]
            expected.partial_fit(X[rows], y[rows], weights, classes=[0, 1, 2])
            assert_array_equal(parameters(estimator), parameters(expected))

    @pytest.mark.parametrize("fitted", [False, True])
    def test_partial_fit_with_balanced(self, fitted):
        """SGDClassifier's error."""
        estimator = classifier(class_weight="balanced")
        if fitted:
            estimator.fit(X, y)
        before = state(estimator)
        errors = []
        for each in (estimator, SGDClassifier(class_weight="balanced")):
            with pytest.raises(
                ValueError, match="'balanced' is not supported for partial_fit"
            ) as e:
                each.partial_fit(X, y, classes=[0, 1, 2])
            errors.append(str(e.value))
        assert errors[0] == errors[1]
        assert_state(estimator, before)

    @pytest.mark.parametrize(
        "class_weight",
        [{0: -1.0}, {0: np.nan}, {0: np.inf}, {0: 0, 1: 0, 2: 0}, {7: 1.0}, [{0: 1.0}], {0: "a"}],
        ids=str,
    )
    def test_bad_weights(self, class_weight):
        estimator = classifier(class_weight=class_weight)
        with pytest.raises(ValueError):
            estimator.fit(X, y)
        assert not hasattr(estimator, "coefs_")

    def test_scores_of_validation_have_none(self):
        """Early stopping watches the same accuracy as without."""
        estimator = classifier(class_weight={0: 100.0}, early_stopping=True, random_state=1)
        accuracy = estimator.fit(X, y).validation_scores_
        assert set(np.round(np.array(accuracy) * 6, 9)) <= set(range(7))


def straight_down(step, total):
    return 1 - step / total


SCHEDULES = [
    straight_down,
    LinearDecay(0.1),
    CosineDecay(warmup_steps=3),
    ExponentialDecay(0.5, 4),
    StepDecay(5, 0.5),
    OneCycle(),
]


class Recorded:
    """A schedule that writes down what it is asked."""

    def __init__(self, schedule=lambda step, total: 1.0):
        self.schedule, self.calls = schedule, []

    def __call__(self, step, total):
        self.calls.append((step, total))
        return self.schedule(step, total)


class TestSchedules:
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    @pytest.mark.parametrize("make, target", [(classifier, y), (regressor, several)])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("params", [{}, {"dropout": 0.3, "weight_decay": 0.1, "l1_ratio": 1.0}])
    def test_factor_1_is_constant(self, solver, make, target, dtype, params):
        """Bit by bit; and half of twice the rate as well."""
        data = X.astype(dtype), target
        constant = make(solver=solver, **params).fit(*data)
        one = make(solver=solver, learning_rate=lambda step, total: 1, **params).fit(*data)
        assert_array_equal(parameters(one), parameters(constant))
        half = make(
            solver=solver, learning_rate=lambda step, total: np.float32(0.5),
            learning_rate_init=0.02, **params,
        ).fit(*data)  # fmt: skip
        assert_array_equal(parameters(half), parameters(constant))

    @pytest.mark.parametrize("schedule", SCHEDULES, ids=name_of)
    def test_each_update_has_its_rate(self, schedule):
        """One update an epoch of plain SGD is the same as fits of one epoch at these rates."""
        params = {"solver": "sgd", "momentum": 0.0, "batch_size": 60}
        estimator = regressor(learning_rate=schedule, max_iter=12, **params).fit(X, numbers)
        stepwise = regressor(max_iter=1, warm_start=True, **params)
        for step in range(12):
            rate = 0.01 * schedule(step, 12)
            if rate > 0:
                stepwise.set_params(learning_rate_init=rate).fit(X, numbers)
        assert_allclose(parameters(estimator), parameters(stepwise), rtol=1e-10)
        constant = regressor(max_iter=12, **params).fit(X, numbers)
        assert np.abs(parameters(constant) - parameters(estimator)).max() > 1e-3

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_what_it_is_asked(self, solver):
        """Every update once, in order, and the most there can be."""
        schedule = Recorded()
        estimator = classifier(solver=solver, learning_rate=schedule).fit(X, y)
        assert schedule.calls == [(step, 20) for step in range(20)]
        schedule.calls.clear()
        estimator.partial_fit(X, y)  # goes on
        assert schedule.calls == [(step, 20) for step in range(20, 24)]
        schedule.calls.clear()
        estimator.fit(X, y)  # begins anew
        assert schedule.calls == [(step, 20) for step in range(20)]

    def test_epochs_that_do_not_come(self):
        """The total counts all epochs, also where the fit stops before."""
        schedule = Recorded()
        estimator = classifier(learning_rate=schedule, tol=10.0, n_iter_no_change=1, max_iter=50)
        estimator.fit(X, y)
        assert estimator.n_iter_ == 3
        assert schedule.calls == [(step, 200) for step in range(12)]

    def test_rows_held_out_make_no_updates(self):
        schedule = Recorded()
        classifier(
            learning_rate=schedule, early_stopping=True, validation_fraction=0.5, max_iter=2
        ).fit(X, y)
        assert schedule.calls == [(step, 4) for step in range(4)]

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    @pytest.mark.parametrize("schedule", SCHEDULES, ids=name_of)
    def test_partial_fit_only(self, solver, schedule):
        """Five calls are a fit of five epochs, rows in order."""
        params = {"learning_rate": schedule, "solver": solver, "shuffle": False}
        estimator = classifier(**params)
        for _ in range(5):
            estimator.partial_fit(X, y, classes=[0, 1, 2])
        expected = classifier(**params).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(expected))
        rates = 0.01 * np.array([schedule(step, 20) for step in (3, 7, 11, 15, 19)])
        assert_allclose(estimator.history_["learning_rate"], rates, rtol=1e-12)

    def test_pickled_between(self):
        estimator = classifier(learning_rate=LinearDecay()).partial_fit(X, y, classes=[0, 1, 2])
        twin = pickle.loads(pickle.dumps(estimator)).partial_fit(X, y)
        assert_array_equal(parameters(twin), parameters(estimator.partial_fit(X, y)))

    BAD = pytest.mark.parametrize("value", [np.nan, -0.1, None, LinearDecay()], ids=repr)

    @BAD
    @pytest.mark.parametrize("first_bad_step", [0, 9])
    @pytest.mark.parametrize("fitted", [False, True])
    def test_bad_factor_in_fit(self, value, first_bad_step, fitted):
        """The estimator stays as it was before, be it in the middle of training."""

        def schedule(step, total):
            return value if step >= first_bad_step else 1.0

        estimator = classifier()
        if fitted:
            estimator.fit(X, y)
        estimator.set_params(learning_rate=schedule)
        before = state(estimator)
        with pytest.raises(ValueError, match=f"learning rate.* at step {first_bad_step} of 20"):
            estimator.fit(X[:, :4], y)
        assert_state(estimator, before)

    @BAD
    @pytest.mark.parametrize("fitted", [False, True])
    def test_bad_factor_in_partial_fit(self, value, fitted):
        estimator = regressor()
        if fitted:
            estimator.partial_fit(X, numbers)
        estimator.set_params(learning_rate=lambda step, total: value)
        before = state(estimator)
        with pytest.raises(ValueError, match="learning rate"):
            estimator.partial_fit(X, numbers)
        assert_state(estimator, before)

    def test_wrong_signature(self):
        with pytest.raises(TypeError):
            classifier(learning_rate=lambda step: 1.0).fit(X, y)

    def test_an_error_of_its_own(self):
        def schedule(step, total):
            raise RuntimeError("out of factors")

        estimator = classifier().fit(X, y).set_params(learning_rate=schedule)
        before = state(estimator)
        with pytest.raises(RuntimeError, match="out of factors"):
            estimator.fit(X, y)
        assert_state(estimator, before)

    def test_in_a_grid_search(self):
        schedules = ["constant", LinearDecay(), CosineDecay(warmup_steps=0.2)]
        search = GridSearchCV(classifier(), {"learning_rate": schedules}, cv=2).fit(X, y)
        expected = [cross_val_score(classifier(learning_rate=s), X, y, cv=2).mean()
                    for s in schedules]  # fmt: skip
        assert_allclose(search.cv_results_["mean_test_score"], expected)
        assert search.best_params_["learning_rate"] in schedules
        assert clone(search.best_estimator_).learning_rate == search.best_estimator_.learning_rate


class TestHiddenLayerSizes:
    @pytest.mark.parametrize(
        "sizes, expected", [("64-32", (64, 32)), ("7", (7,)), ("3-2-4", (3, 2, 4)), ("08", (8,))]
    )
    def test_strings(self, sizes, expected):
        estimator = classifier(hidden_layer_sizes=sizes).fit(X, y)
        assert tuple(W.shape[1] for W in estimator.coefs_[:-1]) == expected
        same = classifier(hidden_layer_sizes=expected).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(same))
        assert clone(estimator).hidden_layer_sizes == sizes
        estimator.partial_fit(X, y)

    def test_in_a_grid_search(self):
        grid = {"hidden_layer_sizes": ["64-32", "5", (5,), 5]}
        search = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
        scores = search.cv_results_["mean_test_score"]
        assert scores[1] == scores[2] == scores[3]
        assert search.best_params_["hidden_layer_sizes"] in grid["hidden_layer_sizes"]


def initial(estimator, X=X, y=y):
    """The weights before training: those of a fit whose updates are too small for any of them."""
    estimator.set_params(
        solver="sgd", learning_rate_init=1e-300, max_iter=1, alpha=0.0, momentum=0.0
    ).fit(X, y)
    return estimator.coefs_, estimator.intercepts_


class TestInit:
    WIDE = rng.standard_normal((6, 300)), np.arange(6) % 2

    @pytest.mark.parametrize(
        "init, variance, bound",
        [
            ("glorot_uniform", lambda n, m: 2 / (n + m), np.sqrt(3)),
            ("glorot_normal", lambda n, m: 2 / (n + m), 2 / 0.87962566),
            ("he_uniform", lambda n, m: 2 / n, np.sqrt(3)),
            ("he_normal", lambda n, m: 2 / n, 2 / 0.87962566),
            ("lecun_normal", lambda n, m: 1 / n, 2 / 0.87962566),
        ],
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_rules(self, init, variance, bound, dtype):
        """Variance and bounds, which are given in standard deviations."""
        wide, labels = self.WIDE
        estimator = MLPClassifier((200, 100), init=init, random_state=0)
        coefs, intercepts = initial(estimator, wide.astype(dtype), labels)
        for W in coefs[:2]:
            expected = variance(*W.shape)
            deviations = W / np.sqrt(expected)
            assert W.dtype == dtype
            assert_allclose(np.var(deviations), 1, rtol=0.04)
            assert abs(deviations.mean()) < 0.03
            assert np.abs(deviations).max() <= bound * (1 + 1e-6)
            assert np.abs(deviations).max() > 0.98 * bound
            # Uniform numbers have a kurtosis of 1.8; normal ones cut off at 2 deviations, of 2.4.
            kurtosis = np.mean(deviations**4) / np.var(deviations) ** 2
            assert_allclose(kurtosis, 1.8 if init.endswith("uniform") else 2.37, rtol=0.03)
        for b in intercepts:
            assert (np.abs(b) > 1e-200).any() == (init == "glorot_uniform")

    @pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
    @pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
    @pytest.mark.parametrize("hidden", [(7, 4), ()])
    def test_default_is_scikit_learns(self, name, activation, hidden):
        params = {"hidden_layer_sizes": hidden, "activation": activation, "random_state": 3}
        ours = initial({"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](
            **params))  # fmt: skip
        theirs = initial(getattr(sklearn.neural_network, name)(**params))
        for mine, yours in zip(ours[0] + ours[1], theirs[0] + theirs[1], strict=True):
            assert_allclose(mine, yours, rtol=1e-13)

    def test_it_goes_by_random_state(self):
        for init in ("he_normal", "glorot_uniform"):
            first, same, other = (
                initial(classifier(init=init, random_state=seed))[0][0] for seed in (1, 1, 2)
            )
            assert_array_equal(first, same)
            assert np.abs(first - other).max() > 0.01

    def test_function(self):
        """It is asked for each layer in turn; the seed it draws from is that of the rest."""
        shapes = []

        def glorot(fan_in, fan_out, rng):
            shapes.append((fan_in, fan_out))
            assert isinstance(rng, np.random.RandomState)
            bound = np.sqrt(6 / (fan_in + fan_out))
            return rng.uniform(-bound, bound, (fan_in, fan_out)), rng.uniform(
                -bound, bound, fan_out
            )

        estimator = classifier(hidden_layer_sizes=(7, 4), init=glorot).fit(X, y)
        assert shapes == [(5, 7), (7, 4), (4, 3)]
        default = classifier(hidden_layer_sizes=(7, 4)).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(default))

    def test_function_that_returns_lists(self):
        coefs, intercepts = initial(
            classifier(init=lambda n, m, rng: (np.ones((n, m), int).tolist(), [2] * m))
        )
        assert all((W == 1).all() for W in coefs)
        assert all((b == 2).all() for b in intercepts)

    def test_no_later_fit_asks_it(self):
        calls = []

        def zeros(fan_in, fan_out, rng):
            calls.append(fan_in)
            return 0.1 * rng.standard_normal((fan_in, fan_out)), np.zeros(fan_out)

        estimator = classifier(init=zeros, warm_start=True).fit(X, y).fit(X, y).partial_fit(X, y)
        assert calls == [5, 7]
        clone(estimator).fit(X, y)
        assert calls == [5, 7] * 2

    @pytest.mark.parametrize(
        "returned, message",
        [
            (lambda n, m: (np.ones((m, n)), np.ones(m)), r"W of shape \(5, 7\)"),
            (lambda n, m: (np.ones((n, m)), np.ones(n)), r"b of shape \(7,\)"),
            (lambda n, m: (np.ones((n, m)), np.ones((m, 1))), r"b of shape \(7,\)"),
            (lambda n, m: (np.ones((n, m)), 0.0), r"b of shape \(7,\)"),
            (lambda n, m: (np.full((n, m), np.nan), np.ones(m)), "finite"),
            (lambda n, m: (np.ones((n, m)), np.full(m, np.inf)), "finite"),
            (lambda n, m: np.ones((n, m)), "init must return"),
            (lambda n, m: (np.ones((n, m)), None), "init must return"),
            (lambda n, m: (np.ones((n, m)), np.ones(m), 0), "init must return"),
            (lambda n, m: None, "init must return"),
            (lambda n, m: 3.0, "init must return"),
            (lambda n, m: "ab", "init must return"),
            (lambda n, m: (np.full((n, m), "a"), np.ones(m)), "init must return"),
            (lambda n, m: ([[1.0], [2.0, 3.0]], np.ones(m)), "init must return"),
        ],
    )
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_function_that_returns_something_else(self, returned, message, method):
        estimator = regressor(init=lambda n, m, rng: returned(n, m))
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(X, numbers)
        assert not [name for name in vars(estimator) if name.endswith("_")]

        fitted = regressor().fit(X, numbers)
        fitted.set_params(init=lambda n, m, rng: returned(n, m))
        before = state(fitted)
        with pytest.raises(ValueError, match=message):
            fitted.fit(X, numbers)
        assert_state(fitted, before)


# Of each parameter values that no estimator takes.
BAD_PARAMETERS = {
    "hidden_layer_sizes": ["a-b", "", "4-", "-4", "4,3", "4.5", "4 - 3"],
    "activation": [["relu", "swish"], ["relu", 3], "relu-tanh"],
    "alpha": [[0.1, -0.1], ["a"], [0.1, np.nan]],
    "dropout": [1.0, -0.1, "a", None, np.nan, [0.1, 1.0], ["a"], 1],
    "l1_ratio": [1.5, -0.1, "a", None, np.nan, [0.1, 1.1]],
    "weight_decay": [-1, "a", None, np.nan, np.inf, [0.1, 0.1]],
    "clip_norm": [0, -1.0, "a", np.nan, np.inf, [1.0]],
    "init": ["he", None, 3, "HE_NORMAL"],
    "scoring": [3, 0.5, ["accuracy"], True],
    "record_train_score": [None, "yes", 1],
    "record_every": [0, -1, 2.5, "epoch", np.inf],
    "learning_rate": ["linear", 0.1, None, ["constant"]],
    "verbose": [-1, 1.5, "2", None],
}
BAD_OF_CLASSIFIERS = {
    "class_weight": ["auto", 3, 0.5, ({0: 1},)],
    "label_smoothing": [1.0, -0.1, "a", None, np.nan],
}
BAD_OF_REGRESSORS = {
    "loss": ["absolute", "mse", None],
    "quantile": [1.5, -0.1, "a", np.nan],
    "delta": [0, -1.0, "a", None, np.nan],
}


class TestBadParameters:
    @pytest.mark.parametrize("method", ["fit", "partial_fit", "from_weights"])
    @pytest.mark.parametrize(
        "make, name, value",
        [
            (make, name, value)
            for make, more in ((classifier, BAD_OF_CLASSIFIERS), (regressor, BAD_OF_REGRESSORS))
            for name, values in (BAD_PARAMETERS | more).items()
            for value in values
        ],
    )
    def test_message_names_parameter_and_value(self, make, name, value, method):
        more = {"classes": [0, 1]} if make is classifier else {}
        estimator = make(**{name: value})
        with pytest.raises((ValueError, TypeError)) as caught:
            if method == "from_weights":
                weights = [np.ones((5, 1))], [np.ones(1)]
                params = {"hidden_layer_sizes": (), name: value}
                type(estimator).from_weights(*weights, **more, **params)
            elif method == "fit":
                estimator.fit(X, y > 1)
            else:
                estimator.partial_fit(X, y > 1, **more)
        assert isinstance(caught.value, ValueError)
        assert f"'{name}' parameter" in str(caught.value)
        assert repr(value) in str(caught.value)
        assert not hasattr(estimator, "coefs_")

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    @pytest.mark.parametrize(
        "name, value",
        [
            ("activation", ["relu"]),
            ("activation", ["relu", "tanh", "relu"]),
            ("activation", []),
            ("dropout", [0.1]),
            ("dropout", (0.1, 0.1, 0.1)),
            ("dropout", np.full(3, 0.1)),
            ("alpha", [0.1, 0.1]),
            ("alpha", [0.1] * 4),
            ("alpha", []),
            ("l1_ratio", [0.1, 0.1]),
            ("l1_ratio", np.full(4, 0.1)),
        ],
        ids=str,
    )
    def test_wrong_length(self, name, value, method):
        """Two hidden layers, three layers of weights; the estimator stays as it was."""
        estimator = regressor(hidden_layer_sizes=(4, 3), **{name: value})
        n = 2 if name in ("activation", "dropout") else 3
        with pytest.raises(ValueError, match=rf"^{name} must be .* each of the {n} "):
            getattr(estimator, method)(X, numbers)
        assert not [each for each in vars(estimator) if each.endswith("_")]

        fitted = regressor(hidden_layer_sizes=(4, 3)).fit(X, numbers).set_params(**{name: value})
        before = state(fitted)
        with pytest.raises(ValueError, match=f"^{name} must be"):
            getattr(fitted, method)(X, numbers)
        assert_state(fitted, before)

    @pytest.mark.parametrize("name", ["alpha", "dropout", "l1_ratio"])
    def test_same_for_each_layer_is_the_same_for_all(self, name):
        params = {"hidden_layer_sizes": (4, 3)}
        n = 2 if name == "dropout" else 3
        expected = classifier(**params, **{name: 0.25}).fit(X, y)
        for values in ([0.25] * n, np.full(n, 0.25)):
            estimator = classifier(**params, **{name: values}).fit(X, y)
            assert_array_equal(parameters(estimator), parameters(expected))

    @pytest.mark.parametrize("values", [["tanh"] * 2, ("tanh", "tanh"), np.array(["tanh"] * 2)])
    def test_activations_of_each_layer(self, values):
        expected = classifier(hidden_layer_sizes=(4, 3), activation="tanh").fit(X, y)
        estimator = classifier(hidden_layer_sizes=(4, 3), activation=values).fit(X, y)
        assert_array_equal(parameters(estimator), parameters(expected))
        assert_array_equal(estimator.predict_proba(X), expected.predict_proba(X))

    def test_quantile_is_required(self):
        for method in ("fit", "partial_fit"):
            with pytest.raises(ValueError, match="loss='quantile' requires quantile"):
                getattr(regressor(loss="quantile"), method)(X, numbers)

    @pytest.mark.parametrize(
        "name, value",
        [
            ("dropout", 0.1),
            ("dropout", [0.0, 0.1]),
            ("l1_ratio", 0.5),
            ("l1_ratio", [0.0, 0.0, 1.0]),
            ("weight_decay", 0.1),
            ("clip_norm", 1.0),
            ("learning_rate", LinearDecay()),
            ("learning_rate", lambda step, total: 1.0),
            ("record_every", 3),
            ("record_train_score", True),
            ("loss", "absolute_error"),
            ("loss", "quantile"),
        ],
    )
    def test_lbfgs_refuses(self, name, value):
        params = {"hidden_layer_sizes": (4, 3), name: value}
        if value == "quantile":
            params["quantile"] = 0.5
        estimator = regressor(solver="lbfgs", **params)
        with pytest.raises(ValueError, match=f"solver='lbfgs' does not support {name}="):
            estimator.fit(X, numbers)
        assert not hasattr(estimator, "coefs_")
        regressor(solver="adam", **params).fit(X, numbers)


@pytest.fixture(scope="module")
def heteroscedastic():
    """Noise that grows with x and is not symmetric; rows to fit, rows to look at."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 7000)
    noise = rng.gamma(2.0, 1.0, 7000)
    return x[:, None], np.sin(3 * x) + (0.2 + 0.2 * (x + 1)) * noise


class TestLosses:
    @pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
    def test_coverage_of_quantiles(self, heteroscedastic, quantile):
        x, target = heteroscedastic
        estimator = MLPRegressor(
            "quantile", (20,), quantile=quantile, learning_rate=CosineDecay(), max_iter=60,
            learning_rate_init=0.02, random_state=0, batch_size=100, tol=0.0, activation="tanh",
        ).fit(x[:3000], target[:3000])  # fmt: skip
        below = target[3000:] < estimator.predict(x[3000:])
        assert abs(below.mean() - quantile) < 0.03
        # Not only on the whole: where there is little noise, and where there is much.
        for part in (x[3000:, 0] < 0, x[3000:, 0] >= 0):
            assert abs(below[part].mean() - quantile) < 0.05

    def test_median_is_absolute_error(self):
        """Half of it, that is."""
        params = {"solver": "sgd", "alpha": 0.0}
        half = regressor(loss="absolute_error", learning_rate_init=0.005, **params)
        median = regressor(loss="quantile", quantile=0.5, **params)
        half.fit(X, numbers), median.fit(X, numbers)
        assert_allclose(parameters(half), parameters(median), rtol=1e-12)
        assert_allclose(np.array(half.loss_curve_) / 2, median.loss_curve_, rtol=1e-12)

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    @pytest.mark.parametrize("target", [numbers, several], ids=["one", "several"])
    def test_huber_of_huge_delta_is_squared_error(self, solver, target):
        huber = regressor(loss="huber", delta=1e8, solver=solver, max_iter=10).fit(X, target)
        squared = regressor(solver=solver, max_iter=10).fit(X, target)
        assert_allclose(huber.predict(X), squared.predict(X), rtol=1e-6, atol=1e-9)
        if target is numbers:
            assert_allclose(huber.loss_, squared.loss_, rtol=1e-6)

    def test_huber_of_small_delta_is_absolute_error(self):
        """Over delta."""
        params = {"solver": "sgd", "alpha": 0.0}
        huber = regressor(loss="huber", delta=1e-7, learning_rate_init=0.01 / 1e-7, **params)
        absolute = regressor(loss="absolute_error", **params)
        huber.fit(X, numbers), absolute.fit(X, numbers)
        assert_allclose(huber.predict(X), absolute.predict(X), rtol=1e-5, atol=1e-6)
        assert_allclose(np.array(huber.loss_curve_) / 1e-7, absolute.loss_curve_, rtol=1e-5)

    def test_huber_bears_outliers(self):
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

    def test_losses_are_not_the_same(self):
        losses = [{"loss": loss} for loss in ("squared_error", "absolute_error", "huber")]
        predictions = [
            regressor(max_iter=20, **loss).fit(X, numbers).predict(X)
            for loss in [*losses, {"loss": "quantile", "quantile": 0.2}]
        ]
        for i, one in enumerate(predictions):
            for other in predictions[:i]:
                assert np.abs(one - other).max() > 1e-2


# Estimators with options that change the loss, each with targets.
WITH_OPTIONS = [
    (classifier(class_weight={0: 2.0, 1: 0.5}), y),
    (classifier(class_weight="balanced"), y == 1),
    (classifier(label_smoothing=0.2, alpha=[0.5, 2.0]), y),
    (classifier(label_smoothing=0.3), y > 0),
    (classifier(label_smoothing=0.1, class_weight=[{0: 1, 1: 3}] * 3), indicators),
    (regressor(alpha=[1.0, 0.1]), numbers),
    (regressor(), several),
    (regressor(loss="huber", delta=0.7), several),
    (regressor(loss="poisson"), np.abs(np.round(3 * several))),
]
OPTIONS = pytest.mark.parametrize("estimator, target", WITH_OPTIONS, ids=name_of)
OF_SGD_ONLY = [
    (classifier(l1_ratio=[0.5, 1.0], alpha=3.0), y),
    (regressor(loss="quantile", quantile=0.3), several),
    (regressor(loss="absolute_error", l1_ratio=1.0, alpha=2.0), numbers),
]


class TestLossGradient:
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("estimator, target", WITH_OPTIONS + OF_SGD_ONLY, ids=name_of)
    def test_central_differences(self, estimator, target, weighted):
        """In the parameters and in X, on other data than those of the fit."""
        rng = np.random.default_rng(1)
        weights = rng.random(30) if weighted else None
        estimator = clone(estimator).set_params(activation="tanh").fit(X, target)
        data, truth = X[20:50].copy(), target[20:50]
        loss, coefs, intercepts, X_grad = estimator.loss_gradient(data, truth, weights)
        assert [g.shape for g in coefs] == [W.shape for W in estimator.coefs_]
        assert [g.shape for g in intercepts] == [b.shape for b in estimator.intercepts_]
        assert X_grad.shape == data.shape
        step = 1e-6
        for arrays, gradients in (
            (estimator.coefs_, coefs), (estimator.intercepts_, intercepts), ([data], [X_grad]),
        ):  # fmt: skip
            for array, gradient in zip(arrays, gradients, strict=True):
                direction = rng.standard_normal(array.shape)
                original, values = array.copy(), []
                for sign in (1, -1):
                    array[...] = original + sign * step * direction
                    values.append(estimator.loss_gradient(data, truth, weights)[0])
                array[...] = original
                slope = (values[0] - values[1]) / (2 * step)
                assert_allclose(np.vdot(gradient, direction), slope, rtol=1e-5, atol=1e-7)
        assert estimator.loss_gradient(data, truth, weights)[0] == loss

    @pytest.mark.parametrize("estimator, target", WITH_OPTIONS + OF_SGD_ONLY, ids=name_of)
    def test_it_is_the_loss_of_training(self, estimator, target):
        """That of one batch of all rows; of several outputs the squared error's mean is loss_."""
        estimator = clone(estimator).set_params(
            solver="sgd", batch_size=60, learning_rate_init=1e-300, max_iter=1
        )
        expected = estimator.fit(X, target).loss_
        if target is several and estimator.loss == "squared_error":
            estimator.set_params(alpha=0.0)
            expected = 2 * estimator.fit(X, target).loss_
        assert_allclose(estimator.loss_gradient(X, target)[0], expected, rtol=1e-9)

    @pytest.mark.parametrize("l1_ratio", [0.0, 1.0, 0.3, [0.0, 1.0, 0.3]])
    @pytest.mark.parametrize("alpha", [2.0, [1.0, 0.0, 3.0]])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_penalties(self, l1_ratio, alpha, weighted):
        """alpha (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|^2) of each layer, over the weights."""
        weights = np.linspace(0, 1, 60) if weighted else None
        estimator = regressor(hidden_layer_sizes=(4, 3)).fit(X, numbers, weights)
        bare = estimator.set_params(alpha=0.0).loss_gradient(X, numbers, weights)[0]
        estimator.set_params(alpha=alpha, l1_ratio=l1_ratio)
        expected = bare + sum(
            a * (ratio * np.abs(W).sum() + (1 - ratio) / 2 * (W**2).sum())
            for a, ratio, W in zip(
                np.broadcast_to(alpha, 3), np.broadcast_to(l1_ratio, 3), estimator.coefs_,
                strict=True,
            )
        ) / (weights.sum() if weighted else 60)  # fmt: skip
        assert_allclose(estimator.loss_gradient(X, numbers, weights)[0], expected)

    @pytest.mark.parametrize("target", [y, y > 0, indicators], ids=["three", "two", "several"])
    def test_smoothed_labels(self, target):
        """(1 - s) y + s / k for k classes, two for each label of several (Keras)."""
        estimator = classifier(label_smoothing=0.3, alpha=0.0).fit(X, target)
        P = estimator.predict_proba(X)
        if target is y:
            T = 0.7 * np.eye(3)[y] + 0.1
            expected = -(T * np.log(P)).sum(axis=1).mean()
        else:
            P = P if target is indicators else P[:, 1:]
            T = 0.7 * target.reshape(60, -1) + 0.15
            expected = -(T * np.log(P) + (1 - T) * np.log(1 - P)).sum(axis=1).mean()
        assert_allclose(estimator.loss_gradient(X, target)[0], expected)

    @OPTIONS
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_step_of_sgd_goes_down_it(self, estimator, target, dtype):
        data = X.astype(dtype)
        estimator = clone(estimator).set_params(
            solver="sgd", momentum=0.0, batch_size=60, learning_rate_init=0.1, warm_start=True,
            max_iter=1,
        )  # fmt: skip
        estimator.fit(data, target)
        before = parameters(estimator)
        _, coefs, intercepts, _ = estimator.loss_gradient(data, target)
        gradient = np.concatenate([array.ravel() for array in coefs + intercepts])
        assert gradient.dtype == dtype
        assert np.abs(gradient).max() > 1e-3
        estimator.fit(data, target)
        tolerance = {"rtol": 1e-9, "atol": 1e-12} if dtype == np.float64 else {"atol": 2e-6}
        assert_allclose(parameters(estimator), before - 0.1 * gradient, **tolerance)

    # But for the squared error of several outputs, whose gradient is not that of loss_.
    @pytest.mark.parametrize(
        "estimator, target",
        [pair for pair in WITH_OPTIONS if repr(pair[0]) != repr(regressor())],
        ids=name_of,
    )
    def test_lbfgs_finds_where_it_is_0(self, estimator, target):
        """With penalties of each layer, smoothed labels, class weights and Huber's loss."""
        estimator = clone(estimator).set_params(solver="lbfgs", activation="tanh", tol=1e-6)
        if np.ndim(estimator.alpha) == 0:
            estimator.set_params(alpha=1.0)
        largest = []
        for n in (1, 2000):
            estimator.set_params(max_iter=n).fit(X, target)
            loss, coefs, intercepts, _ = estimator.loss_gradient(X, target)
            assert_allclose(loss, estimator.loss_, rtol=1e-12)
            largest.append(max(np.abs(array).max() for array in coefs + intercepts))
        # SciPy stops where the loss no longer falls by 2e-9 of it.
        assert largest[1] < 2e-3 * largest[0]

    @pytest.mark.parametrize("estimator, target", WITH_OPTIONS[:1] + WITH_OPTIONS[-2:])
    def test_nothing_is_changed(self, estimator, target):
        estimator = clone(estimator).fit(X, target)
        before, data, truth = state(estimator), X.copy(), target.copy()
        weights = np.ones(60)
        first = estimator.loss_gradient(data, truth, weights)
        assert_state(estimator, before)
        assert_array_equal(data, X)
        assert_array_equal(truth, target)
        for array in (*first[1], *first[2], first[3]):  # they are its own
            array[...] = 7
        assert_state(estimator, before)
        twin = pickle.loads(pickle.dumps(estimator))
        estimator.partial_fit(X, target), twin.partial_fit(X, target)
        assert_array_equal(parameters(estimator), parameters(twin))

    def test_dropout_is_left_out(self):
        estimator = classifier(dropout=0.5).fit(X, y)
        expected = estimator.loss_gradient(X, y)[0]
        assert estimator.set_params(dropout=0.0).loss_gradient(X, y)[0] == expected

    def test_strings_sparse_and_one_row(self):
        from scipy.sparse import csr_matrix

        labels = np.array(["low", "middle", "high"])[y]
        estimator = classifier().fit(X, labels)
        dense, sparse = (estimator.loss_gradient(data, labels) for data in (X, csr_matrix(X)))
        assert_allclose(dense[0], sparse[0])
        for mine, yours in zip(dense[1] + [dense[3]], sparse[1] + [sparse[3]], strict=True):
            assert_allclose(mine, yours, rtol=1e-9, atol=1e-12)
        loss = estimator.set_params(alpha=0.0).loss_gradient(X[:1], labels[:1])[0]
        place = list(estimator.classes_).index(labels[0])
        assert_allclose(loss, -np.log(estimator.predict_proba(X[:1])[0, place]))

    def test_errors(self):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            classifier().loss_gradient(X, y)
        estimator = classifier().fit(X, y)
        before = state(estimator)
        for message, args in {
            "X has 4 features": (X[:, :4], y),
            r"classes \[3\] that are not in classes_": (X, y + 1),
            "inconsistent numbers of samples": (X, y[1:]),
            "NaN": (np.full_like(X, np.nan), y),
            "y of shape": (X, indicators),
            "sample_weight": (X, y, np.ones(3)),
            "non-zero": (X, y, np.zeros(60)),
        }.items():
            with pytest.raises(ValueError, match=message):
                estimator.loss_gradient(*args)
        assert_state(estimator, before)
        with pytest.raises(ValueError, match="'alpha' parameter"):
            estimator.set_params(alpha=-1).loss_gradient(X, y)
        with pytest.raises(ValueError, match="2 outputs"):
            regressor().fit(X, numbers).loss_gradient(X, several)


def forward(X, coefs, intercepts, activation):
    """A network's outputs, by NumPy."""
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        X = activation(X @ W + b)
    return X @ coefs[-1] + intercepts[-1]


def random_layers(*units, seed=0):
    rng = np.random.default_rng(seed)
    coefs = [rng.standard_normal(pair) for pair in pairwise(units)]
    return coefs, [rng.standard_normal(n) for n in units[1:]]


class TestFromWeights:
    @pytest.mark.parametrize(
        "activation, function",
        [("relu", lambda z: np.maximum(z, 0)), ("tanh", np.tanh), ("identity", lambda z: z)],
    )
    @pytest.mark.parametrize("units", [(5, 1), (5, 4, 1), (5, 6, 4, 2)])
    def test_regressor(self, activation, function, units):
        coefs, intercepts = random_layers(*units)
        estimator = MLPRegressor.from_weights(coefs, intercepts, activation=activation)
        expected = forward(X, coefs, intercepts, function)
        assert_allclose(estimator.predict(X), expected if units[-1] > 1 else expected.ravel())
        assert estimator.n_features_in_ == 5
        assert estimator.n_outputs_ == units[-1]
        assert estimator.n_layers_ == len(units)
        assert estimator.out_activation_ == "identity"

    def test_poisson(self):
        coefs, intercepts = random_layers(5, 4, 1)
        estimator = MLPRegressor.from_weights(coefs, intercepts, loss="poisson")
        expected = np.exp(forward(X, coefs, intercepts, lambda z: np.maximum(z, 0)))
        assert_allclose(estimator.predict(X), expected.ravel())

    @pytest.mark.parametrize(
        "classes",
        [[0, 1, 2], ["high", "low", "middle"], np.array(["a", "b", "c"], dtype=object)],
        ids=str,
    )
    def test_several_classes(self, classes):
        coefs, intercepts = random_layers(5, 4, 3)
        estimator = MLPClassifier.from_weights(coefs, intercepts, classes=classes)
        Z = forward(X, coefs, intercepts, lambda z: np.maximum(z, 0))
        expected = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        assert_allclose(estimator.predict_proba(X), expected)
        assert_allclose(estimator.decision_function(X), Z)
        labels = np.asarray(classes)[Z.argmax(axis=1)]
        assert_array_equal(estimator.predict(X), labels)
        assert_array_equal(estimator.classes_, classes)
        assert estimator.out_activation_ == "softmax"
        assert estimator.score(X, labels) == 1

    @pytest.mark.parametrize("classes", [[0, 1], [False, True], ["no", "yes"], [-1, 1]], ids=str)
    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_two_classes(self, classes, n_outputs):
        """One output is the log-odds of the second, two are the softmax's."""
        coefs, intercepts = random_layers(5, 4, n_outputs)
        estimator = MLPClassifier.from_weights(coefs, intercepts, classes=classes)
        Z = forward(X, coefs, intercepts, lambda z: np.maximum(z, 0))
        odds = np.exp(Z[:, 0] if n_outputs == 1 else Z[:, 1] - Z[:, 0])
        expected = odds / (1 + odds)
        assert_allclose(estimator.predict_proba(X), np.c_[1 - expected, expected])
        assert_allclose(np.exp(estimator.predict_log_proba(X)), estimator.predict_proba(X))
        assert_array_equal(estimator.predict(X), np.asarray(classes)[(odds > 1).astype(int)])
        assert estimator.n_outputs_ == n_outputs

    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_scikit_learns_scorer_of_two_classes(self, n_outputs):
        """Scorers take a decision function of shape (n_samples,) of any binary classifier."""
        coefs, intercepts = random_layers(5, 4, n_outputs)
        estimator = MLPClassifier.from_weights(coefs, intercepts, classes=[0, 1])
        labels = (numbers > 0).astype(int)
        from sklearn.metrics import get_scorer

        expected = roc_auc_score(labels, estimator.predict_proba(X)[:, 1])
        assert_allclose(get_scorer("roc_auc")(estimator, X, labels), expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_copies_of_their_dtype(self, dtype):
        coefs, intercepts = random_layers(5, 4, 1)
        coefs, intercepts = ([a.astype(dtype) for a in arrays] for arrays in (coefs, intercepts))
        estimator = MLPRegressor.from_weights(coefs, intercepts)
        before = estimator.predict(X)
        for array in (*coefs, *intercepts):
            array[...] = 0
        assert_array_equal(estimator.predict(X), before)
        assert estimator.coefs_[0].dtype == dtype
        assert estimator.predict(X.astype(dtype)).dtype == dtype

    def test_parameters_are_passed_on(self):
        coefs, intercepts = random_layers(5, 4, 3, 1)
        estimator = MLPRegressor.from_weights(
            coefs, intercepts, activation=["tanh", "elu"], solver="sgd", alpha=[0.1, 0.2, 0.3]
        )
        assert estimator.get_params()["solver"] == "sgd"
        assert estimator.hidden_layer_sizes == (4, 3)
        assert estimator.alpha == [0.1, 0.2, 0.3]
        for sizes in ("4-3", (4, 3), [4, 3], np.array([4, 3])):
            estimator = MLPRegressor.from_weights(coefs, intercepts, hidden_layer_sizes=sizes)
            assert estimator.hidden_layer_sizes is sizes
        with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(4, 4\) does not fit"):
            MLPRegressor.from_weights(coefs, intercepts, hidden_layer_sizes=(4, 4))
        with pytest.raises(TypeError, match="beauty"):
            MLPRegressor.from_weights(coefs, intercepts, beauty=3)

    @pytest.mark.parametrize("name, value", [("activation", ["relu"]), ("alpha", [0.1])])
    def test_one_value_for_each_layer(self, name, value):
        coefs, intercepts = random_layers(5, 4, 3, 1)
        with pytest.raises(ValueError, match=f"{name} must be one value, or one for each"):
            MLPRegressor.from_weights(coefs, intercepts, **{name: value})

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    @pytest.mark.parametrize("make, target", [(classifier, y), (classifier, y > 0),
                                              (regressor, several)])  # fmt: skip
    def test_warm_start_goes_on(self, solver, make, target):
        """As from a fit that has left these weights."""
        estimator = make(solver=solver, warm_start=True).fit(X, target)
        more = {"classes": np.unique(target)} if make is classifier else {}
        twin = type(estimator).from_weights(
            estimator.coefs_, estimator.intercepts_, **more, **estimator.get_params()
        )
        assert_array_equal(twin.predict(X), estimator.predict(X))
        estimator.fit(X, target), twin.fit(X, target)
        assert_array_equal(parameters(twin), parameters(estimator))
        assert twin.n_iter_ == 5
        assert len(twin.history_["loss"]) == 5

    @pytest.mark.parametrize("make, target", [(classifier, y), (classifier, y > 0),
                                              (regressor, several)])  # fmt: skip
    def test_partial_fit_goes_on(self, make, target):
        estimator = make(solver="sgd", momentum=0.0).fit(X, target)
        more = {"classes": np.unique(target)} if make is classifier else {}
        twin = type(estimator).from_weights(
            estimator.coefs_, estimator.intercepts_, **more, **estimator.get_params()
        )
        estimator.partial_fit(X, target), twin.partial_fit(X, target)
        assert_array_equal(parameters(twin), parameters(estimator))
        twin.partial_fit(X, target, **more)
        with pytest.raises(ValueError, match="features"):
            twin.partial_fit(X[:, :4], target)

    @pytest.mark.parametrize("n_labels", [2, 4])
    @pytest.mark.parametrize("as_list", [False, True])
    def test_scikit_learns_multilabel_model(self, n_labels, as_list):
        """It predicts what it did there, and goes on alike."""
        Y = (X[:, :n_labels] + X[:, -1:] > 0).astype(int)
        params = {"solver": "sgd", "hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
        theirs = sklearn.neural_network.MLPClassifier(**params, momentum=0.0).fit(X, Y)
        ours = MLPClassifier.from_weights(
            theirs.coefs_, theirs.intercepts_, multilabel=True,
            classes=theirs.classes_.tolist() if as_list else theirs.classes_,
            **theirs.get_params(),
        )  # fmt: skip
        for _ in range(2):
            assert_array_equal(ours.predict(X), theirs.predict(X))
            assert ours.predict(X).dtype == theirs.predict(X).dtype
            assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
            assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X))
            assert ours.score(X, Y) == theirs.score(X, Y)
            assert ours.out_activation_ == theirs.out_activation_ == "logistic"
            assert_array_equal(ours.classes_, theirs.classes_)
            assert ours.decision_function(X).shape == Y.shape
            ours.partial_fit(X, Y), theirs.partial_fit(X, Y)
        for estimator in (ours, theirs):
            estimator.set_params(warm_start=True).fit(X, Y)
            assert estimator.n_iter_ == 5
        assert_allclose(ours.coefs_[0], theirs.coefs_[0])
        ours.fit(X, Y, X_val=X, y_val=Y)
        assert ours.history_["val_score"][-1] == ours.score(X, Y)
        assert_array_equal(pickle.loads(pickle.dumps(ours)).predict(X), ours.predict(X))

    @pytest.mark.parametrize(
        "classes, n_outputs",
        [([0, 1], 1), ([1, 2, 3], 3), (["a", "b", "c"], 3), ([0, 1], 3), ([0], 1)],
        ids=str,
    )
    def test_bad_classes_of_a_multilabel_model(self, classes, n_outputs):
        """Labels are the columns of y, which have no names; of one there is no indicator matrix."""
        with pytest.raises(ValueError, match=r"classes"):
            MLPClassifier.from_weights(
                *random_layers(5, 4, n_outputs), classes=classes, multilabel=True
            )

    def test_names_of_features_can_be_set(self):
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

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_two_classes_with_two_outputs_go_on(self, early_stopping):
        coefs, intercepts = random_layers(5, 4, 2)
        estimator = MLPClassifier.from_weights(
            coefs, intercepts, classes=["no", "yes"], warm_start=True, max_iter=30,
            early_stopping=early_stopping, learning_rate_init=0.1, batch_size=16,
        )  # fmt: skip
        labels = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
        before, accuracy = estimator.loss_gradient(X, labels)[0], estimator.score(X, labels)
        estimator.fit(X, labels, X_val=X, y_val=labels)
        assert estimator.coefs_[-1].shape == (4, 2)
        assert estimator.history_["val_loss"][-1] < before - 0.1
        assert estimator.score(X, labels) > accuracy
        index = np.argmax(estimator.history_["val_score"]) if early_stopping else -1
        assert_allclose(estimator.history_["val_score"][index], estimator.score(X, labels))
        estimator.set_params(warm_start=False).fit(X, labels)
        assert estimator.coefs_[-1].shape[1] == 1

    def test_history_and_counts(self):
        estimator = MLPRegressor.from_weights(*random_layers(5, 4, 1))
        assert estimator.n_iter_ == estimator.t_ == 0
        assert estimator.history_ == {}
        assert estimator.loss_curve_ == []

    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_pickled_and_cloned(self, n_outputs):
        estimator = MLPClassifier.from_weights(
            *random_layers(5, 4, n_outputs), classes=["no", "yes"]
        )
        twin = pickle.loads(pickle.dumps(estimator))
        assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
        assert_array_equal(copy.deepcopy(estimator).predict(X), estimator.predict(X))
        cloned = clone(estimator)
        assert cloned.get_params() == estimator.get_params()
        with pytest.raises(NotFittedError):
            cloned.predict(X)

    @pytest.mark.parametrize(
        "classes, n_outputs",
        [
            (["b", "a"], 2),
            ([1, 0], 1),
            ([0, 0], 2),
            ([0, 1, 1], 3),
            ([0], 1),
            ([], 1),
            ([[0, 1]], 2),
            (3, 3),
            ([0, np.nan], 2),
            ([0, 1, 2], 2),
            ([0, 1, 2], 1),
            ([0, 1], 3),
        ],
        ids=str,
    )
    def test_bad_classes(self, classes, n_outputs):
        with pytest.raises(ValueError, match=r"classes"):
            MLPClassifier.from_weights(*random_layers(5, 4, n_outputs), classes=classes)

    @pytest.mark.parametrize(
        "spoil, message",
        [
            (lambda W, b: ([np.full_like(W[0], np.nan), W[1]], b), "finite"),
            (lambda W, b: (W, [b[0], np.full_like(b[1], np.inf)]), "finite"),
            (lambda W, b: ([W[0].T, W[1]], b), "shapes of the layers do not agree"),
            (lambda W, b: (W, [b[0][1:], b[1]]), "shapes of the layers do not agree"),
            (lambda W, b: (W, [b[0][:, None], b[1]]), "shapes of the layers do not agree"),
            (lambda W, b: (W, b[1:]), "shapes of the layers do not agree"),
            (lambda W, b: (W[1:], b), "shapes of the layers do not agree"),
            (lambda W, b: ([W[0][0], W[1]], b), "list of matrices"),
            (lambda W, b: (W, [b[0], 0.5]), "."),
            (lambda W, b: ([], []), "."),
            (lambda W, b: (W, []), "."),
            (lambda W, b: ([W[0].astype(str), np.full(W[1].shape, "a")], b), "real numbers"),
        ],
    )
    @pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
    def test_bad_weights(self, Estimator, spoil, message):
        more = {"classes": [0, 1, 2]} if Estimator is MLPClassifier else {}
        coefs, intercepts = random_layers(5, 4, 3)
        with pytest.raises(ValueError, match=message):
            Estimator.from_weights(*spoil(coefs, intercepts), **more)

    def test_classes_are_required(self):
        with pytest.raises(TypeError, match="classes"):
            MLPClassifier.from_weights(*random_layers(5, 4, 3))
