"""Saving and loading: what is the same afterwards, what cannot be saved, damaged files."""

import copy
import json
import time
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
from cymlp import MLPClassifier, MLPRegressor, _engine, _safetensors, schedules
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
    with pytest.raises(ValueError, match=rf"The parameter {name}=.*skip=\['{name}'\]"):
        estimator.save(path)
    assert not path.exists()
    estimator.save(path, skip=name)
    loaded = cymlp.load(path)
    assert getattr(loaded, name) == getattr(MLPRegressor(), name)
    assert_array_equal(loaded.predict(X), estimator.predict(X))


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


# Damaged and foreign files.


@pytest.fixture
def model(tmp_path):
    """A path, and the arrays and the description that are in the file."""
    path = tmp_path / "model.safetensors"
    estimator = classifier(class_weight={"no": 1, "maybe": 2, "yes": 3}).fit(X, words[y])
    estimator.save(path, include_optimizer=True)
    tensors, metadata = _safetensors.read(path)
    return path, tensors, json.loads(metadata["cymlp"])


def rewrite(path, tensors, description):
    _safetensors.write(path, tensors, {"cymlp": json.dumps(description)})


def changed(document, keys, value):
    """A copy in which the item at these keys has another value."""
    document = copy.deepcopy(document)
    *parents, last = keys
    item = document
    for key in parents:
        item = item[key]
    item[last] = value
    return document


def tagged(dtype, values, **more):
    return {"array": {"dtype": dtype, "shape": [len(values)], "values": values, **more}}


CHANGES = [
    (["format_version"], 2, "version 2"),
    (["format_version"], True, "no description"),
    (["class"], "MLPRegressor", "lacks|another"),
    (["class"], "object", "another class, 'object'"),
    (["class"], ["MLPClassifier"], "another class"),
    (["more"], 1, "is not an object of format_version"),
    (["params"], [], "in place of a JSON object"),
    (["params", "hidden_layer_size"], 3, "MLPClassifier lacks: .'hidden_layer_size'"),
    (["params", "hidden_layer_sizes"], ["a"], "hidden_layer_sizes"),
    (["params", "hidden_layer_sizes"], {"dict": []}, None),
    (["params", "alpha"], -1, "alpha"),
    (["params", "alpha"], [1, 2, 3], "alpha"),
    (["params", "alpha"], {"float": "1"}, "none of inf"),
    (["params", "alpha"], {"decimal": "1"}, "unknown kind of value"),
    (["params", "alpha"], {"tuple": 1}, "not a list"),
    (["params", "class_weight"], {"dict": [[1]]}, "list of pairs"),
    (["params", "class_weight"], {"dict": [[[], 1]]}, "a key that cannot be one"),
    (["params", "learning_rate"], {"schedule": {"name": "Schedule", "params": {}}}, "no schedule"),
    (["params", "learning_rate"], {"schedule": {"name": "np", "params": {}}}, "no schedule"),
    (["params", "learning_rate"], {"schedule": {"name": "OneCycle"}}, "object of name, params"),
    (
        ["params", "learning_rate"],
        {"schedule": {"name": "OneCycle", "params": {"pct_start": 7}}},
        "pct_start",
    ),
    (
        ["params", "learning_rate"],
        {"schedule": {"name": "OneCycle", "params": {"begin": 7}}},
        "begin",
    ),
    (["fitted", "t_"], -1, "t_"),
    (["fitted", "t_"], 2**80, "t_"),
    (["fitted", "t_"], 1.0, "t_"),
    (["fitted", "loss_"], "low", "loss_"),
    (["fitted", "loss_curve_"], [], "unknown fitted attributes"),
    (["fitted", "validation_scores_"], [1], "validation_scores_"),
    (["fitted", "out_activation_"], "exponential", "out_activation_"),
    (["fitted", "coefs_"], 1, "unknown fitted attributes .'coefs_'"),
    (["fitted", "feature_names_in_"], ["a"], "1 feature names for 5"),
    (["fitted", "feature_names_in_"], [1] * 5, "feature_names_in_"),
    (["fitted", "y_type"], "binary", "3 classes for 3 outputs"),
    (["fitted", "y_type"], [], "y_type"),
    (["fitted", "y_is_sparse"], 1, "y_is_sparse"),
    (["fitted", "classes_"], [0, 1, 2], "no vector classes_"),
    (["fitted", "classes_"], tagged("int64", [0, 1]), "2 classes for 3 outputs"),
    (["fitted", "classes_"], tagged("int64", [2, 1, 0]), "ascending"),
    (["fitted", "classes_"], tagged("int64", [0, 1, 1]), "ascending"),
    (["fitted", "classes_"], tagged("int64", [0, 1, 2**63]), "do not fit"),
    (["fitted", "classes_"], tagged("int64", [0, 1, 2.5]), "do not fit"),
    (["fitted", "classes_"], tagged("int64", [False, 1, 2]), "do not fit"),
    (["fitted", "classes_"], tagged("float16", [0, 1, 1e9]), "do not fit"),
    (["fitted", "classes_"], tagged("object", [0, 1, "2"]), "not supported"),
    (["fitted", "classes_"], tagged("datetime64[s]", [0, 1, 2]), "do not fit"),
    (["fitted", "classes_"], tagged("str", ["a", "bb", "c"], width=1), "width 1"),
    (["fitted", "classes_"], tagged("str", ["a", "b", "c"], width=10**9), None),
    (["fitted", "classes_"], tagged("str", ["a", "b", "c"]), "object of"),
    (["fitted", "optimizer"], None, "not complete"),
    (["fitted", "optimizer", "dict", 0, 1], "lbfgs", "not complete"),
    (["fitted", "optimizer", "dict", 0, 1], "sgd", "optimizer settings"),
    (["fitted", "optimizer", "dict", 1, 1], "sgd", "shape"),
    (["fitted", "optimizer", "dict", 1, 1], "SGD", "optimizer settings"),
    (["fitted", "optimizer", "dict", 2, 1], {"dict": []}, "optimizer settings"),
    (["fitted", "optimizer", "dict", 3, 1], -1.0, "optimizer settings"),
    (["fitted", "optimizer", "dict", 4, 1], 1.5, "optimizer settings"),
]


