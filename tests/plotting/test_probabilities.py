"""ProbabilityDisplay: bars, titles and marks of classes; images only if X has images."""

import numpy as np
import pandas
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from cymlp.plotting import ProbabilityDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#bbbbbb"
Y_PROB = [[0.25, 0.75], [1.0, 0.0]]
IMAGES = np.arange(8.0).reshape(2, 4)


def heights(bars):
    return [bar.get_height() for bar in bars]


def test_images_and_bars(clf, held_out):
    y_prob = clf.predict_proba(held_out[0])
    best = y_prob.argmax(axis=1)
    wrong = best != held_out[1]
    rows = np.r_[np.flatnonzero(wrong)[:2], np.flatnonzero(~wrong)[:2]]
    X, y = held_out[0][rows], held_out[1][rows]
    display = ProbabilityDisplay.from_estimator(clf, pandas.DataFrame(X), y=list(y))
    assert display.axes_.shape == (4, 2)
    for i, row in enumerate(rows):
        assert_array_equal(display.im_[i].get_array(), X[i].reshape(8, 8))
        assert_allclose(heights(display.bars_[i]), y_prob[row], rtol=1e-6)
        colors = [to_hex(bar.get_facecolor()) for bar in display.bars_[i]]
        assert colors.pop(best[row]) == (VERMILION if wrong[row] else BLUE)
        assert set(colors) == {GREY}
        assert display.marks_[i].get_xdata() == [y[i]]
        title = f"{best[row]}, true {y[i]}" if wrong[row] else f"{best[row]}"
        assert display.axes_[i, 1].get_title() == title
    labels = [label.get_text() for label in display.axes_[0, 1].get_xticklabels()]
    assert labels == [str(label) for label in clf.classes_]


def test_without_true_classes(clf, held_out):
    display = ProbabilityDisplay.from_estimator(clf, held_out[0][:2])
    assert display.marks_ == [None, None]
    best = clf.predict(held_out[0][:2])
    assert [ax.get_title() for ax in display.axes_[:, 1]] == [str(label) for label in best]


@pytest.mark.parametrize("as_matrix", [np.array, np.ndarray.tolist, pandas.DataFrame, csr_array])
def test_from_predictions(as_matrix):
    """A true class that is not among the classes has no mark."""
    display = ProbabilityDisplay.from_predictions(
        Y_PROB, as_matrix(IMAGES), classes=["cat", "dog"], y=pandas.Series(["dog", "hen"]),
        image_shape=(2, 2),
    )  # fmt: skip
    assert [ax.get_title() for ax in display.axes_[:, 1]] == ["dog", "cat, true hen"]
    assert display.marks_[0].get_xdata() == [1]
    assert display.marks_[1] is None
    assert_array_equal(display.im_[1].get_array(), IMAGES[1].reshape(2, 2))


def test_a_table(network, table):
    X, y = table
    clf = network(max_iter=2).fit(X, y)
    display = ProbabilityDisplay.from_estimator(clf, X[:5], y=y[:5])
    assert display.axes_.shape == (5, 1)
    assert display.im_ == []
    assert display.pictures is None
    y_prob = clf.predict_proba(X[:5])
    for i in range(5):
        assert_allclose(heights(display.bars_[i]), y_prob[i], rtol=1e-6)
        assert display.marks_[i].get_xdata() == [y[i]]
        assert display.axes_[i, 0].get_ylabel() == f"Sample {i}"
    columns = {ax.get_subplotspec().colspan.start for ax in display.axes_.ravel()}
    assert columns == {0, 1, 2}


def test_probabilities_alone():
    """Without X there are no images, however many features there are."""
    display = ProbabilityDisplay.from_predictions(Y_PROB, classes=["cat", "dog"], n_cols=2)
    assert display.axes_.shape == (2, 1)
    assert {ax.get_subplotspec().rowspan.start for ax in display.axes_[:, 0]} == {0}
    assert [ax.get_title() for ax in display.axes_[:, 0]] == ["dog", "cat"]
    assert ProbabilityDisplay(Y_PROB, classes=[0, 1]).plot().im_ == []


@pytest.mark.parametrize("n_samples, n_columns", [(6, 1), (7, 2), (25, 4)])
def test_images_are_in_few_columns(n_samples, n_columns):
    display = ProbabilityDisplay.from_predictions(
        [[1.0]] * n_samples, np.zeros((n_samples, 64)), classes=["a"]
    )
    columns = {ax.get_subplotspec().colspan.start for ax in display.axes_[:, 0]}
    assert columns == set(range(0, 2 * n_columns, 2))


@pytest.mark.parametrize("X", [None, np.zeros((2, 64))])
def test_titles_are_not_clipped(X):
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


def test_two_classes(network, held_out):
    X, y = held_out
    clf = network(max_iter=2).fit(X, y > 4)
    display = ProbabilityDisplay.from_estimator(clf, X[:1], y=y[:1] > 4)
    assert heights(display.bars_[0]) == clf.predict_proba(X[:1])[0].tolist()


def test_bad_parameters(network, held_out):
    def draw(y_prob=((0.5, 0.5),), X=IMAGES[:1], classes=(0, 1), **params):
        ProbabilityDisplay.from_predictions(y_prob, X, classes=classes, **params)

    with pytest.raises(ValueError, match="y_prob has 2 columns for 3 classes"):
        draw(classes=[0, 1, 2])
    with pytest.raises(ValueError, match="must sum to 1"):
        draw(y_prob=[[0.5, 0.6]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(X=IMAGES)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(y=[0, 1])
    X, y = held_out
    multilabel = network(max_iter=2).fit(X, np.c_[y > 4, y % 2].astype(int))
    with pytest.raises(ValueError, match="multilabel"):
        ProbabilityDisplay.from_estimator(multilabel, X[:3])
    assert plt.get_fignums() == []
