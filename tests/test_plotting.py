"""cymlp.plotting: what the displays draw."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pandas
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

from cymlp import MLPClassifier, MLPRegressor, plotting  # noqa: E402
from cymlp.plotting import (  # noqa: E402
    HistoryDisplay,
    ImageGridDisplay,
    ProbabilityDisplay,
    WeightsDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_EPOCHS = 6
PARAMS = {"hidden_layer_sizes": 20, "random_state": 0, "learning_rate_init": 0.01, "n_jobs": 1}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # fails where an artist is not sound
    plt.close("all")


@pytest.fixture(scope="module")
def held_out(digits):
    X, y = digits
    return X[400:], y[400:]


@pytest.fixture(scope="module")
def runs(digits, held_out):
    """Three fits of different lengths, with validation data."""
    X, y = digits[0][:400], digits[1][:400]
    return [
        MLPClassifier(
            **PARAMS | {"random_state": i}, max_iter=N_EPOCHS + i, record_train_score=True
        ).fit(X, y, X_val=held_out[0], y_val=held_out[1])
        for i in range(3)
    ]


@pytest.fixture(scope="module")
def clf(runs):
    return runs[0]


@pytest.fixture(scope="module")
def table():
    """A table of 3 features with names, and 3 classes."""
    rng = np.random.RandomState(0)
    X = pandas.DataFrame(rng.normal(size=(60, 3)), columns=["age", "income", "height"])
    return X, rng.randint(3, size=60)


@pytest.fixture(scope="module")
def stopped_early(digits, held_out):
    """A fit whose best epoch is the third of six."""
    clf = MLPClassifier(**PARAMS, max_iter=N_EPOCHS, early_stopping=True, batch_size=100)
    clf.fit(*digits, X_val=held_out[0], y_val=held_out[1])
    clf.best_iteration_ = 3
    return clf


NEEDED = pytest.mark.parametrize("name", plotting.__all__)


def draw(name, clf, held_out, **params):
    """The display of this name."""
    X, y = held_out
    display = getattr(plotting, name)
    if name == "ImageGridDisplay":
        return display.from_estimator(clf, X, y, cells=[(0, 0), (1, 1), (2, 2)], **params)
    if name == "WeightsDisplay":
        return display.from_estimator(clf, units=[0, 1, 2], **params)
    if name == "ProbabilityDisplay":
        return display.from_estimator(clf, X[:3], y=y[:3], **params)
    return display.from_estimator(clf, **params)


# What all displays have in common.


@NEEDED
def test_new_figure_one_axes_or_an_array(name, clf, held_out):
    display = draw(name, clf, held_out)
    n_axes = display.axes_.size
    assert n_axes > 1
    assert all(ax.figure is display.figure_ for ax in display.axes_.ravel())

    figure, (left, right) = plt.subplots(1, 2)
    inside = draw(name, clf, held_out, ax=right)
    assert inside.figure_ is figure
    assert inside.axes_.shape == display.axes_.shape
    middle = left.get_position().x1
    assert all(ax.get_position().x0 > middle for ax in inside.axes_.ravel())
    assert not right.axison

    figure, axes = plt.subplots(n_axes + 1, 1)
    given = draw(name, clf, held_out, ax=axes.tolist())
    assert given.figure_ is figure
    assert given.axes_.ravel().tolist() == axes[:-1].tolist()
    assert not axes[-1].has_data()


@NEEDED
def test_bad_axes(name, clf, held_out):
    figure, axes = plt.subplots(1)
    with pytest.raises(ValueError, match=r"ax has 1 Axes, but [0-9]+ are needed"):
        draw(name, clf, held_out, ax=[axes])
    with pytest.raises(ValueError, match="not part of a grid"):
        draw(name, clf, held_out, ax=figure.add_axes((0, 0, 1, 1)))


@NEEDED
def test_not_fitted(name, held_out):
    with pytest.raises(NotFittedError):
        draw(name, MLPClassifier(), held_out)


@NEEDED
def test_part_of_a_pipeline(name, clf, digits, held_out):
    pipeline = make_pipeline(MinMaxScaler(), MLPClassifier(**PARAMS, max_iter=3))
    display = draw(name, pipeline.fit(*digits), held_out)
    assert display.figure_ is not None


@NEEDED
def test_plot_again_returns_itself(name, clf, held_out):
    display = draw(name, clf, held_out)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


@pytest.mark.parametrize("name", [name for name in plotting.__all__ if name != "HistoryDisplay"])
def test_pictures_parameters(name, clf, held_out):
    display = draw(name, clf, held_out, image_shape=(4, 16), n_cols=1, cmap="viridis")
    assert display.im_[0].get_array().shape[0] == 4
    assert display.im_[0].get_cmap().name == "viridis"
    rows = {ax.get_subplotspec().rowspan.start for ax in display.axes_.ravel()}
    assert len(rows) == len(display.axes_)
    for shape in [(8, 9), (64,), (8, 8, 1)]:
        with pytest.raises(ValueError, match="does not fit 64 features"):
            draw(name, clf, held_out, image_shape=shape)
    with pytest.raises(ValueError, match="n_cols must be at least 1"):
        draw(name, clf, held_out, n_cols=0)


@pytest.mark.parametrize("name", [name for name in plotting.__all__ if name != "HistoryDisplay"])
def test_pictures_that_are_no_square(name, held_out):
    X, y = held_out[0][:, :60], held_out[1]
    clf = MLPClassifier(**PARAMS, max_iter=1).fit(X, y)
    display = draw(name, clf, (X, y), image_shape=(6, 10))
    assert display.im_[0].get_array().shape[0] == 6


@NEEDED
def test_every_display_of_a_table(name, table):
    """But for the grid of images, which says what it is for and what there is instead."""
    X, y = table
    clf = MLPClassifier(**PARAMS, max_iter=2).fit(X, y)
    if name == "ImageGridDisplay":
        with pytest.raises(
            ValueError, match=r"image_shape.* 3 features .* for images; for a table"
        ):
            draw(name, clf, table)
    else:
        assert draw(name, clf, table).figure_ is not None


def test_names_are_no_formulas():
    """Dollars in names are dollars, where matplotlib would read a formula, and fail."""
    names = [r"a$\b$", "c"]
    displays = [
        WeightsDisplay(np.eye(2), feature_names=names).plot(),
        ProbabilityDisplay([[1.0, 0.0]], classes=names).plot(),
        ImageGridDisplay.from_predictions(names[:1], names[1:], [[0.0]]),
    ]
    for display in displays:
        display.figure_.canvas.draw()


def test_without_matplotlib():
    program = """if True:
        import sys
        sys.modules["matplotlib"] = None
        from cymlp.plotting import HistoryDisplay
        try:
            HistoryDisplay({"loss": [2.0, 1.0]}).plot()
        except ImportError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert 'pip install "matplotlib>=3.8"' in result.stdout


