"""Saving and loading: what is the same afterwards, what cannot be saved, a file of old."""

import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, issparse
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cymlp
from cymlp import MLPClassifier, MLPRegressor, _engine, schedules
from small import X, classifier, indicators, numbers, regressor, several, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DATA = Path(__file__).parents[1] / "data"

words = np.array(["no", "maybe", "yes"])
counts = y.astype(float)
FITS = {
    "binary": (classifier, y > 0),
    "one class": (classifier, np.zeros_like(y)),
    "multiclass": (classifier, y),
    "large numbers": (classifier, y + 2**40),
    "small numbers": (classifier, y.astype(np.uint8)),
    "floats": (classifier, y.astype(np.float32)),
    "words": (classifier, words[y]),
    "wide words": (classifier, words.astype("<U12")[y]),
    "objects": (classifier, words.astype(object)[y]),
    "multilabel": (classifier, indicators),
    "sparse multilabel": (classifier, csr_array(indicators)),
    "numbers": (regressor, numbers),
    "several": (regressor, several),
    "poisson": (partial(regressor, loss="poisson"), counts),
    "quantile": (partial(regressor, loss="quantile", quantile=0.9), numbers),
    "huber": (partial(regressor, loss="huber", delta=0.5), numbers),
    "early stopping": (partial(classifier, early_stopping=True), y),
    "lbfgs": (partial(regressor, solver="lbfgs"), numbers),
    "plain SGD": (partial(regressor, solver="sgd", momentum=0), numbers),
    "Nesterov": (partial(classifier, solver="sgd"), y),
    "adaptive": (partial(classifier, solver="sgd", learning_rate="adaptive", tol=1), y),
    "records": (partial(classifier, record_every=2, record_train_score=True), y),
    "linear": (partial(classifier, hidden_layer_sizes=()), y),
    "no fit": (
        lambda: MLPClassifier.from_weights([np.eye(5, 2)], [np.zeros(2)], classes=[3, 4]), None
    ),
    **{
        activation: (partial(regressor, activation=activation), numbers)
        for activation in _engine.ACTIVATIONS
    },
}  # fmt: skip


def fitted(case, dtype=np.float64):
    make, target = FITS[case]
    return make() if target is None else make().fit(X.astype(dtype), target)


def saved(estimator, path, **options):
    estimator.save(path / "model.safetensors", **options)
    return cymlp.load(path / "model.safetensors")


def assert_same(loaded, estimator):
    """Assert that the fitted attributes and the parameters are the same."""
    mine, yours = vars(loaded), vars(estimator)
    assert mine.keys() | {"_optimizer"} == yours.keys() | {"_optimizer"}
    assert loaded.get_params() == estimator.get_params()
    for name in yours.keys() - {"_network", "_optimizer", "_records", "coefs_", "intercepts_"}:
        assert type(mine[name]) is type(yours[name]), name
        assert_array_equal(mine[name], yours[name], strict=True)
    history = estimator.history_
    assert list(loaded.history_) == list(history)
    for name, column in history.items():
        assert_array_equal(loaded.history_[name], column, strict=True)


