"""Memory for the engine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def aligned_empty(size: int, dtype: Any) -> NDArray[Any]:
    """Uninitialized memory (size,) that is 64-byte aligned, as a cache line is."""
    itemsize = np.dtype(dtype).itemsize
    memory = np.empty(size + 64 // itemsize, dtype=dtype)
    start = -memory.ctypes.data % 64 // itemsize
    return memory[start : start + size]
