"""Sums of rows of a matrix."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_every_width(kernels, dtype):
    """Whole vectors of columns and parts of one; what lies behind the sums is not touched."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 40, 33).astype(np.intc)
    x = rng.standard_normal(33).astype(dtype)
    for h in (*range(1, 40), 63, 64, 65, 128, 200, 257):
        W = rng.standard_normal((40, h)).astype(dtype)
        memory = np.full(h + 16, 7, dtype=dtype)
        z = memory[:h]
        z[...] = rng.standard_normal(h)
        expected = z + x.astype(np.float64) @ W[rows]
        kernels.add_weighted_rows(x, rows, W, z)
        assert_allclose(z, expected, rtol=0, atol=40 * np.finfo(dtype).eps)
        assert_array_equal(memory[h:], 7)
