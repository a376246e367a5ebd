"""Fixtures: digits, MNIST where its files are, a seed for scikit-learn's tests, threads."""

import os

import pytest
from hypothesis import settings
from sklearn.datasets import load_digits

from cymlp._engine import threads
from idx import image_folder, load_images

# The same examples in every run, and no limit of time: CI's machines are slow now and then.
settings.register_profile("cymlp", derandomize=True, deadline=None)
settings.load_profile("cymlp")


@pytest.fixture(autouse=True)
def n_threads_from_environment(request, monkeypatch):
    """CYMLP_TEST_THREADS: the threads of every run that leaves n_jobs at None."""
    wanted = os.environ.get("CYMLP_TEST_THREADS")
    if wanted and request.path.name != "test_threads.py":
        original = threads._n_threads

        def n_threads(n_jobs, flops, n_steps):
            return original(int(wanted) if n_jobs is None else n_jobs, flops, n_steps)

        monkeypatch.setattr(threads, "_n_threads", n_threads)


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
