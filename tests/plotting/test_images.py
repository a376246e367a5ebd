"""_images: rows of pixels as images, and their colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from cymlp.plotting._images import as_images, color_limits, draw_images, may_be_image


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_rows_become_images(n, height, width, is_sparse):
    images = np.arange(float(n * height * width)).reshape(n, height, width)
    X = images.reshape(n, -1)
    X = csr_array(X) if is_sparse else X
    assert_array_equal(as_images(X, (height, width)), images, strict=True)
    if height == width:
        assert_array_equal(as_images(X, None), images)
    elif height * width not in (1, 4, 9, 16, 25, 36, 49, 64, 81):
        with pytest.raises(ValueError, match=rf"needed: {height * width} .* square\. So there!"):
            as_images(X, None, " So there!")


@pytest.mark.parametrize("shape", [(8, 9), (64,), (8, 8, 1), (0, 64)])
def test_image_shape_is_checked(shape):
    with pytest.raises(ValueError, match=r"image_shape=\(.*\) does not fit 64 features"):
        as_images(np.zeros((1, 64)), shape)


def test_squares_of_8_x_8_or_more_may_be_images():
    sizes = [n for n in range(1, 150) if may_be_image(n)]
    assert sizes == [64, 81, 100, 121, 144]


def test_drawn_images():
    images = [np.array([[0.0, 1.0]]), np.array([[np.nan, 7.0, -2.0]])]
    assert color_limits(images) == (-2.0, 7.0)
    _, axes = plt.subplots(2)
    drawn = draw_images(axes, images, "gray")
    assert [image.axes for image in drawn] == axes.tolist()
    assert [image.get_clim() for image in drawn] == [(-2.0, 7.0)] * 2
    assert drawn[1].get_array().mask.tolist() == [[True, False, False]]
    assert not any(ax.get_xticks().size or ax.spines["left"].get_visible() for ax in axes)
    drawn = draw_images(axes, images, "gray", (-9.0, 9.0))
    assert [image.get_clim() for image in drawn] == [(-9.0, 9.0)] * 2
