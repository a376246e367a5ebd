"""Files that are damaged, foreign or malicious: all that is wrong is an error, and nothing runs."""

import copy
import json
import tracemalloc

import numpy as np
import pytest

import cymlp
from cymlp import MLPClassifier, _safetensors
from small import X, classifier, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

words = np.array(["no", "maybe", "yes"])


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


def loads(path):
    """Whether a file can be loaded; fails if the error is not the right one."""
    try:
        cymlp.load(path).predict(X)
    except ValueError as error:
        assert str(path) in str(error)
        return False
    return True


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_flipped_bits(step, model, record_property):
    """A file with any one bit of the header flipped, or of the rest, loads or is an error."""
    path, *_ = model
    content = path.read_bytes()
    n_header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    of_data = rng.integers(n_header, len(content), 1000 // step)
    positions = np.r_[np.arange(0, n_header, step), of_data]
    n_loaded = 0
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        n_loaded += loads(path)
    record_property("flipped bits", f"{len(positions)}, of which {n_loaded} were loaded")
    assert len(of_data) // 2 < n_loaded < len(positions)


def test_truncated_and_padded(model):
    path, *_ = model
    content = path.read_bytes()
    for length in [*range(0, len(content), 50), len(content) - 1]:
        path.write_bytes(content[:length])
        assert not loads(path)
    for padding in (b"\0", b"\n", content):
        path.write_bytes(content + padding)
        assert not loads(path)


def test_memory(tmp_path):
    """To load a file takes no more memory than twice its size."""
    path = tmp_path / "model.safetensors"
    weights = [np.ones((50, 20_000), np.float32), np.ones((20_000, 1), np.float32)]
    biases = [np.ones(20_000, np.float32), np.ones(1, np.float32)]
    MLPClassifier.from_weights(weights, biases, classes=[0, 1]).save(path)
    tracemalloc.start()
    try:
        cymlp.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * path.stat().st_size + 100_000
