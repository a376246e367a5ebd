"""HistoryDisplay: curves, bands, panels, and the mark of the best epoch."""

import json

import numpy as np
import pandas
import pytest
import sklearn.neural_network
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal

from cymlp import MLPClassifier, MLPRegressor
from cymlp.plotting import HistoryDisplay
from cymlp.plotting._history import _score_names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_EPOCHS = 6


def labels_of(ax):
    return [text.get_text() for text in ax.get_legend().texts]


# Curves.


def test_one_run(clf):
    display = HistoryDisplay.from_estimator(clf)
    assert list(display.lines_) == ["loss", "val_loss", "train_score", "val_score"]
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, N_EPOCHS + 1))
        assert_array_equal(line.get_ydata(), clf.history_[name])
    assert display.fill_between_ == {}
    assert display.best_lines_ == []
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Accuracy"]
    assert [ax.get_xlabel() for ax in display.axes_] == ["Epoch", "Epoch"]
    panels = [("loss", "val_loss"), ("train_score", "val_score")]
    for ax, names in zip(display.axes_, panels, strict=True):
        assert list(ax.lines) == [display.lines_[name] for name in names]
        assert labels_of(ax) == ["training", "validation"]


VALUES = st.floats(-100, 100) | st.just(np.nan)
RUNS = st.lists(st.lists(VALUES, min_size=1, max_size=5), min_size=1, max_size=4)


@given(RUNS)
@example([[3.0, 2.0, 1.0], [5.0, np.nan, 4.0, 3.0]])
@example([[np.nan, 5.0, np.nan]])
@settings(max_examples=25)
def test_mean_and_band_of_runs(runs):
    """They cover the records for which all runs have a value."""
    n_records = min(map(len, runs))
    values = np.array([run[:n_records] for run in runs])
    recorded = ~np.isnan(values).any(axis=0)
    histories = [{"loss": run, "val_loss": [1.0] * len(run)} for run in runs]
    display = HistoryDisplay(histories).plot()
    plt.close("all")
    if not recorded.any():
        assert list(display.lines_) == ["val_loss"]
        return
    x, values = np.arange(1, n_records + 1)[recorded], values[:, recorded]
    mean, std = values.mean(axis=0), values.std(axis=0)
    assert_array_equal(display.lines_["loss"].get_xdata(), x)
    assert_allclose(display.lines_["loss"].get_ydata(), mean, rtol=1e-12)
    assert list(display.fill_between_) == (["loss", "val_loss"] if len(runs) > 1 else [])
    for band in list(display.fill_between_.values())[:1]:
        vertices = np.concatenate([path.vertices for path in band.get_paths()])
        for i, position in enumerate(x):
            at = vertices[vertices[:, 0] == position, 1]
            assert_allclose([at.min(), at.max()], [(mean - std)[i], (mean + std)[i]], atol=1e-9)


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_estimators(network, fit, clf, kind):
    other = fit(network(random_state=1, max_iter=N_EPOCHS + 1))
    display = HistoryDisplay.from_estimator(kind([clf, other]))
    mean = (clf.history_["loss"] + other.history_["loss"][:N_EPOCHS]) / 2
    assert_allclose(display.lines_["loss"].get_ydata(), mean)
    assert list(display.fill_between_) == list(display.lines_)


def test_over_updates(clf):
    display = HistoryDisplay.from_estimator(clf, x="n_updates")
    assert_array_equal(display.lines_["loss"].get_xdata(), clf.history_["n_updates"])
    assert display.axes_[0].get_xlabel() == "Updates"


def test_quantities_and_style(clf):
    display = HistoryDisplay.from_estimator(
        clf, quantities=["val_loss", "learning_rate"], c="red", label="adam"
    )
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Learning rate"]
    assert [line.get_label() for line in display.lines_.values()] == ["adam validation", "adam"]
    assert {line.get_color() for line in display.lines_.values()} == {"red"}
    assert_array_equal(display.lines_["learning_rate"].get_ydata(), clf.history_["learning_rate"])


