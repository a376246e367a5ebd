"""Every parameter: scikit-learn's errors for bad values, and suggestions."""

import re

import numpy as np
import pytest
import sklearn.neural_network
from sklearn import config_context

from comparing import error_of, fitted_attributes
from cymlp import MLPClassifier, MLPRegressor, schedules
from cymlp._estimators.parameters import _PARAMETERS, check_parameters, check_solver, is_stochastic

X = np.random.default_rng(0).standard_normal((20, 3))
y = np.arange(20) % 2

# For each of scikit-learn's parameters, values on both sides of each bound, and other types.
AS_IN_SCIKIT_LEARN = {
    "hidden_layer_sizes": [2.5, "a", None, 0],
    "activation": ["swish", None, 3],
    "solver": ["newton", None],
    "alpha": [-1, "a", np.nan, np.inf],
    "batch_size": [0, 2.5, "all"],
    "learning_rate": ["linear", 0.1, None],
    "learning_rate_init": [0, np.nan],
    "power_t": [-0.5],
    "max_iter": [0, 1.5],
    "shuffle": ["yes", 1],
    "random_state": [-1, 1.5, 2**32],
    "tol": [-1e-3, None],
    "verbose": [-1, "loud", 1.5],
    "warm_start": [1],
    "momentum": [-0.1, 1.1],
    "nesterovs_momentum": [1],
    "early_stopping": [1],
    "validation_fraction": [-0.1, 1.0],
    "beta_1": [-0.1, 1.0],
    "beta_2": [-0.1, 1.0],
    "epsilon": [0],
    "n_iter_no_change": [0, 2.5, -np.inf, None],
    "max_fun": [0, 2.5],
}
OF_CYMLP = {
    "hidden_layer_sizes": ["a-b", "", "4-", "-4", "4,3", "4 - 3"],
    "activation": [["relu", "swish"], ["relu", 3]],
    "alpha": [[0.1, -0.1], ["a"]],
    "learning_rate": [int, ["constant"]],
    "dropout": [1.0, -0.1, np.nan, [0.1, 1.0], 1],
    "l1_ratio": [1.5, -0.1, "a", [0.1, 1.1]],
    "weight_decay": [-1, np.inf, [0.1, 0.1]],
    "clip_norm": [0, np.nan, np.inf],
    "init": ["he", None, "HE_NORMAL"],
    "scoring": [3, ["accuracy"], True, "beauty"],
    "record_train_score": [None, 1],
    "record_every": [0, 2.5, np.inf],
    "n_jobs": [0, 1.5, True],
    "shuffle_buffer": [0, 2.5, "all"],
    "dtype": ["float16", "f4", np.float32, 32],
    "class_weight": ["auto", 3, ({0: 1},), [1, 2]],
    "label_smoothing": [1.0, -0.1, None],
    "loss": ["absolute", None],
    "quantile": [1.5, -0.1],
    "delta": [0, None],
}
MORE_IS_ALLOWED = ("hidden_layer_sizes", "activation", "alpha", "learning_rate")


def estimator_with(name, value):
    Estimator = MLPRegressor if name in ("loss", "quantile", "delta") else MLPClassifier
    return Estimator(**{name: value})


def test_every_parameter_is_tried():
    assert set(AS_IN_SCIKIT_LEARN) | set(OF_CYMLP) == set(_PARAMETERS)


def normalized(message):
    """A message with sorted options, as scikit-learn lists them in the order of a set."""
    return re.sub(
        r"\{(.*?)\}", lambda match: "{" + ", ".join(sorted(match[1].split(", "))) + "}", message
    )


@pytest.mark.parametrize("name", AS_IN_SCIKIT_LEARN)
def test_error_type_and_message_match_scikit_learn(name):
    """Except for values that only cymlp allows."""
    for value in AS_IN_SCIKIT_LEARN[name]:
        theirs = error_of(sklearn.neural_network.MLPClassifier(**{name: value}).fit, X, y)
        ours = error_of(MLPClassifier(**{name: value}).fit, X, y)
        for kind in (ValueError, TypeError):
            assert isinstance(ours, kind) == isinstance(theirs, kind), value
        ours, theirs = (normalized(str(error)) for error in (ours, theirs))
        ours = ours.partition(" Did you mean ")[0]
        if name in MORE_IS_ALLOWED and ". Got " in theirs:
            assert ours.partition(" must be ")[0] == theirs.partition(" must be ")[0]
            assert ours.partition(". Got ")[2] == theirs.partition(". Got ")[2]
        else:
            assert ours == theirs
        assert name in ours


