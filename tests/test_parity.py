"""The same numbers as scikit-learn's MLP: every setting, after five epochs, in float64."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.utils.fixes import parse_version

import cymlp

pytestmark = [
    pytest.mark.no_cover,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        parse_version(sklearn.__version__) < parse_version("1.8"),
        reason="parity is with scikit-learn as it is now; older ones differ from it",
    ),
]

PROBLEMS = ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"]
SHARED = ("t_", "n_iter_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


def data(problem, n=47):
    """X, y and sample weights of a small problem."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 6))
    signal = X @ rng.standard_normal((6, 3)) + 0.3 * rng.standard_normal((n, 3))
    y = {
        "binary": np.where(signal[:, 0] > 0, "yes", "no"),
        "multiclass": signal.argmax(axis=1) * 10,
        "multilabel": (signal > 0).astype(int),
        "regression": signal[:, 0],
        "multioutput": signal,
        "poisson": rng.poisson(np.exp(0.3 * signal[:, 0])).astype(float),
    }[problem]
    return X, y, rng.uniform(0.2, 2, n)


def pair(problem, **params):
    """cymlp's estimator and scikit-learn's, with the same parameters."""
    if problem in ("binary", "multiclass", "multilabel"):
        name = "MLPClassifier"
    else:
        name = "MLPRegressor"
        params["loss"] = "poisson" if problem == "poisson" else "squared_error"
    params = {
        "hidden_layer_sizes": (8, 5),
        "max_iter": 5,
        "random_state": 3,
        # Small enough that SGD does not diverge, which would amplify rounding differences.
        "learning_rate_init": 0.002 if params.get("solver") == "sgd" else 0.05,
        **params,
    }
    return (getattr(module, name)(**params) for module in (cymlp, sklearn.neural_network))


def assert_same(ours, theirs, X, rtol=1e-7, atol=1e-10):
    """Assert that fitted attributes are equal up to rounding, and predictions identical."""
    for name in SHARED:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)
            assert a.dtype == X.dtype
    assert_allclose(ours.loss_, theirs.loss_, rtol=rtol, atol=atol)
    if ours.solver != "lbfgs":
        for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert (a is None) == (b is None), name
            if a is not None:
                assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)
    if hasattr(ours, "classes_"):
        assert_array_equal(ours.classes_, theirs.classes_)
        assert_array_equal(ours.predict(X), theirs.predict(X))
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=rtol, atol=atol)
    else:
        assert_allclose(ours.predict(X), theirs.predict(X), rtol=rtol, atol=atol)


# The other options of each solver, with values that differ from the base setting.
OPTIONS = {
    "lbfgs": {"alpha": [0.3], "sample_weight": [True], "activation": ["identity", "logistic"]},
    "adam": {
        "alpha": [0.3],
        "sample_weight": [True],
        "activation": ["logistic", "identity"],
        "batch_size": [10],
        "shuffle": [False],
        "early_stopping": [True],
    },
}
OPTIONS["sgd"] = OPTIONS["adam"] | {
    "learning_rate": ["invscaling", "adaptive"],
    "momentum": [0.0],
    "nesterovs_momentum": [False],
}


def settings(solver):
    """The base setting, each option changed on its own, and two combinations of all options."""
    options = OPTIONS[solver]
    yield {}
    for name, values in options.items():
        for value in values:
            yield {name: value}
    yield {name: values[0] for name, values in options.items()}
    yield {name: values[-1] for name, values in options.items()} | {"alpha": 0.0}


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_settings(solver, problem, activation):
    X, y, w = data(problem)
    for changed in settings(solver):
        params = {"activation": activation, "solver": solver} | changed
        weighted = params.pop("sample_weight", False)
        if params.get("learning_rate") == "adaptive":
            params |= {"tol": 0.5, "n_iter_no_change": 1}
        ours, theirs = pair(problem, **params)
        for estimator in (ours, theirs):
            estimator.fit(X, y, w if weighted else None)
        try:
            assert_same(ours, theirs, X)
        except AssertionError as error:
            raise AssertionError(f"with {changed}: {error}") from None


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_float32(solver, problem):
    X, y, w = data(problem)
    X = X.astype(np.float32)
    for activation, early_stopping in (("relu", False), ("tanh", True)):
        ours, theirs = pair(
            problem, solver=solver, activation=activation, batch_size=10,
            early_stopping=early_stopping,
        )  # fmt: skip
        for estimator in (ours, theirs):
            estimator.fit(X, y, w)
        assert all(a.dtype == np.float32 for a in ours.coefs_ + ours.intercepts_)
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
        for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
            assert_allclose(a, b, rtol=1e-3, atol=1e-4)
        assert ours._network.parameters.dtype == np.float32


