"""Handwritten digits of MNIST, where its files are."""

import numpy as np
import pytest

from cymlp import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_five_epochs(mnist):
    """784-100-10, float32, mini-batches of 200, Adam: above .975 on the test images.

    Seeds end between .972 and .978 here, as they do with scikit-learn; this one has room
    for another BLAS's rounding.
    """
    X_train, y_train, X_test, y_test = mnist
    estimator = MLPClassifier(
        100, batch_size=200, max_iter=5, learning_rate_init=0.003, random_state=2
    )
    assert estimator.fit(X_train, y_train).score(X_test, y_test) > 0.975
    assert all(array.dtype == np.float32 for array in estimator.coefs_ + estimator.intercepts_)