def test_import_takes_no_matplotlib():
    program = "import sys, cymlp.plotting; print('matplotlib' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "False"


# HistoryDisplay.


def test_history_of_one_run(clf):
    display = HistoryDisplay.from_estimator(clf)
    assert list(display.lines_) == ["loss", "val_loss", "train_score", "val_score"]
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, N_EPOCHS + 1))
        assert_array_equal(line.get_ydata(), clf.history_[name])
    assert display.fill_between_ == {}
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Accuracy"]
    assert [ax.get_xlabel() for ax in display.axes_] == ["Epoch", "Epoch"]
    panels = [("loss", "val_loss"), ("train_score", "val_score")]
    for ax, names in zip(display.axes_, panels, strict=True):
        assert list(ax.lines) == [display.lines_[name] for name in names]
        assert [text.get_text() for text in ax.get_legend().texts] == ["training", "validation"]


@pytest.mark.parametrize("kind", [list, tuple])
def test_history_of_several_runs(runs, kind):
    display = HistoryDisplay.from_estimator(kind(runs))
    for name, line in display.lines_.items():
        values = np.array([run.history_[name][:N_EPOCHS] for run in runs])
        mean, std = values.mean(axis=0), values.std(axis=0)
        assert_allclose(line.get_ydata(), mean, rtol=1e-12)
        (path,) = display.fill_between_[name].get_paths()
        for epoch in range(N_EPOCHS):
            band = path.vertices[path.vertices[:, 0] == epoch + 1, 1]
            assert_allclose(
                [band.min(), band.max()], [mean[epoch] - std[epoch], (mean + std)[epoch]]
            )


def test_history_over_updates(clf):
    display = HistoryDisplay.from_estimator(clf, x="n_updates")
    assert_array_equal(display.lines_["loss"].get_xdata(), clf.history_["n_updates"])
    assert display.axes_[0].get_xlabel() == "Updates"


def test_history_quantities_and_style(clf):
    display = HistoryDisplay.from_estimator(
        clf, quantities=["val_loss", "learning_rate"], c="red", label="adam"
    )
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Learning rate"]
    assert [line.get_label() for line in display.lines_.values()] == ["adam validation", "adam"]
    assert {line.get_color() for line in display.lines_.values()} == {"red"}
    assert_array_equal(display.lines_["learning_rate"].get_ydata(), clf.history_["learning_rate"])


