"""Digits for training and validation, as problems of every kind."""

import numpy as np

from cymlp import MLPClassifier, MLPRegressor

# The types that X may have; C's int and long long too, which are types of their own to NumPy.
NUMBER_TYPES = [*"dfe?bBhHiIlLqQ"]

N = 300  # training rows; N_VAL validation rows
N_VAL = 97
N_EPOCHS = 4


def targets_of(X, y):
    """For every kind of problem, targets for the digits X, y, and an estimator."""
    label_names = np.array([f"digit {i}" for i in range(10)])
    numbers = X[:, 20] - X[:, 43] + y / 10
    return {
        "binary": (MLPClassifier, y > 4),
        "multiclass": (MLPClassifier, y),
        "strings": (MLPClassifier, label_names[y]),
        "multilabel": (MLPClassifier, np.c_[y % 2, y > 4, y % 3 == 0].astype(int)),
        "numbers": (MLPRegressor, numbers),
        "several outputs": (MLPRegressor, np.c_[numbers, 3 * X[:, 11] - 1]),
        "counts": (MLPRegressor, y.astype(float)),
    }


def parts(X, y):
    """X, y, X_val, y_val."""
    return X[:N], y[:N], X[N : N + N_VAL], y[N : N + N_VAL]


def classifier(**params):
    return MLPClassifier(
        **{"hidden_layer_sizes": 12, "max_iter": N_EPOCHS, "random_state": 0,
           "learning_rate_init": 0.01} | params
    )  # fmt: skip


def regressor(**params):
    return MLPRegressor(
        **{"hidden_layer_sizes": 12, "max_iter": N_EPOCHS, "random_state": 0,
           "learning_rate_init": 0.01} | params
    )  # fmt: skip


def after_each_epoch(estimator, X, y, *args):
    """The models after fits of one epoch, two epochs, ..."""
    params = estimator.get_params() | {"early_stopping": False, "scoring": None}
    for n in range(1, N_EPOCHS + 1):
        yield type(estimator)(**params | {"max_iter": n}).fit(X, y, *args)


def mean_confidence(estimator, X, y):
    """A custom scorer."""
    return estimator.predict_proba(X)[np.arange(len(X)), y].mean()
