"""Numbers of every type as float32 and float64, against NumPy's conversion."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from problems import NUMBER_TYPES

DTYPES = [np.float32, np.float64]
# Around the lengths of vectors of every size.
SIZES = [0, 1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 101]


def edges(number):
    """The least and the greatest numbers, those around 0, and around the powers of 2."""
    dtype = np.dtype(number)
    if dtype.kind == "b":
        return np.array([False, True])
    powers = [2**e for e in (1, 7, 8, 11, 15, 16, 24, 31, 32, 53, 63)]
    some = [0, 1, 3, 100, *(power + i for power in powers for i in (-1, 0, 1))]
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    numbers = [limits.min, limits.max, *some, *(-number for number in some)]
    if dtype.kind == "f":
        small = [limits.tiny, limits.smallest_subnormal, 1 / 3]
        numbers += [*small, *(-number for number in small), np.inf, -np.inf, np.nan]
        with np.errstate(over="ignore"):
            return np.array(numbers, dtype)
    return np.array([n for n in numbers if limits.min <= n <= limits.max], dtype)


def converted(kernels, X, dtype):
    out = np.full(len(X), 7, dtype)
    kernels.convert(X, out)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", NUMBER_TYPES)
def test_numbers(kernels, number, dtype):
    """Contiguous and not, forwards, backwards and one number again and again."""
    X = np.tile(edges(number), 30)
    with np.errstate(over="ignore"):
        expected = X.astype(dtype)
    for n in SIZES:
        for step in (1, 2, 3, -1, -2):
            part = X[: n * abs(step) : step] if step > 0 else X[: n * -step][::step]
            assert_array_equal(
                converted(kernels, part, dtype),
                expected[: n * abs(step) : step] if step > 0 else expected[: n * -step][::step],
            )
        assert_array_equal(converted(kernels, np.broadcast_to(X[1], n), dtype), expected[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, 3])
def test_all_halves(kernels, dtype, step):
    """Subnormals, infinities and NaNs too, with the sign of 0 and of NaN."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    X = np.repeat(halves, step)[::step]
    out = converted(kernels, X, dtype)
    assert_array_equal(out, halves.astype(dtype))
    assert_array_equal(np.signbit(out), np.signbit(halves))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_byte_but_0_is_true(kernels, dtype):
    X = np.arange(256, dtype=np.uint8).view(bool)
    assert_array_equal(converted(kernels, X, dtype), np.arange(256) > 0)
    assert_array_equal(converted(kernels, X[::-3], dtype), np.arange(255, -1, -3) > 0)


@pytest.mark.parametrize("X", [np.zeros(3, ">i2"), np.zeros(3, "c16"), np.zeros(3, "g")])
def test_other_types(kernels, X):
    with pytest.raises(ValueError, match="vector of numbers"):
        kernels.convert(X, np.zeros(3))
