"""What the examples share: the setting, the images, and the table at the end.

By default, the examples use the digits that come with scikit-learn, and take seconds. With
``--full``, they use the course's own setting, with MNIST or Fashion-MNIST.
"""

import sys
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from cymlp.datasets import fetch_mnist

FULL = "--full" in sys.argv[1:]

# Gradient descent as the courses wrote it: no momentum, no penalty, and no early end.
DESCENT = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "n_iter_no_change": np.inf}

# The number of epochs is the course's, whether the fit converges or not.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def load_images(name):
    """Load "mnist" or "fashion-mnist", or scikit-learn's digits in the small setting.

    Returns
    -------
    images : Bunch
        X_train, y_train, X_test, y_test and target_names as from `fetch_mnist`, but the pixels are
        float32, from 0 to 255.
    """
    if FULL:
        images = fetch_mnist(name)
    else:
        print(f"Small setting: scikit-learn's digits instead of {name}, which --full uses.")
        X, y = load_digits(return_X_y=True)
        parts = train_test_split(X * (255 / 16), y, test_size=500, random_state=0)
        images = Bunch(**dict(zip(["X_train", "X_test", "y_train", "y_test"], parts, strict=True)))
        images.target_names = np.arange(10).astype(str)
    images.X_train = images.X_train.astype(np.float32)
    images.X_test = images.X_test.astype(np.float32)
    return images


def small_normal(fan_in, fan_out, rng):
    """Initial weights in Uppsala and Riverside: normal, standard deviation 0.01; intercepts 0."""
    return rng.normal(0, 0.01, (fan_in, fan_out)), np.zeros(fan_out)


def uniform_by_fan_in(fan_in, fan_out, rng):
    """Initial weights in Montreal: uniform within 1 / sqrt(fan_in) of 0; intercepts 0."""
    bound = 1 / np.sqrt(fan_in)
    return rng.uniform(-bound, bound, (fan_in, fan_out)), np.zeros(fan_out)


def penalties(l1, l2, batch_size):
    """Parameters for Montreal's penalty, l1 |W|_1 + l2 |W|^2 with coefficients for each layer.

    cymlp's penalty is alpha (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|^2), divided by the number of
    samples in the batch.
    """
    l1, l2 = np.array(l1), np.array(l2)
    both = l1 + 2 * l2
    shares = np.divide(l1, both, out=np.zeros(len(both)), where=both > 0)
    return {"alpha": (batch_size * both).tolist(), "l1_ratio": shares.tolist()}


def compare(*rows):
    """Print rows (what, the course's figure, cymlp's figure) as a Markdown table."""
    rows = [("", "course", "cymlp"), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("| " + " | ".join(cells) + " |")