def test_history_drawn_over_another(runs):
    first = HistoryDisplay.from_estimator(runs[0], label="a")
    second = HistoryDisplay.from_estimator(runs[1], label="b", ax=first.axes_)
    assert second.figure_ is first.figure_
    labels = [text.get_text() for text in first.axes_[0].get_legend().texts]
    assert labels == ["a training", "a validation", "b training", "b validation"]


def test_history_single_panel_takes_the_axes_itself(clf):
    _, ax = plt.subplots()
    display = HistoryDisplay.from_estimator(clf, quantities=["loss"], ax=ax)
    assert display.axes_.tolist() == [ax]
    assert ax.axison


def test_history_of_every_few_updates(digits, held_out):
    clf = MLPClassifier(**PARAMS, max_iter=2, record_every=2, batch_size=100)
    clf.fit(*digits, X_val=held_out[0], y_val=held_out[1])
    display = HistoryDisplay.from_estimator(clf)
    for name in ("loss", "val_loss"):
        there = ~np.isnan(clf.history_[name])
        line = display.lines_[name]
        assert_array_equal(line.get_xdata(), clf.history_["n_updates"][there])
        assert_array_equal(line.get_ydata(), clf.history_[name][there])
    with pytest.raises(ValueError, match="records are not epochs"):
        HistoryDisplay.from_estimator(clf, x="epoch")


def test_history_as_data(clf):
    wanted = clf.history_["loss"]
    as_lists = json.loads(json.dumps({name: a.tolist() for name, a in clf.history_.items()}))
    for history in (pandas.DataFrame(clf.history_), as_lists, [as_lists]):
        display = HistoryDisplay(history).plot()
        assert_array_equal(display.lines_["loss"].get_ydata(), wanted)


def test_history_leaves_nan_out():
    history = {
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [np.nan, 5.0, np.nan],
        "val_score": [np.nan] * 3,
    }
    display = HistoryDisplay(history).plot()
    assert list(display.lines_) == ["loss", "val_loss"]
    assert_array_equal(display.lines_["val_loss"].get_xydata(), [[2.0, 5.0]])


def test_history_of_regressor_and_lbfgs(digits):
    for solver in ("adam", "lbfgs"):
        reg = MLPRegressor(hidden_layer_sizes=5, solver=solver, max_iter=3, random_state=0)
        display = HistoryDisplay.from_estimator(reg.fit(*digits))
        assert_array_equal(display.lines_["loss"].get_ydata(), reg.history_["loss"])


def test_history_marks_the_best_epoch(stopped_early):
    display = HistoryDisplay.from_estimator(stopped_early, label="adam")
    assert len(display.best_lines_) == 2
    for ax, line in zip(display.axes_, display.best_lines_, strict=True):
        assert line.axes is ax
        assert_array_equal(line.get_xdata(), [3, 3])
        assert ax.get_legend().texts[-1].get_text() == "adam best epoch (3)"
    assert display.best_iteration == 3


def test_history_marks_the_best_epoch_where_validation_is_drawn(stopped_early):
    display = HistoryDisplay.from_estimator(
        stopped_early, quantities=["learning_rate", "val_score"], color="red"
    )
    (line,) = display.best_lines_
    assert line.axes is display.axes_[1]
    assert line.get_color() == "red"
    assert HistoryDisplay.from_estimator(stopped_early, quantities=["loss"]).best_lines_ == []


def test_history_marks_the_best_epoch_over_updates(stopped_early):
    display = HistoryDisplay.from_estimator(stopped_early, x="n_updates")
    for line in display.best_lines_:
        assert_array_equal(line.get_xdata(), [stopped_early.history_["n_updates"][2]] * 2)


@pytest.mark.parametrize("batch_size, n_updates", [("auto", 2), (100, 4), (150, 3), (10_000, 1)])
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_history_marks_the_best_epoch_of_every_few_updates(digits, held_out, batch_size, n_updates):
    X, y = digits[0][:400], digits[1][:400]
    clf = MLPClassifier(
        **PARAMS, max_iter=4, early_stopping=True, record_every=2, batch_size=batch_size
    )
    clf.fit(X, y, X_val=held_out[0], y_val=held_out[1])
    clf.best_iteration_ = 3
    display = HistoryDisplay.from_estimator(clf)
    for line in display.best_lines_:
        assert_array_equal(line.get_xdata(), [3 * n_updates] * 2)
        assert line.get_label() == "best epoch (3)"
    # Records are not epochs: there is no place for it.
    assert display.plot(x="epoch").best_lines_ == []


