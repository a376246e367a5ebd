"""Fixtures for the validation tests: problems of every kind, made from the digits."""

import pytest

from problems import N_EPOCHS, parts, targets_of


@pytest.fixture
def problem(digits, kind):
    """An estimator, and X, y, X_val, y_val."""
    X, y = digits
    Estimator, targets = targets_of(X, y)[kind]
    estimator = Estimator(
        hidden_layer_sizes=12, max_iter=N_EPOCHS, random_state=0, learning_rate_init=0.01,
        batch_size=32,
    )  # fmt: skip
    if kind == "counts":
        estimator.set_params(loss="poisson")
    return estimator, *parts(X, targets)


@pytest.fixture
def classes(digits):
    return parts(*digits)


@pytest.fixture
def numbers(digits):
    X, y = digits
    return parts(X, X[:, 20] - X[:, 43] + y / 10)