@pytest.mark.parametrize("problem", PROBLEMS)
def test_depths(problem):
    X, y, _ = data(problem)
    for hidden, solver in (((), "lbfgs"), ((), "sgd"), (4, "adam"), ([3, 4, 5], "sgd")):
        ours, theirs = pair(problem, solver=solver, hidden_layer_sizes=hidden)
        assert_same(ours.fit(X, y), theirs.fit(X, y), X)


def pickled(estimator):
    return pickle.loads(pickle.dumps(estimator))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_several_partial_fits(solver, problem):
    """Pickled in between."""
    X, y, w = data(problem)
    first = {"classes": np.unique(y)} if problem in ("binary", "multiclass") else {}
    if problem == "multilabel":
        first = {"classes": [0, 1, 2]}
    for momentum in (0.0, 0.9):
        ours, theirs = pair(problem, solver=solver, momentum=momentum, batch_size=10)
        for start, more in ((0, first), (10, {}), (25, {})):
            rows = slice(start, start + 22)
            ours, theirs = pickled(ours), pickled(theirs)
            for estimator in (ours, theirs):
                estimator.partial_fit(X[rows], y[rows], w[rows], **more)
            assert_same(ours, theirs, X)


@pytest.mark.parametrize("problem", ["binary", "multilabel", "multioutput"])
@pytest.mark.parametrize(
    "solver, early_stopping",
    [("lbfgs", False), ("sgd", False), ("sgd", True), ("adam", False), ("adam", True)],
)
def test_warm_start(solver, early_stopping, problem):
    """Pickled in between."""
    X, y, w = data(problem)
    ours, theirs = pair(
        problem, solver=solver, warm_start=True, early_stopping=early_stopping, batch_size=10
    )
    for weights in (None, w, None):
        ours, theirs = pickled(ours), pickled(theirs)
        assert_same(ours.fit(X, y, weights), theirs.fit(X, y, weights), X)


