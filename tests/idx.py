"""MNIST's files, for the tests."""

import os
from pathlib import Path

import numpy as np

from cymlp.datasets import load_idx


def image_folder(name):
    """The folder of a data set: in CYMLP_DATA, else in shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("CYMLP_DATA", beside)) / name


def load_images(folder, part):
    """Pixels (n, 784), float32 in [0, 1], and labels (n,), of "train" or "t10k"."""
    images = load_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = load_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images.reshape(len(images), -1).astype(np.float32) / 255, labels
