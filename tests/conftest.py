"""Fixtures: digits, a seed for scikit-learn's own tests, and the image files where they are."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture
def global_random_seed():
    return 0


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def _read_idx(path):
    data = gzip.decompress(path.read_bytes())
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def _image_folder():
    """CYMLP_DATA, or a folder shared/data beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("CYMLP_DATA", default))


@pytest.fixture(scope="session")
def mnist():
    """(X_train, y_train, X_test, y_test), float32 in [0, 1]."""
    folder = _image_folder() / "mnist"
    if not folder.is_dir():
        pytest.skip(f"MNIST's IDX files are not in {folder}; CYMLP_DATA can name their folder")
    arrays = []
    for part in ("train", "t10k"):
        images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz")
        arrays.append(images.reshape(len(images), -1).astype(np.float32) / 255)
        arrays.append(_read_idx(folder / f"{part}-labels-idx1-ubyte.gz"))
    return arrays
