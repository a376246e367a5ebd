"""Where displays draw: Axes, their grid, their ticks, and the colours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axis import Axis

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#BBBBBB"


def grid_cells(n: int, n_cols: int | None, default: int) -> list[tuple[int, int]]:
    """(row, column) of each of n cells, row by row, in ``n_cols`` columns; None for the default."""
    if n_cols is not None and n_cols < 1:
        raise ValueError(f"n_cols must be at least 1, got {n_cols!r}.")
    return [divmod(i, default if n_cols is None else n_cols) for i in range(n)]


def make_axes(
    ax: Any,
    cells: list[tuple[int, int]],
    size: tuple[float, float],
    widths: Sequence[float] = (1.0,),
) -> NDArray[Any]:
    """One Axes for each cell: in a new figure, in place of a single Axes, or taken from a list.

    Parameters
    ----------
    ax : Axes, array-like of Axes or None
        What the user passed.
    cells : list of tuple of int
        Row and column of each cell.
    size : tuple of float
        Width and height of a cell in a new figure, in inches.
    widths : sequence of float, default=(1.0,)
        Relative widths of the columns, repeated as often as needed.

    Returns
    -------
    axes : ndarray of Axes of shape (n_cells,), object

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If ``ax`` has too few Axes, or is a single one that has to be divided but is not part of
        a grid.
    """
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError('Displays need matplotlib: pip install "matplotlib>=3.8"') from error

    n_rows, n_cols = (1 + max(index) for index in zip(*cells, strict=True))
    ratios = [widths[col % len(widths)] for col in range(n_cols)]
    figure: Any
    grid: Any
    if ax is None:
        inches = (size[0] * n_cols, size[1] * n_rows)
        figure = plt.figure(figsize=inches, layout="constrained")
        grid = figure.add_gridspec(n_rows, n_cols, width_ratios=ratios)
    elif not isinstance(ax, Axes):
        given = np.asarray(ax, dtype=object).flatten()
        if len(given) < len(cells):
            raise ValueError(f"ax has {len(given)} Axes, but {len(cells)} are needed.")
        return given[: len(cells)]
    elif len(cells) == 1:
        return np.array([ax], dtype=object)
    elif (place := ax.get_subplotspec()) is None:
        raise ValueError(f"ax is not part of a grid and cannot be divided into {len(cells)} Axes.")
    else:
        figure = ax.figure
        ax.set_axis_off()
        grid = place.subgridspec(n_rows, n_cols, width_ratios=ratios)
    return np.array([figure.add_subplot(grid[cell]) for cell in cells], dtype=object)


def set_tick_labels(axis: Axis, labels: list[str], room: float) -> None:
    """Label the positions 0, 1, ...; if there is not enough room, only every 2nd, 5th, 10th, ..."""
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if len(labels) <= step * room)
    axis.set_ticks(range(0, len(labels), step), labels[::step], fontsize="small", parse_math=False)
