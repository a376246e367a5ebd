"""Bad input: scikit-learn's error at once, and a fitted estimator left as it was."""

import copy
import re
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_array_equal
from scipy.sparse import coo_matrix, csr_matrix
from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils.fixes import parse_version

import cymlp
from cymlp import MLPClassifier, MLPRegressor, schedules

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((20, 3))
y = np.arange(20) % 2
labels = np.array(["a", "b"])[y]

BAD_PARAMETERS = {
    "hidden_layer_sizes": [0, -1, 2.5, "a", None, (3, -1), (0,)],
    "activation": ["swish", None, 3],
    "solver": ["newton", None],
    "alpha": [-1, "a", np.nan, np.inf, None],
    "batch_size": [0, -5, 2.5, "all", None],
    "learning_rate": ["linear", 0.1],
    "learning_rate_init": [0, -1, np.nan, "a"],
    "power_t": [-0.5, None],
    "max_iter": [0, -1, 1.5, None],
    "shuffle": ["yes", 1],
    "random_state": [-1, "a", 1.5, 2**32],
    "tol": [-1e-3, np.nan, None],
    "verbose": ["loud", -1],
    "warm_start": ["yes", 1],
    "momentum": [-0.1, 1.1, np.nan],
    "nesterovs_momentum": ["yes", 1],
    "early_stopping": ["yes", 1],
    "validation_fraction": [-0.1, 1.0, np.nan],
    "beta_1": [-0.1, 1.0],
    "beta_2": [-0.1, 1.0],
    "epsilon": [0, -1, np.nan],
    "n_iter_no_change": [0, 2.5, -np.inf, None],
    "max_fun": [0, 2.5],
}

MORE_IS_ALLOWED = ("hidden_layer_sizes", "activation", "alpha", "learning_rate")


def error_of(function, *args, **kwargs):
    """The exception that a call raises."""
    with pytest.raises(Exception) as caught:
        function(*args, **kwargs)
    return caught.value


def normalized(message):
    """A message with the options of an enumeration in order: scikit-learn has them in a set."""
    return re.sub(
        r"\{(.*?)\}", lambda match: "{" + ", ".join(sorted(match[1].split(", "))) + "}", message
    )


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in BAD_PARAMETERS.items() for value in values]
)
@pytest.mark.parametrize("estimator", ["MLPClassifier", "MLPRegressor"])
def test_parameters(estimator, name, value):
    """The type and the words of the error are scikit-learn's, with what cymlp allows more."""
    errors = []
    for module in (cymlp, sklearn.neural_network):
        errors.append(error_of(getattr(module, estimator)(**{name: value}).fit, X, y))
    for kind in (ValueError, TypeError):
        assert isinstance(errors[0], kind) == isinstance(errors[1], kind)
    ours, theirs = (normalized(str(error)) for error in errors)
    ours = ours.partition(" Did you mean ")[0]
    if name in MORE_IS_ALLOWED and ". Got " in theirs:
        assert ours.partition(" must be ")[0] == theirs.partition(" must be ")[0]
        assert ours.partition(". Got ")[2] == theirs.partition(". Got ")[2]
    else:
        assert ours == theirs
    assert name in ours


@pytest.mark.parametrize("sizes", [(2.5,), [("a",)], ("a",), (3, None), [[3]]])
def test_hidden_layer_sizes_that_are_no_integers(sizes):
    with pytest.raises(TypeError, match="hidden_layer_sizes must be integers, got"):
        MLPClassifier(hidden_layer_sizes=sizes).fit(X, y)


@pytest.mark.parametrize(
    "sizes", [np.array([4, 3]), [4, 3], (np.int32(4), 3), range(4, 2, -1), np.int64(4)]
)
def test_hidden_layer_sizes_of_any_kind(sizes):
    estimator = MLPClassifier(hidden_layer_sizes=sizes, max_iter=1).fit(X, y)
    assert estimator.coefs_[0].shape == (3, 4)