def test_drawn_into_the_same_axes(clf):
    first = HistoryDisplay.from_estimator(clf, label="a")
    second = HistoryDisplay.from_estimator(clf, label="b", ax=first.axes_)
    assert second.figure_ is first.figure_
    labels = ["a training", "a validation", "b training", "b validation"]
    assert labels_of(first.axes_[0]) == labels


def test_records_of_every_few_updates(network, fit):
    clf = fit(network(max_iter=2, record_every=2, batch_size=100))
    display = HistoryDisplay.from_estimator(clf)
    for name in ("loss", "val_loss"):
        recorded = ~np.isnan(clf.history_[name])
        line = display.lines_[name]
        assert_array_equal(line.get_xdata(), clf.history_["n_updates"][recorded])
        assert_array_equal(line.get_ydata(), clf.history_[name][recorded])
    with pytest.raises(ValueError, match="records are not epochs"):
        HistoryDisplay.from_estimator(clf, x="epoch")


def test_forms_of_a_history(clf):
    as_lists = json.loads(json.dumps({name: a.tolist() for name, a in clf.history_.items()}))
    for history in (pandas.DataFrame(clf.history_), as_lists, [as_lists]):
        display = HistoryDisplay(history).plot()
        assert_array_equal(display.lines_["loss"].get_ydata(), clf.history_["loss"])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_regressors(fit, solver):
    reg = fit(MLPRegressor(hidden_layer_sizes=5, solver=solver, max_iter=3, random_state=0))
    display = HistoryDisplay.from_estimator(reg)
    assert_array_equal(display.lines_["loss"].get_ydata(), reg.history_["loss"])
    assert display.axes_[-1].get_ylabel() == "R²"


# Names of scores.


def a_score(estimator, X, y):
    return 0.5


@pytest.mark.parametrize(
    "scoring, name, label",
    [
        (None, "accuracy", "Accuracy"),
        ("loss", "accuracy", "Accuracy"),
        ("f1_macro", "f1_macro", "F1 macro"),
        ("neg_log_loss", "neg_log_loss", "Negative log loss"),
        (a_score, "a_score", "A score"),
        (lambda *_: 0.5, "score", "Score"),
    ],
)
def test_names_and_labels_of_scores(scoring, name, label):
    """Different scores get different panels."""
    names = _score_names([MLPClassifier(scoring=scoring)])
    assert names == {"train_score": "accuracy", "val_score": name}
    display = HistoryDisplay({"train_score": [0.5], "val_score": [0.6]}, score_names=names).plot()
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels == (["Accuracy"] if label == "Accuracy" else ["Accuracy", label])
    assert display.lines_["val_score"].axes is display.axes_[-1]


def test_estimators_with_different_scores():
    same = [MLPRegressor(scoring=scoring) for scoring in (None, "r2", "loss")]
    assert _score_names(same) == {"train_score": "r2", "val_score": "r2"}
    assert _score_names([*same, MLPRegressor(scoring="max_error")]) == {"train_score": "r2"}
    assert HistoryDisplay({"val_score": [0.5]}).plot().axes_[0].get_ylabel() == "Score"


def test_an_estimators_scores_are_named(network, fit):
    clf = fit(network(max_iter=1, scoring="f1_macro", record_train_score=True))
    display = HistoryDisplay.from_estimator(clf)
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Accuracy", "F1 macro"]


# The best epoch.


@pytest.fixture(scope="module")
def stopped_early(network, fit):
    """A fit whose best epoch is the third of six."""
    clf = fit(network(early_stopping=True, batch_size=100))
    clf.best_iteration_ = 3
    return clf


def test_best_epoch_is_marked_where_validation_is_drawn(stopped_early):
    display = HistoryDisplay.from_estimator(stopped_early, label="adam")
    assert display.best_iteration == 3
    assert [line.axes for line in display.best_lines_] == display.axes_.tolist()
    for line in display.best_lines_:
        assert_array_equal(line.get_xdata(), [3, 3])
        assert labels_of(line.axes)[-1] == "adam best epoch (3)"

    (line,) = HistoryDisplay.from_estimator(
        stopped_early, quantities=["learning_rate", "val_score"], color="red", x="n_updates"
    ).best_lines_
    assert line.axes.get_ylabel() == "Accuracy"
    assert line.get_color() == "red"
    assert_array_equal(line.get_xdata(), [stopped_early.history_["n_updates"][2]] * 2)

    assert HistoryDisplay.from_estimator(stopped_early, quantities=["loss"]).best_lines_ == []
    assert HistoryDisplay.from_estimator([stopped_early] * 2).best_lines_ == []


