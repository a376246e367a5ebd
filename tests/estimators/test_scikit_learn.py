"""Fitted estimators from scikit-learn's and to them, and the training that goes on."""

import copy
import pickle

import numpy as np
import pandas
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.utils.fixes import parse_version

import cymlp
from comparing import parameters
from cymlp import MLPClassifier, MLPRegressor
from cymlp._estimators import scikit_learn
from small import PARAMS, X, classifier, indicators, numbers, regressor, several, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

needs_poisson = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="this scikit-learn has no loss='poisson'",
)

PROBLEMS = {
    "binary": ("MLPClassifier", (y > 0).astype(int), {}),
    "multiclass": ("MLPClassifier", 10 * y, {}),
    "one class": ("MLPClassifier", np.zeros(len(y)), {}),
    "strings": ("MLPClassifier", np.array(["a", "bb", "c"])[y], {}),
    "multilabel": ("MLPClassifier", indicators, {}),
    "numbers": ("MLPRegressor", numbers, {}),
    "several": ("MLPRegressor", several, {}),
    "poisson": ("MLPRegressor", y.astype(float), {"loss": "poisson"}),
}
# A large tol and little patience, so that the rules for a plateau are met soon.
IMPATIENT = {"solver": "sgd", "learning_rate_init": 0.002, "tol": 0.5, "n_iter_no_change": 1}
SETTINGS = {
    "adam": {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    "plain": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.7},
    "nesterov": {"solver": "sgd"},
    "invscaling": IMPATIENT | {"learning_rate": "invscaling", "power_t": 0.2},
    "adaptive": IMPATIENT | {"learning_rate": "adaptive"},
    "generator": {"random_state": np.random.RandomState(3)},
    "unshuffled": {"shuffle": False, "alpha": 0.5, "activation": "logistic"},
}
COMBINATIONS = [
    *((problem, "adam") for problem in PROBLEMS if problem != "poisson"),
    *(("multiclass", setting) for setting in list(SETTINGS)[1:]),
    pytest.param("poisson", "nesterov", marks=needs_poisson),
]


def fit(package, problem, dtype=np.float64, **params):
    """An estimator of one of the packages, fitted to a problem; X and y."""
    name, targets, own = PROBLEMS[problem]
    data = X.astype(dtype), targets
    return getattr(package, name)(**PARAMS | own | params).fit(*data), *data


def converted(estimator):
    """The estimator in the other package."""
    if isinstance(estimator, MLPClassifier | MLPRegressor):
        return estimator.to_sklearn()
    return getattr(cymlp, type(estimator).__name__).from_sklearn(estimator)


def assert_same(one, other, X, dtype=np.float64):
    """All that both packages have is equal up to rounding."""
    rtol = {np.float32: 1e-4, np.float64: 1e-9}[dtype]
    assert_allclose(parameters(one), parameters(other), rtol=rtol, atol=rtol)
    for name in ("t_", "n_iter_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(one, name) == getattr(other, name), name
    for name in (
        "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_",
        "_no_improvement_count",
    ):  # fmt: skip
        assert hasattr(one, name) == hasattr(other, name), name
        values = getattr(one, name, None), getattr(other, name, None)
        assert_allclose(*(np.array(value, float) for value in values), rtol=rtol, err_msg=name)
    predictions = one.predict(X), other.predict(X)
    if hasattr(one, "classes_"):
        assert_array_equal(one.classes_, other.classes_)
        assert_array_equal(*predictions)
        assert predictions[0].dtype == predictions[1].dtype
        assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=10 * rtol)
    else:
        assert_allclose(*predictions, rtol=10 * rtol)


both_ways = pytest.mark.parametrize(
    "package", [sklearn.neural_network, cymlp], ids=["from_sklearn", "to_sklearn"]
)


