"""Images that a classifier got right or wrong, by cell of the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from cymlp.plotting._axes import BLUE, VERMILION, grid_cells, make_axes
from cymlp.plotting._images import as_images, check_samples, draw_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

_HINT = (
    " ImageGridDisplay is for images; for a table there are ProbabilityDisplay and "
    "scikit-learn's ConfusionMatrixDisplay."
)


class ImageGridDisplay:
    """Images that a classifier got right or wrong.

    Each cell of the confusion matrix has a row of images, with the title
    "true -> predicted (count)".

    Parameters
    ----------
    cells : list of tuple of shape (n_cells,)
        The true and the predicted class of each cell.
    counts : list of int of shape (n_cells,)
        How many samples each cell has.
    pictures : list of ndarray of shape (n_pictures, height, width)
        Some images of each cell, at least one.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_cells,)
    figure_ : Figure
    im_ : list of AxesImage
        The row of images of each cell.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from cymlp import MLPClassifier
    >>> from cymlp.plotting import ImageGridDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> clf = MLPClassifier(tol=1e-2, random_state=0).fit(X_train, y_train)
    >>> display = ImageGridDisplay.from_estimator(clf, X_test, y_test, cells="wrong")
    >>> display = ImageGridDisplay.from_estimator(clf, X_test, y_test, cells=[(0, 0), (1, 1)])
    >>> display.cells
    [(0, 0), (1, 1)]
    """

    axes_: NDArray[Any]
    figure_: Figure | SubFigure
    im_: list[AxesImage]

    def __init__(
        self,
        cells: Sequence[tuple[Any, Any]],
        counts: Sequence[int],
        pictures: Sequence[NDArray[Any]],
    ) -> None:
        self.cells = cells
        self.counts = counts
        self.pictures = pictures

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        image_shape: tuple[int, int] | None = None,
        n_per_cell: int = 10,
        cells: str | Sequence[tuple[Any, Any]] = "all",
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw images by what a fitted classifier predicts for them.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier, or a fitted pipeline or search that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The images, one in each row.
        y : array-like of shape (n_samples,)
            Their true classes.
        image_shape, n_per_cell, cells, n_cols, cmap, ax
            As in `from_predictions`.

        Returns
        -------
        display : ImageGridDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            For a reason given in `from_predictions`.
        """
        check_is_fitted(estimator)
        return cls.from_predictions(
            y, estimator.predict(X), X, image_shape=image_shape, n_per_cell=n_per_cell,
            cells=cells, n_cols=n_cols, cmap=cmap, ax=ax,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        X: ArrayLike,
        *,
        image_shape: tuple[int, int] | None = None,
        n_per_cell: int = 10,
        cells: str | Sequence[tuple[Any, Any]] = "all",
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw images by what was predicted for them.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            The true and the predicted classes.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The images, one in each row.
        image_shape : tuple of int, default=None
            Height and width of an image; None if it is square.
        n_per_cell : int, default=10
            The largest number of images drawn for a cell, at least 1: the first ones in X.
        cells : {"all", "wrong", "right"} or list of tuple, default="all"
            Which cells of the confusion matrix to draw, row by row, or a list of pairs (true
            class, predicted class). Cells without samples are left out.
        n_cols, cmap, ax
            As in `plot`.

        Returns
        -------
        display : ImageGridDisplay

        Raises
        ------
        ValueError
            If the lengths differ; if these cells have no samples; if a parameter is not valid;
            or if ``image_shape`` does not fit, or is None although the number of features is not
            a square (a table, for instance, has no images to draw).
        """
        samples, true, predicted = check_samples(X), column_or_1d(y_true), column_or_1d(y_pred)
        check_consistent_length(true, predicted, samples)
        unique_labels(true, predicted)  # raises ValueError if one has strings and one numbers
        if n_per_cell < 1:
            raise ValueError(f"n_per_cell must be at least 1, got {n_per_cell!r}.")
        rows: dict[tuple[Any, Any], list[int]] = {}
        for row, cell in enumerate(zip(true.tolist(), predicted.tolist(), strict=True)):
            rows.setdefault(cell, []).append(row)
        chosen = [cell for cell in _wanted_cells(rows, cells) if cell in rows]
        if not chosen:
            raise ValueError(f"There are no samples in cells={cells!r}.")
        display = cls(
            chosen,
            [len(rows[cell]) for cell in chosen],
            [as_images(samples[rows[cell][:n_per_cell]], image_shape, _HINT) for cell in chosen],
        )
        return display.plot(n_cols=n_cols, cmap=cmap, ax=ax)

    def plot(
        self,
        *,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the images.

        Parameters
        ----------
        n_cols : int, default=None
            How many cells stand side by side, None for 1 to 3: as few as keep to 12 rows.
        cmap : str or Colormap, default="gray_r"
            Colours, on the same scale for all images.
        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes for each cell.

        Returns
        -------
        display : ImageGridDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        longest = max(map(len, self.pictures))
        n_cells = len(self.pictures)
        grid = grid_cells(n_cells, n_cols, min(ceil(n_cells / 12), 3))
        height, width = self.pictures[0].shape[1:]
        # A figure wider than a page would be shrunk to fit it, and its titles with it.
        inches = (longest + 0.5) * width / height
        side = min(0.5, 10 / (inches * (1 + max(col for _, col in grid))))
        self.axes_ = make_axes(ax, grid, (max(side * inches, 1.6), side + 0.25))
        self.figure_ = self.axes_[0].figure
        strips = [_strip(images, longest) for images in self.pictures]
        self.im_ = draw_images(self.axes_, strips, cmap)
        for axes, (true, predicted), count in zip(self.axes_, self.cells, self.counts, strict=True):
            axes.set_anchor("W")
            axes.set_xlim(right=axes.get_xlim()[1] + width / 2)  # a gap before the next column
            axes.set_title(
                f"{true} -> {predicted} ({count})", color=BLUE if true == predicted else VERMILION,
                loc="left", fontsize="medium", pad=3, parse_math=False,
            )  # fmt: skip
        return self


def _wanted_cells(
    present: Mapping[tuple[Any, Any], Any], cells: str | Sequence[tuple[Any, Any]]
) -> list[tuple[Any, Any]]:
    """The cells asked for, in the order of the confusion matrix or of the user's list."""
    if not isinstance(cells, str):
        wanted: list[Any] = [tuple(cell) for cell in cells]
        if any(len(cell) != 2 for cell in wanted):
            raise ValueError(f"cells must be pairs (true, predicted), got {cells!r}.")
        return wanted
    if cells not in ("all", "wrong", "right"):
        raise ValueError(f"cells must be 'all', 'wrong', 'right' or pairs, got {cells!r}.")
    return sorted(
        cell for cell in present if cells == "all" or (cell[0] == cell[1]) == (cells == "right")
    )


def _strip(images: NDArray[Any], length: int) -> NDArray[np.float64]:
    """Images (n, height, width) side by side, as one as wide as ``length``; the gaps are NaN."""
    n, height, width = images.shape
    gap = max(1, width // 8)
    strip = np.full((height, length, width + gap), np.nan)
    strip[:, :n, :width] = images.transpose(1, 0, 2)
    return strip.reshape(height, -1)[:, :-gap]
