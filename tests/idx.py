"""IDX files for tests, written independently of cymlp's reader: arrays, and a small MNIST."""

import struct

import numpy as np

CODES = {
    "uint8": 0x08,
    "int8": 0x09,
    "int16": 0x0B,
    "int32": 0x0C,
    "float32": 0x0D,
    "float64": 0x0E,
}
MNIST_FILES = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def idx_header(code, shape):
    """The bytes before the elements."""
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def idx_bytes(array):
    """An array as an IDX file; struct packs each element."""
    elements = struct.pack(f">{array.size}{array.dtype.char}", *array.ravel().tolist())
    return idx_header(CODES[array.dtype.name], array.shape) + elements


def write(path, content):
    """Write bytes to a file, making its folder if necessary; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def small_mnist(folder, first, compress=bytes, suffix=""):
    """Write five and two images of 2 x 3 pixels, with first pixel ``first``; return the arrays."""
    arrays = {}
    for part, name in MNIST_FILES.items():
        n = 5 if part.endswith("train") else 2
        shape = (n, 2, 3) if part.startswith("X") else (n,)
        arrays[part] = (np.arange(np.prod(shape)) + first).astype(np.uint8).reshape(shape)
        write(folder / f"{name}{suffix}", compress(idx_bytes(arrays[part])))
    return arrays
