"""The loss with penalties, and its gradient, against central differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cymlp._network.gradient import loss_and_gradients
from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.data import TrainingData

N = 11
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 3))
Y = rng.standard_normal((N, 2))
WEIGHTS = np.linspace(0, 2, N)
CONFIG = TrainingConfig("identity", "huber", loss_parameter=0.5, activation="tanh")


def network(seed=0, dtype=np.float64):
    return Network((3, 4, 2), np.random.default_rng(seed).standard_normal(26).astype(dtype))


def gradients_of(net, X=X, weights=None, l2=(0.0, 0.0), l1=(0.0, 0.0), factor=1, n_jobs=None):
    dtype = net.parameters.dtype
    weights = None if weights is None else weights.astype(dtype)
    data = TrainingData(X.astype(dtype), Y.astype(dtype), 2, weights)
    architecture = CONFIG.architecture(net.units)
    return loss_and_gradients(net, architecture, data.dataset(), weights, (l2, l1), factor, n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    "penalties", [{}, {"l2": (3.0, 0.5)}, {"l1": (0.5, 3.0)}, {"l2": (1.0, 0.0), "l1": (0.0, 2.0)}],
    ids=str,
)  # fmt: skip
def test_against_central_differences(penalties, weights, n_jobs):
    """For each weight, each intercept and each value of X."""
    net, data, step = network(), X.copy(), 1e-6
    _, coef_grads, intercept_grads, X_grad = gradients_of(net, data, weights, **penalties)
    for array, gradient in zip(
        (*net.coefs, *net.intercepts, data), (*coef_grads, *intercept_grads, X_grad), strict=True
    ):
        assert gradient.shape == array.shape
        numerical = np.empty_like(array)
        for i in np.ndindex(array.shape):
            before, ends = array[i], []
            for sign in (1, -1):
                array[i] = before + sign * step
                ends.append(gradients_of(net, data, weights, **penalties, n_jobs=n_jobs)[0])
            array[i] = before
            numerical[i] = (ends[0] - ends[1]) / (2 * step)
        assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_penalties_are_divided_by_the_sum_of_the_weights(weights):
    net = network()
    W, V = net.coefs
    bare = gradients_of(net, weights=weights)[0]
    loss = gradients_of(net, weights=weights, l2=(3.0, 0.0), l1=(0.0, 0.7))[0]
    total = N if weights is None else weights.sum()
    assert_allclose(loss - bare, (1.5 * (W**2).sum() + 0.7 * np.abs(V).sum()) / total)


def test_the_gradient_of_l1_is_0_at_0():
    net = network()
    net.coefs[0][1, 2] = 0
    bare, penalised = (gradients_of(net, l1=(l1, 0.0))[1][0] for l1 in (0.0, 5.0))
    assert penalised[1, 2] == bare[1, 2]
    assert_allclose(np.abs(penalised - bare)[0], 5.0 / N)


def test_the_factor_scales_the_loss_but_not_the_gradient():
    one, two = (gradients_of(network(), factor=factor) for factor in (1, 2))
    assert_allclose(two[0], 2 * one[0])
    assert_array_equal(one[1][0], two[1][0])


def test_results_are_new_arrays_of_the_dtype():
    net = network(dtype=np.float32)
    before = net.parameters.copy()
    loss, coef_grads, intercept_grads, X_grad = gradients_of(net, l2=(1.0, 1.0))
    assert type(loss) is float
    for array in (*coef_grads, *intercept_grads, X_grad):
        assert array.dtype == np.float32
        array[...] = 7
    assert_array_equal(net.parameters, before)
