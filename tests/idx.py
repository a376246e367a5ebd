"""MNIST's files, for the tests and the benchmarks."""

import gzip
import os
from pathlib import Path

import numpy as np


def image_folder(name):
    """The folder of a data set: in CYMLP_DATA, else in shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("CYMLP_DATA", beside)) / name


def _read_idx(path):
    """An array of bytes from a gzipped IDX file: magic, ndim, shape (big-endian), elements."""
    data = gzip.decompress(path.read_bytes())
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def load_images(folder, part):
    """Pixels (n, 784), float32 in [0, 1], and labels (n,), of "train" or "t10k"."""
    images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images.reshape(len(images), -1).astype(np.float32) / 255, labels
