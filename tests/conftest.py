"""Fixtures: digits, a seed for scikit-learn's own tests, and MNIST where its files are."""

import pytest
from idx import image_folder, load_images
from sklearn.datasets import load_digits


@pytest.fixture
def global_random_seed():
    return 0


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="session")
def mnist():
    """(X_train, y_train, X_test, y_test), float32 in [0, 1]."""
    folder = image_folder("mnist")
    if not folder.is_dir():
        pytest.skip(f"MNIST's IDX files are not in {folder}; CYMLP_DATA names the folder of mnist/")
    return *load_images(folder, "train"), *load_images(folder, "t10k")
