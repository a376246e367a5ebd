"""Matrix products by tiles and by BLAS, of integers, so that they must equal NumPy's exactly."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

DTYPES = [np.float32, np.float64]
PRODUCTS = ["gemm", "tiled_gemm", "blas_gemm"]
# Tiles have 4 or 8 rows and up to 3 vectors of 2 to 16 elements; a block of B has 256 rows and 480
# columns; B is packed if A has 64 rows or more.
EDGES = sorted(
    edge + i for edge in (1, 4, 8, 16, 24, 32, 48, 64, 96, 256, 480) for i in (-1, 0, 1) if edge + i
)
# Factors that keep the results exact.
ALPHAS, BETAS = st.sampled_from([1.0, -2.0, 0.5]), st.sampled_from([0.0, 1.0, 0.5, -1.0])
sizes = st.one_of(st.integers(1, 70), st.sampled_from(EDGES))


def integers(rng, shape, dtype):
    return rng.integers(-4, 5, shape).astype(dtype)


def check(multiply, m, n, k, transpose_a, transpose_b, alpha, beta, dtype, row=False):
    """C (m, n) <- alpha op(A) op(B) + beta C, or + beta row in place of C."""
    rng = np.random.default_rng([m, n, k])
    A = integers(rng, (k, m) if transpose_a else (m, k), dtype)
    B = integers(rng, (n, k) if transpose_b else (k, n), dtype)
    C = integers(rng, n if row else (m, n), dtype)
    exact = (A.T if transpose_a else A) @ (B.T if transpose_b else B)
    expected = alpha * exact + beta * C
    # Nothing may be written beyond C; the contents of C do not matter if beta is 0.
    memory = np.full(m * n + 64, np.nan, dtype=dtype)
    out = memory[: m * n].reshape(m, n)
    if row:
        multiply(transpose_a, transpose_b, alpha, A, B, beta, out, C)
    else:
        if beta != 0:
            out[...] = C
        multiply(transpose_a, transpose_b, alpha, A, B, beta, out)
    assert_array_equal(out, expected)
    assert np.isnan(memory[m * n :]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRODUCTS)
@settings(max_examples=50)
@given(
    m=sizes, n=sizes, k=sizes, transpose_a=st.booleans(), transpose_b=st.booleans(),
    alpha=ALPHAS, beta=BETAS,
)  # fmt: skip
@example(m=70, n=530, k=300, transpose_a=False, transpose_b=False, alpha=-2.0, beta=0.5)
@example(m=70, n=530, k=300, transpose_a=True, transpose_b=True, alpha=1.0, beta=0.0)
@example(m=3, n=100, k=513, transpose_a=True, transpose_b=False, alpha=1.0, beta=-1.0)
def test_products(kernels, name, dtype, **arguments):
    check(getattr(kernels, name), **arguments, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_of_tiles(kernels, dtype):
    """All combinations of the rows and columns of a tile, with odd and even depths."""
    for m, n, k in product(range(1, 10), range(1, 50 if dtype == np.float32 else 26), (1, 2, 7)):
        for transpose_b in (False, True):
            beta = float((m + n + k) % 2)
            check(kernels.tiled_gemm, m, n, k, n % 3 == 0, transpose_b, 1.0, beta, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_of_blocks(kernels, dtype):
    """Sizes around the end of a block of B, 256 rows and 480 columns, and around packing."""
    for m, n, k in product((1, 9, 63, 64), (480, 481), (256, 257, 513)):
        for beta in (0.0, -1.0):
            check(kernels.tiled_gemm, m, n, k, m == 9, False, 2.0, beta, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=50)
@given(m=sizes, n=sizes, k=sizes, beta=BETAS)
@example(m=40, n=500, k=60, beta=1.0)
@example(m=9, n=100, k=300, beta=0.5)
def test_plus_a_row(kernels, dtype, m, n, k, beta):
    """A row is added to all rows, like a layer's intercepts."""
    check(kernels.gemm, m, n, k, False, False, 1.0, beta, dtype, row=True)


@pytest.mark.parametrize("name", ["gemm", "tiled_gemm"])
def test_no_rows_and_no_sums(kernels, name):
    multiply = getattr(kernels, name)
    for transpose_a in (False, True):
        C = np.empty((0, 5))
        multiply(transpose_a, False, 1.0, np.ones((3, 0) if transpose_a else (0, 3)),
                 np.ones((3, 5)), 0.0, C)  # fmt: skip
    for beta, expected in ((0.0, 0.0), (0.5, 1.0)):
        C = np.full((4, 5), 2.0 if beta else np.nan)
        multiply(False, False, 1.0, np.ones((4, 0)), np.ones((0, 5)), beta, C)
        assert_array_equal(C, expected)


def test_nothing_is_read_beyond_the_matrices(kernels):
    """If rows end within a vector, the values beyond them do not matter, even if NaN."""
    for dtype in DTYPES:
        for m, n, k in ((3, 5, 7), (9, 50, 20), (2, 65, 300), (1, 7, 6), (6, 33, 1)):
            operands = []
            for shape in ((m, k), (k, n)):
                memory = np.full(shape[0] * shape[1] + 64, np.nan, dtype=dtype)
                memory[:-64] = 1
                operands.append(memory[:-64].reshape(shape))
            C = np.full((m, n), np.nan, dtype=dtype)
            kernels.tiled_gemm(False, False, 1.0, *operands, 0.0, C)
            assert_array_equal(C, k)


@pytest.mark.parametrize("name", PRODUCTS)
def test_nan_propagates(kernels, name):
    for m, k in ((3, 20), (3, 1), (2, 300)):
        A = np.ones((m, k))
        A[1, k // 2] = np.nan
        C = np.zeros((m, 5))
        getattr(kernels, name)(False, False, 1.0, A, np.ones((k, 5)), 0.0, C)
        assert_array_equal(np.isnan(C).all(axis=1), np.arange(m) == 1)
        assert_array_equal(C[0], k)


def test_shapes_are_checked(kernels):
    square = np.ones((2, 2))
    with pytest.raises(ValueError, match="do not agree"):
        kernels.gemm(False, False, 1.0, np.ones((2, 3)), square, 0.0, square)
    with pytest.raises(ValueError, match="row does not fit"):
        kernels.gemm(False, False, 1.0, square, square, 0.0, square, np.ones(3))