def test_history_marks_the_best_epoch_of_the_last_of_several_fits(digits, held_out):
    """``best_iteration_`` counts the last fit's epochs, the history has those of all."""
    clf = MLPClassifier(**PARAMS, max_iter=4, early_stopping=True, warm_start=True)
    for max_iter in (4, 3):
        clf.set_params(max_iter=max_iter).fit(*digits, X_val=held_out[0], y_val=held_out[1])
    clf.best_iteration_ = 2
    display = HistoryDisplay.from_estimator(clf)
    assert_array_equal(display.best_lines_[0].get_xdata(), [6, 6])
    # Nothing tells how many updates an epoch of the last fit made.
    clf.set_params(record_every=2).fit(*digits, X_val=held_out[0], y_val=held_out[1])
    clf.best_iteration_ = 2
    assert HistoryDisplay.from_estimator(clf).best_lines_ == []


def test_history_without_a_best_epoch(clf, stopped_early):
    assert HistoryDisplay.from_estimator(clf).best_lines_ == []
    assert HistoryDisplay.from_estimator([stopped_early, stopped_early]).best_lines_ == []


def test_history_as_data_with_a_best_epoch():
    history = {"val_loss": [3.0, 1.0, 2.0], "n_updates": [5, 10, 15]}
    display = HistoryDisplay(history, best_iteration=2).plot()
    assert_array_equal(display.best_lines_[0].get_xdata(), [2, 2])
    assert_array_equal(display.plot(x="n_updates").best_lines_[0].get_xdata(), [10, 10])
    assert HistoryDisplay([history] * 2, best_iteration=2).plot().best_lines_ == []
    for best_iteration in (0, 4):
        with pytest.raises(ValueError, match=f"best_iteration must be in 1, .* {best_iteration}"):
            HistoryDisplay(history, best_iteration=best_iteration).plot()


def a_score(estimator, X, y):
    return 0.5


@pytest.mark.parametrize(
    "scoring, words",
    [
        (None, ["Accuracy"]),
        ("accuracy", ["Accuracy"]),
        ("loss", ["Accuracy"]),
        ("f1_macro", ["Accuracy", "F1 macro"]),
        ("neg_log_loss", ["Accuracy", "Negative log loss"]),
        (a_score, ["Accuracy", "A score"]),
        (lambda *_: 0.5, ["Accuracy", "Score"]),
    ],
)
def test_history_names_the_scores(digits, held_out, scoring, words):
    """Different scores are not drawn in one panel."""
    clf = MLPClassifier(**PARAMS, max_iter=2, scoring=scoring, record_train_score=True)
    clf.fit(*digits, X_val=held_out[0], y_val=held_out[1])
    display = HistoryDisplay.from_estimator(clf)
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", *words]
    assert display.lines_["val_score"].axes is display.axes_[-1]


def test_history_names_the_score_of_regressors(digits, held_out):
    regs = [
        MLPRegressor(**PARAMS, max_iter=2, scoring=scoring).fit(
            *digits, X_val=held_out[0], y_val=held_out[1]
        )
        for scoring in (None, "r2", "loss", "neg_mean_squared_error")
    ]
    for runs, words in [(regs[0], "R²"), (regs[1], "R²"), (regs[:3], "R²"), (regs, "Score")]:
        assert HistoryDisplay.from_estimator(runs).axes_[1].get_ylabel() == words


def test_history_as_data_names_the_score():
    history = {"val_score": [0.5], "train_score": [0.6]}
    assert HistoryDisplay(history).plot().axes_[0].get_ylabel() == "Score"
    display = HistoryDisplay(history, score_names={"val_score": "roc_auc"}).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == ["Score", "Roc auc"]


def test_history_errors(clf, digits):
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator([clf, MLPClassifier()])
    with pytest.raises(ValueError, match="x must be 'epoch' or 'n_updates', got 'time'"):
        HistoryDisplay.from_estimator(clf, x="time")
    with pytest.raises(ValueError, match="'accuracy' was not recorded in all runs"):
        HistoryDisplay.from_estimator(clf, quantities=["accuracy"])
    with pytest.raises(ValueError, match="quantities must be a list"):
        HistoryDisplay.from_estimator(clf, quantities="loss")
    for nothing in ([], {}, {"seconds": [1.0]}, {"loss": [np.nan]}, {"loss": []}):
        with pytest.raises(ValueError, match="nothing to draw"):
            HistoryDisplay(nothing).plot()
    weights = MLPClassifier.from_weights(clf.coefs_, clf.intercepts_, classes=clf.classes_)
    with pytest.raises(ValueError, match="nothing to draw"):
        HistoryDisplay.from_estimator(weights)
    theirs = sklearn.neural_network.MLPClassifier(max_iter=1).fit(*digits)
    with pytest.raises(ValueError, match="MLPClassifier has no history_"):
        HistoryDisplay.from_estimator(theirs)
    with pytest.raises(ValueError, match="n_updates differs between the runs"):
        HistoryDisplay([{"loss": [1.0], "n_updates": [n]} for n in (1, 2)]).plot(x="n_updates")
    with pytest.raises(ValueError, match="n_updates was not recorded"):
        HistoryDisplay({"loss": [1.0]}).plot(x="n_updates")
    assert plt.get_fignums() == []


