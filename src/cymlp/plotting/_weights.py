"""The weights of the first hidden layer, as images or as a heat map."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from cymlp.plotting._axes import grid_cells, make_axes, set_tick_labels
from cymlp.plotting._fitted import fitted_part, path_to_part
from cymlp.plotting._images import as_images, draw_images, may_be_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage


class WeightsDisplay:
    """What the units of the first hidden layer respond to: their weights.

    If the features are the pixels of an image, the weights of each unit are drawn as an image.
    Otherwise all weights are drawn as one heat map, with a row for each feature and a column for
    each unit. The colours are symmetric around 0.

    Parameters
    ----------
    weights : array-like of shape (n_features, n_units)
        A column of weights for each unit to draw.
    image_shape : tuple of int, default=None
        Height and width of an image; None if it is square.
    units : array-like of int of shape (n_units,), default=None
        The numbers of the units, for titles or ticks; None for 0, 1, ...
    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features, for the ticks of a heat map; None for x0, x1, ...
    kind : {"auto", "image", "heatmap"}, default="auto"
        Whether to draw images or a heat map. "auto" draws images if ``image_shape`` is given,
        and a heat map if ``feature_names`` are given. If neither is, it draws images if the
        number of features is a square, of 8 x 8 or more, and a heat map otherwise.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_units,)
        For a heat map, of shape (1,).
    figure_ : Figure
    im_ : list of AxesImage
        The image in each Axes.
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

    The weights of a table's features:

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
            Fitted estimator of cymlp or scikit-learn with ``coefs_``, or a fitted pipeline or
            search that contains one.
        image_shape, kind
            As in the class.
        units : array-like of int, default=None
            Which units to draw, counted from 0. None draws the first 16 as images, or all of
            them in a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features. None takes ``feature_names_in_`` of the estimator with
            ``coefs_``, or what ``get_feature_names_out`` of the pipeline's earlier steps returns,
            or x0, x1, ...
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
            If it has no ``coefs_`` or lacks one of the units, or for a reason given in `plot`.
        """
        weights = fitted_part(estimator, "coefs_").coefs_[0]
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
            How many images stand side by side; None for a roughly square arrangement.
        cmap : str or Colormap, default="RdBu_r"
            Colours; the one in the middle stands for 0.
        colorbar : bool, default=True
            Whether to add a colour bar.
        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes for each image, or one for a heat map.

        Returns
        -------
        display : WeightsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If ``kind`` is not one of the three; if ``kind``, ``image_shape`` and
            ``feature_names`` contradict each other, some asking for images and some for a heat
            map; if one of them does not fit the features; or if images are asked for without an
            ``image_shape``, and the number of features is not a square.
        """
        weights = check_array(self.weights)
        largest = float(np.abs(weights).max()) or 1.0
        numbers = np.arange(weights.shape[1]) if self.units is None else np.asarray(self.units)
        units = [str(unit) for unit in numbers]
        if self._is_heat_map():
            self._draw_heat_map(weights, units, cmap, (-largest, largest), ax)
        else:
            images = as_images(weights.T, self.image_shape)
            cells = grid_cells(len(images), n_cols, ceil(len(images) ** 0.5))
            self.axes_ = make_axes(ax, cells, (1.5, 1.4))
            self.im_ = draw_images(self.axes_, images, cmap, (-largest, largest))
            for axes, unit in zip(self.axes_, units, strict=True):
                axes.set_title(unit, fontsize="medium", pad=3)
        self.figure_ = self.axes_[0].figure
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.im_[0], ax=list(self.axes_))
        return self

    def _is_heat_map(self) -> bool:
        """Whether to draw a heat map, rather than images."""
        if self.kind not in ("auto", "image", "heatmap"):
            raise ValueError(f"kind must be 'auto', 'image' or 'heatmap', got {self.kind!r}.")
        images = self.kind == "image" or self.image_shape is not None
        heat_map = self.kind == "heatmap" or self.feature_names is not None
        if images and heat_map:
            raise ValueError(
                "kind='image' and image_shape are for images, but kind='heatmap' and "
                "feature_names are for a heat map: they cannot be combined."
            )
        return heat_map or not (images or may_be_image(len(np.asarray(self.weights))))

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
        self.axes_ = make_axes(ax, [(0, 0)], (width + beside, height + 0.6))
        (axes,) = self.axes_
        self.im_ = [
            axes.imshow(
                weights, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto",
                interpolation="nearest",
            )
        ]  # fmt: skip
        axes.set_xlabel("Unit")
        if ax is not None:
            width, height = axes.bbox.size / axes.figure.dpi
        set_tick_labels(axes.xaxis, units, width / (0.1 + 0.08 * max(map(len, units))))
        set_tick_labels(axes.yaxis, names, height / 0.15)


def _feature_names(estimator: Any, n_features: int) -> ArrayLike | None:
    """Names of the features that reach the part with ``coefs_``, if they are known."""
    *outer, network = path_to_part(estimator, "coefs_")
    names: Any = getattr(network, "feature_names_in_", None)
    if names is None and outer and hasattr(outer[-1], "steps"):
        try:
            names = outer[-1][:-1].get_feature_names_out()
        except Exception:  # steps may be anyone's code; a figure can do without the names
            return None
    return names if np.shape(names) == (n_features,) else None