@pytest.mark.parametrize("batch_size, n_updates", [("auto", 2), (100, 4), (150, 3), (10_000, 1)])
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_best_epoch_among_records_of_every_few_updates(network, fit, batch_size, n_updates):
    clf = fit(network(max_iter=4, early_stopping=True, record_every=2, batch_size=batch_size))
    clf.best_iteration_ = 3
    display = HistoryDisplay.from_estimator(clf)
    for line in display.best_lines_:
        assert_array_equal(line.get_xdata(), [3 * n_updates] * 2)
        assert line.get_label() == "best epoch (3)"
    # An x-axis of record numbers has no position for an epoch.
    assert display.plot(x="epoch").best_lines_ == []


def test_best_epoch_of_the_last_of_several_fits(network, fit):
    """``best_iteration_`` counts the epochs of the last fit; the history has those of all fits."""
    clf = network(max_iter=4, early_stopping=True, warm_start=True)
    fit(clf)
    fit(clf.set_params(max_iter=3))
    clf.best_iteration_ = 2
    display = HistoryDisplay.from_estimator(clf)
    assert_array_equal(display.best_lines_[0].get_xdata(), [6, 6])
    # The number of updates per epoch in the last fit is unknown.
    fit(clf.set_params(record_every=2))
    clf.best_iteration_ = 2
    assert HistoryDisplay.from_estimator(clf).best_lines_ == []


def test_best_epoch_as_data():
    history = {"val_loss": [3.0, 1.0, 2.0], "n_updates": [5, 10, 15]}
    display = HistoryDisplay(history, best_iteration=2).plot()
    assert_array_equal(display.best_lines_[0].get_xdata(), [2, 2])
    assert_array_equal(display.plot(x="n_updates").best_lines_[0].get_xdata(), [10, 10])
    assert HistoryDisplay([history] * 2, best_iteration=2).plot().best_lines_ == []
    for best_iteration in (0, 4):
        with pytest.raises(ValueError, match=f"best_iteration must be in 1, .* {best_iteration}"):
            HistoryDisplay(history, best_iteration=best_iteration).plot()


# Errors.


def test_bad_parameters(clf, digits):
    with pytest.raises(sklearn.exceptions.NotFittedError):
        HistoryDisplay.from_estimator([clf, MLPClassifier()])
    with pytest.raises(ValueError, match="x must be 'epoch' or 'n_updates', got 'time'"):
        HistoryDisplay.from_estimator(clf, x="time")
    with pytest.raises(ValueError, match="'accuracy' was not recorded in all runs"):
        HistoryDisplay.from_estimator(clf, quantities=["accuracy"])
    with pytest.raises(ValueError, match="quantities must be a list"):
        HistoryDisplay.from_estimator(clf, quantities="loss")
    theirs = sklearn.neural_network.MLPClassifier(max_iter=1).fit(*digits)
    with pytest.raises(ValueError, match="MLPClassifier has no history_"):
        HistoryDisplay.from_estimator(theirs)
    with pytest.raises(ValueError, match="n_updates differs between the runs"):
        HistoryDisplay([{"loss": [1.0], "n_updates": [n]} for n in (1, 2)]).plot(x="n_updates")
    with pytest.raises(ValueError, match="n_updates was not recorded"):
        HistoryDisplay({"loss": [1.0]}).plot(x="n_updates")
    assert plt.get_fignums() == []


def test_nothing_to_draw(clf):
    for nothing in ([], {}, {"seconds": [1.0]}, {"loss": [np.nan]}, {"loss": []}):
        with pytest.raises(ValueError, match="nothing to draw"):
            HistoryDisplay(nothing).plot()
    untrained = MLPClassifier.from_weights(clf.coefs_, clf.intercepts_, classes=clf.classes_)
    with pytest.raises(ValueError, match="nothing to draw"):
        HistoryDisplay.from_estimator(untrained)
    assert plt.get_fignums() == []