# WeightsDisplay.


def test_weights(clf):
    display = WeightsDisplay.from_estimator(clf)
    assert display.axes_.shape == (16,)
    largest = np.abs(clf.coefs_[0][:, :16]).max()
    for unit, image in enumerate(display.im_):
        assert_array_equal(image.get_array(), clf.coefs_[0][:, unit].reshape(8, 8))
        assert image.get_clim() == (-largest, largest)
        assert display.axes_[unit].get_title() == str(unit)
    assert display.colorbar_.mappable is display.im_[0]


@pytest.mark.parametrize("units", [[3, 19], np.array([3, 19]), (3, 19)])
def test_weights_of_some_units(clf, units):
    display = WeightsDisplay.from_estimator(clf, units=units, colorbar=False)
    assert [ax.get_title() for ax in display.axes_] == ["3", "19"]
    assert_array_equal(display.im_[1].get_array(), clf.coefs_[0][:, 19].reshape(8, 8))
    assert display.colorbar_ is None
    assert len(display.figure_.axes) == 2


def test_weights_of_one_unit_take_the_axes_itself(clf):
    _, ax = plt.subplots()
    assert WeightsDisplay.from_estimator(clf, units=7, ax=ax).axes_.tolist() == [ax]


def test_weights_as_data():
    display = WeightsDisplay([[0.0, 0], [0, 0], [0, 0], [0, 0]], image_shape=(2, 2)).plot()
    assert [image.get_clim() for image in display.im_] == [(-1, 1)] * 2


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_weights_of_a_table(table):
    clf = MLPClassifier(**PARAMS, max_iter=2).fit(*table)
    display = WeightsDisplay.from_estimator(clf)
    (ax,), (image,) = display.axes_, display.im_
    assert_array_equal(image.get_array(), clf.coefs_[0])
    largest = np.abs(clf.coefs_[0]).max()
    assert image.get_clim() == (-largest, largest)
    assert display.colorbar_.mappable is image
    assert tick_labels(ax.yaxis) == ["age", "income", "height"]
    assert_array_equal(ax.get_yticks(), [0, 1, 2])
    assert ax.get_xlabel() == "Unit"
    assert WeightsDisplay.from_estimator(clf, ax=plt.subplots()[1], colorbar=False).figure_


def test_weights_of_a_table_some_units(table):
    clf = MLPClassifier(**PARAMS, max_iter=2).fit(*table)
    display = WeightsDisplay.from_estimator(clf, units=[3, 19], cmap="PuOr")
    assert_array_equal(display.im_[0].get_array(), clf.coefs_[0][:, [3, 19]])
    assert display.im_[0].get_cmap().name == "PuOr"
    assert tick_labels(display.axes_[0].xaxis) == ["3", "19"]


@pytest.mark.parametrize(
    "n_features, params, n_images",
    [
        (64, {}, 5),
        (63, {}, 0),
        (4, {}, 0),  # a square, but too small for an image
        (4, {"kind": "image"}, 5),
        (4, {"image_shape": (2, 2)}, 5),
        (64, {"kind": "image", "image_shape": (4, 16)}, 5),
        (64, {"kind": "heatmap"}, 0),
        (64, {"feature_names": range(64)}, 0),
    ],
)
def test_weights_as_images_or_as_a_heat_map(n_features, params, n_images):
    weights = np.ones((n_features, 5))
    display = WeightsDisplay(weights, **params).plot()
    assert len(display.axes_) == len(display.im_) == (n_images or 1)
    assert (display.im_[0].get_array().shape == weights.shape) == (not n_images)


def test_weights_as_images_or_as_a_heat_map_from_estimator(clf):
    assert len(WeightsDisplay.from_estimator(clf, kind="image").im_) == 16
    (image,) = WeightsDisplay.from_estimator(clf, kind="heatmap").im_
    assert image.get_array().shape == (64, 20)
    names = [f"pixel {i}" for i in range(64)]
    display = WeightsDisplay.from_estimator(clf, feature_names=names)
    assert tick_labels(display.axes_[0].yaxis)[0] == "pixel 0"


