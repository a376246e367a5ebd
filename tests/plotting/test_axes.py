"""_axes: cells of a grid, their Axes, and labels that fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from cymlp.plotting._axes import grid_cells, make_axes, set_tick_labels

CELLS = [(0, 0), (0, 1), (1, 0)]


@given(st.integers(1, 50), st.none() | st.integers(1, 9), st.integers(1, 9))
def test_cells_fill_the_rows_one_by_one(n, n_cols, default):
    cells = grid_cells(n, n_cols, default)
    columns = n_cols or default
    assert [row * columns + column for row, column in cells] == list(range(n))
    assert max(column for _, column in cells) < columns


@pytest.mark.parametrize("n_cols", [0, -1])
def test_n_cols_is_checked(n_cols):
    with pytest.raises(ValueError, match=f"n_cols must be at least 1, got {n_cols}"):
        grid_cells(3, n_cols, 2)


def test_a_new_figure():
    axes = make_axes(None, CELLS, (3.0, 2.0), (1.0, 2.0))
    places = [
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in axes
    ]
    assert places == CELLS
    figure = axes[0].figure
    assert figure.get_size_inches().tolist() == [6.0, 4.0]
    figure.canvas.draw()
    assert axes[1].get_position().width > 1.5 * axes[0].get_position().width


def test_widths_are_repeated():
    axes = make_axes(None, [(0, column) for column in range(4)], (1.0, 1.0), (1.0, 2.0))
    assert axes[0].get_subplotspec().get_gridspec().get_width_ratios() == [1.0, 2.0, 1.0, 2.0]


def test_one_axes_is_subdivided():
    figure, (left, right) = plt.subplots(1, 2)
    axes = make_axes(right, CELLS, (3.0, 2.0), (1.0, 2.0))
    assert axes.shape == (3,)
    assert not right.axison
    for ax in axes:
        assert ax.figure is figure
        assert ax.get_position().x0 > left.get_position().x1
    widths = [ax.get_position().width for ax in axes]
    assert_allclose(widths, np.array([1, 2, 1]) * widths[0])


def test_one_axes_for_one_cell_is_used_directly():
    _, ax = plt.subplots()
    assert make_axes(ax, [(0, 0)], (1.0, 1.0)).tolist() == [ax]
    assert ax.axison


def test_the_first_of_many_axes_are_used():
    _, axes = plt.subplots(2, 2)
    for given_axes in (axes, axes.tolist(), list(axes.ravel())):
        assert make_axes(given_axes, CELLS, (1.0, 1.0)).tolist() == axes.ravel()[:3].tolist()


def test_axes_that_cannot_be_used():
    figure, ax = plt.subplots()
    with pytest.raises(ValueError, match="ax has 1 Axes, but 3 are needed"):
        make_axes([ax], CELLS, (1.0, 1.0))
    with pytest.raises(ValueError, match="not part of a grid and cannot be divided into 3 Axes"):
        make_axes(figure.add_axes((0, 0, 1, 1)), CELLS, (1.0, 1.0))


@given(st.integers(1, 2000), st.floats(1.0, 100.0))
@settings(max_examples=30)
def test_as_many_labels_as_fit(n, room):
    axis = Figure().add_subplot().yaxis
    labels = [f"label {i}" for i in range(n)]
    set_tick_labels(axis, labels, room)
    positions = axis.get_ticklocs().astype(int)
    shown = [label.get_text() for label in axis.get_ticklabels()]
    assert shown == [labels[position] for position in positions]
    assert len(shown) <= room + 1
    step = positions[1] if len(shown) > 1 else n
    assert positions.tolist() == list(range(0, n, step))
    if step == 1:
        assert n <= room
    else:
        assert len(shown) == 1 or int(str(step).rstrip("0")) in (1, 2, 5)
        assert len(range(0, n, step)) > room / 3  # labels at a smaller step would not fit
