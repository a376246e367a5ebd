"""Predicted probabilities, beside the images they are of."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from cymlp.plotting._axes import BLUE, GREY, VERMILION, grid_cells, make_axes
from cymlp.plotting._images import as_images, check_samples, draw_images, may_be_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D


class ProbabilityDisplay:
    """The predicted probabilities of some samples, each beside its image if it has one.

    The bar of the predicted class is blue, or vermilion if the prediction is wrong; the other bars
    are grey. A triangle marks the true class. The title names the predicted class and, if it is
    another one, the true class. Without an image, the label of the axis gives the number of the
    sample, counted from 0.

    Parameters
    ----------
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to 1.
    pictures : array-like of shape (n_samples, height, width), default=None
        The images; None to draw the probabilities alone.
    classes : array-like of shape (n_classes,)
        The classes, in the order of the columns.
    y : array-like of shape (n_samples,), default=None
        The true classes, if they are known.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_samples, 2)
        For each sample the Axes of its image and of its bars; without images, of shape
        (n_samples, 1).
    figure_ : Figure
    im_ : list of AxesImage
        Empty without images.
    bars_ : list of BarContainer
    marks_ : list of Line2D or None
        The triangle over each true class; None if it is not known, or not one of ``classes``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from cymlp import MLPClassifier
    >>> from cymlp.plotting import ProbabilityDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> clf = MLPClassifier(tol=1e-2, random_state=0).fit(X_train, y_train)
    >>> display = ProbabilityDisplay.from_estimator(clf, X_test[:4], y=y_test[:4])
    >>> display.axes_.shape
    (4, 2)
    """

    axes_: NDArray[Any]
    figure_: Figure | SubFigure
    im_: list[AxesImage]
    bars_: list[BarContainer]
    marks_: list[Line2D | None]

    def __init__(
        self,
        y_prob: ArrayLike,
        pictures: ArrayLike | None = None,
        *,
        classes: ArrayLike,
        y: Any = None,
    ) -> None:
        self.y_prob = y_prob
        self.pictures = pictures
        self.classes = classes
        self.y = y

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        y: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the probabilities that a fitted classifier predicts for some samples.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier with ``predict_proba`` that is not multilabel, or a fitted
            pipeline or search that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples. All are drawn, so pass only a few.
        y : array-like of shape (n_samples,), default=None
            Their true classes, if they are known.
        image_shape, n_cols, cmap, ax
            As in `from_predictions`.

        Returns
        -------
        display : ProbabilityDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            For a reason given in `from_predictions`.
        """
        check_is_fitted(estimator)
        return cls.from_predictions(
            estimator.predict_proba(X), X, classes=estimator.classes_, y=y,
            image_shape=image_shape, n_cols=n_cols, cmap=cmap, ax=ax,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls,
        y_prob: ArrayLike,
        X: ArrayLike | None = None,
        *,
        classes: ArrayLike,
        y: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the predicted probabilities of some samples.

        Parameters
        ----------
        y_prob : array-like of shape (n_samples, n_classes)
            Probabilities; each row sums to 1.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            The samples. They are drawn as images if ``image_shape`` is given or the number of
            features is a square, of 8 x 8 or more. None draws the probabilities alone.
        classes : array-like of shape (n_classes,)
            The classes, in the order of the columns.
        y : array-like of shape (n_samples,), default=None
            The true classes, if they are known.
        image_shape : tuple of int, default=None
            Height and width of an image; None if it is square.
        n_cols, cmap, ax
            As in `plot`.

        Returns
        -------
        display : ProbabilityDisplay

        Raises
        ------
        ValueError
            If the lengths differ, if a row of ``y_prob`` does not sum to 1, or if
            ``image_shape`` does not fit.
        """
        samples = None if X is None else check_samples(X)
        probabilities, names = check_array(y_prob), column_or_1d(classes)
        truth = None if y is None else column_or_1d(y)
        check_consistent_length(samples, probabilities, truth)
        n_columns = probabilities.shape[1]
        if n_columns != len(names):
            raise ValueError(f"y_prob has {n_columns} columns for {len(names)} classes.")
        if not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError(
                "The rows of y_prob must sum to 1. Those of a multilabel classifier need not."
            )
        pictures = None
        if samples is not None and (image_shape is not None or may_be_image(samples.shape[1])):
            pictures = as_images(samples, image_shape)
        display = cls(probabilities, pictures, classes=names, y=truth)
        return display.plot(n_cols=n_cols, cmap=cmap, ax=ax)

    def plot(
        self,
        *,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw images and bars.

        Parameters
        ----------
        n_cols : int, default=None
            How many samples stand side by side. None chooses at most 4: with images, as few as
            keep to 6 rows; without, a roughly square arrangement.
        cmap : str or Colormap, default="gray_r"
            Colours, on the same scale for all images.
        ax : Axes or array-like of Axes, default=None
            Where to draw: for each sample one Axes for its image and one for its bars; without
            images, only the latter.

        Returns
        -------
        display : ProbabilityDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        y_prob, names = np.asarray(self.y_prob), np.asarray(self.classes).tolist()
        y = [None] * len(y_prob) if self.y is None else np.asarray(self.y).tolist()
        n_samples, has_images = len(y_prob), self.pictures is not None
        columns = ceil(n_samples / 6) if has_images else ceil(n_samples**0.5)
        samples = grid_cells(n_samples, n_cols, min(columns, 4))
        letters = max(len(str(name)) for name in names)
        slanted = letters > 2
        bars = max(1.8, 0.22 * len(names), 0.085 * (2 * letters + 7))  # for the ticks and the title
        widths = [1.0, bars] if has_images else [bars]
        cells = [(row, len(widths) * col + i) for row, col in samples for i in range(len(widths))]
        size = (sum(widths) / len(widths), 1.5 + (min(0.06 * letters, 1.0) if slanted else 0.0))
        self.axes_ = make_axes(ax, cells, size, widths).reshape(-1, len(widths))
        self.figure_ = self.axes_[0, 0].figure
        self.im_, self.bars_, self.marks_ = [], [], []
        if has_images:
            self.im_ = draw_images(self.axes_[:, 0], np.asarray(self.pictures), cmap)
        for i, (axes, heights, truth) in enumerate(zip(self.axes_[:, -1], y_prob, y, strict=True)):
            self._draw_bars(axes, heights, names, truth)
            if not has_images:
                axes.set_ylabel(f"Sample {i}")
            axes.set_xticks(
                range(len(names)), [str(name) for name in names], fontsize="small",
                rotation=45 if slanted else 0, ha="right" if slanted else "center",
                parse_math=False,
            )  # fmt: skip
        return self

    def _draw_bars(self, axes: Axes, heights: NDArray[Any], names: list[Any], truth: Any) -> None:
        """Draw the probabilities (n_classes,) of one sample, and mark its true class."""
        best = int(heights.argmax())
        wrong = truth is not None and truth != names[best]
        colors = [GREY] * len(names)
        colors[best] = VERMILION if wrong else BLUE
        self.bars_.append(axes.bar(range(len(names)), heights, color=colors))
        mark = None
        if truth in names:
            position = names.index(truth)
            (mark,) = axes.plot(position, heights[position] + 0.09, "kv", markersize=5)
        self.marks_.append(mark)
        title = f"{names[best]}, true {truth}" if wrong else str(names[best])
        axes.set_title(title, color=colors[best], fontsize="medium", parse_math=False)
        axes.set(ylim=(0, 1.19), yticks=(0, 0.5, 1))
        axes.tick_params(axis="y", labelsize="small")