def test_weights_bad_kind():
    weights = np.ones((64, 5))
    with pytest.raises(ValueError, match="kind must be 'auto', 'image' or 'heatmap', got 'table'"):
        WeightsDisplay(weights, kind="table").plot()
    for image in ({"kind": "image"}, {"image_shape": (8, 8)}):
        with pytest.raises(ValueError, match="are for images"):
            WeightsDisplay(weights, feature_names=range(64), **image).plot()
    with pytest.raises(ValueError, match="are for images"):
        WeightsDisplay(weights, kind="heatmap", image_shape=(8, 8)).plot()
    with pytest.raises(ValueError, match="image_shape is needed: 60 features do not make"):
        WeightsDisplay(weights[:60], kind="image").plot()
    for names in (range(63), [["a"] * 64], "a"):
        with pytest.raises(ValueError, match="feature_names must be a list of 64 names"):
            WeightsDisplay(weights, feature_names=names).plot()
    assert plt.get_fignums() == []


def names_of(estimator, **params):
    return tick_labels(WeightsDisplay.from_estimator(estimator, **params).axes_[0].yaxis)


def test_names_of_features(table):
    X, y = table
    clf = MLPClassifier(**PARAMS, max_iter=1)
    assert names_of(clf.fit(X.to_numpy(), y)) == ["x0", "x1", "x2"]
    assert names_of(clf.fit(X, y), feature_names=X.columns[::-1]) == ["height", "income", "age"]


def test_names_of_features_in_a_pipeline(table):
    X, y = table
    clf = MLPClassifier(**PARAMS, max_iter=1)
    assert names_of(make_pipeline(clf).fit(X.to_numpy(), y)) == ["x0", "x1", "x2"]
    scaled = make_pipeline(MinMaxScaler(), clf)
    assert names_of(scaled.fit(X, y)) == ["age", "income", "height"]
    assert names_of(make_pipeline("passthrough", scaled).fit(X, y)) == ["age", "income", "height"]
    nameless = make_pipeline(FunctionTransformer(np.asarray), clf)
    assert names_of(nameless.fit(X, y)) == ["x0", "x1", "x2"]
    renamed = scaled.set_output(transform="pandas")
    renamed.steps[0] = ("scale", FunctionTransformer(lambda X: X.add_prefix("log ")))
    assert names_of(renamed.fit(X, y)) == ["log age", "log income", "log height"]


def test_names_of_sparse_one_hot_features(table):
    X, y = table
    X = X.assign(town=np.resize(["Ulm", "Bonn"], len(X)))
    encoder = make_column_transformer(
        (OneHotEncoder(), ["town"]), ("passthrough", ["age"]), sparse_threshold=1.0
    )
    pipeline = make_pipeline(encoder, MLPClassifier(**PARAMS, max_iter=1)).fit(X, y)
    wanted = ["onehotencoder__town_Bonn", "onehotencoder__town_Ulm", "passthrough__age"]
    assert names_of(pipeline) == wanted


@pytest.mark.parametrize("n_features, n_units", [(4, 4), (30, 100), (100, 300), (7, 1), (700, 2)])
def test_heat_map_is_readable(n_features, n_units):
    """Labels do not overlap, and all is within the figure, however long the names are."""
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
            assert figure.bbox.containsx(box.x0)
            assert figure.bbox.containsy(box.y0)
            assert figure.bbox.containsx(box.x1)
            assert figure.bbox.containsy(box.y1)
    assert ax.get_window_extent().width > 100
    for tick, label in zip(ax.get_yticks(), tick_labels(ax.yaxis), strict=True):
        assert label == names[int(tick)]


def test_weights_of_scikit_learn(digits):
    theirs = sklearn.neural_network.MLPClassifier(5, max_iter=1).fit(*digits)
    assert len(WeightsDisplay.from_estimator(theirs).im_) == 5


@pytest.mark.parametrize("units", [[20], [-1], [], [0.5], ["a"], [[1, 2]]])
def test_weights_bad_units(clf, units):
    with pytest.raises(ValueError, match="units must be"):
        WeightsDisplay.from_estimator(clf, units=units)


# ImageGridDisplay.

Y_TRUE = [0, 0, 1, 1, 1, 2]
Y_PRED = [0, 1, 1, 0, 1, 2]
PICTURES = np.arange(24.0).reshape(6, 4)


def titles(display):
    return [ax.get_title(loc="left") for ax in display.axes_]


@pytest.mark.parametrize("convert", [np.array, list, pandas.Series])
@pytest.mark.parametrize("matrix", [np.array, np.ndarray.tolist, pandas.DataFrame, csr_array])
def test_grid_of_all_cells(convert, matrix):
    display = ImageGridDisplay.from_predictions(convert(Y_TRUE), convert(Y_PRED), matrix(PICTURES))
    assert titles(display) == ["0 -> 0 (1)", "0 -> 1 (1)", "1 -> 0 (1)", "1 -> 1 (2)", "2 -> 2 (1)"]
    assert display.counts == [1, 1, 1, 2, 1]
    both = display.im_[3].get_array()  # two pictures 2 wide, and a gap
    assert_array_equal(both[:, :2], PICTURES[2].reshape(2, 2))
    assert_array_equal(both[:, 3:], PICTURES[4].reshape(2, 2))
    assert both.mask[:, 2].all()
    alone = display.im_[0].get_array()
    assert_array_equal(alone[:, :2], PICTURES[0].reshape(2, 2))
    assert alone.mask[:, 2:].all()
    assert {image.get_clim() for image in display.im_} == {(0.0, 23.0)}