def test_loss():
    error = error_of(MLPRegressor(loss="absolute").fit, X, y)
    assert str(error) == (
        "The 'loss' parameter of MLPRegressor must be a str among "
        "{'squared_error', 'poisson', 'absolute_error', 'huber', 'quantile'}. "
        "Got 'absolute' instead. Did you mean 'absolute_error'?"
    )


MEANT = [
    (MLPClassifier, "activation", "swish", "'silu'"),
    (MLPClassifier, "activation", "sigmoid", "'logistic'"),
    (MLPClassifier, "activation", "ReLU", "'relu'"),
    (MLPRegressor, "activation", "LeakyReLU", "'leaky_relu'"),
    (MLPRegressor, "activation", ["relu", "Swish"], "'silu'"),
    (MLPClassifier, "activation", "cos", None),
    (MLPClassifier, "activation", 3, None),
    (MLPClassifier, "activation", ("relu", 3), None),
    (MLPClassifier, "solver", "Adam", "'adam'"),
    (MLPClassifier, "solver", "adamw", "solver='adam' with weight_decay"),
    (MLPClassifier, "solver", "l-bfgs", "'lbfgs'"),
    (MLPClassifier, "solver", "rmsprop", None),
    (MLPClassifier, "learning_rate", 0.01, "learning_rate_init=0.01"),
    (MLPClassifier, "learning_rate", 1, "learning_rate_init=1"),
    (MLPClassifier, "learning_rate", True, None),
    (MLPClassifier, "learning_rate", int, None),
    (MLPClassifier, "learning_rate", "cosine", "cymlp.schedules.CosineDecay()"),
    (MLPClassifier, "learning_rate", "OneCycle", "cymlp.schedules.OneCycle()"),
    (MLPClassifier, "learning_rate", schedules.CosineDecay, "CosineDecay()"),
    (MLPClassifier, "learning_rate", "invscale", "'invscaling'"),
    (MLPClassifier, "class_weight", "balance", "'balanced'"),
    (MLPRegressor, "loss", "mse", "'squared_error'"),
    (MLPRegressor, "loss", "mae", "'absolute_error'"),
    (MLPRegressor, "loss", "pinball", "'quantile'"),
    (MLPRegressor, "init", "kaiming_uniform", "'he_uniform'"),
    (MLPClassifier, "scoring", "acc", "'accuracy'"),
    (MLPClassifier, "scoring", "Accuracy", "'accuracy'"),
    (MLPRegressor, "scoring", "rmse", "'neg_root_mean_squared_error'"),
    (MLPRegressor, "scoring", "beauty", None),
]


@pytest.mark.parametrize("Estimator, name, value, meant", MEANT)
def test_what_a_value_may_have_been_meant_to_be(Estimator, name, value, meant):
    message = str(error_of(Estimator(**{name: value}).fit, X, y))
    assert message.startswith(f"The {name!r} parameter of {Estimator.__name__} must be ")
    end = f"Got {value!r} instead."
    assert message.endswith(end if meant is None else f"{end} Did you mean {meant}?")


@pytest.mark.parametrize("name", ["activation", "alpha", "dropout", "l1_ratio"])
def test_what_is_allowed_is_said_once(name):
    message = str(error_of(MLPClassifier(**{name: "nothing"}).fit, X, y))
    for text in ("softplus", "float in the range"):
        assert message.count(text) <= 1
    assert "or a list of such values, one for each " in message


three = np.arange(20) % 3
several = np.c_[y, three > 0, three > 1].astype(int)


