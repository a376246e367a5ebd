"""Fixtures for the tests of the displays: small fits, their data, and each display."""

from functools import partial

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib import pyplot as plt

from cymlp import MLPClassifier, plotting

N_EPOCHS = 6


@pytest.fixture(scope="session", autouse=True)
def no_windows():
    matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def figures_can_be_drawn():
    """After a test, draw all open figures, which fails if an artist is broken; close them."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


@pytest.fixture(scope="session")
def network():
    """A function that returns a small classifier, with optional other parameters."""
    return partial(
        MLPClassifier, hidden_layer_sizes=20, learning_rate_init=0.01, max_iter=N_EPOCHS,
        n_jobs=1, random_state=0,
    )  # fmt: skip


@pytest.fixture(scope="session")
def held_out(digits):
    X, y = digits
    return X[400:], y[400:]


@pytest.fixture(scope="session")
def fit(digits, held_out):
    """A function that fits an estimator to 400 digits, with the others for validation."""

    def fit(estimator):
        X, y = digits
        return estimator.fit(X[:400], y[:400], X_val=held_out[0], y_val=held_out[1])

    return fit


@pytest.fixture(scope="session")
def clf(network, fit):
    """A classifier after six epochs, with everything recorded."""
    return fit(network(record_train_score=True))


@pytest.fixture(scope="session")
def table():
    """A table of 3 features with names, and 3 classes."""
    rng = np.random.RandomState(0)
    X = pandas.DataFrame(rng.normal(size=(60, 3)), columns=["age", "income", "height"])
    return X, rng.randint(3, size=60)


@pytest.fixture(params=plotting.__all__)
def draw(request, held_out):
    """For each display, a function that draws it from an estimator, with the display's ``name``."""
    name = request.param
    display = getattr(plotting, name)

    def draw(estimator, data=held_out, **params):
        X, y = data
        if name == "ImageGridDisplay":
            cells = [(0, 0), (1, 1), (2, 2)]
            return display.from_estimator(estimator, X, y, cells=cells, **params)
        if name == "WeightsDisplay":
            return display.from_estimator(estimator, units=[0, 1, 2], **params)
        if name == "ProbabilityDisplay":
            return display.from_estimator(estimator, X[:3], y=y[:3], **params)
        return display.from_estimator(estimator, **params)

    draw.name = name
    return draw