@pytest.mark.parametrize(
    "cells, wanted",
    [
        ("wrong", ["0 -> 1 (1)", "1 -> 0 (1)"]),
        ("right", ["0 -> 0 (1)", "1 -> 1 (2)", "2 -> 2 (1)"]),
        ([(1, 1), (0, 2), [0, 0]], ["1 -> 1 (2)", "0 -> 0 (1)"]),
    ],
)
def test_grid_of_some_cells(cells, wanted):
    display = ImageGridDisplay.from_predictions(Y_TRUE, Y_PRED, PICTURES, cells=cells)
    assert titles(display) == wanted


def test_grid_shows_at_most_n_per_cell():
    display = ImageGridDisplay.from_predictions(Y_TRUE, Y_PRED, PICTURES, n_per_cell=1)
    assert [len(pictures) for pictures in display.pictures] == [1] * 5
    assert "1 -> 1 (2)" in titles(display)


def test_grid_of_names():
    names = np.array(["cat", "dog", "hen"])
    display = ImageGridDisplay.from_predictions(
        names[Y_TRUE], list(names[Y_PRED]), PICTURES, cells="wrong"
    )
    assert titles(display) == ["cat -> dog (1)", "dog -> cat (1)"]


def test_grid_from_estimator(clf, held_out):
    X, y = held_out
    y_pred = clf.predict(X)
    display = ImageGridDisplay.from_estimator(clf, pandas.DataFrame(X), y.tolist(), cells="wrong")
    assert sum(display.counts) == (y_pred != y).sum()
    for (true, predicted), pictures in zip(display.cells, display.pictures, strict=True):
        rows = np.flatnonzero((y == true) & (y_pred == predicted))[:10]
        assert_array_equal(pictures, X[rows].reshape(-1, 8, 8))


def test_grid_titles_can_be_read():
    """A figure as wide as a page, or it would be shrunk to it, and the titles with it."""
    y_true, y_pred = np.divmod(np.repeat(np.arange(100), 10), 10)
    display = ImageGridDisplay.from_predictions(y_true, y_pred, np.zeros((1000, 64)))
    assert display.figure_.get_size_inches()[0] <= 10
    display.figure_.canvas.draw()
    for ax in display.axes_:
        title = ax.title if ax.get_title() else ax._left_title
        assert title.get_window_extent().height > 0.3 * ax.get_window_extent().height