class TestTrainingGoesOn:
    @both_ways
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("problem, setting", COMBINATIONS)
    def test_partial_fit(self, package, problem, setting, dtype):
        """It needs the optimizer's state: with a new optimizer, the first call would differ."""
        fitted, X, y = fit(package, problem, dtype, **SETTINGS[setting])
        other = converted(fitted)
        assert_same(fitted, other, X, dtype)
        for _ in range(4):
            fitted.partial_fit(X, y)
            other.partial_fit(X, y)
            assert_same(fitted, other, X, dtype)
        if fitted.solver == "sgd":  # for Adam, scikit-learn's includes the bias corrections
            assert fitted._optimizer.learning_rate == other._optimizer.learning_rate

    @both_ways
    @pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_warm_start(self, package, solver, early_stopping):
        params = {"solver": solver, "early_stopping": early_stopping, "warm_start": True}
        fitted, X, y = fit(package, "multiclass", **params)
        other = converted(fitted)
        assert_same(fitted, other, X)
        for _ in range(2):
            assert_same(fitted.fit(X, y), other.fit(X, y), X)

    @both_ways
    def test_of_an_estimator_that_was_only_fitted_in_parts(self, package):
        fitted = package.MLPClassifier(**PARAMS).partial_fit(X, y, classes=[0, 1, 2, 3])
        other = converted(fitted)
        for rows in (slice(0, 17), slice(17, 60)):
            fitted.partial_fit(X[rows], y[rows])
            other.partial_fit(X[rows], y[rows])
        assert_same(fitted, other, X)

    @both_ways
    def test_after_a_pickle(self, package):
        fitted, X, y = fit(package, "binary")
        other = pickle.loads(pickle.dumps(converted(fitted)))
        assert_same(fitted.partial_fit(X, y), other.partial_fit(X, y), X)

    @both_ways
    def test_settings_changed_after_the_fit(self, package):
        """The optimizer goes on as it was, even another solver's."""
        fitted, X, y = fit(package, "binary")
        fitted.set_params(solver="sgd", learning_rate_init=10.0)
        other = converted(fitted)
        assert_same(fitted.partial_fit(X, y), other.partial_fit(X, y), X)

    def test_there_and_back(self):
        fitted, X, y = fit(cymlp, "multiclass", solver="sgd", learning_rate="adaptive")
        other = MLPClassifier.from_sklearn(fitted.to_sklearn())
        assert fitted.get_params() == other.get_params()
        fitted.partial_fit(X, y)
        assert_array_equal(parameters(fitted), parameters(other.partial_fit(X, y)))


class TestCopies:
    @both_ways
    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    def test_nothing_is_shared(self, package, solver):
        fitted, X, y = fit(
            package, "multiclass", solver=solver, random_state=np.random.RandomState(0)
        )
        other = converted(fitted)
        expected = copy.deepcopy(fitted).partial_fit(X, y)
        for _ in range(3):
            other.partial_fit(X, y)
        assert_same(fitted.partial_fit(X, y), expected, X)

    @both_ways
    def test_feature_names(self, package):
        frame = pandas.DataFrame(X, columns=list("abcde"))
        fitted = package.MLPRegressor(**PARAMS).fit(frame, numbers)
        assert converted(fitted).feature_names_in_.tolist() == list("abcde")
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            converted(fitted).predict(X)

    @both_ways
    def test_sparse_indicators(self, package):
        """predict returns a sparse matrix if y was one."""
        from scipy.sparse import csr_matrix

        fitted = package.MLPClassifier(**PARAMS).fit(X, csr_matrix(indicators))
        one, other = fitted.predict(X), converted(fitted).predict(X)
        assert (one != other).nnz == 0


