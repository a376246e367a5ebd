"""Pipelines with cymlp's estimators, converted by skl2onnx."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import cymlp.onnx  # registers the converters
import small
from cymlp import MLPClassifier
from small import classifier, indicators, numbers, regressor, several, y

skl2onnx = pytest.importorskip("skl2onnx")
from skl2onnx.common.data_types import (  # noqa: E402
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = small.X
MATRIX = [("X", DoubleTensorType([None, 5]))]


def convert(estimator, types=MATRIX, opset=13, **options):
    part = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return skl2onnx.convert_sklearn(
        estimator,
        initial_types=types,
        target_opset=opset,
        options={id(part): options} if options else None,
    )


@pytest.mark.parametrize(
    "targets",
    [
        y * 3_000_000_000, np.array(["a", "b", "c"])[y], y > 0, 2.0 * y,
        indicators, indicators[:, :2],
    ],
    ids=["beyond 32 bits", "str", "bool", "float", "multilabel", "two labels"],
)  # fmt: skip
def test_classifier_in_a_pipeline(targets, run, X_new):
    pipeline = make_pipeline(StandardScaler(), classifier(activation="gelu")).fit(X, targets)
    outputs = run(convert(pipeline, zipmap=False), X_new)
    assert list(outputs) == ["label", "probabilities"]
    wanted = pipeline.predict(X_new)
    assert_array_equal(outputs["label"], wanted)
    assert outputs["label"].shape == wanted.shape
    assert_allclose(outputs["probabilities"], pipeline.predict_proba(X_new), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("targets", [numbers, several], ids=["one", "several"])
@pytest.mark.parametrize("opset", [13, 18])
def test_regressor_in_a_pipeline(targets, opset, run, X_new):
    pipeline = make_pipeline(StandardScaler(), regressor(activation="softplus")).fit(X, targets)
    outputs = run(convert(pipeline, opset=opset), X_new)
    wanted = pipeline.predict(X_new).reshape(len(X_new), -1)
    assert_allclose(outputs["variable"], wanted, rtol=1e-9, atol=1e-9)


def test_columns_of_a_frame(run):
    """A scaler, a one-hot encoder and counts loss: columns of numbers and of words, in a search."""
    pandas = pytest.importorskip("pandas")
    words = np.array(["red", "green", "blue"])
    frame = pandas.DataFrame({"size": X[:, 0], "weight": X[:, 1], "colour": words[y]})
    prepare = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size", "weight"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    )
    search = GridSearchCV(
        make_pipeline(prepare, regressor(loss="poisson")),
        {"mlpregressor__activation": ["mish"]},
        cv=2,
    ).fit(frame, np.abs(numbers))
    types = [(name, DoubleTensorType([None, 1])) for name in ("size", "weight")]
    model = convert(search, [*types, ("colour", StringTensorType([None, 1]))])
    outputs = run(model, {name: frame[[name]].to_numpy() for name in frame})
    assert_allclose(outputs["variable"][:, 0], search.predict(frame), rtol=1e-6)


def test_columns_without_a_pipeline(run):
    """An input for each column, of different types: the computation has that of the first."""
    estimator = classifier().fit(X.round(), y)
    types = [(f"x{i}", FloatTensorType([None, 1])) for i in range(4)]
    model = convert(estimator, [*types, ("x4", Int64TensorType([None, 1]))], zipmap=False)
    columns = {f"x{i}": X[:, [i]].round().astype("float32") for i in range(4)}
    outputs = run(model, columns | {"x4": X[:, [4]].round().astype("int64")})
    wanted = estimator.predict_proba(X.round())
    assert outputs["probabilities"].dtype == np.float32
    assert_allclose(outputs["probabilities"], wanted, rtol=1e-5)


def test_options(run, X_new):
    """skl2onnx's forms of labels and probabilities; ONNX has maps of float32 only."""
    names = np.array(["a", "b", "c"])
    X_new, types = X_new.astype(np.float32), [("X", FloatTensorType([None, 5]))]
    estimator = classifier().fit(X.astype(np.float32), names[y])
    labels, probabilities = estimator.predict(X_new), estimator.predict_proba(X_new)
    maps = run(convert(estimator, types), X_new)
    assert_array_equal(maps["output_label"], labels)
    found = [[row[name] for name in names] for row in maps["output_probability"]]
    assert_allclose(found, probabilities, rtol=1e-5)
    columns = run(convert(estimator, types, zipmap="columns"), X_new)
    assert_allclose(columns["sb"], probabilities[:, 1], rtol=1e-5)
    outputs = run(convert(estimator, types, zipmap=False, nocl=True), X_new)
    assert_array_equal(names[outputs["label"]], labels)
    outputs = run(convert(estimator, types, zipmap=False, output_class_labels=True), X_new)
    assert_array_equal(outputs["class_labels"], names)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibrated(n_classes, run, X_new):
    """The calibration takes decision_function, not probabilities."""
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, np.minimum(y, n_classes - 1))
    model = skl2onnx.convert_sklearn(
        calibrated, initial_types=MATRIX, options={id(calibrated): {"zipmap": False}}
    )
    found = run(model, X_new)["probabilities"]
    assert_allclose(found, calibrated.predict_proba(X_new), rtol=1e-9)


def test_raw_scores(run, X_new):
    """Of two classes with an output for each; of several labels."""
    W = np.random.default_rng(0).standard_normal((5, 2))
    for params in ({}, {"multilabel": True}):
        network = MLPClassifier.from_weights([W], [np.zeros(2)], classes=[0, 1], **params)
        outputs = run(convert(network, zipmap=False, raw_scores=True), X_new)
        wanted = network.decision_function(X_new)
        wanted = wanted if params else np.c_[-wanted, wanted]
        assert_allclose(outputs["probabilities"], wanted, rtol=1e-9, atol=1e-14)
        assert_array_equal(outputs["label"], network.predict(X_new))


@pytest.mark.parametrize("targets", [y > 0, 2.0 * y], ids=["bool", "float"])
def test_maps_of_labels_that_become_int(targets, run):
    types = [("X", FloatTensorType([None, 5]))]
    estimator = classifier().fit(X, targets)
    outputs = run(convert(estimator, types), X.astype(np.float32))
    assert outputs["output_label"].dtype == np.int64
    assert_array_equal(outputs["output_label"], estimator.predict(X))
    assert list(outputs["output_probability"][0]) == estimator.classes_.tolist()


def test_both_doors_agree(run, X_new):
    """Bit for bit, as the nodes are the same."""
    estimator = classifier(activation="elu").fit(X, y)
    ours = run(cymlp.onnx.to_onnx(estimator), X_new)
    theirs = run(convert(estimator, zipmap=False), X_new)
    assert_array_equal(ours["probabilities"], theirs["probabilities"])


def test_not_fitted():
    with pytest.raises(NotFittedError):
        convert(classifier(), zipmap=False)