def test_grid_errors():
    def draw(y_true=Y_TRUE, y_pred=Y_PRED, X=PICTURES, **params):
        ImageGridDisplay.from_predictions(y_true, y_pred, X, **params)

    with pytest.raises(ValueError, match="cells must be 'all'"):
        draw(cells="some")
    with pytest.raises(ValueError, match="cells must be pairs"):
        draw(cells=[(1, 2, 3)])
    with pytest.raises(ValueError, match="There are no samples in cells"):
        draw(cells=[(2, 0)])
    with pytest.raises(ValueError, match="There are no samples in cells='wrong'"):
        draw(y_pred=Y_TRUE, cells="wrong")
    with pytest.raises(ValueError, match="n_per_cell must be at least 1"):
        draw(n_per_cell=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(y_pred=Y_PRED[:5])
    with pytest.raises(ValueError, match="1d array"):
        draw(y_true=np.eye(6), y_pred=np.eye(6))
    with pytest.raises(ValueError, match="label"):
        draw(y_pred=[str(label) for label in Y_PRED])
    assert plt.get_fignums() == []


# ProbabilityDisplay.

BLUE, VERMILION = "#0072b2", "#d55e00"


def test_probabilities_from_estimator(clf, held_out):
    y_prob = clf.predict_proba(held_out[0])
    best = y_prob.argmax(axis=1)
    wrong = best != held_out[1]
    rows = np.r_[np.flatnonzero(wrong)[:2], np.flatnonzero(~wrong)[:2]]
    X, y = held_out[0][rows], held_out[1][rows]
    display = ProbabilityDisplay.from_estimator(clf, pandas.DataFrame(X), y=list(y))
    assert display.axes_.shape == (4, 2)
    for i, row in enumerate(rows):
        assert_array_equal(display.im_[i].get_array(), X[i].reshape(8, 8))
        assert_allclose([bar.get_height() for bar in display.bars_[i]], y_prob[row], rtol=1e-6)
        colors = [to_hex(bar.get_facecolor()) for bar in display.bars_[i]]
        assert colors.pop(best[row]) == (VERMILION if wrong[row] else BLUE)
        assert set(colors) == {"#bbbbbb"}
        assert display.marks_[i].get_xdata() == [y[i]]
        title = f"{best[row]}, true {y[i]}" if wrong[row] else f"{best[row]}"
        assert display.axes_[i, 1].get_title() == title
    labels = [label.get_text() for label in display.axes_[0, 1].get_xticklabels()]
    assert labels == [str(label) for label in clf.classes_]


def test_probabilities_without_y(clf, held_out):
    display = ProbabilityDisplay.from_estimator(clf, held_out[0][:2])
    assert display.marks_ == [None, None]
    best = clf.predict(held_out[0][:2])
    assert [ax.get_title() for ax in display.axes_[:, 1]] == [str(label) for label in best]


@pytest.mark.parametrize("matrix", [np.array, np.ndarray.tolist, pandas.DataFrame, csr_array])
def test_probabilities_from_predictions(matrix):
    y_prob = [[0.25, 0.75], [1.0, 0.0]]
    display = ProbabilityDisplay.from_predictions(
        y_prob, matrix(PICTURES[:2]), classes=["cat", "dog"], y=pandas.Series(["dog", "hen"]),
        image_shape=(2, 2),
    )  # fmt: skip
    assert [ax.get_title() for ax in display.axes_[:, 1]] == ["dog", "cat, true hen"]
    assert display.marks_[0].get_xdata() == [1]
    assert display.marks_[1] is None
    assert_array_equal(display.im_[1].get_array(), PICTURES[1].reshape(2, 2))


def test_probabilities_of_a_table(table):
    X, y = table
    clf = MLPClassifier(**PARAMS, max_iter=2).fit(X, y)
    display = ProbabilityDisplay.from_estimator(clf, X[:5], y=y[:5])
    assert display.axes_.shape == (5, 1)
    assert display.im_ == []
    assert display.pictures is None
    y_prob = clf.predict_proba(X[:5])
    for i in range(5):
        assert_allclose([bar.get_height() for bar in display.bars_[i]], y_prob[i], rtol=1e-6)
        assert display.marks_[i].get_xdata() == [y[i]]
        assert display.axes_[i, 0].get_ylabel() == f"Sample {i}"


def test_probabilities_alone():
    """Without X there are no pictures, however many features there are."""
    y_prob = [[0.25, 0.75], [1.0, 0.0]]
    display = ProbabilityDisplay.from_predictions(y_prob, classes=["cat", "dog"], n_cols=2)
    assert display.axes_.shape == (2, 1)
    assert {ax.get_subplotspec().rowspan.start for ax in display.axes_[:, 0]} == {0}
    assert [ax.get_title() for ax in display.axes_[:, 0]] == ["dog", "cat"]
    assert ProbabilityDisplay(y_prob, classes=[0, 1]).plot().im_ == []


@pytest.mark.parametrize("X", [None, np.zeros((2, 64))])
def test_probabilities_titles_are_not_cut_off(X):
    display = ProbabilityDisplay.from_predictions(
        [[1.0, 0.0]] * 2,
        X,
        classes=["benign and well", "malignant, and ill"],
        y=["malignant, and ill"] * 2,
    )
    display.figure_.canvas.draw()
    for ax in display.axes_[:, -1]:
        box = ax.title.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= display.figure_.bbox.width


def test_probabilities_of_two_classes(held_out):
    X, y = held_out
    clf = MLPClassifier(**PARAMS, max_iter=2).fit(X, y > 4)
    display = ProbabilityDisplay.from_estimator(clf, X[:1], y=y[:1] > 4)
    assert [bar.get_height() for bar in display.bars_[0]] == clf.predict_proba(X[:1])[0].tolist()


def test_probabilities_errors(held_out):
    def draw(y_prob=((0.5, 0.5),), X=PICTURES[:1], classes=(0, 1), **params):
        ProbabilityDisplay.from_predictions(y_prob, X, classes=classes, **params)

    with pytest.raises(ValueError, match="y_prob has 2 columns for 3 classes"):
        draw(classes=[0, 1, 2])
    with pytest.raises(ValueError, match="must sum to 1"):
        draw(y_prob=[[0.5, 0.6]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(X=PICTURES[:2])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(y=[0, 1])
    X, y = held_out
    multilabel = MLPClassifier(**PARAMS, max_iter=2).fit(X, np.c_[y > 4, y % 2].astype(int))
    with pytest.raises(ValueError, match="multilabel"):
        ProbabilityDisplay.from_estimator(multilabel, X[:3])
    assert plt.get_fignums() == []
