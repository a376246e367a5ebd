"""WeightsDisplay: images or a heat map, which units, and feature names."""

import itertools

import numpy as np
import pytest
import sklearn.neural_network
from matplotlib import pyplot as plt
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder

from cymlp.plotting import WeightsDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


# Images.


def test_images_of_the_first_units(clf):
    display = WeightsDisplay.from_estimator(clf)
    assert display.axes_.shape == (16,)
    largest = np.abs(clf.coefs_[0][:, :16]).max()
    for unit, image in enumerate(display.im_):
        assert_array_equal(image.get_array(), clf.coefs_[0][:, unit].reshape(8, 8))
        assert image.get_clim() == (-largest, largest)
        assert display.axes_[unit].get_title() == str(unit)
    assert display.colorbar_.mappable is display.im_[0]
    assert {ax.get_subplotspec().colspan.start for ax in display.axes_} == {0, 1, 2, 3}


@pytest.mark.parametrize("units", [[3, 19], np.array([3, 19]), (3, 19)])
def test_images_of_some_units(clf, units):
    display = WeightsDisplay.from_estimator(clf, units=units, colorbar=False)
    assert [ax.get_title() for ax in display.axes_] == ["3", "19"]
    assert_array_equal(display.im_[1].get_array(), clf.coefs_[0][:, 19].reshape(8, 8))
    assert display.colorbar_ is None
    assert len(display.figure_.axes) == 2


def test_image_of_one_unit_uses_the_axes_directly(clf):
    _, ax = plt.subplots()
    assert WeightsDisplay.from_estimator(clf, units=7, ax=ax).axes_.tolist() == [ax]


@pytest.mark.parametrize("units", [[20], [-1], [], [0.5], ["a"], [[1, 2]]])
def test_units_are_checked(clf, units):
    with pytest.raises(ValueError, match="units must be"):
        WeightsDisplay.from_estimator(clf, units=units)


def test_weights_of_scikit_learn(digits):
    theirs = sklearn.neural_network.MLPClassifier(5, max_iter=1).fit(*digits)
    assert len(WeightsDisplay.from_estimator(theirs).im_) == 5


def test_weights_that_are_all_zero():
    display = WeightsDisplay(np.zeros((4, 2)), image_shape=(2, 2)).plot()
    assert [image.get_clim() for image in display.im_] == [(-1, 1)] * 2


# Images or a heat map.


@pytest.mark.parametrize(
    "n_features, params, n_images",
    [
        (64, {}, 5),
        (63, {}, 0),
        (4, {}, 0),  # a square, but too small to be an image
        (4, {"kind": "image"}, 5),
        (4, {"image_shape": (2, 2)}, 5),
        (64, {"kind": "image", "image_shape": (4, 16)}, 5),
        (64, {"kind": "heatmap"}, 0),
        (64, {"feature_names": range(64)}, 0),
    ],
)
def test_images_or_a_heat_map(n_features, params, n_images):
    weights = np.ones((n_features, 5))
    display = WeightsDisplay(weights, **params).plot()
    assert len(display.axes_) == len(display.im_) == (n_images or 1)
    assert (display.im_[0].get_array().shape == weights.shape) == (not n_images)


def test_images_or_a_heat_map_from_an_estimator(clf):
    assert len(WeightsDisplay.from_estimator(clf, kind="image").im_) == 16
    (image,) = WeightsDisplay.from_estimator(clf, kind="heatmap").im_
    assert image.get_array().shape == (64, 20)
    names = [f"pixel {i}" for i in range(64)]
    display = WeightsDisplay.from_estimator(clf, feature_names=names)
    assert tick_labels(display.axes_[0].yaxis)[0] == "pixel 0"


def test_bad_parameters():
    weights = np.ones((64, 5))
    with pytest.raises(ValueError, match="kind must be 'auto', 'image' or 'heatmap', got 'table'"):
        WeightsDisplay(weights, kind="table").plot()
    for params in (
        {"feature_names": range(64), "kind": "image"},
        {"feature_names": range(64), "image_shape": (8, 8)},
        {"kind": "heatmap", "image_shape": (8, 8)},
    ):
        with pytest.raises(ValueError, match="cannot be combined"):
            WeightsDisplay(weights, **params).plot()
    with pytest.raises(ValueError, match="image_shape is needed: 60 features"):
        WeightsDisplay(weights[:60], kind="image").plot()
    for names in (range(63), [["a"] * 64], "a"):
        with pytest.raises(ValueError, match="feature_names must be a list of 64 names"):
            WeightsDisplay(weights, feature_names=names).plot()
    assert plt.get_fignums() == []


