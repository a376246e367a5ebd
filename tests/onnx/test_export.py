"""to_onnx: the outputs of ONNX Runtime are what the estimator predicts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

import small
from cymlp import MLPClassifier, MLPRegressor
from cymlp.onnx import to_onnx
from small import classifier, indicators, numbers, regressor, several, y

pytest.importorskip("onnx.helper")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RTOL = {"float32": 1e-5, "float64": 1e-9}
X = small.X
is_high = y > 0
# (estimator, y) of every kind.
FITS = {
    "int": (classifier(), y),
    "beyond 32 bits": (classifier(), y * 3_000_000_000 - 1),
    "str": (classifier(activation="gelu"), np.array(["низкий", "", "high"])[y]),
    "str objects": (classifier(), np.array(["a", "b c", "d"], dtype=object)[y]),
    "float": (classifier(), 2.0 * y),
    "binary bool": (classifier(activation="tanh"), is_high),
    "binary str": (classifier(), np.where(is_high, "yes", "no")),
    "binary int": (classifier(), np.where(is_high, 2**40, -7)),
    "one class": (classifier(), np.full(len(y), "all")),
    "multilabel": (classifier(), indicators),
    "two labels": (classifier(), indicators[:, :2]),
    "layers": (
        classifier(hidden_layer_sizes=(6, 5, 4), activation=["elu", "identity", "mish"]),
        y,
    ),
    "linear": (classifier(hidden_layer_sizes=()), y),
    "numbers": (regressor(), numbers),
    "several outputs": (regressor(activation="selu"), several),
    "counts": (regressor(loss="poisson"), np.abs(numbers)),
    "quantile": (regressor(loss="quantile", quantile=0.9), numbers),
}


def fitted(kind, dtype="float64"):
    estimator, targets = FITS[kind]
    return estimator.fit(X.astype(dtype), targets)


def agree(outputs, estimator, X_new):
    """Equal labels, and numbers of the same dtype that differ by rounding alone."""
    limit = RTOL[X_new.dtype.name]
    wanted = estimator.predict(X_new)
    if isinstance(estimator, MLPRegressor):
        assert list(outputs) == ["variable"]
        found, wanted = outputs["variable"], wanted.reshape(len(X_new), -1)
        # A sum of numbers of either sign has fewer right digits than they.
        atol = limit * np.abs(wanted).mean()
    else:
        assert list(outputs) == ["label", "probabilities"]
        assert_array_equal(outputs["label"], wanted)
        assert outputs["label"].ndim == wanted.ndim
        assert outputs["label"].dtype == (object if wanted.dtype.kind == "U" else wanted.dtype)
        found, wanted = outputs["probabilities"], estimator.predict_proba(X_new)
        # The first of two classes has 1 - p.
        atol = np.finfo(wanted.dtype).eps
    assert found.dtype == wanted.dtype == X_new.dtype
    assert_allclose(found, wanted, rtol=limit, atol=atol)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("kind", FITS)
def test_predictions(kind, dtype, run, X_new):
    estimator, X_new = fitted(kind, dtype), X_new.astype(dtype)
    model = to_onnx(estimator)
    agree(run(model, X_new), estimator, X_new)
    agree(run(model, X_new[:1]), estimator, X_new[:1])
    none = run(model, X_new[:0])
    assert {len(output) for output in none.values()} == {0}


def test_two_softmax_outputs(run, X_new):
    """A binary network with an output for each class; also where both have the same probability."""
    W = np.random.default_rng(0).standard_normal((5, 2))
    network = MLPClassifier.from_weights([W], [np.zeros(2)], classes=["a", "b"])
    agree(run(to_onnx(network), X_new), network, X_new)
    ties = np.zeros((1, 5))
    assert run(to_onnx(network), ties)["label"] == network.predict(ties) == ["a"]


def test_ties(run):
    """The first of equal classes, and a label only if its probability is above 0.5."""
    X_zero = np.zeros((2, 5))
    for n, params in ((1, {}), (3, {}), (3, {"multilabel": True})):
        weights = [np.ones((5, n))], [np.zeros(n)]
        network = MLPClassifier.from_weights(*weights, classes=range(max(n, 2)), **params)
        found = run(to_onnx(network), X_zero)["label"]
        assert_array_equal(found, network.predict(X_zero))
        assert not found.any()


def test_label_alone(run, X_new):
    estimator = fitted("binary bool")
    outputs = run(to_onnx(estimator, probabilities=False), X_new)
    assert list(outputs) == ["label"]
    assert_array_equal(outputs["label"], estimator.predict(X_new))


@pytest.mark.parametrize("dtype", ["float32", np.float64])
@pytest.mark.parametrize("other", RTOL)
def test_dtype(dtype, other, run, X_new):
    """The model's dtype is not the weights'."""
    estimator = fitted("int", other)
    outputs = run(to_onnx(estimator, dtype=dtype), X_new.astype(dtype))
    assert outputs["probabilities"].dtype == dtype
    assert_allclose(outputs["probabilities"], estimator.predict_proba(X_new), rtol=1e-4)


def test_columns_of_a_frame(run, X_new):
    pandas = pytest.importorskip("pandas")
    names = ["X", "petal width (cm)", "gemm", "coefs_0", "é"]
    frame, new = (pandas.DataFrame(values, columns=names) for values in (X, X_new))
    estimator = classifier().fit(frame, y)
    model = to_onnx(estimator)
    assert [column.name for column in model.graph.input] == names
    outputs = run(model, {name: new[[name]].to_numpy() for name in names})
    wanted = estimator.predict_proba(new)
    assert_allclose(outputs["probabilities"], wanted, rtol=1e-9)
    model = to_onnx(estimator, by_column=False)
    assert [matrix.name for matrix in model.graph.input] == ["X"]
    assert_allclose(run(model, X_new)["probabilities"], wanted, rtol=1e-9)


def test_old_runtimes_can_read_it():
    model = to_onnx(fitted("layers"))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    assert model.ir_version == 7


def changed(**attributes):
    estimator = classifier().fit(X, y)
    for name, value in attributes.items():
        setattr(estimator, name, value)
    return estimator


W, V = np.ones((5, 7)), np.ones((7, 3))
c, d = np.ones(7), np.ones(3)
NAMES = np.array(list("abcde"), dtype=object)


@pytest.mark.parametrize(
    "attributes, options, match",
    [
        ({"coefs_": [W, V.T]}, {}, "do not agree"),
        ({"coefs_": [W[:4], V]}, {}, "4 inputs and 3 outputs"),
        ({"coefs_": [W, V[:, :2]], "intercepts_": [c, d[:2]]}, {}, "n_outputs_ is 3"),
        ({"coefs_": [W]}, {}, "do not agree"),
        ({"coefs_": []}, {}, "list of matrices"),
        ({"coefs_": None}, {}, "lists of arrays"),
        ({"coefs_": [W, V * 1j]}, {}, "real numbers"),
        ({"coefs_": [W, V.astype(str)]}, {}, "real numbers"),
        ({"coefs_": [W * np.nan, V]}, {}, "finite"),
        ({"intercepts_": [c, d * np.inf]}, {}, "finite"),
        ({"coefs_": [W * 1e39, V]}, {"dtype": "float32"}, "too large for float32"),
        ({"activation": "no such"}, {}, "activation must be one of .* got 'no such'"),
        ({"activation": np.tanh}, {}, "activation must be one of .* got <ufunc 'tanh'>"),
        ({"activation": ["relu", "tanh"]}, {}, "1 hidden layers"),
        ({"activation": [None]}, {}, "got None"),
        ({"out_activation_": "relu"}, {}, "out_activation_ must be one of"),
        ({"classes_": np.arange(4)}, {}, "4 classes, but n_outputs_ is 3"),
        ({"classes_": np.arange(3) + 0j}, {}, "int, float, bool or str"),
        ({"classes_": np.array([1, "a", 2.5], dtype=object)[:, np.newaxis]}, {}, "one-dimensional"),
        ({"classes_": np.arange(3, dtype=np.uint64) + 2**63}, {}, "int64"),
        ({}, {"dtype": "float16"}, "dtype must be .* got 'float16'"),
        ({}, {"dtype": "no dtype"}, "got 'no dtype'"),
        ({}, {"dtype": int}, "got <class 'int'>"),
        ({}, {"by_column": True}, "feature_names_in_"),
        ({"feature_names_in_": NAMES[:4]}, {}, "5 different names"),
        ({"feature_names_in_": NAMES[[0, 0, 1, 2, 3]]}, {}, "5 different names"),
        ({"feature_names_in_": np.array(["label", *"bcde"], dtype=object)}, {}, "called 'label'"),
        ({"feature_names_in_": np.array(["", *"bcde"], dtype=object)}, {}, "called ''"),
    ],
)  # fmt: skip
def test_bad_input(attributes, options, match):
    with pytest.raises(ValueError, match=match):
        to_onnx(changed(**attributes), **options)


def test_not_ours_or_not_fitted():
    with pytest.raises(TypeError, match="LogisticRegression"):
        to_onnx(LogisticRegression().fit(X, y))
    for estimator in (classifier(), regressor()):
        with pytest.raises(NotFittedError):
            to_onnx(estimator)
    estimator = changed()
    del estimator.classes_
    with pytest.raises(NotFittedError):
        to_onnx(estimator)