@pytest.mark.parametrize("problem", ["multiclass", "multioutput"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_after_fit(solver, problem):
    """It continues with the optimizer's state, as in scikit-learn."""
    X, y, w = data(problem)
    ours, theirs = pair(problem, solver=solver, batch_size=10)
    for estimator in (ours, theirs):
        estimator.fit(X, y).partial_fit(X, y, w)
    assert_same(pickled(ours), theirs, X)


@pytest.mark.parametrize("problem", ["multilabel", "poisson"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "solver, learning_rate",
    [("sgd", "constant"), ("sgd", "invscaling"), ("sgd", "adaptive"), ("adam", "constant")],
)
def test_stopping(solver, learning_rate, early_stopping, problem):
    """The fits stop in the same epoch."""
    X, y, _ = data(problem)
    for n_iter_no_change in (1, 3):
        ours, theirs = pair(
            problem, solver=solver, learning_rate=learning_rate, early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change, tol=1e-2, max_iter=120, hidden_layer_sizes=(4,),
        )  # fmt: skip
        assert ours.fit(X, y).n_iter_ == theirs.fit(X, y).n_iter_
        assert_same(ours, theirs, X, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_rows(name, weighted, digits):
    """The same rows are held out, with the same scores."""
    X, y = digits[0][:300], digits[1][:300]
    params = {
        "hidden_layer_sizes": 12, "early_stopping": True, "max_iter": 6, "random_state": 3,
        "validation_fraction": 0.3, "learning_rate_init": 0.01,
    }  # fmt: skip
    args = (0.5 + np.random.default_rng(0).random(300),) if weighted else ()
    ours, theirs = (
        getattr(module, name)(**params).fit(X, y, *args)
        for module in (cymlp, sklearn.neural_network)
    )
    assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-7)
    assert_array_equal(ours.history_["val_score"], ours.validation_scores_)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_printed_output(early_stopping, learning_rate, capsys):
    X, y, _ = data("multiclass")
    printed = []
    for estimator in pair(
        "multiclass", solver="sgd", verbose=True, early_stopping=early_stopping, tol=1e-2,
        learning_rate=learning_rate, max_iter=300, n_iter_no_change=2, learning_rate_init=0.2,
    ):  # fmt: skip
        estimator.fit(X, y)
        printed.append(capsys.readouterr().out)
    assert "Stopping." in printed[0]
    assert printed[0] == printed[1]


def test_warnings():
    X, y, _ = data("binary")
    texts = []
    for estimator in pair("binary", batch_size=1000):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(X, y)
        texts.append([(w.category, str(w.message)) for w in caught])
    assert len(texts[0]) == 2
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "solver, container", [("lbfgs", csr_matrix), ("sgd", csc_matrix), ("adam", csr_matrix)]
)
def test_sparse(solver, container):
    X, y, w = data("multiclass")
    X = np.where(X > 0.5, X, 0)
    ours, theirs = pair("multiclass", solver=solver, batch_size=10)
    for estimator in (ours, theirs):
        estimator.fit(container(X), y, w)
    assert_same(ours, theirs, X)
    assert_allclose(ours.predict_proba(container(X)), theirs.predict_proba(X), rtol=1e-7)


def test_random_state_instance():
    """The generator is used in the same order, so that later draws are the same too."""
    X, y, _ = data("binary")
    generators = [np.random.RandomState(5) for _ in range(2)]
    fitted = []
    for estimator, generator in zip(pair("binary", early_stopping=True), generators, strict=True):
        fitted.append(estimator.set_params(random_state=generator).fit(X, y))
    assert_same(*fitted, X)
    assert generators[0].randint(2**30) == generators[1].randint(2**30)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_batch_is_read_in_order(early_stopping):
    """Identical results, shuffled or not, if all samples are one batch."""
    X, y, w = data("multiclass")
    params = {"early_stopping": early_stopping, "dropout": 0.2, "n_jobs": 1, "random_state": 0}
    shuffled, in_order = (
        cymlp.MLPClassifier(shuffle=shuffle, max_iter=5, **params).fit(X, y, w)
        for shuffle in (True, False)
    )
    for W, V in zip(shuffled.coefs_, in_order.coefs_, strict=True):
        assert_array_equal(W, V)


def test_sparse_multilabel_targets():
    X, y, _ = data("multilabel")
    ours, theirs = pair("multilabel")
    ours.fit(X, csr_matrix(y)), theirs.fit(X, csr_matrix(y))
    assert_array_equal(ours.predict(X).toarray(), theirs.predict(X).toarray())
    assert_allclose(ours.loss_curve_, theirs.loss_curve_)


@pytest.mark.parametrize("fit_dtype", [np.float32, np.float64])
def test_dtype_of_predictions(fit_dtype):
    X, y, _ = data("regression")
    ours, theirs = pair("regression")
    for estimator in (ours, theirs):
        estimator.fit(X.astype(fit_dtype), y)
    for dtype in (np.float16, np.float32, np.float64, np.int64, np.uint8, bool):
        rows = (10 * np.abs(X)).astype(dtype)
        expected = theirs.predict(rows)
        assert ours.predict(rows).dtype == expected.dtype
        assert_allclose(ours.predict(rows), expected, rtol=1e-3, atol=1e-4)