# Heat maps.


def test_heat_map_of_a_table(network, table):
    clf = network(max_iter=2).fit(*table)
    display = WeightsDisplay.from_estimator(clf)
    (ax,), (image,) = display.axes_, display.im_
    assert_array_equal(image.get_array(), clf.coefs_[0])
    largest = np.abs(clf.coefs_[0]).max()
    assert image.get_clim() == (-largest, largest)
    assert display.colorbar_.mappable is image
    assert tick_labels(ax.yaxis) == ["age", "income", "height"]
    assert_array_equal(ax.get_yticks(), [0, 1, 2])
    assert ax.get_xlabel() == "Unit"

    _, ax = plt.subplots()
    display = WeightsDisplay.from_estimator(clf, units=[3, 19], cmap="PuOr", ax=ax, colorbar=False)
    assert display.axes_.tolist() == [ax]
    assert_array_equal(display.im_[0].get_array(), clf.coefs_[0][:, [3, 19]])
    assert display.im_[0].get_cmap().name == "PuOr"
    assert tick_labels(ax.xaxis) == ["3", "19"]


@pytest.mark.parametrize("n_features, n_units", [(4, 4), (30, 100), (100, 300), (7, 1), (700, 2)])
def test_heat_map_is_readable(n_features, n_units):
    """Labels do not overlap and are inside the figure, however long the names are."""
    rng = np.random.RandomState(0)
    names = [f"a feature of a table whose number is {i}" for i in range(n_features)]
    display = WeightsDisplay(
        rng.normal(size=(n_features, n_units)), kind="heatmap", feature_names=names
    ).plot()
    figure, ax = display.figure_, display.axes_[0]
    figure.canvas.draw()
    for axis, n in ((ax.yaxis, n_features), (ax.xaxis, n_units)):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        assert len(boxes) >= min(n, 5)
        for box, other in itertools.pairwise(boxes):
            assert not box.overlaps(other)
        for box in boxes:
            assert figure.bbox.contains(box.x0, box.y0)
            assert figure.bbox.contains(box.x1, box.y1)
    assert ax.get_window_extent().width > 100
    for tick, label in zip(ax.get_yticks(), tick_labels(ax.yaxis), strict=True):
        assert label == names[int(tick)]


# Names of features.


@pytest.fixture
def names_of(table):
    """A function that fits an estimator to the table and returns the names in its heat map."""

    def names_of(estimator, X=table[0], **params):
        display = WeightsDisplay.from_estimator(estimator.fit(X, table[1]), **params)
        return tick_labels(display.axes_[0].yaxis)

    return names_of


def test_names_of_features(network, names_of, table):
    clf, array = network(max_iter=1), table[0].to_numpy()
    assert names_of(clf, array) == ["x0", "x1", "x2"]
    assert names_of(clf, feature_names=["c", "b", "a"]) == ["c", "b", "a"]
    assert names_of(make_pipeline(clf), array) == ["x0", "x1", "x2"]


def test_names_of_features_in_a_pipeline(network, names_of):
    clf = network(max_iter=1)
    scaled = make_pipeline(MinMaxScaler(), clf)
    assert names_of(scaled) == ["age", "income", "height"]
    assert names_of(make_pipeline("passthrough", scaled)) == ["age", "income", "height"]
    nameless = make_pipeline(FunctionTransformer(np.asarray), clf)
    assert names_of(nameless) == ["x0", "x1", "x2"]
    renamed = scaled.set_output(transform="pandas")
    renamed.steps[0] = ("scale", FunctionTransformer(lambda X: X.add_prefix("log ")))
    assert names_of(renamed) == ["log age", "log income", "log height"]


def test_names_of_one_hot_features(network, names_of, table):
    X = table[0].assign(town=np.resize(["Ulm", "Bonn"], len(table[0])))
    encoder = make_column_transformer(
        (OneHotEncoder(), ["town"]), ("passthrough", ["age"]), sparse_threshold=1.0
    )
    names = names_of(make_pipeline(encoder, network(max_iter=1)), X)
    assert names == ["onehotencoder__town_Bonn", "onehotencoder__town_Ulm", "passthrough__age"]