def outputs(estimator):
    if isinstance(estimator, MLPClassifier):
        return estimator.predict_proba(X)
    return estimator.predict(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", FITS)
def test_the_loaded_estimator_is_the_saved_one(case, dtype, tmp_path):
    estimator = fitted(case, dtype)
    loaded = saved(estimator, tmp_path)
    assert type(loaded) is type(estimator)
    assert_same(loaded, estimator)
    assert_array_equal(outputs(loaded), outputs(estimator), strict=True)
    mine, yours = loaded.predict(X.astype(dtype)), estimator.predict(X.astype(dtype))
    assert issparse(mine) == issparse(yours)
    if issparse(mine):
        mine, yours = mine.toarray(), yours.toarray()
    assert_array_equal(mine, yours, strict=True)
    assert loaded._network.parameters.ctypes.data % 64 == 0


@pytest.mark.parametrize("case", ["multiclass", "Nesterov", "plain SGD", "adaptive", "records"])
def test_partial_fit_continues_with_the_optimizer(case, tmp_path):
    estimator = fitted(case)
    target = FITS[case][1]
    bare = saved(estimator, tmp_path)
    loaded = saved(estimator, tmp_path, include_optimizer=True)
    for continued in (estimator, loaded, bare):
        for _ in range(2):
            continued.partial_fit(X, target)
    assert_array_equal(outputs(loaded), outputs(estimator))
    assert loaded.loss_curve_ == estimator.loss_curve_
    if case != "plain SGD":  # which has no state
        assert not np.array_equal(outputs(bare), outputs(estimator))


@pytest.mark.parametrize("case", ["multiclass", "early stopping", "lbfgs", "sparse multilabel"])
def test_warm_start_continues(case, tmp_path):
    make, target = FITS[case]
    estimator = make(warm_start=True).fit(X, target)
    loaded = saved(estimator, tmp_path)
    for continued in (estimator, loaded):
        continued.fit(X, target)
    assert_array_equal(outputs(loaded), outputs(estimator))
    assert_array_equal(loaded.history_["loss"], estimator.history_["loss"])


PARAMS = [
    {"hidden_layer_sizes": [4, 3], "activation": ["tanh", "relu"], "alpha": (0.1, 0, 1)},
    {"hidden_layer_sizes": "6-5", "n_iter_no_change": np.inf, "clip_norm": 1},
    {"hidden_layer_sizes": np.array([6, 5]), "dropout": [np.float32(0.1), 0.25]},
    {"class_weight": {0: 1, 1: 2.5, np.int64(2): np.float32(3)}, "alpha": np.float64(0.1)},
    {"scoring": "accuracy", "early_stopping": np.True_, "random_state": 2**32 - 1},
    {"tol": 0, "batch_size": np.int32(8), "verbose": 0},
    {"learning_rate": schedules.CosineDecay(warmup_steps=0.1, first_decay_steps=np.int64(3))},
    {"learning_rate": schedules.OneCycle(anneal_strategy="linear")},
    {"learning_rate": schedules.StepDecay(3, factor=np.float64(0.5))},
]


@pytest.mark.parametrize("params", PARAMS)
def test_parameters(params, tmp_path):
    estimator = classifier(**params).fit(X, y)
    loaded = saved(estimator, tmp_path)
    for name, value in estimator.get_params().items():
        mine = loaded.get_params()[name]
        if isinstance(value, np.ndarray):
            assert_array_equal(mine, value, strict=True)
        else:
            assert mine == value
            assert isinstance(value, np.generic) or type(mine) is type(value)
    assert_array_equal(outputs(loaded), outputs(estimator))


def test_a_list_of_class_weights(tmp_path):
    weights = [{0: 1.0, 1: 2.0}, {0: 3, 1: 1}, "balanced"]
    estimator = classifier(class_weight=weights).fit(X, indicators)
    assert saved(estimator, tmp_path).class_weight == weights


def test_parameters_that_have_changed_since_the_fit(tmp_path):
    estimator = regressor().fit(X, numbers)
    estimator.set_params(hidden_layer_sizes=(99,), loss="poisson", solver="sgd")
    loaded = saved(estimator, tmp_path, include_optimizer=True)
    assert loaded.get_params() == estimator.get_params()
    assert_array_equal(loaded.predict(X), estimator.predict(X))
    estimator.set_params(alpha=-1)
    with config_context(skip_parameter_validation=True), pytest.raises(ValueError, match="alpha"):
        estimator.save(tmp_path / "model.safetensors")
    assert cymlp.load(tmp_path / "model.safetensors").alpha == 0.0001  # the file is the old one


def test_weights_that_have_been_replaced(tmp_path):
    estimator = fitted("multiclass")
    estimator.coefs_[0] = np.asfortranarray(estimator.coefs_[0] * 2)
    assert_array_equal(outputs(saved(estimator, tmp_path)), outputs(estimator))
    # Of other sizes, for which the optimizer's state is of no use.
    estimator.coefs_, estimator.intercepts_ = [np.eye(5, 9), np.eye(9, 3)], [np.ones(9), np.ones(3)]
    loaded = saved(estimator, tmp_path, include_optimizer=True)
    assert_array_equal(outputs(loaded), outputs(estimator))


def test_feature_names(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "é", '"'])
    estimator = classifier().fit(frame, y)
    loaded = saved(estimator, tmp_path)
    assert_array_equal(loaded.feature_names_in_, estimator.feature_names_in_, strict=True)
    assert_array_equal(loaded.predict(frame), estimator.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["b", "a", "c", "é", '"']])