@pytest.mark.parametrize("name", OF_CYMLP)
def test_the_error_names_parameter_and_value(name):
    for value in OF_CYMLP[name]:
        error = error_of(check_parameters, estimator_with(name, value))
        assert isinstance(error, ValueError) and isinstance(error, TypeError), value
        assert str(error).startswith(f"The '{name}' parameter of MLP")
        assert f"Got {value!r} instead." in str(error)


# Ends of intervals, and values of every allowed type.
GOOD = {
    "hidden_layer_sizes": [(), 1, [3, 2], "3-2", np.array([4])],
    "activation": ["mish", ["relu", "tanh"], np.array(["relu"])],
    "alpha": [0, [0.0, 1], np.array([0.5])],
    "batch_size": [1, "auto", np.int64(3)],
    "learning_rate": ["adaptive", schedules.LinearDecay(), lambda step, total: 1.0],
    "power_t": [0.0],
    "random_state": [0, 2**32 - 1, np.random.RandomState(0), None],
    "tol": [0.0],
    "verbose": [0, 2, True, np.False_],
    "momentum": [0, 1.0],
    "validation_fraction": [0.0, 0.99],
    "beta_1": [0.0],
    "n_iter_no_change": [1, np.inf],
    "dropout": [0.0, [0.0, 0.9]],
    "l1_ratio": [0, 1, [0.0, 1.0]],
    "clip_norm": [None, 1e-3],
    "init": ["he_normal", lambda n, m, rng: None],
    "scoring": [None, "loss", "accuracy", len],
    "record_every": [None, 1],
    "n_jobs": [None, 1, -1],
    "shuffle_buffer": [None, 1],
    "dtype": [None, "float32", "float64"],
    "class_weight": [None, "balanced", {0: 1.0}, [{0: 1.0}, "balanced", None]],
    "label_smoothing": [0.0, 0.99],
    "quantile": [0, 1.0, None],
    "delta": [1e-9],
}


@pytest.mark.parametrize("name", GOOD)
def test_allowed_values(name):
    for value in GOOD[name]:
        check_parameters(estimator_with(name, value))


MEANT = [
    ("activation", "swish", "'silu'"),
    ("activation", "Sigmoid", "'logistic'"),
    ("activation", "ReLU", "'relu'"),
    ("activation", "LeakyReLU", "'leaky_relu'"),
    ("activation", ["relu", "Swish"], "'silu'"),
    ("activation", "cos", None),
    ("activation", ("relu", 3), None),
    ("solver", "adamw", "solver='adam' with weight_decay"),
    ("solver", "l-bfgs", "'lbfgs'"),
    ("solver", "rmsprop", None),
    ("learning_rate", 0.01, "learning_rate_init=0.01"),
    ("learning_rate", 1, "learning_rate_init=1"),
    ("learning_rate", True, None),
    ("learning_rate", int, None),
    ("learning_rate", "cosine", "cymlp.schedules.CosineDecay()"),
    ("learning_rate", schedules.CosineDecay, "CosineDecay()"),
    ("learning_rate", "invscale", "'invscaling'"),
    ("class_weight", "balance", "'balanced'"),
    ("loss", "mae", "'absolute_error'"),
    ("init", "kaiming_uniform", "'he_uniform'"),
    ("scoring", "acc", "'accuracy'"),
    ("scoring", "Accuracy", "'accuracy'"),
    ("scoring", "beauty", None),
    ("dtype", "double", "'float64'"),
    ("dtype", np.float32, "'float32'"),
    ("dtype", np.dtype("f8"), "'float64'"),
    ("dtype", np.float16, None),
    ("dtype", int, None),
]