class TestFromScikitLearn:
    def test_history(self):
        model, *_ = fit(sklearn.neural_network, "multiclass", early_stopping=True)
        history = MLPClassifier.from_sklearn(model).history_
        assert list(history) == ["loss", "val_score"]
        assert_array_equal(history["loss"], model.loss_curve_)
        assert_array_equal(history["val_score"], model.validation_scores_)

    @pytest.mark.parametrize("n_fits", [1, 2])
    def test_best_iteration(self, n_fits):
        """As after the same fits by cymlp; the second has no better epoch."""
        params = {"early_stopping": True, "warm_start": True, "learning_rate_init": 0.05}
        fitted, X, y = fit(cymlp, "multiclass", **params)
        model, *_ = fit(sklearn.neural_network, "multiclass", **params)
        for _ in range(n_fits - 1):
            fitted.fit(X, y), model.fit(X, y)
        ours = MLPClassifier.from_sklearn(model)
        assert ours.best_iteration_ == fitted.best_iteration_

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_no_best_iteration_without_scores(self, early_stopping):
        """Even if early stopping has been asked for since."""
        model, *_ = fit(sklearn.neural_network, "numbers")
        model.set_params(early_stopping=early_stopping)
        assert MLPRegressor.from_sklearn(model).best_iteration_ is None

    def test_lbfgs_after_adam(self):
        """It has the attributes that a fit by "lbfgs" sets, not those of the fit before."""
        model, X, y = fit(sklearn.neural_network, "numbers")
        model.set_params(solver="lbfgs").fit(X, y)
        fitted = MLPRegressor.from_sklearn(model)
        assert not hasattr(fitted, "loss_curve_")
        assert not hasattr(fitted, "_optimizer")
        assert fitted.history_ == {}
        assert fitted.loss_ == model.loss_

    def test_subclasses(self):
        """Of scikit-learn's class, with other parameters; and of cymlp's."""

        class Theirs(sklearn.neural_network.MLPRegressor):
            def __init__(self, size=3):
                super().__init__(hidden_layer_sizes=size, max_iter=2)
                self.size = size

        class Ours(MLPRegressor):
            pass

        model = Theirs().fit(X, numbers)
        fitted = Ours.from_sklearn(model)
        assert type(fitted) is Ours
        assert fitted.hidden_layer_sizes == 3
        assert_allclose(fitted.predict(X), model.predict(X))

    @pytest.mark.parametrize(
        "model, got",
        [
            (LogisticRegression(), "an instance of sklearn.*LogisticRegression"),
            (sklearn.neural_network.MLPRegressor(), "an instance of sklearn.*MLPRegressor"),
            (sklearn.neural_network.MLPClassifier, "the class sklearn.*MLPClassifier"),
            (MLPClassifier(), "an instance of cymlp.MLPClassifier"),
            (None, "an instance of builtins.NoneType"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_other_classes(self, model, got):
        with pytest.raises(
            TypeError, match=rf"must be a fitted sklearn\S*MLPClassifier, got {got}"
        ):
            MLPClassifier.from_sklearn(model)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            MLPClassifier.from_sklearn(sklearn.neural_network.MLPClassifier())

    @pytest.mark.parametrize(
        "change, match",
        [
            (lambda model: model.coefs_.pop(), "shapes of the layers"),
            (lambda model: model.coefs_[0].fill(np.nan), "must be finite"),
            (lambda model: model.set_params(alpha=-1), "'alpha' parameter"),
            (lambda model: model.set_params(hidden_layer_sizes=5), "hidden_layer_sizes=5"),
        ],
    )
    def test_invalid_models(self, change, match):
        model, *_ = fit(sklearn.neural_network, "binary")
        change(model)
        with pytest.raises(ValueError, match=match):
            MLPClassifier.from_sklearn(model)

    @pytest.mark.parametrize("name", ["_label_binarizer", "_no_improvement_count"])
    def test_a_version_without_a_private_attribute(self, name):
        model, *_ = fit(sklearn.neural_network, "binary")
        delattr(model, name)
        with pytest.raises(RuntimeError, match=rf"has no MLPClassifier\.{name}, which cymlp needs"):
            MLPClassifier.from_sklearn(model)

    def test_a_version_whose_optimizer_differs(self):
        model, *_ = fit(sklearn.neural_network, "binary")
        del model._optimizer.vs
        with pytest.raises(RuntimeError, match=r"has no AdamOptimizer\.vs, which cymlp needs"):
            MLPClassifier.from_sklearn(model)

    def test_a_version_without_a_private_class(self, monkeypatch):
        fitted, *_ = fit(cymlp, "binary")
        private = sklearn.neural_network._multilayer_perceptron
        monkeypatch.delattr(private, "AdamOptimizer")
        with pytest.raises(RuntimeError, match=r"has no sklearn\S*perceptron\.AdamOptimizer"):
            fitted.to_sklearn()

    def test_optimizer_of_other_weights(self):
        """Without its state, training goes on with a new optimizer."""
        model, X, y = fit(sklearn.neural_network, "binary")
        model.coefs_ = [model.coefs_[0][:, :4], model.coefs_[1][:4]]
        model.intercepts_[0] = model.intercepts_[0][:4]
        model.hidden_layer_sizes = 4
        fitted = MLPClassifier.from_sklearn(model)
        assert not hasattr(fitted, "_optimizer")
        assert fitted.partial_fit(X, y).coefs_[0].shape == (5, 4)


class TestToScikitLearn:
    def test_what_has_no_counterpart_is_named(self):
        fitted = classifier(
            activation=["gelu"],
            dropout=0.1,
            alpha=[0.1, 0.2],
            class_weight="balanced",
            label_smoothing=0.1,
        ).fit(X, y)
        with pytest.raises(ValueError, match="scikit-learn's MLPClassifier has no") as error:
            fitted.to_sklearn()
        for setting in (
            "activation=['gelu']", "dropout=0.1", "alpha=[0.1, 0.2]", "class_weight='balanced'",
            "label_smoothing=0.1",
        ):  # fmt: skip
            assert setting in str(error.value)
        assert str(error.value).count("=") == 5

    @pytest.mark.parametrize(
        "params",
        [
            {"clip_norm": 1.0},
            {"weight_decay": 0.1},
            {"l1_ratio": 0.5},
            {"init": "he_normal"},
            {"loss": "huber"},
            {"quantile": 0.9, "loss": "quantile"},
            {"learning_rate": cymlp.schedules.CosineDecay()},
        ],
        ids=lambda params: next(iter(params)),
    )
    def test_each_such_parameter(self, params):
        with pytest.raises(ValueError, match=rf"counterpart of .*{next(iter(params))}="):
            regressor(**params).fit(X, numbers).to_sklearn()

    @pytest.mark.parametrize("as_list", [list, np.array])
    def test_lists_of_equal_values(self, as_list):
        params = {"activation": "tanh", "alpha": 0.3, "l1_ratio": 0.0, "dropout": 0.0}
        n_values = {"activation": 1, "dropout": 1}
        lists = {name: [value] * n_values.get(name, 2) for name, value in params.items()}
        lists["alpha"] = as_list(lists["alpha"])
        model = classifier(**lists).fit(X, y).to_sklearn()
        assert (model.activation, model.alpha) == ("tanh", 0.3)
        model.fit(X, y)

    def test_empty_lists(self):
        """For a network without hidden layers."""
        fitted = classifier(hidden_layer_sizes=(), activation=[], dropout=[]).fit(X, y)
        model = fitted.to_sklearn()
        assert model.activation == "relu"
        assert_same(fitted, model, X)

    def test_sizes_in_a_string(self):
        model = classifier(hidden_layer_sizes="4-3").fit(X, y).to_sklearn()
        assert model.hidden_layer_sizes == (4, 3)
        model.fit(X, y)

    def test_harmless_parameters(self):
        fitted = classifier(n_jobs=1, record_every=2, record_train_score=True).fit(X, y)
        assert_same(fitted, fitted.to_sklearn(), X)

    def test_from_weights(self):
        """The result can be trained, by a new optimizer."""
        fitted = MLPClassifier.from_weights(
            [[[1.0, -1.0]], [[2.0], [0.0]]], [[0.0, 0.0], [-1.0]], classes=["no", "yes"],
            random_state=0,
        )  # fmt: skip
        model = fitted.to_sklearn()
        X, y = [[3.0], [0.2]], ["no", "yes"]
        assert model.predict(X).tolist() == ["yes", "no"]
        fitted = MLPClassifier.from_sklearn(model)
        assert_same(fitted.partial_fit(X, y), model.partial_fit(X, y), X)

    def test_changed_weights(self):
        fitted = classifier().fit(X, y)
        fitted.coefs_[0] = 2 * fitted.coefs_[0]
        assert_same(fitted, fitted.to_sklearn(), X)

    def test_two_outputs_for_two_classes(self):
        fitted = MLPClassifier.from_weights([np.eye(2)], [np.zeros(2)], classes=[0, 1])
        with pytest.raises(ValueError, match="two outputs for two classes"):
            fitted.to_sklearn()

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            MLPClassifier().to_sklearn()

    def test_invalid_parameters(self):
        with pytest.raises(ValueError, match="'alpha' parameter"):
            classifier().fit(X, y).set_params(alpha=-1).to_sklearn()


def test_private_names_are_found():
    """Every private name of scikit-learn that the conversions need exists in this version."""
    for name in ("MLPClassifier", "MLPRegressor", "AdamOptimizer", "SGDOptimizer"):
        assert scikit_learn.original_class(name).__module__.startswith("sklearn.neural_network._")