@pytest.mark.parametrize(("keys", "value", "reason"), CHANGES)
def test_a_changed_description(keys, value, reason, model):
    path, tensors, description = model
    rewrite(path, tensors, changed(description, keys, value))
    if reason is None:  # it is valid, and harmless
        assert cymlp.load(path).predict(X).shape == y.shape
        return
    with pytest.raises(ValueError, match=reason) as caught:
        cymlp.load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("key", ["class", "params", "fitted", "cymlp_version"])
def test_a_missing_key(key, model):
    path, tensors, description = model
    del description[key]
    rewrite(path, tensors, description)
    with pytest.raises(ValueError, match="is not an object of"):
        cymlp.load(path)


ARRAYS = {
    "more": ({"more": np.zeros(3)}, "not those of a network"),
    "no bias": ({"intercepts_.1": None}, "not those of a network"),
    "a layer": ({"coefs_.2": np.zeros((3, 3)), "intercepts_.2": np.zeros(3)}, None),
    "sizes": ({"coefs_.1": np.zeros((8, 3))}, "do not agree"),
    "a vector": ({"coefs_.1": np.zeros(21)}, "list of matrices"),
    "a matrix": ({"intercepts_.1": np.zeros((3, 1))}, "do not agree"),
    "float32": ({"intercepts_.1": np.zeros(3, np.float32)}, "float32 or float64"),
    "integers": ({"intercepts_.1": np.zeros(3, int)}, "float32 or float64"),
    "NaN": ({"intercepts_.1": np.array([0, np.nan, 0])}, "finite"),
    "no state": ({"optimizer.state": None}, "not complete"),
    "a state": ({"optimizer.state": np.zeros((1, 66))}, "optimizer.state of shape"),
    "a state of float32": ({"optimizer.state": np.zeros((2, 66), np.float32)}, "of shape"),
    "infinite moments": ({"optimizer.state": np.full((2, 66), np.inf)}, "optimizer.state"),
    "a short history": ({"history.loss": np.zeros(2)}, "differ in length"),
    "a history": ({"history.loss": np.zeros((5, 1))}, "vector of float64"),
    "a curve": ({"loss_curve_": np.zeros(5, bool)}, "vector of float64"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_changed_arrays(case, model):
    path, tensors, description = model
    changes, reason = ARRAYS[case]
    tensors = {name: array for name, array in (tensors | changes).items() if array is not None}
    rewrite(path, tensors, description)
    with pytest.raises(ValueError, match=reason or "optimizer.state") as caught:
        cymlp.load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "[]", "{}", "NaN", '{"a": 1, "a": 1}', "[" * 100_000])
def test_a_description_that_is_none(text, model):
    path, tensors, _ = model
    for metadata in ({"cymlp": text}, {}):
        _safetensors.write(path, tensors, metadata)
        with pytest.raises(ValueError, match=str(path)):
            cymlp.load(path)


def test_deep_values(model):
    path, tensors, description = model
    value = 0
    for _ in range(400):
        value = {"tuple": [value]}
    rewrite(path, tensors, changed(description, ["params", "alpha"], value))
    with pytest.raises(ValueError, match=str(path)):
        cymlp.load(path)
    deep = []
    deep.append(deep)
    estimator = fitted("numbers").set_params(alpha=deep)
    with pytest.raises(ValueError, match="alpha"):
        estimator.save(path)


def loads(path):
    """Whether a file can be loaded; fails if that takes a second, or raises the wrong error."""
    start = time.perf_counter()
    try:
        cymlp.load(path).predict(X)
    except ValueError as error:
        assert str(path) in str(error)
        return False
    finally:
        assert time.perf_counter() - start < 1
    return True


def test_flipped_bits(model, record_property):
    """A file with any one bit of the header flipped, or of the rest, loads or is an error."""
    path, *_ = model
    content = path.read_bytes()
    n_header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    positions = np.r_[np.arange(n_header), rng.integers(n_header, len(content), 1000)]
    n_loaded = 0
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        n_loaded += loads(path)
    record_property("flipped bits: loaded, of", f"{n_loaded}, {len(positions)}")
    assert 1000 // 2 < n_loaded < len(positions) - n_header // 2


def test_truncated_and_padded(model):
    path, *_ = model
    content = path.read_bytes()
    for length in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:length])
        assert not loads(path)
    for padding in (b"\0", b"\n", content):
        path.write_bytes(content + padding)
        assert not loads(path)


# Files of earlier versions.


def test_a_file_of_format_version_1():
    """It must load for ever after."""
    loaded = MLPClassifier.load(DATA / "classifier-1.safetensors")
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
    assert loaded.score(frame, words[y]) > 0.9
    loaded.partial_fit(frame, words[y])
    assert loaded._optimizer.n_updates == 31 * 4


def test_a_pipeline_can_have_a_loaded_estimator(tmp_path):
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    loaded = saved(pipeline[-1], tmp_path)
    again = make_pipeline(pipeline[0], loaded)
    assert_array_equal(again.predict(X), pipeline.predict(X))