def test_errors_suggest_a_value():
    for name, value, meant in MEANT:
        message = str(error_of(check_parameters, estimator_with(name, value)))
        end = f"Got {value!r} instead."
        assert message.endswith(f"{end} Did you mean {meant}?" if meant else end)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "from_weights", "loss_gradient"])
def test_every_method_that_computes_checks_parameters_first(method):
    """Before it checks the data or sets an attribute."""
    with pytest.raises(ValueError, match="'momentum' parameter of MLPRegressor"):
        if method == "from_weights":
            MLPRegressor.from_weights([[[1.0]]], [[1.0]], momentum=2)
        elif method == "loss_gradient":
            estimator = MLPRegressor.from_weights([[[1.0]]], [[1.0]]).set_params(momentum=2)
            estimator.loss_gradient(None, None)
        else:
            getattr(MLPRegressor(momentum=2), method)(None, None)
    estimator = MLPRegressor(momentum=2)
    error_of(estimator.fit, X, y)
    assert not fitted_attributes(estimator)


def test_validation_can_be_skipped():
    with config_context(skip_parameter_validation=True):
        check_parameters(MLPClassifier(momentum=2))


def test_a_subclass_may_add_parameters():
    class Subclass(MLPRegressor):
        def __init__(self, extra=1, max_iter=2):
            super().__init__(max_iter=max_iter)
            self.extra = extra

    check_parameters(Subclass(extra="anything"))
    with pytest.raises(ValueError, match="'max_iter' parameter of Subclass"):
        check_parameters(Subclass(max_iter=0))


class TestSolver:
    @pytest.mark.parametrize(
        "name, value",
        [
            ("dropout", 0.1),
            ("dropout", [0.0, 0.1]),
            ("l1_ratio", 0.5),
            ("l1_ratio", [0.0, 0.0, 1.0]),
            ("weight_decay", 0.1),
            ("clip_norm", 1.0),
            ("learning_rate", schedules.LinearDecay()),
            ("record_every", 3),
            ("record_train_score", True),
            ("loss", "absolute_error"),
            ("loss", "quantile"),
        ],
        ids=str,
    )
    def test_lbfgs_refuses(self, name, value):
        with pytest.raises(ValueError, match=f"solver='lbfgs' does not support {name}="):
            check_solver(MLPRegressor(solver="lbfgs", **{name: value}))
        check_solver(MLPRegressor(solver="adam", **{name: value}))
        with pytest.raises(ValueError, match=name):
            MLPRegressor(solver="lbfgs", **{name: value}).fit(X, y)

    def test_lbfgs_accepts_defaults(self):
        for Estimator in (MLPClassifier, MLPRegressor):
            check_solver(Estimator(solver="lbfgs", dropout=[0.0, 0.0], l1_ratio=[0.0]))

    def test_lbfgs_has_no_partial_fit(self):
        assert is_stochastic(MLPClassifier(solver="sgd")) and is_stochastic(MLPRegressor())
        with pytest.raises(AttributeError, match="lbfgs is not stochastic"):
            is_stochastic(MLPClassifier(solver="lbfgs"))
        for Estimator in (MLPClassifier, MLPRegressor):
            assert not hasattr(Estimator(solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize(
    "name, value",
    [
        ("activation", ["relu"]),
        ("activation", ["relu", "tanh", "relu"]),
        ("activation", []),
        ("dropout", [0.1]),
        ("dropout", np.full(3, 0.1)),
        ("alpha", [0.1, 0.1]),
        ("alpha", []),
        ("l1_ratio", (0.1,) * 4),
    ],
    ids=str,
)
def test_as_many_values_as_layers(name, value):
    """Two hidden layers, three layers of weights; in every method that computes."""
    n = 2 if name in ("activation", "dropout") else 3
    message = rf"^{name} must be one value, or one for each of the {n} "
    params = {"hidden_layer_sizes": (4, 3), name: value}
    for method in ("fit", "partial_fit"):
        estimator = MLPRegressor(**params)
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(X, y)
        assert not fitted_attributes(estimator)
    weights = [np.ones((3, 4)), np.ones((4, 3)), np.ones((3, 1))], [np.ones(4), np.ones(3), [1.0]]
    with pytest.raises(ValueError, match=message):
        MLPRegressor.from_weights(*weights, **{name: value})
