"""Memory for parameters and workspaces, aligned to cache lines."""

import numpy as np
import pytest

from cymlp._engine.memory import aligned_empty


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_addresses_are_multiples_of_64(n, dtype):
    arrays = [aligned_empty(n, dtype) for _ in range(20)]
    for array in arrays:
        assert array.shape == (n,)
        assert array.dtype == dtype
        assert array.flags.writeable and array.flags.c_contiguous
        assert array.ctypes.data % 64 == 0 or n == 0


def test_arrays_share_no_memory():
    one, other = aligned_empty(100, np.float64), aligned_empty(100, np.float64)
    one[...] = 1
    other[...] = 2
    assert (one == 1).all()


def test_too_much_memory():
    with pytest.raises((MemoryError, ValueError)):
        aligned_empty(2**60, np.float64)
