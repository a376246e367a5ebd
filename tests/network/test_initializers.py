"""Initial weights: distributions, the order of the draws, and users' functions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cymlp._network.initializers import INITIALIZERS, initializer

CUT = 2 / 0.87962566  # bound of the truncated normal, in its own standard deviations

RULES = {
    "glorot_uniform": (lambda n, m: 2 / (n + m), np.sqrt(3)),
    "glorot_normal": (lambda n, m: 2 / (n + m), CUT),
    "he_uniform": (lambda n, m: 2 / n, np.sqrt(3)),
    "he_normal": (lambda n, m: 2 / n, CUT),
    "lecun_normal": (lambda n, m: 1 / n, CUT),
}


def drawn(init, shape, activation="relu", seed=0):
    return initializer(init, activation)(*shape, np.random.RandomState(seed))


def test_all_rules_are_tested():
    assert set(RULES) == set(INITIALIZERS)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
@pytest.mark.parametrize("init", RULES)
def test_variance_bounds_and_shape_of_each_rule(init, shape):
    """Bounds are in standard deviations."""
    variance, bound = RULES[init]
    W, b = drawn(init, shape)
    assert (W.shape, b.shape) == (shape, shape[1:])
    deviations = W / np.sqrt(variance(*shape))
    assert_allclose(np.var(deviations), 1, rtol=0.02)
    assert abs(deviations.mean()) < 0.02
    assert 0.98 * bound < np.abs(deviations).max() <= bound * (1 + 1e-6)
    # The kurtosis of the uniform distribution is 1.8; of the truncated normal, 2.37.
    kurtosis = np.mean(deviations**4) / np.var(deviations) ** 2
    assert_allclose(kurtosis, 1.8 if init.endswith("uniform") else 2.37, rtol=0.02)
    assert b.any() == (init == "glorot_uniform")


@pytest.mark.parametrize(
    "activation, factor",
    [("relu", 6), ("tanh", 6), ("logistic", 2), (("logistic", "relu"), 2),
     (("relu", "logistic"), 6), ((), 6)],
    ids=str,
)  # fmt: skip
def test_glorots_bound_depends_on_the_first_activation(activation, factor):
    """W is drawn before b, as in scikit-learn."""
    W, b = drawn("glorot_uniform", (7, 4), activation, seed=3)
    random_state, bound = np.random.RandomState(3), np.sqrt(factor / 11)
    assert_array_equal(W, random_state.uniform(-bound, bound, (7, 4)))
    assert_array_equal(b, random_state.uniform(-bound, bound, 4))


@pytest.mark.parametrize("init", RULES)
def test_the_seed_determines_the_weights(init):
    one, same, other = (drawn(init, (6, 5), seed=seed)[0] for seed in (1, 1, 2))
    assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_a_function_gets_sizes_and_generator():
    random_state = np.random.RandomState(0)

    def init(fan_in, fan_out, rng):
        assert (fan_in, fan_out) == (3, 2)
        assert rng is random_state
        return [[1, 2], [3, 4], [5, 6]], [7, 8]

    W, b = initializer(init, "relu")(3, 2, random_state)
    assert W.dtype == b.dtype == np.float64
    assert_array_equal(W, [[1, 2], [3, 4], [5, 6]])
    assert_array_equal(b, [7, 8])


@pytest.mark.parametrize(
    "returned, message",
    [
        (lambda n, m: (np.ones((m, n)), np.ones(m)), r"W of shape \(5, 7\)"),
        (lambda n, m: (np.ones((n, m)), np.ones(n)), r"b of shape \(7,\)"),
        (lambda n, m: (np.ones((n, m)), np.ones((m, 1))), r"b of shape \(7,\)"),
        (lambda n, m: (np.ones((n, m)), 0.0), r"b of shape \(7,\)"),
        (lambda n, m: (np.full((n, m), np.nan), np.ones(m)), "finite"),
        (lambda n, m: (np.ones((n, m)), np.full(m, np.inf)), "finite"),
        (lambda n, m: np.ones((n, m)), "init must return"),
        (lambda n, m: (np.ones((n, m)), None), "init must return"),
        (lambda n, m: (np.ones((n, m)), np.ones(m), 0), "init must return"),
        (lambda n, m: None, "init must return"),
        (lambda n, m: 3.0, "init must return"),
        (lambda n, m: "ab", "init must return"),
        (lambda n, m: (np.full((n, m), "a"), np.ones(m)), "init must return"),
        (lambda n, m: ([[1.0], [2.0, 3.0]], np.ones(m)), "init must return"),
    ],
    ids=["W transposed", "b of inputs", "b a column", "b a number", "W NaN", "b inf", "only W",
         "b None", "three", "None", "number", "string", "W of strings", "W ragged"],
)  # fmt: skip
def test_bad_return_values_of_a_function(returned, message):
    with pytest.raises(ValueError, match=message):
        initializer(lambda n, m, rng: returned(n, m), "relu")(5, 7, np.random.RandomState(0))
