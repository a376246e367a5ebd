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

import itertools
from collections.abc import Callable, Mapping, Sequence
from math import ceil, isqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
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

    There is one panel for "loss" and "val_loss", one for "train_score" and "val_score" unless they
    are known to be different scores, and one for each other quantity that is asked for. Of several
    runs the mean is drawn, in a band of one standard deviation to either side; they are cut to the
    length of the shortest. Of one run with early stopping the epoch whose weights were kept is
    marked where validation loss or score are drawn.

    Parameters
    ----------
    history : dict of array-like of shape (n_records,), or list of them
        ``history_`` of an estimator, or of several. NaN where a quantity was not recorded. A
        pandas.DataFrame is as good as a dict.
    best_iteration : int, default=None
        The epoch to mark, from 1; None for none. Of no account to several runs.
    steps_per_epoch : int, default=None
        Updates in an epoch, where the records are not epochs but those of ``record_every``. The
        best epoch is then marked over updates only.
    score_names : dict of str, default=None
        What "train_score" and "val_score" are, for instance {"val_score": "roc_auc"}; "score"
        where that is not said.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_panels,)
    figure_ : Figure
    lines_ : dict of Line2D
        The line of each quantity.
    fill_between_ : dict of PolyCollection
        The band of each quantity; empty for one run.
    best_lines_ : list of Line2D
        The marks of the best epoch, one in each panel with validation data; empty without one.

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
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['Loss', 'Accuracy']

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
    best_lines_: list[Line2D]

    def __init__(
        self,
        history: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]],
        *,
        best_iteration: int | None = None,
        steps_per_epoch: int | None = None,
        score_names: Mapping[str, str] | None = None,
    ) -> None:
        self.history = history
        self.best_iteration = best_iteration
        self.steps_per_epoch = steps_per_epoch
        self.score_names = score_names

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
        best, steps_per_epoch = _best_epoch(fitted[0]) if len(fitted) == 1 else (None, None)
        display = cls(
            histories if many else histories[0], best_iteration=best,
            steps_per_epoch=steps_per_epoch, score_names=_score_names(fitted),
        )  # fmt: skip
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
            If nothing of what is asked for was recorded in all runs, if ``x`` is neither, if
            "n_updates" differs among the runs, or if there is no record ``best_iteration``.
        """
        runs = [self.history] if _is_mapping(self.history) else list(self.history)
        curves = {name: _curves(runs, name) for name in _names(runs, quantities)}
        places = _places(runs, x, len(next(iter(curves.values()))[0]))
        best = self._best_place(x, places) if len(runs) == 1 else None
        titles = {name: _SHARED.get(name, (name,))[0] for name in curves}
        titles |= {
            name: title for name, title in (self.score_names or {}).items() if name in curves
        }
        panels = list(dict.fromkeys(titles.values()))
        self.axes_ = np.array(
            _make_axes(ax, _grid(len(panels), None, len(panels)), (4.2, 3.2)), dtype=object
        )
        self.figure_ = self.axes_[0].figure
        from matplotlib import cbook, lines, ticker

        style = cbook.normalize_kwargs(line_kw, lines.Line2D)
        prefix = style.pop("label", "")
        self.lines_, self.fill_between_ = {}, {}
        for name, values in curves.items():
            _, label, default = _SHARED.get(name, (name, "", {"color": _BLUE}))
            axes = self.axes_[panels.index(titles[name])]
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
            axes.set(xlabel="Epoch" if x == "epoch" else "Updates", ylabel=_words(titles[name]))
            if axes.get_xscale() == "linear":
                axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
            if line.get_label() and not line.get_label().startswith("_"):
                axes.legend()
        watched = [titles[name] for name in ("val_loss", "val_score") if name in titles]
        self.best_lines_ = []
        for panel in () if best is None else dict.fromkeys(watched):
            axes = self.axes_[panels.index(panel)]
            label = f"{prefix} best epoch ({self.best_iteration})".strip()
            self.best_lines_.append(
                axes.axvline(best, label=label, color=style.get("color", "black"), linestyle=":")
            )
            axes.legend()
        return self

    def _best_place(self, x: str, places: NDArray[Any]) -> float | None:
        """Where on the x axis the best epoch ended; None where there is none to mark."""
        if self.best_iteration is None:
            return None
        if self.steps_per_epoch is not None:
            return self.best_iteration * self.steps_per_epoch if x == "n_updates" else None
        if not 1 <= self.best_iteration <= len(places):
            raise ValueError(
                f"best_iteration must be in 1, ..., {len(places)}, got {self.best_iteration!r}."
            )
        return float(places[self.best_iteration - 1])


class WeightsDisplay:
    """What the units of the first hidden layer look at: their weights, as images or a heat map.

    Where the features are the pixels of an image there is one for each unit, and else a single
    heat map with a row for each feature and a column for each unit. All colours are
    symmetric around 0.

    Parameters
    ----------
    weights : array-like of shape (n_features, n_units)
        A column of weights for each unit that is drawn.
    image_shape : tuple of int, default=None
        Height and width of an image; None for those of a square.
    units : array-like of int of shape (n_units,), default=None
        The numbers of the units, for titles or ticks; None for 0, 1, ...
    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features, for the ticks of a heat map; None for x0, x1, ...
    kind : {"auto", "image", "heatmap"}, default="auto"
        Whether to draw images or a heat map. "auto" draws images where ``image_shape`` is given or
        features make a square of 8 x 8 or more, and a heat map where they do not or
        ``feature_names`` are given.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_units,)
        Of a heat map (1,).
    figure_ : Figure
    im_ : list of AxesImage
        One of each Axes.
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

    Of a table:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> pipeline = make_pipeline(StandardScaler(), MLPClassifier(tol=1e-2, random_state=0))
    >>> display = WeightsDisplay.from_estimator(pipeline.fit(X, y))
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['sepal length (cm)', 'sepal width (cm)', 'petal length (cm)', 'petal width (cm)']
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
        feature_names: ArrayLike | None = None,
        kind: str = "auto",
    ) -> None:
        self.weights = weights
        self.image_shape = image_shape
        self.units = units
        self.feature_names = feature_names
        self.kind = kind

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        units: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
        kind: str = "auto",
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
        image_shape, kind
            As in the class.
        units : array-like of int, default=None
            Which units, from 0; None for the first 16 as images, or for all in a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features. None for ``feature_names_in_`` of the estimator with
            ``coefs_``, or what the steps before it in a pipeline tell by
            ``get_feature_names_out``, or x0, x1, ...
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
        display = cls(weights, image_shape=image_shape, feature_names=feature_names, kind=kind)
        heat_map = display._is_heat_map()
        if heat_map and feature_names is None:
            display.feature_names = _feature_names(estimator, len(weights))
        most = n_units if heat_map else 16
        chosen = np.arange(n_units)[:most] if units is None else np.atleast_1d(np.asarray(units))
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not chosen.size:
            raise ValueError(f"units must be a list of int, got {units!r}.")
        if chosen.min() < 0 or chosen.max() >= n_units:
            raise ValueError(f"units must be in 0, ..., {n_units - 1}, got {units!r}.")
        display.weights, display.units = weights[:, chosen], chosen
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
            Images side by side; None for as many as make a square.
        cmap : str or Colormap, default="RdBu_r"
            Colours, whose middle is 0.
        colorbar : bool, default=True
            Whether to add a colour bar.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one Axes for each image, or one for a heat map.

        Returns
        -------
        display : WeightsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If ``kind`` is none of the three, if it, ``image_shape`` and ``feature_names`` ask for
            images and a heat map at once, if one of them does not fit the features, or if
            ``image_shape`` is needed, as the number of features is no square.
        """
        weights = check_array(self.weights)
        largest = float(np.abs(weights).max()) or 1.0
        units = [
            str(unit) for unit in (range(weights.shape[1]) if self.units is None else self.units)
        ]
        if self._is_heat_map():
            self._draw_heat_map(weights, units, cmap, (-largest, largest), ax)
        else:
            pictures = _as_pictures(weights.T, self.image_shape)
            grid = _grid(len(pictures), n_cols, ceil(len(pictures) ** 0.5))
            self.axes_ = np.array(_make_axes(ax, grid, (1.5, 1.4)), dtype=object)
            self.im_ = [
                _draw_picture(axes, picture, cmap, (-largest, largest))
                for axes, picture in zip(self.axes_, pictures, strict=True)
            ]
            for axes, unit in zip(self.axes_, units, strict=True):
                axes.set_title(unit, fontsize="medium", pad=3)
        self.figure_ = self.axes_[0].figure
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.im_[0], ax=list(self.axes_))
        return self

    def _is_heat_map(self) -> bool:
        """Whether a heat map is to be drawn, and not images."""
        if self.kind not in ("auto", "image", "heatmap"):
            raise ValueError(f"kind must be 'auto', 'image' or 'heatmap', got {self.kind!r}.")
        images = self.kind == "image" or self.image_shape is not None
        heat_map = self.kind == "heatmap" or self.feature_names is not None
        if images and heat_map:
            raise ValueError(
                "kind='image' and image_shape are for images, kind='heatmap' and feature_names "
                "for a heat map: they do not go together."
            )
        return heat_map or not (images or _may_be_image(len(np.asarray(self.weights))))

    def _draw_heat_map(
        self,
        weights: NDArray[Any],
        units: list[str],
        cmap: str | Colormap,
        limits: tuple[float, float],
        ax: Axes | ArrayLike | None,
    ) -> None:
        """Draw weights (n_features, n_units) on one Axes."""
        n_features, n_units = weights.shape
        names = [f"x{i}" for i in range(n_features)]
        if self.feature_names is not None:
            names = np.asarray(self.feature_names, dtype=str).tolist()
            if np.shape(names) != (n_features,):
                raise ValueError(
                    f"feature_names must be a list of {n_features} names, "
                    f"got {self.feature_names!r}."
                )
        width, height = np.clip([0.2 * n_units, 0.2 * n_features], 2, [8, 10])
        beside = 1.5 + 0.07 * max(map(len, names))
        (axes,) = _make_axes(ax, [(0, 0)], (width + beside, height + 0.6))
        self.axes_ = np.array([axes], dtype=object)
        self.im_ = [
            axes.imshow(
                weights, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto",
                interpolation="nearest",
            )
        ]  # fmt: skip
        axes.set_xlabel("Unit")
        if ax is not None:
            width, height = axes.bbox.size / axes.figure.dpi
        _set_labels(axes.xaxis, units, width / (0.1 + 0.08 * max(map(len, units))))
        _set_labels(axes.yaxis, names, height / 0.15)


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
            is no square: a table has no images to draw.
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
        instead = (
            " ImageGridDisplay is for images; for a table there are ProbabilityDisplay and "
            "scikit-learn's ConfusionMatrixDisplay."
        )
        display = cls(
            chosen,
            [len(rows[cell]) for cell in chosen],
            [_as_pictures(X[rows[cell][:n_per_cell]], image_shape, instead) for cell in chosen],
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
            Cells side by side; None for as few as make at most 12 rows, up to 3.
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
        grid = _grid(n_cells, n_cols, min(ceil(n_cells / 12), 3))
        height, width = self.pictures[0].shape[1:]
        # A figure wider than a page is shrunk to it, and the titles with it.
        inches = (longest + 0.5) * width / height
        side = min(0.5, 10 / (inches * (1 + max(col for _, col in grid))))
        size = (max(side * inches, 1.6), side + 0.25)
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
            axes.set_title(
                title, loc="left", color=color, fontsize="medium", pad=3, parse_math=False
            )
        return self


class ProbabilityDisplay:
    """Pictures, and beside each the probabilities of its classes; or these alone, of a table.

    The bar of the predicted class is blue, or vermilion where that is wrong, the others are grey;
    a triangle stands over the true class. The title names both. Without a picture the axis
    tells which sample it is, from 0.

    Parameters
    ----------
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, of which each row sums to 1.
    pictures : array-like of shape (n_samples, height, width), default=None
        The pictures; None for the probabilities alone.
    classes : array-like of shape (n_classes,)
        The classes, in the order of the columns.
    y : array-like of shape (n_samples,), default=None
        The true classes, if they are known.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_samples, 2)
        Those of the picture and of the bars of each sample; without pictures (n_samples, 1).
    figure_ : Figure
    im_ : list of AxesImage
        Empty without pictures.
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
        """Draw the probabilities that a fitted classifier predicts for samples.

        Parameters
        ----------
        estimator : estimator
            Any fitted classifier with ``predict_proba``, or pipeline or search that ends in
            one. Not a multilabel one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples; a few of them, as all are drawn.
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
        X: ArrayLike | None = None,
        *,
        classes: ArrayLike,
        y: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        n_cols: int | None = None,
        cmap: str | Colormap = "gray_r",
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw predicted probabilities of samples.

        Parameters
        ----------
        y_prob : array-like of shape (n_samples, n_classes)
            Probabilities, of which each row sums to 1.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            The samples. They are drawn as pictures where ``image_shape`` is given or features make
            a square of 8 x 8 or more. None for the probabilities alone.
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
            not fit.
        """
        if X is not None:
            X = check_array(X, accept_sparse="csr", ensure_all_finite="allow-nan")
        y_prob, classes = check_array(y_prob), column_or_1d(classes)
        y = None if y is None else column_or_1d(y)
        check_consistent_length(X, y_prob, y)
        if y_prob.shape[1] != len(classes):
            raise ValueError(f"y_prob has {y_prob.shape[1]} columns for {len(classes)} classes.")
        if not np.allclose(y_prob.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("The rows of y_prob must sum to 1; multilabel ones need not.")
        pictures = None
        if X is not None and (image_shape is not None or _may_be_image(X.shape[1])):
            pictures = _as_pictures(X, image_shape)
        display = cls(y_prob, pictures, classes=classes, y=y)
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
            Samples side by side; None for as few as make at most 6 rows, or without pictures for
            as many as make a square, up to 4.
        cmap : str or Colormap, default="gray_r"
            Colours, the same ones for all pictures.
        ax : Axes or array-like of Axes, default=None
            Where to draw: two Axes for each sample, that of its picture and that of its bars; or
            without pictures one.

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
        pictures = None if self.pictures is None else np.asarray(self.pictures)
        y = [None] * len(y_prob) if self.y is None else np.asarray(self.y).tolist()
        n_samples = len(y_prob)
        columns = ceil(n_samples**0.5) if pictures is None else ceil(n_samples / 6)
        samples = _grid(n_samples, n_cols, min(columns, 4))
        letters = max(len(str(name)) for name in names)
        slanted = letters > 2
        bars = max(1.8, 0.22 * len(names), 0.085 * (2 * letters + 7))  # for the ticks and the title
        widths = [bars] if pictures is None else [1.0, bars]
        grid = [(row, len(widths) * col + i) for row, col in samples for i in range(len(widths))]
        size = (sum(widths) / len(widths), 1.5 + (min(0.06 * letters, 1.0) if slanted else 0.0))
        axes = _make_axes(ax, grid, size, widths)
        self.axes_ = np.array(axes, dtype=object).reshape(-1, len(widths))
        self.figure_ = axes[0].figure
        self.im_, self.bars_, self.marks_ = [], [], []
        if pictures is not None:
            limits = _limits(pictures)
            self.im_ = [
                _draw_picture(left, picture, cmap, limits)
                for left, picture in zip(self.axes_[:, 0], pictures, strict=True)
            ]
        for i, (right, heights, truth) in enumerate(zip(self.axes_[:, -1], y_prob, y, strict=True)):
            best = int(heights.argmax())
            wrong = truth is not None and truth != names[best]
            colors = [_GREY] * len(names)
            colors[best] = _VERMILION if wrong else _BLUE
            self.bars_.append(right.bar(range(len(names)), heights, color=colors))
            self.marks_.append(None)
            if truth in names:
                at = names.index(truth)
                (self.marks_[-1],) = right.plot(at, heights[at] + 0.09, "kv", markersize=5)
            title = f"{names[best]}, true {truth}" if wrong else str(names[best])
            right.set_title(title, color=colors[best], fontsize="medium", parse_math=False)
            if pictures is None:
                right.set_ylabel(f"Sample {i}")
            right.set(ylim=(0, 1.19), yticks=(0, 0.5, 1))
            right.set_xticks(
                range(len(names)), [str(name) for name in names], fontsize="small",
                rotation=45 if slanted else 0, ha="right" if slanted else "center",
                parse_math=False,
            )  # fmt: skip
            right.tick_params(axis="y", labelsize="small")
        return self


def _fitted_part(estimator: Any, attribute: str) -> Any:
    """The fitted estimator, or the part of a pipeline or a search, that has this attribute."""
    return _path_to(estimator, attribute)[-1]


def _path_to(estimator: Any, attribute: str) -> list[Any]:
    """The fitted estimator, and what is within it, down to the part that has this attribute.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If there is no such part.
    """
    check_is_fitted(estimator)
    path = [estimator]
    while not hasattr(part := path[-1], attribute):
        if hasattr(part, "best_estimator_"):
            path.append(part.best_estimator_)
        elif hasattr(part, "steps"):
            path.append(part.steps[-1][1])
        else:
            raise ValueError(f"{type(part).__name__} has no {attribute}.")
    return path


def _feature_names(estimator: Any, n_features: int) -> ArrayLike | None:
    """Names of the features of the part that has ``coefs_``, if they are known."""
    *outer, network = _path_to(estimator, "coefs_")
    names: ArrayLike | None = getattr(network, "feature_names_in_", None)
    if names is None and outer and hasattr(outer[-1], "steps"):
        try:
            names = outer[-1][:-1].get_feature_names_out()
        except Exception:  # steps of any origin; a figure does not fail for want of names
            return None
    return names if np.shape(names) == (n_features,) else None


def _best_epoch(estimator: Any) -> tuple[int | None, int | None]:
    """The best epoch in the history, and the updates in an epoch if records are not epochs."""
    best: int | None = getattr(estimator, "best_iteration_", None)
    if best is None:
        return None, None
    n_epochs = estimator.n_iter_
    if estimator.record_every is None:  # the history may begin with earlier fits
        return len(estimator.history_["loss"]) - n_epochs + best, None
    if len(estimator.loss_curve_) > n_epochs:
        return None, None  # earlier fits may have seen other numbers of samples
    n_samples = estimator.t_ // n_epochs
    batch_size = 200 if estimator.batch_size == "auto" else max(int(estimator.batch_size), 1)
    return best, ceil(n_samples / batch_size)


def _score_names(estimators: list[Any]) -> dict[str, str]:
    """What the scores in the histories are, so far as all estimators agree."""
    names: dict[str, str] = {}
    for score in ("train_score", "val_score"):
        found = {_score_name(estimator, score) for estimator in estimators}
        if len(found) == 1:
            names[score] = found.pop()
    return names


def _score_name(estimator: Any, score: str) -> str:
    """What "train_score" or "val_score" of an estimator is."""
    scoring: str | Callable[..., float] | None = None
    if score == "val_score":
        scoring = getattr(estimator, "scoring", None)
    if scoring in (None, "loss"):
        return "accuracy" if is_classifier(estimator) else "r2"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return "score" if name == "<lambda>" else name


def _words(name: str) -> str:
    """A name in a history, or of a score, as words."""
    if name == "r2":
        return "R²"
    if name.startswith("neg_"):
        name = name.replace("neg", "negative", 1)
    return name.replace("_", " ").capitalize()


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


def _may_be_image(n_features: int) -> bool:
    """Whether so many features are taken for an image: smaller squares are more often tables."""
    side = isqrt(n_features)
    return side >= 8 and side**2 == n_features


def _as_pictures(X: Any, image_shape: tuple[int, int] | None, instead: str = "") -> NDArray[Any]:
    """Rows (n, n_features) as pictures (n, height, width).

    Raises
    ------
    ValueError
        If ``image_shape`` does not fit; or is None and the number of features is no square, which
        the words of ``instead`` follow.
    """
    n_features = X.shape[1]
    if image_shape is None:
        image_shape = (isqrt(n_features), isqrt(n_features))
        if image_shape[0] ** 2 != n_features:
            raise ValueError(
                f"image_shape is needed, as {n_features} features make no square.{instead}"
            )
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


def _set_labels(axis: Axis, labels: list[str], room: float) -> None:
    """Ticks 0, 1, ... with these labels; with fewer, in even steps, where room is for fewer."""
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if len(labels) <= step * room)
    axis.set_ticks(range(0, len(labels), step), labels[::step], fontsize="small", parse_math=False)


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
