"""ImageGridDisplay: which cells, which images in each, and readable titles."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from cymlp.plotting import ImageGridDisplay
from cymlp.plotting._image_grid import _strip

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Y_TRUE = [0, 0, 1, 1, 1, 2]
Y_PRED = [0, 1, 1, 0, 1, 2]
IMAGES = np.arange(24.0).reshape(6, 4)


def draw(y_true=Y_TRUE, y_pred=Y_PRED, X=IMAGES, **params):
    return ImageGridDisplay.from_predictions(y_true, y_pred, X, **params)


def titles(display):
    return [ax.get_title(loc="left") for ax in display.axes_]


@pytest.mark.parametrize(
    "as_labels, as_matrix",
    [
        (np.array, np.array),
        (list, np.ndarray.tolist),
        (pandas.Series, pandas.DataFrame),
        (list, csr_array),
    ],
)
def test_all_cells(as_labels, as_matrix):
    display = draw(as_labels(Y_TRUE), as_labels(Y_PRED), as_matrix(IMAGES))
    assert titles(display) == ["0 -> 0 (1)", "0 -> 1 (1)", "1 -> 0 (1)", "1 -> 1 (2)", "2 -> 2 (1)"]
    assert display.counts == [1, 1, 1, 2, 1]
    both = display.im_[3].get_array()  # two images 2 wide, and a gap
    assert_array_equal(both[:, :2], IMAGES[2].reshape(2, 2))
    assert_array_equal(both[:, 3:], IMAGES[4].reshape(2, 2))
    assert both.mask[:, 2].all()
    alone = display.im_[0].get_array()
    assert_array_equal(alone[:, :2], IMAGES[0].reshape(2, 2))
    assert alone.mask[:, 2:].all()
    assert {image.get_clim() for image in display.im_} == {(0.0, 23.0)}


def test_right_and_wrong_have_different_colors():
    colors = [to_hex(ax._left_title.get_color()) for ax in draw().axes_]
    assert colors == ["#0072b2", "#d55e00", "#d55e00", "#0072b2", "#0072b2"]


@pytest.mark.parametrize(
    "cells, wanted",
    [
        ("wrong", ["0 -> 1 (1)", "1 -> 0 (1)"]),
        ("right", ["0 -> 0 (1)", "1 -> 1 (2)", "2 -> 2 (1)"]),
        ([(1, 1), (0, 2), [0, 0]], ["1 -> 1 (2)", "0 -> 0 (1)"]),
    ],
)
def test_some_cells(cells, wanted):
    assert titles(draw(cells=cells)) == wanted


def test_at_most_n_per_cell():
    display = draw(n_per_cell=1)
    assert [len(images) for images in display.pictures] == [1] * 5
    assert_array_equal(display.pictures[3][0], IMAGES[2].reshape(2, 2))
    assert "1 -> 1 (2)" in titles(display)


def test_names_of_classes():
    names = np.array(["cat", "dog", "hen"])
    display = draw(names[Y_TRUE], list(names[Y_PRED]), cells="wrong")
    assert titles(display) == ["cat -> dog (1)", "dog -> cat (1)"]


def test_from_estimator(clf, held_out):
    X, y = held_out
    y_pred = clf.predict(X)
    display = ImageGridDisplay.from_estimator(clf, pandas.DataFrame(X), y.tolist(), cells="wrong")
    assert sum(display.counts) == (y_pred != y).sum()
    for (true, predicted), images in zip(display.cells, display.pictures, strict=True):
        rows = np.flatnonzero((y == true) & (y_pred == predicted))[:10]
        assert_array_equal(images, X[rows].reshape(-1, 8, 8))


@given(st.integers(1, 4), st.integers(0, 2), st.integers(1, 3), st.integers(1, 20))
def test_images_in_a_row(n, n_missing, height, width):
    images = np.random.default_rng(0).random((n, height, width))
    strip = _strip(images, n + n_missing)
    gap = max(1, width // 8)
    assert strip.shape == (height, (n + n_missing) * (width + gap) - gap)
    for i, image in enumerate(images):
        assert_array_equal(strip[:, i * (width + gap) :][:, :width], image)
    assert np.isfinite(strip).sum() == images.size


def test_titles_are_readable():
    """The figure is at most as wide as a page; a wider one would be shrunk with its titles."""
    y_true, y_pred = np.divmod(np.repeat(np.arange(49), 10), 7)
    display = draw(y_true, y_pred, np.zeros((490, 64)))
    assert {ax.get_subplotspec().colspan.start for ax in display.axes_} == {0, 1, 2}
    assert display.figure_.get_size_inches()[0] <= 10
    display.figure_.canvas.draw()
    for ax in display.axes_:
        assert ax._left_title.get_window_extent().height > 0.3 * ax.get_window_extent().height


def test_bad_parameters():
    for params, message in [
        ({"cells": "some"}, "cells must be 'all'"),
        ({"cells": [(1, 2, 3)]}, "cells must be pairs"),
        ({"cells": [(2, 0)]}, "There are no samples in cells"),
        ({"y_pred": Y_TRUE, "cells": "wrong"}, "There are no samples in cells='wrong'"),
        ({"n_per_cell": 0}, "n_per_cell must be at least 1"),
        ({"y_pred": Y_PRED[:5]}, "inconsistent numbers of samples"),
        ({"y_true": np.eye(6), "y_pred": np.eye(6)}, "1d array"),
        ({"y_pred": [str(label) for label in Y_PRED]}, "label"),
    ]:
        with pytest.raises(ValueError, match=message):
            draw(**params)
    assert plt.get_fignums() == []
