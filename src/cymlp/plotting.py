"""Figures of fits, weights and predictions, by scikit-learn's convention of displays.

A display is made by ``from_estimator`` or ``from_predictions``, which draw it at once, or of its
data alone, and then by its method ``plot``, as often as wanted. What was drawn is in its
attributes: ``figure_``, ``axes_``, and the artists. The displays need matplotlib, which
the extra ``plot`` brings; importing this module does not.

``ax`` is None for a new figure; or one Axes, whose place the display takes, divided where it needs
several; or an array of Axes, at least as many as it needs, of which the first ones are drawn
on.

Colours are those of Okabe and Ito, or from blue to red, which the colour-blind can tell apart;
and none is the only sign of anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, isqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

__all__ = ["HistoryDisplay", "ImageGridDisplay", "ProbabilityDisplay", "WeightsDisplay"]

_BLUE, _VERMILION, _GREY = "#0072B2", "#D55E00", "#BBBBBB"

# The panel, the name in its legend and the style of the quantities that share a panel.
_TRAINING = {"color": _BLUE, "linestyle": "--"}
_VALIDATION = {"color": _VERMILION, "linestyle": "-"}
_SHARED: dict[str, tuple[str, str, dict[str, str]]] = {
    "loss": ("loss", "training", _TRAINING),
    "val_loss": ("loss", "validation", _VALIDATION),
    "train_score": ("score", "training", _TRAINING),
    "val_score": ("score", "validation", _VALIDATION),
}


class HistoryDisplay:
    """The loss and the score of a fit, epoch by epoch.

    There is one panel for "loss" and "val_loss", one for "train_score" and "val_score", and
    one for each other quantity that is asked for. Of several runs the mean is drawn, in a band of
    one standard deviation to either side; they are cut to the length of the shortest.

    Parameters
    ----------
    history : dict of array-like of shape (n_records,), or list of them
        ``history_`` of an estimator, or of several. NaN where a quantity was not recorded. A
        pandas.DataFrame is as good as a dict.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_panels,)
    figure_ : Figure
    lines_ : dict of Line2D
        The line of each quantity.
    fill_between_ : dict of PolyCollection
        The band of each quantity; empty for one run.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cymlp import MLPClassifier
    >>> from cymlp.plotting import HistoryDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(early_stopping=True, random_state=0).fit(X / 16, y)
    >>> display = HistoryDisplay.from_estimator(clf)
    >>> list(display.lines_)
    ['loss', 'val_loss', 'val_score']

    The mean of three runs, and only the loss:

    >>> runs = [MLPClassifier(tol=1e-2, random_state=i).fit(X / 16, y) for i in range(3)]
    >>> display = HistoryDisplay.from_estimator(runs, quantities=["loss"], color="black")
    >>> len(display.axes_)
    1
    """

    axes_: NDArray[Any]
    figure_: Figure | SubFigure
    lines_: dict[str, Line2D]
    fill_between_: dict[str, PolyCollection]

    def __init__(self, history: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]]):
        self.history = history

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        x: str | None = None,
        quantities: Sequence[str] | None = None,
        ax: Axes | ArrayLike | None = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the history of a fitted estimator, or of several.

        Parameters
        ----------
        estimator : estimator, or list or tuple of them
            Fitted estimators of cymlp, or pipelines and searches of which they are a part.
        x : {"epoch", "n_updates"}, default=None
            As in `plot`; None for "n_updates" where ``record_every`` was given, as then
            records are not epochs, else "epoch".
        quantities, ax, **line_kw
            As in `plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        ValueError
            If an estimator has no ``history_``, if x="epoch" is asked for with
            ``record_every``, or as in `plot`.
        """
        many = isinstance(estimator, (list, tuple))
        fitted = [_fitted_part(run, "history_") for run in (estimator if many else [estimator])]
        by_updates = any(getattr(run, "record_every", None) is not None for run in fitted)
        if by_updates and x == "epoch":
            raise ValueError('With record_every records are not epochs; use x="n_updates".')
        histories = [run.history_ for run in fitted]
        display = cls(histories if many else histories[0])
        if x is None:
            x = "n_updates" if by_updates else "epoch"
        return display.plot(x=x, quantities=quantities, ax=ax, **line_kw)

    def plot(
        self,
        *,
        x: str = "epoch",
        quantities: Sequence[str] | None = None,
        ax: Axes | ArrayLike | None = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the history.

        Parameters
        ----------
        x : {"epoch", "n_updates"}, default="epoch"
            Whether the records are drawn over their numbers 1, 2, ..., or over the updates made.
        quantities : list of str, default=None
            Names in the history. None for those of "loss", "val_loss", "train_score" and
            "val_score" that were recorded in all runs.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one Axes for each panel.
        **line_kw : dict
            Passed to matplotlib's ``plot``. A ``label`` is put before the names in the legends,
            which tells displays apart that are drawn on the same Axes.

        Returns
        -------
        display : HistoryDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing of what is asked for was recorded in all runs, or if ``x`` is neither, or
            "n_updates" differs among the runs.
        """
        runs = [self.history] if _is_mapping(self.history) else list(self.history)
        curves = {name: _curves(runs, name) for name in _names(runs, quantities)}
        places = _places(runs, x, len(next(iter(curves.values()))[0]))
        panels = list(dict.fromkeys(_SHARED.get(name, (name,))[0] for name in curves))
        self.axes_ = np.array(
            _make_axes(ax, _grid(len(panels), None, len(panels)), (4.2, 3.2)), dtype=object
        )
        self.figure_ = self.axes_[0].figure
        from matplotlib import cbook, lines, ticker

        style = cbook.normalize_kwargs(line_kw, lines.Line2D)
        prefix = style.pop("label", "")
        self.lines_, self.fill_between_ = {}, {}
        for name, values in curves.items():
            panel, label, default = _SHARED.get(name, (name, "", {"color": _BLUE}))
            axes = self.axes_[panels.index(panel)]
            # A line would be broken at each NaN, and a number between two of them not seen.
            recorded = ~np.isnan(values).any(axis=0)
            mean, std = values[:, recorded].mean(axis=0), values[:, recorded].std(axis=0)
            (line,) = axes.plot(
                places[recorded], mean, label=f"{prefix} {label}".strip(), **default | style
            )
            self.lines_[name] = line
            if len(runs) > 1:
                self.fill_between_[name] = axes.fill_between(
                    places[recorded], mean - std, mean + std,
                    color=line.get_color(), alpha=0.2, linewidth=0,
                )  # fmt: skip
            words = panel.replace("_", " ").capitalize()
            axes.set(xlabel="Epoch" if x == "epoch" else "Updates", ylabel=words)
            if axes.get_xscale() == "linear":
                axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
            if line.get_label() and not line.get_label().startswith("_"):
                axes.legend()
        return self


class WeightsDisplay:
    """What the units of the first hidden layer look at: their weights as pictures.

    All pictures have the same colours, which are symmetric around 0.

    Parameters
    ----------
    weights : array-like of shape (n_features, n_units)
        A column of weights for each unit that is drawn.
    image_shape : tuple of int, default=None
        Height and width of a picture; None for those of a square.
    units : array-like of int of shape (n_units,), default=None
        The numbers of the units, for the titles; None for 0, 1, ...

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_units,)
    figure_ : Figure
    im_ : list of AxesImage
    colorbar_ : Colorbar or None

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cymlp import MLPClassifier
    >>> from cymlp.plotting import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(tol=1e-2, random_state=0).fit(X / 16, y)
    >>> display = WeightsDisplay.from_estimator(clf)
    >>> len(display.im_)
    16
    >>> display = WeightsDisplay.from_estimator(clf, units=[5, 8], cmap="PuOr")
    """

    axes_: NDArray[Any]
    figure_: Figure | SubFigure
    im_: list[AxesImage]
    colorbar_: Colorbar | None

    def __init__(
        self,
        weights: ArrayLike,
        *,
        image_shape: tuple[int, int] | None = None,
        units: ArrayLike | None = None,
    ) -> None:
        self.weights = weights
        self.image_shape = image_shape
        self.units = units

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        units: ArrayLike | None = None,
        n_cols: int | None = None,
        cmap: str | Colormap = "RdBu_r",
        colorbar: bool = True,
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator of cymlp or scikit-learn with ``coefs_``, or a pipeline or search of
            which it is a part.
        image_shape : tuple of int, default=None
            Height and width of a picture; None for those of a square.
        units : array-like of int, default=None
            Which units, from 0; None for the first 16, or as many as there are.
        n_cols, cmap, colorbar, ax
            As in `plot`.

        Returns
        -------
        display : WeightsDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it has no ``coefs_`` or not these units, or as in `plot`.
        """
        weights = _fitted_part(estimator, "coefs_").coefs_[0]
        n_units = weights.shape[1]
        chosen = np.arange(min(n_units, 16)) if units is None else np.atleast_1d(np.asarray(units))
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not chosen.size:
            raise ValueError(f"units must be a list of int, got {units!r}.")
        if chosen.min() < 0 or chosen.max() >= n_units:
            raise ValueError(f"units must be in 0, ..., {n_units - 1}, got {units!r}.")
        display = cls(weights[:, chosen], image_shape=image_shape, units=chosen)
        return display.plot(n_cols=n_cols, cmap=cmap, colorbar=colorbar, ax=ax)

    def plot(
        self,
        *,
        n_cols: int | None = None,
        cmap: str | Colormap = "RdBu_r",
        colorbar: bool = True,
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the weights.

        Parameters
        ----------
        n_cols : int, default=None
            Pictures side by side; None for as many as make a square.
        cmap : str or Colormap, default="RdBu_r"
            Colours, whose middle is 0.
        colorbar : bool, default=True
            Whether to add a colour bar.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one Axes for each picture.

        Returns
        -------
        display : WeightsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If ``image_shape`` does not fit, or is needed, as the number of features is no square.
        """
        weights = check_array(self.weights)
        pictures = _as_pictures(weights.T, self.image_shape)
        units = range(len(pictures)) if self.units is None else self.units
        grid = _grid(len(pictures), n_cols, ceil(len(pictures) ** 0.5))
        self.axes_ = np.array(_make_axes(ax, grid, (1.5, 1.4)), dtype=object)
        self.figure_ = self.axes_[0].figure
        largest = float(np.abs(weights).max()) or 1.0
        self.im_ = [
            _draw_picture(axes, picture, cmap, (-largest, largest))
            for axes, picture in zip(self.axes_, pictures, strict=True)
        ]
        for axes, unit in zip(self.axes_, units, strict=True):
            axes.set_title(str(unit), fontsize="medium", pad=3)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.im_[0], ax=list(self.axes_))
        return self


class ImageGridDisplay:
    """Pictures that a classifier took for what they are, or for something else.

    There is a row of pictures for each cell of the confusion matrix, with the title
    "true -> predicted (count)".

    Parameters
    ----------
    cells : list of tuple of shape (n_cells,)
        The true and the predicted class of each cell.
    counts : list of int of shape (n_cells,)
        How many samples are in each.
    pictures : list of ndarray of shape (n_pictures, height, width)
        Some pictures of each, at least one.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_cells,)
    figure_ : Figure
    im_ : list of AxesImage
        The row of pictures of each cell.

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
        """Draw what a fitted classifier makes of pictures.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier, or pipeline or search that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The pictures, row by row.
        y : array-like of shape (n_samples,)
            Their classes.
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
            As in `from_predictions`.
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
        """Draw what was made of pictures.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            The true and the predicted classes.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The pictures, row by row.
        image_shape : tuple of int, default=None
            Height and width of a picture; None for those of a square.
        n_per_cell : int, default=10
            Most pictures of a cell, at least 1: the first ones in X.
        cells : {"all", "wrong", "right"} or list of tuple, default="all"
            Which cells of the confusion matrix, row by row, or pairs of a true and a predicted
            class. Empty ones are left out.
        n_cols, cmap, ax
            As in `plot`.

        Returns
        -------
        display : ImageGridDisplay

        Raises
        ------
        ValueError
            If the lengths differ, if there is no sample in these cells, if a parameter is not
            valid, or if ``image_shape`` does not fit, or is needed, as the number of features
            is no square.
        """
        X = check_array(X, accept_sparse="csr", ensure_all_finite="allow-nan")
        y_true, y_pred = column_or_1d(y_true), column_or_1d(y_pred)
        check_consistent_length(y_true, y_pred, X)
        unique_labels(y_true, y_pred)  # raises an error where they are of two kinds
        if n_per_cell < 1:
            raise ValueError(f"n_per_cell must be at least 1, got {n_per_cell!r}.")
        rows: dict[tuple[Any, Any], list[int]] = {}
        for row, cell in enumerate(zip(y_true.tolist(), y_pred.tolist(), strict=True)):
            rows.setdefault(cell, []).append(row)
        chosen = [cell for cell in _wanted_cells(rows, cells) if cell in rows]
        if not chosen:
            raise ValueError(f"There is no sample in cells={cells!r}.")
        display = cls(
            chosen,
            [len(rows[cell]) for cell in chosen],
            [_as_pictures(X[rows[cell][:n_per_cell]], image_shape) for cell in chosen],
        )
        return display.plot(n_cols=n_cols, cmap=cmap, ax=ax)

    def plot(
        self,
        *,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the pictures.

        Parameters
        ----------
        n_cols : int, default=None
            Cells side by side; None for as few as make at most 12 rows, up to 6.
        cmap : str or Colormap, default="gray_r"
            Colours, the same ones for all pictures.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one Axes for each cell.

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
        grid = _grid(n_cells, n_cols, min(ceil(n_cells / 12), 6))
        height, width = self.pictures[0].shape[1:]
        size = (max(0.65 * (longest + 0.5) * width / height, 1.6), 0.9)
        self.axes_ = np.array(_make_axes(ax, grid, size), dtype=object)
        self.figure_ = self.axes_[0].figure
        limits = _limits(self.pictures)
        self.im_ = []
        for axes, cell, count, pictures in zip(
            self.axes_, self.cells, self.counts, self.pictures, strict=True
        ):
            title = f"{cell[0]} -> {cell[1]} ({count})"
            self.im_.append(_draw_picture(axes, _strip(pictures, longest), cmap, limits))
            axes.set_anchor("W")
            axes.set_xlim(right=axes.get_xlim()[1] + width / 2)  # apart from the next column
            color = _BLUE if cell[0] == cell[1] else _VERMILION
            axes.set_title(title, loc="left", color=color, fontsize="medium", pad=3)
        return self


class ProbabilityDisplay:
    """Pictures, and beside each the probabilities of its classes.

    The bar of the predicted class is blue, or vermilion where that is wrong, the others are grey;
    a triangle stands over the true class. The title names both.

    Parameters
    ----------
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, of which each row sums to 1.
    pictures : array-like of shape (n_samples, height, width)
        The pictures.
    classes : array-like of shape (n_classes,)
        The classes, in the order of the columns.
    y : array-like of shape (n_samples,), default=None
        The true classes, if they are known.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_samples, 2)
        Those of the picture and of the bars of each sample.
    figure_ : Figure
    im_ : list of AxesImage
    bars_ : list of BarContainer
    marks_ : list of Line2D or None
        The triangle over the true class; None where that is not known, or none of the classes.

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
        self, y_prob: ArrayLike, pictures: ArrayLike, *, classes: ArrayLike, y: Any = None
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
        """Draw the probabilities that a fitted classifier tells for pictures.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier with ``predict_proba``, or pipeline or search that ends in
            one. Not a multilabel one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The pictures, row by row; a few of them, as all are drawn.
        y : array-like of shape (n_samples,), default=None
            Their classes, if they are known.
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
            As in `from_predictions`.
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
        X: ArrayLike,
        *,
        classes: ArrayLike,
        y: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw the probabilities that were told for pictures.

        Parameters
        ----------
        y_prob : array-like of shape (n_samples, n_classes)
            Probabilities, of which each row sums to 1.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The pictures, row by row.
        classes : array-like of shape (n_classes,)
            The classes, in the order of the columns.
        y : array-like of shape (n_samples,), default=None
            The true classes, if they are known.
        image_shape : tuple of int, default=None
            Height and width of a picture; None for those of a square.
        n_cols, cmap, ax
            As in `plot`.

        Returns
        -------
        display : ProbabilityDisplay

        Raises
        ------
        ValueError
            If lengths differ, if rows of ``y_prob`` do not sum to 1, or if ``image_shape`` does
            not fit, or is needed, as the number of features is no square.
        """
        X = check_array(X, accept_sparse="csr", ensure_all_finite="allow-nan")
        y_prob, classes = check_array(y_prob), column_or_1d(classes)
        y = None if y is None else column_or_1d(y)
        check_consistent_length(X, y_prob, y)
        if y_prob.shape[1] != len(classes):
            raise ValueError(f"y_prob has {y_prob.shape[1]} columns for {len(classes)} classes.")
        if not np.allclose(y_prob.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("The rows of y_prob must sum to 1; multilabel ones need not.")
        display = cls(y_prob, _as_pictures(X, image_shape), classes=classes, y=y)
        return display.plot(n_cols=n_cols, cmap=cmap, ax=ax)

    def plot(
        self,
        *,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw pictures and bars.

        Parameters
        ----------
        n_cols : int, default=None
            Samples side by side; None for as few as make at most 6 rows, up to 4.
        cmap : str or Colormap, default="gray_r"
            Colours, the same ones for all pictures.
        ax : Axes or array-like of Axes, default=None
            Where to draw: two Axes for each sample, that of its picture and that of its bars.

        Returns
        -------
        display : ProbabilityDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        y_prob, pictures = np.asarray(self.y_prob), np.asarray(self.pictures)
        names, limits = np.asarray(self.classes).tolist(), _limits(pictures)
        y = [None] * len(y_prob) if self.y is None else np.asarray(self.y).tolist()
        samples = _grid(len(y_prob), n_cols, min(ceil(len(y_prob) / 6), 4))
        grid = [(row, 2 * col + side) for row, col in samples for side in (0, 1)]
        letters = max(len(str(name)) for name in names)
        slanted = letters > 2
        bars = max(1.8, 0.22 * len(names))
        size = ((1.0 + bars) / 2, 1.5 + (min(0.06 * letters, 1.0) if slanted else 0.0))
        axes = _make_axes(ax, grid, size, [1.0, bars])
        self.axes_ = np.array(axes, dtype=object).reshape(-1, 2)
        self.figure_ = axes[0].figure
        self.im_, self.bars_, self.marks_ = [], [], []
        for (left, right), picture, heights, truth in zip(
            self.axes_, pictures, y_prob, y, strict=True
        ):
            best = int(heights.argmax())
            wrong = truth is not None and truth != names[best]
            colors = [_GREY] * len(names)
            colors[best] = _VERMILION if wrong else _BLUE
            self.im_.append(_draw_picture(left, picture, cmap, limits))
            self.bars_.append(right.bar(range(len(names)), heights, color=colors))
            self.marks_.append(None)
            if truth in names:
                at = names.index(truth)
                (self.marks_[-1],) = right.plot(at, heights[at] + 0.09, "kv", markersize=5)
            title = f"{names[best]}, true {truth}" if wrong else str(names[best])
            right.set_title(title, color=colors[best], fontsize="medium")
            right.set(ylim=(0, 1.19), yticks=(0, 0.5, 1))
            right.set_xticks(
                range(len(names)), [str(name) for name in names], fontsize="small",
                rotation=45 if slanted else 0, ha="right" if slanted else "center",
            )  # fmt: skip
            right.tick_params(axis="y", labelsize="small")
        return self


def _fitted_part(estimator: Any, attribute: str) -> Any:
    """The fitted estimator, or the part of a pipeline or a search, that has this attribute.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If there is no such part.
    """
    check_is_fitted(estimator)
    part = estimator
    while not hasattr(part, attribute):
        if hasattr(part, "best_estimator_"):
            part = part.best_estimator_
        elif hasattr(part, "steps"):
            part = part.steps[-1][1]
        else:
            raise ValueError(f"{type(part).__name__} has no {attribute}.")
    return part


def _is_mapping(history: Any) -> bool:
    """Whether this is one history, be it a dict or a DataFrame, and no list of them."""
    return hasattr(history, "keys")


def _names(runs: list[Mapping[str, ArrayLike]], quantities: Sequence[str] | None) -> list[str]:
    """The names of what is to be drawn, all of which were recorded in all runs."""
    recorded = [
        name
        for name in (runs[0].keys() if runs else ())
        if all(name in run for run in runs) and _has_numbers(_curves(runs, name))
    ]
    if quantities is None:
        names = [name for name in _SHARED if name in recorded]
    elif isinstance(quantities, str):
        raise ValueError(f"quantities must be a list of names, got {quantities!r}.")
    else:
        names = list(quantities)
        for name in names:
            if name not in recorded:
                raise ValueError(f"{name!r} was not recorded in all runs, which have {recorded}.")
    if not names:
        raise ValueError("There is nothing to draw: no loss or score was recorded in all runs.")
    return names


def _curves(runs: list[Mapping[str, ArrayLike]], name: str) -> NDArray[np.float64]:
    """A quantity of all runs (n_runs, n_records), cut to the shortest."""
    curves = [np.asarray(run[name], dtype=np.float64) for run in runs]
    n_records = min(map(len, curves))
    return np.array([curve[:n_records] for curve in curves])


def _has_numbers(curves: NDArray[np.float64]) -> bool:
    """Whether there is a record of which all runs have a number."""
    return not np.isnan(curves).any(axis=0).all()


def _places(runs: list[Mapping[str, ArrayLike]], x: str, n_records: int) -> NDArray[Any]:
    """Where on the x axis the records are."""
    if x == "epoch":
        return np.arange(1, n_records + 1)
    if x != "n_updates":
        raise ValueError(f"x must be 'epoch' or 'n_updates', got {x!r}.")
    if not all(x in run for run in runs):
        raise ValueError("n_updates was not recorded in all runs.")
    places = _curves(runs, x)
    if (places != places[0]).any():
        raise ValueError("n_updates differs among the runs; use x='epoch'.")
    return places[0]


def _wanted_cells(
    present: Mapping[tuple[Any, Any], Any], cells: str | Sequence[tuple[Any, Any]]
) -> list[tuple[Any, Any]]:
    """The cells that are asked for, in the order of the confusion matrix or as listed."""
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


def _as_pictures(X: Any, image_shape: tuple[int, int] | None) -> NDArray[Any]:
    """Rows (n, n_features) as pictures (n, height, width).

    Raises
    ------
    ValueError
        If ``image_shape`` does not fit, or is None and the number of features is no square.
    """
    n_features = X.shape[1]
    if image_shape is None:
        image_shape = (isqrt(n_features), isqrt(n_features))
        if image_shape[0] ** 2 != n_features:
            raise ValueError(f"image_shape is needed, as {n_features} features make no square.")
    elif len(image_shape) != 2 or image_shape[0] * image_shape[1] != n_features:
        raise ValueError(f"image_shape={image_shape!r} does not fit {n_features} features.")
    dense = X.toarray() if issparse(X) else np.asarray(X)
    return dense.reshape(len(dense), *image_shape)


def _strip(pictures: NDArray[Any], n_places: int) -> NDArray[np.float64]:
    """Pictures (n, height, width) in a row, with gaps of NaN and room for ``n_places``."""
    n, height, width = pictures.shape
    gap = max(1, width // 8)
    strip = np.full((height, n_places, width + gap), np.nan)
    strip[:, :n, :width] = pictures.transpose(1, 0, 2)
    return strip.reshape(height, -1)[:, :-gap]


def _limits(pictures: Sequence[NDArray[Any]] | NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest number of all pictures."""
    return (
        float(min(np.nanmin(picture) for picture in pictures)),
        float(max(np.nanmax(picture) for picture in pictures)),
    )


def _draw_picture(
    ax: Axes,
    picture: NDArray[Any],
    cmap: str | Colormap,
    limits: tuple[float, float],
) -> AxesImage:
    """Draw a picture (height, width) without ticks or frame; NaN is left blank."""
    image = ax.imshow(picture, cmap=cmap, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return image


def _grid(n: int, n_cols: int | None, default: int) -> list[tuple[int, int]]:
    """Row and column of n things, row by row, in so many columns or, if None, the default."""
    if n_cols is not None and n_cols < 1:
        raise ValueError(f"n_cols must be at least 1, got {n_cols!r}.")
    return [divmod(i, default if n_cols is None else n_cols) for i in range(n)]


def _make_axes(
    ax: Any,
    grid: list[tuple[int, int]],
    size: tuple[float, float],
    widths: Sequence[float] = (1.0,),
) -> list[Axes]:
    """Axes in these rows and columns of a new figure, in the place of one Axes, or those given.

    Parameters
    ----------
    ax : Axes, array-like of Axes or None
    grid : list of tuple of int
        Row and column of each.
    size : tuple of float
        Width and height of each in a new figure, in inches.
    widths : list of float, default=(1.0,)
        Relative widths of the columns, again and again.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If too few are given, or one that is not part of a grid and would have to be divided.
    """
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError('Displays need matplotlib: pip install "matplotlib>=3.8"') from error

    n_rows, n_cols = (1 + max(index) for index in zip(*grid, strict=True))
    ratios = [widths[col % len(widths)] for col in range(n_cols)]
    if ax is None:
        inches = (size[0] * n_cols, size[1] * n_rows)
        figure = plt.figure(figsize=inches, layout="constrained")
        cells = figure.add_gridspec(n_rows, n_cols, width_ratios=ratios)
    elif not isinstance(ax, Axes):
        given = list(np.asarray(ax, dtype=object).ravel())
        if len(given) < len(grid):
            raise ValueError(f"ax has {len(given)} Axes, but {len(grid)} are needed.")
        return given[: len(grid)]
    elif len(grid) == 1:
        return [ax]
    elif ax.get_subplotspec() is None:
        raise ValueError(f"ax is not part of a grid and cannot be divided into {len(grid)} Axes.")
    else:
        figure = ax.figure
        ax.set_axis_off()
        cells = ax.get_subplotspec().subgridspec(n_rows, n_cols, width_ratios=ratios)
    return [figure.add_subplot(cells[place]) for place in grid]
