"""Fixtures: digits, MNIST if its files exist, threads, a seed for scikit-learn's checks."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_digits

from cymlp._engine import threads
from cymlp.datasets import fetch_mnist

# The same examples in every run, and no time limit, as CI's machines are sometimes slow.
settings.register_profile("cymlp", derandomize=True, deadline=None)
settings.load_profile("cymlp")


@pytest.fixture(autouse=True)
def n_threads_from_environment(request):
    """CYMLP_TEST_THREADS sets the number of threads of every run with n_jobs=None."""
    wanted = os.environ.get("CYMLP_TEST_THREADS")
    if wanted and request.path.name != "test_threads.py":
        original = threads._n_threads

        def n_threads(n_jobs, flops, n_steps):
            return original(int(wanted) if n_jobs is None else n_jobs, flops, n_steps)

        # Not a parameter, as pytest-run-parallel runs no test in several threads that has it.
        request.getfixturevalue("monkeypatch").setattr(threads, "_n_threads", n_threads)


@pytest.fixture
def global_random_seed():
    return 0


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="session")
def data_home():
    """A function that returns the folder CYMLP_DATA; skips if it lacks the named data set."""

    def with_data_set(name):
        folder = os.environ.get("CYMLP_DATA")
        if not folder:
            pytest.skip(f"{name} is needed; set CYMLP_DATA to the folder that contains {name}/")
        if not Path(folder, name).is_dir():
            pytest.skip(f"{name} is needed; CYMLP_DATA is {folder!r}, which has no {name}/")
        return folder

    return with_data_set


@pytest.fixture(scope="session")
def mnist(data_home):
    """(X_train, y_train, X_test, y_test), pixels float32 in [0, 1]."""
    data = fetch_mnist("mnist", data_home=data_home("mnist"))
    X_train, X_test = (X.astype(np.float32) / 255 for X in (data.X_train, data.X_test))
    return X_train, data.y_train, X_test, data.y_test