def test_records_that_are_nan(tmp_path):
    estimator = regressor(solver="lbfgs").fit(X, numbers)
    estimator.set_params(warm_start=True).fit(X, numbers, X_val=X, y_val=numbers)
    estimator.loss_ = np.nan
    assert np.isnan(estimator.history_["val_loss"]).any()
    assert_same(saved(estimator, tmp_path), estimator)


class Derived(MLPClassifier):
    """A user's class."""


def test_a_derived_class(tmp_path):
    path = tmp_path / "model.safetensors"
    estimator = Derived(**classifier().get_params()).fit(X, y)
    estimator.save(path)
    assert type(Derived.load(path)) is Derived
    assert type(MLPClassifier.load(path)) is MLPClassifier
    assert type(cymlp.load(path)) is MLPClassifier
    with pytest.raises(ValueError, match="another class, 'MLPClassifier'"):
        MLPRegressor.load(path)


# What cannot be saved.


def halved(step, total):
    return 0.5


CANNOT = {
    "learning_rate": halved,
    "init": lambda fan_in, fan_out, random_state: (np.zeros((fan_in, fan_out)), np.zeros(fan_out)),
    "scoring": make_scorer(r2_score),
    "random_state": np.random.RandomState(0),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_saved_can_be_skipped(name, tmp_path):
    path = tmp_path / "model.safetensors"
    estimator = regressor(**{name: CANNOT[name]}, early_stopping=True).fit(X, numbers)
    with pytest.raises(ValueError, match=rf'^{name}=.*use skip=\["{name}"\]'):
        estimator.save(path)
    assert not path.exists()
    estimator.save(path, skip=name)
    loaded = cymlp.load(path)
    assert getattr(loaded, name) == getattr(MLPRegressor(), name)
    assert_array_equal(loaded.predict(X), estimator.predict(X))


def test_a_list_that_contains_itself(tmp_path):
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match=r"^alpha="):
        fitted("numbers").set_params(alpha=endless).save(tmp_path / "model")


def test_classes_that_cannot_be_saved(tmp_path):
    estimator = fitted("objects")
    estimator.classes_ = np.array([b"maybe", b"no", b"yes"])
    with pytest.raises(ValueError, match=r"^classes_="):
        estimator.save(tmp_path / "model")


def test_skip_of_what_is_no_parameter(tmp_path):
    with pytest.raises(ValueError, match="'scorer'"):
        fitted("numbers").save(tmp_path / "model", skip=["tol", "scorer"])


def test_what_is_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        MLPClassifier().save(tmp_path / "model")


def test_weights_that_are_not_finite(tmp_path):
    estimator = fitted("numbers")
    estimator.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        estimator.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# Files of earlier versions.


@pytest.mark.parametrize("form", ["safetensors", "pickle"])
def test_a_file_of_format_version_1(form):
    """It must load for ever after. The pickle was made with NumPy 1.25 and scikit-learn 1.6."""
    path = DATA / f"classifier-1.{form}"
    loaded = MLPClassifier.load(path) if form == "safetensors" else pickle.loads(path.read_bytes())
    assert_array_equal(loaded.classes_, ["maybe", "no", "yes"], strict=True)
    assert loaded.learning_rate == schedules.CosineDecay(warmup_steps=2)
    assert loaded.class_weight == {"maybe": 1.5, "no": 1, "yes": 2}
    assert loaded.hidden_layer_sizes == (4, 3)
    assert loaded.n_iter_no_change == np.inf
    assert list(loaded.feature_names_in_) == list("abcde")
    assert loaded.n_iter_ == len(loaded.loss_curve_) == len(loaded.history_["val_loss"]) == 30
    frame = pd.DataFrame(X, columns=list("abcde"))
    expected = [
        [0.354544, 0.645025, 0.000431],
        [0.86498, 0.000438, 0.134582],
    ]
    assert_allclose(loaded.predict_proba(frame[:2]), expected, rtol=1e-3, atol=1e-5)
    assert loaded.score(frame, words[y]) > 0.85
    loaded.partial_fit(frame, words[y])
    assert loaded._optimizer.n_updates == 31 * 4


def test_a_pipeline_can_have_a_loaded_estimator(tmp_path):
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    loaded = saved(pipeline[-1], tmp_path)
    again = make_pipeline(pipeline[0], loaded)
    assert_array_equal(again.predict(X), pipeline.predict(X))
