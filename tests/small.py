"""A small problem of every kind, and estimators that are quickly fitted to it."""

import numpy as np

from cymlp import MLPClassifier, MLPRegressor

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.9])
numbers = np.sin(2 * X[:, 0]) + X[:, 1]
several = np.c_[numbers, X[:, 2] * X[:, 3]]
indicators = np.c_[y > 0, X[:, 2] > 0.5, X[:, 3] > -1].astype(int)
PARAMS = {
    "hidden_layer_sizes": 7, "max_iter": 5, "random_state": 0, "learning_rate_init": 0.01,
    "batch_size": 16,
}  # fmt: skip


def classifier(**params):
    return MLPClassifier(**PARAMS | params)


def regressor(**params):
    return MLPRegressor(**PARAMS | params)


class Sliced:
    """Rows to be read by slices; ``then(start, rows)`` returns what is given in their place."""

    def __init__(self, X, then=lambda start, rows: rows, **attributes):
        self.shape, self.dtype = X.shape, X.dtype
        self.X, self.then = X, then
        self.slices = []
        vars(self).update(attributes)

    def __getitem__(self, rows):
        assert isinstance(rows, slice) and rows.step is None
        self.slices.append((rows.start, rows.stop))
        return self.then(rows.start, self.X[rows])
