"""Rows of pixels as images: shapes, colour limits, drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.image import AxesImage


def check_samples(X: ArrayLike) -> Any:
    """X (n_samples, n_features) as an array or a CSR matrix, NaN allowed: it is left blank."""
    return check_array(X, accept_sparse="csr", ensure_all_finite="allow-nan")


def may_be_image(n_features: int) -> bool:
    """Whether this many features may be an image: a square, of 8 x 8 or more.

    Smaller squares are more often tables.
    """
    side = isqrt(n_features)
    return side >= 8 and side**2 == n_features


def as_images(X: Any, image_shape: tuple[int, int] | None, hint: str = "") -> NDArray[Any]:
    """Rows (n, n_features) as images (n, height, width).

    Raises
    ------
    ValueError
        If ``image_shape`` does not fit, or is None and the number of features is not a square;
        ``hint`` is added to the message then.
    """
    n_features = X.shape[1]
    if image_shape is None:
        image_shape = (isqrt(n_features), isqrt(n_features))
        if image_shape[0] ** 2 != n_features:
            raise ValueError(
                f"image_shape is needed: {n_features} features do not make a square.{hint}"
            )
    elif len(image_shape) != 2 or image_shape[0] * image_shape[1] != n_features:
        raise ValueError(f"image_shape={image_shape!r} does not fit {n_features} features.")
    dense = X.toarray() if issparse(X) else np.asarray(X)
    return dense.reshape(len(dense), *image_shape)


def color_limits(images: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """The smallest and the largest pixel of all images; NaN does not count."""
    images = list(images)
    return float(min(map(np.nanmin, images))), float(max(map(np.nanmax, images)))


def draw_images(
    axes: Sequence[Axes] | NDArray[Any],
    images: Sequence[NDArray[Any]] | NDArray[Any],
    cmap: str | Colormap,
    limits: tuple[float, float] | None = None,
) -> list[AxesImage]:
    """Draw each image (height, width) on its Axes, without ticks or frame; NaN is left blank.

    All have the same colours: from ``limits[0]`` to ``limits[1]``, or those of `color_limits`.
    """
    low, high = color_limits(images) if limits is None else limits
    drawn = []
    for ax, image in zip(axes, images, strict=True):
        drawn.append(ax.imshow(image, cmap=cmap, vmin=low, vmax=high, interpolation="nearest"))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return drawn