@pytest.mark.parametrize(
    "y, class_weight, message",
    [
        (three, [1, 2, 3], r"'class_weight' parameter of MLPClassifier must be .* \[1, 2, 3\]"),
        (several, [1, 2, 3], r"'class_weight' parameter of MLPClassifier must be .* \[1, 2, 3\]"),
        (three, [{0: 1}], r"class_weight=\[{0: 1}\] .*list.*indicator matrix"),
        (three, {0: 1, 9: 2, "a": 1}, r"class_weight={.*} .* \[9, 'a'\]"),
        (labels, {"a": 1, "c": 2}, r"class_weight={.*} .* \['c'\]"),
        (three, {0: "x"}, "class_weight={0: 'x'}"),
        (three, {0: -1.0}, "class_weight"),
        (several, {0: 1}, "class_weight={0: 1} .* list of dicts"),
        (several, [{0: 1}], r"class_weight=\[{0: 1}\] .* 1 .* 3 outputs"),
        (several, [{0: 1, 2: 1}] * 3, r"class_weight=\[.*\] .* \[2\]"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_class_weight(y, class_weight, message, method):
    more = {} if method == "fit" else {"classes": [0, 1, 2] if y.dtype.kind == "i" else ["a", "b"]}
    error = error_of(getattr(MLPClassifier(class_weight=class_weight), method), X, y, **more)
    assert isinstance(error, ValueError)
    assert re.search(message, str(error))
    assert "compute_" not in str(error)


def test_class_weight_may_have_a_class_that_is_not_there():
    """As in scikit-learn: of a rare class a part of the data may have nothing."""
    MLPClassifier(class_weight={0: 1, 1: 2, 2: 3}, max_iter=1).fit(X, y)


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_arguments_that_do_not_exist(Estimator, method):
    name = f"{Estimator.__name__}.{method}"
    error = error_of(getattr(Estimator(), method), X, y, eval_set=[(X, y)])
    assert str(error) == f"{name}() got an unexpected keyword argument 'eval_set'"
    error = error_of(getattr(Estimator(), method), X)
    assert str(error) == f"{name}() missing 1 required positional argument: 'y'"


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_scoring_is_checked_before_anything_is_done(early_stopping, method):
    estimator = MLPClassifier(scoring="beauty", early_stopping=early_stopping)
    message = "'scoring' parameter of MLPClassifier must be .* Got 'beauty' instead"
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(None, None)


@pytest.mark.parametrize("sizes", [2**31, (2**31 - 1, 2**31 - 1), (70_000, 70_000), (2**40,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sizes_beyond_32_bits(sizes, dtype):
    """No product of sizes wraps around: the memory is refused, or the layer."""
    with pytest.raises((MemoryError, ValueError), match=r"Unable to allocate|units|too big"):
        MLPClassifier(hidden_layer_sizes=sizes).fit(X.astype(dtype), y)


def with_value(value, where=(3, 1)):
    array = X.copy()
    array[where] = value
    return array


BAD_FIT = {
    "X of one dimension": (X[:, 0], y),
    "X of three dimensions": (X[None], y),
    "X empty": (X[:0], y[:0]),
    "X without features": (X[:, :0], y),
    "X with NaN": (with_value(np.nan), y),
    "X with inf": (with_value(np.inf), y),
    "X of strings": ([["a", "b"], ["c", "d"]], [0, 1]),
    "X of objects": (np.array([[1, "a"], [2, "b"]], dtype=object), [0, 1]),
    "X complex": (X + 1j, y),
    "X a sparse matrix of NaN": (csr_matrix(with_value(np.nan)), y),
    "y too short": (X, y[:-1]),
    "y None": (X, None),
    "y with NaN": (X, np.where(y == 1, np.nan, 0.0)),
    "y with inf": (X, np.where(y == 1, np.inf, 0.0)),
    "weights too short": (X, y, np.ones(19)),
    "weights of two dimensions": (X, y, np.ones((20, 1))),
    "weights with NaN": (X, y, np.r_[np.nan, np.ones(19)]),
    "weights with inf": (X, y, np.r_[np.inf, np.ones(19)]),
    "weights all 0": (X, y, np.zeros(20)),
    "weights of strings": (X, y, ["a"] * 20),
}
ONLY_CLASSIFIER = {
    "y continuous": (X, X[:, 0]),
    "y of several outputs": (X, np.array([[1, 2], [3, 1]] * 10)),
}
CASES = [
    (estimator, args)
    for estimator, cases in (
        ("MLPClassifier", BAD_FIT | ONLY_CLASSIFIER),
        ("MLPRegressor", BAD_FIT),
    )
    for args in [pytest.param(args, id=name) for name, args in cases.items()]
]
CASES = [pytest.param(e, p.values[0], id=f"{e}-{p.id}") for e, p in CASES]


def state(estimator):
    """A deep copy of everything an estimator knows."""
    return copy.deepcopy(vars(estimator))


def assert_state(estimator, before):
    """Nothing has changed."""
    now = vars(estimator)
    assert now.keys() == before.keys()
    for name, value in before.items():
        if name in ("coefs_", "intercepts_"):
            for a, b in zip(now[name], value, strict=True):
                assert_array_equal(a, b)
        elif name == "_network":
            assert_array_equal(now[name].parameters, value.parameters)
        elif name in ("_optimizer", "_label_binarizer"):
            continue
        else:
            assert_array_equal(now[name], value)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name, args", CASES)
def test_data(name, args, method):
    """scikit-learn's words, and what was fitted before stays."""
    ours, theirs = (getattr(module, name)() for module in (cymlp, sklearn.neural_network))
    more = {"classes": [0, 1]} if (name, method) == ("MLPClassifier", "partial_fit") else {}
    expected = error_of(getattr(theirs, method), *args, **more)
    error = error_of(getattr(ours, method), *args, **more)
    assert isinstance(error, (ValueError, TypeError))
    if method == "fit" and parse_version(sklearn.__version__) >= parse_version("1.9"):
        assert str(error) == str(expected)
    assert not [name for name in vars(ours) if name.endswith("_")]

    fitted = getattr(cymlp, name)(hidden_layer_sizes=5, max_iter=3).fit(X[:, :2], y)
    before = state(fitted)
    error_of(getattr(fitted, method), *args, **more)
    assert_state(fitted, before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_regression_on_strings(method):
    with pytest.raises(ValueError, match="could not convert string to float"):
        getattr(MLPRegressor(), method)(X, labels)


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_negative_weights(Estimator):
    """scikit-learn lets them pass and may divide by zero."""
    weights = np.r_[-1.0, np.ones(19)]
    with pytest.raises(ValueError, match=r"Negative values.*sample_weight"):
        Estimator().fit(X, y, weights)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_predict(method):
    unfitted = MLPClassifier()
    with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
        getattr(unfitted, method)(X)
    fitted = MLPClassifier(max_iter=1).fit(X, y)
    before = state(fitted)
    for wrong, message in [
        (X[:, :2], "X has 2 features, but MLPClassifier is expecting 3 features as input"),
        (with_value(np.nan), "Input X contains NaN"),
        (with_value(np.inf), "Input X contains infinity"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (X[:0], r"Found array with 0 sample\(s\)"),
        (csr_matrix(X[:, :2]), "X has 2 features"),
    ]:
        with pytest.raises(ValueError, match=message):
            getattr(fitted, method)(wrong)
    assert_state(fitted, before)


@pytest.mark.parametrize("attribute", ["indices", "indptr"])
@pytest.mark.parametrize("value", [-1, 1_000_000])
def test_broken_sparse_matrix(attribute, value):
    """Indices out of range are an error, not a read out of bounds."""
    broken = csr_matrix(np.where(X > 0, X, 0))
    getattr(broken, attribute)[-1 if attribute == "indices" else 3] = value
    fitted = MLPClassifier(max_iter=1).fit(X, y)
    for function in (fitted.predict, lambda broken: MLPClassifier().fit(broken, y)):
        with pytest.raises(ValueError, match="ind"):
            function(broken)


def test_other_sparse_formats_are_converted():
    estimator = MLPClassifier(max_iter=1, random_state=0).fit(coo_matrix(X), y)
    assert_array_equal(
        estimator.predict_proba(coo_matrix(X)), estimator.predict_proba(csr_matrix(X))
    )


class TestPartialFitClasses:
    def test_missing(self):
        with pytest.raises(ValueError, match="classes must be passed on the first call"):
            MLPClassifier().partial_fit(X, y)

    def test_others_than_before(self):
        estimator = MLPClassifier().partial_fit(X, y, classes=[0, 1])
        before = state(estimator)
        with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
            estimator.partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
            estimator.partial_fit(X, y + 1)
        assert_state(estimator, before)

    def test_unseen_label_in_first_call(self):
        estimator = MLPClassifier()
        with pytest.raises(ValueError, match="has classes not in"):
            estimator.partial_fit(X, y + 1, classes=[0, 1])
        assert not hasattr(estimator, "classes_")

    def test_lbfgs_has_none(self):
        for Estimator in (MLPClassifier, MLPRegressor):
            assert not hasattr(Estimator(solver="lbfgs"), "partial_fit")
            with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
                Estimator(solver="lbfgs").partial_fit(X, y)

    def test_early_stopping(self):
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            MLPRegressor(early_stopping=True).partial_fit(X, y)


class TestWarmStart:
    def test_other_classes(self):
        estimator = MLPClassifier(warm_start=True, max_iter=2).fit(X, y)
        before = state(estimator)
        with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
            estimator.fit(X, y + 1)
        assert_state(estimator, before)

    def test_other_number_of_features(self):
        estimator = MLPRegressor(warm_start=True, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match="X has 2 features, but MLPRegressor is expecting 3"):
            estimator.fit(X[:, :2], y)

    def test_other_number_of_outputs(self):
        estimator = MLPRegressor(warm_start=True, max_iter=2).fit(X, y)
        before = state(estimator)
        with pytest.raises(ValueError, match="3 features and 1 outputs, but the data have 3 and 2"):
            estimator.fit(X, X[:, :2])
        assert_state(estimator, before)

    def test_stopping_rule_may_change(self):
        estimator = MLPRegressor(warm_start=True, max_iter=2, random_state=0).fit(X, y)
        estimator.set_params(early_stopping=True).fit(X, y)
        assert estimator.best_loss_ is None
        assert len(estimator.validation_scores_) == 2
        estimator.set_params(early_stopping=False).fit(X, y)
        assert estimator.validation_scores_ is None
        assert np.isfinite(estimator.best_loss_)

    def test_solver_may_change(self):
        estimator = MLPRegressor(solver="lbfgs", warm_start=True, max_iter=2).fit(X, y)
        loss = estimator.loss_
        estimator.set_params(solver="adam", max_iter=3).fit(X, y)
        assert len(estimator.loss_curve_) == 3
        assert estimator.loss_curve_[0] < 1.5 * loss


def test_hidden_layer_sizes_are_checked_in_later_fits():
    estimator = MLPRegressor(max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes must be > 0, got \[3, -1\]"):
        estimator.set_params(hidden_layer_sizes=(3, -1)).partial_fit(X, y)


@pytest.mark.parametrize("batch_size", [0, -5])
def test_unchecked_batch_size(batch_size):
    """scikit-learn clips it; an engine that took it would never end."""
    with config_context(skip_parameter_validation=True):
        estimator = MLPRegressor(batch_size=batch_size, max_iter=1, random_state=0).fit(X, y)
    single = MLPRegressor(batch_size=1, max_iter=1, random_state=0).fit(X, y)
    assert_array_equal(estimator.predict(X), single.predict(X))


@pytest.mark.parametrize("record_every", [0, -1])
def test_unchecked_record_every(record_every):
    with config_context(skip_parameter_validation=True):
        estimator = MLPRegressor(record_every=record_every, batch_size=5, max_iter=2).fit(X, y)
    assert len(estimator.history_["loss"]) == 2 * 4


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize(
    "dtype, size",
    [(np.float64, 1e-310), (np.float32, 1e-37), (np.float64, 1e306), (np.float32, 1e36)],
)
def test_weights_beyond_what_trains(solver, dtype, size):
    """Nothing would be left of the gradients, or of their mean."""
    weights = np.full(len(X), size)
    for estimator in (MLPClassifier(solver=solver), MLPRegressor(solver=solver)):
        with pytest.raises(ValueError, match="sample_weight must have a largest value of"):
            estimator.fit(X.astype(dtype), y > 0 if is_classifier(estimator) else y, weights)
    classifier = MLPClassifier(solver=solver, class_weight={False: size, True: size})
    with pytest.raises(ValueError, match="sample_weight times class_weight must have a"):
        classifier.fit(X.astype(dtype), y > y[0], np.ones(len(X)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_weights_train(dtype):
    weights = np.full(len(X), 1e-30)
    params = {"alpha": 0.0, "max_iter": 5, "random_state": 0}
    weighted = MLPRegressor(**params).fit(X.astype(dtype), y, weights)
    plain = MLPRegressor(**params).fit(X.astype(dtype), y)
    np.testing.assert_allclose(weighted.loss_, plain.loss_, rtol=1e-4)


@pytest.mark.parametrize("record_every", [None, 2])
def test_no_mini_batch_with_weight(record_every):
    """Those held out have all of the weight."""
    rows = np.arange(100)
    data = np.c_[rows, rows**2] / 100.0
    testing = MLPRegressor(early_stopping=True, max_iter=1, random_state=0).fit(data, rows)
    _, held_out = train_test_split(rows, random_state=_after_weights(testing), test_size=0.1)
    weights = np.isin(rows, held_out).astype(float)
    estimator = MLPRegressor(
        early_stopping=True, max_iter=1, random_state=0, record_every=record_every
    )
    with pytest.raises(ValueError, match="Nothing was trained"):
        estimator.fit(data, rows, weights)
    assert not hasattr(estimator, "coefs_")


def _after_weights(estimator):
    """The random numbers that are left when the initial weights have been drawn."""
    random_state = np.random.RandomState(0)
    for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        random_state.uniform(size=W.size)
        random_state.uniform(size=b.size)
    return random_state


def test_failure_after_the_data_were_checked():
    """A warning that is an error, or memory that is not there, changes no fitted attribute."""
    estimator = MLPRegressor(max_iter=2).fit(X, y)
    before = state(estimator)
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="batch_size"):
        warnings.simplefilter("error")
        estimator.set_params(batch_size=5000).fit(X, y)
    assert_state(estimator, before | {"batch_size": 5000})


def test_a_subclass_may_have_parameters_of_its_own():
    class Subclass(MLPRegressor):
        def __init__(self, extra=1, max_iter=2):
            super().__init__(max_iter=max_iter)
            self.extra = extra

    assert Subclass(extra="anything").fit(X, y).n_iter_ == 2
    with pytest.raises(ValueError, match="'max_iter' parameter of Subclass"):
        Subclass(max_iter=0).fit(X, y)


class TestSmallData:
    def test_one_sample(self):
        for solver in ("adam", "sgd", "lbfgs"):
            estimator = MLPRegressor(solver=solver, max_iter=5).fit(X[:1], [3.0])
            assert np.isfinite(estimator.predict(X)).all()

    def test_one_class(self):
        for solver in ("adam", "sgd", "lbfgs"):
            estimator = MLPClassifier(solver=solver, max_iter=5).fit(X, ["a"] * 20)
            assert set(estimator.predict(X)) == {"a"}
            assert estimator.predict_proba(X).shape == (20, 2)

    def test_too_small_for_early_stopping(self):
        for params, n in (({}, 5), ({"validation_fraction": 0.0}, 20)):
            with pytest.raises(ValueError, match="The validation set is too small"):
                MLPRegressor(early_stopping=True, **params).fit(X[:n], y[:n])
        with pytest.raises(ValueError, match="The least populated class"):
            MLPClassifier(early_stopping=True).fit(X[:4], [0, 0, 0, 1])

    def test_column_vector(self):
        for Estimator in (MLPClassifier, MLPRegressor):
            with pytest.warns(sklearn.exceptions.DataConversionWarning, match="column-vector"):
                Estimator(max_iter=1).fit(X, y[:, None])


class TestDivergence:
    """Training that diverges ends in the documented ValueError, never in NaN predictions."""

    MESSAGE = "Solver produced non-finite parameter weights. The input data may contain large"

    def diverging(self, **params):
        return MLPRegressor(
            hidden_layer_sizes=(5,), activation="identity", solver="sgd",
            learning_rate_init=1e10, random_state=0, **{"max_iter": 50, **params},
        )  # fmt: skip

    def test_first_fit(self):
        estimator = self.diverging()
        with pytest.raises(ValueError, match=self.MESSAGE):
            estimator.fit(X, y)
        with pytest.raises(NotFittedError):
            estimator.predict(X)

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_later_fit(self, solver):
        """As if it had not been: partial_fit goes on with the earlier optimizer's state."""
        estimator = self.diverging(warm_start=True)
        estimator.set_params(solver=solver, learning_rate_init=1e-3).fit(X, y)
        before, twin = state(estimator), copy.deepcopy(estimator)
        with pytest.raises(ValueError, match=self.MESSAGE):
            estimator.fit(1e300 * X, y)
        assert_state(estimator, before)
        estimator.partial_fit(X, y), twin.partial_fit(X, y)
        assert_array_equal(estimator.predict(X), twin.predict(X))

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_later_partial_fit(self, solver):
        """The weights stay; the optimizer begins anew."""
        estimator = self.diverging()
        estimator.set_params(solver=solver, learning_rate_init=1e-3).fit(X, y)
        before = state(estimator)
        with pytest.raises(ValueError, match=self.MESSAGE):
            for _ in range(10):
                estimator.partial_fit(1e300 * X, y)
        del before["_optimizer"]
        assert_state(estimator, before | {"n_iter_": estimator.n_iter_})
        assert np.isfinite(estimator.partial_fit(X, y).predict(X)).all()

    def test_early_stopping_returns_to_the_best(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = self.diverging(early_stopping=True).fit(X, y)
        assert np.isfinite(estimator.predict(X)).all()
        assert np.isnan(estimator.validation_scores_[-1])

    def test_it_ends_with_the_epoch_that_diverged(self):
        """There is nothing to wait for."""
        estimator = self.diverging(max_iter=10**9, n_iter_no_change=np.inf)
        with pytest.raises(ValueError, match=self.MESSAGE):
            estimator.fit(X, y)

    def test_float32_overflow(self):
        """What float32 cannot hold is refused by name, in y and in X."""
        for bad_y in (np.full(20, 1e300), np.r_[1e39, np.zeros(19)]):
            with pytest.raises(ValueError, match="Input y contains infinity or a value too large"):
                MLPRegressor().fit(X.astype(np.float32), bad_y)
        estimator = MLPRegressor().partial_fit(X.astype(np.float32), y)
        for bad_X in (with_value(1e39), csr_matrix(with_value(1e39))):
            with pytest.raises(ValueError, match="Input X contains infinity or a value too large"):
                estimator.partial_fit(bad_X, y)


def test_callbacks_need_a_new_scikit_learn(monkeypatch):
    monkeypatch.setattr(cymlp._estimators.callbacks, "FitCallback", None)
    assert not hasattr(MLPClassifier(), "set_callbacks")
    error = error_of(lambda: MLPClassifier().set_callbacks(print))
    assert "set_callbacks needs scikit-learn 1.9 or later" in str(error.__cause__)
    MLPClassifier(max_iter=2).fit(X, y)


def test_poisson_needs_no_negative_targets():
    with pytest.raises(ValueError, match=r"loss='poisson' requires y >= 0.*-0.5"):
        MLPRegressor(loss="poisson").fit(X, np.r_[-0.5, np.zeros(19)])
