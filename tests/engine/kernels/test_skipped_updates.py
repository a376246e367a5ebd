"""Updates without a gradient, many at once, against the same made one by one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cymlp import _engine

N_UPDATES = 700
RULES = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9},
    "adam": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
}
ADAMS = [
    (0.9, 0.999, 1e-8), (0.9, 0.999, 1e-3), (0.9, 0.98, 1e-8), (0.0, 0.999, 1e-8),
    (0.99, 0.999, 1e-8), (0.8, 0.9999, 1e-7), (0.999, 0.99, 1e-8),
]  # fmt: skip


def rule_of(name, decay, **settings):
    return _engine.UpdateRule(
        name, learning_rate=0.01, weight_decay=decay, **RULES[name] | settings
    )


def weights_and_state(rule, dtype):
    """Weights, and a state whose second moments have every magnitude, 0 included."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal(203).astype(dtype)
    state = rng.standard_normal((rule.n_states, w.size)).astype(dtype)
    if rule.n_states == 2:
        root = np.r_[0.0, 10.0 ** rng.uniform(-12, 0, w.size - 1)]
        state[:] = root * rng.uniform(-1, 1, w.size), root**2
    return w, state


def one_by_one(kernels, rule, w, state, rates, penalty):
    for rate in rates:
        rule.learning_rate = rate
        kernels.apply(rule, w, np.zeros_like(w), state, penalty)


def assert_same(kernels, name, settings, penalty, decay, dtype, most_age=256):
    """The steps together and one by one move the weights by the same, in double precision."""
    rates = 0.01 * np.cos(np.linspace(0, 1, N_UPDATES))
    precision = 1e-15 if dtype == np.float64 else 1e-8
    rule, reference_rule = (rule_of(name, decay, **settings) for _ in range(2))
    w, state = weights_and_state(rule, dtype)
    expected, expected_state = w.astype(np.float64), state.astype(np.float64)
    one_by_one(kernels, reference_rule, expected, expected_state, rates, penalty)
    ages = kernels.skip_updates(rule, w, state, rates, penalty, precision, most_age)
    assert rule.n_updates == reference_rule.n_updates
    error = 200 * np.finfo(dtype).eps
    assert_allclose(w, expected, rtol=error, atol=error)
    # Moments become as small as their squares; a velocity may cross 0.
    tiny = 10 * np.finfo(dtype).tiny if name == "adam" else error
    assert_allclose(state, expected_state, rtol=3 * error, atol=tiny)
    return ages


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("penalty", [0.0, 0.01, 5.0])
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_linear_rules(kernels, name, penalty, decay, dtype):
    assert assert_same(kernels, name, {}, penalty, decay, dtype) == 256


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("beta_1, beta_2, epsilon", ADAMS)
def test_adam(kernels, beta_1, beta_2, epsilon, decay, dtype):
    """The smaller beta_2, the fewer steps are made at once."""
    settings = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    ages = assert_same(kernels, "adam", settings, 0.0, decay, dtype)
    assert ages == 256 if (beta_1, beta_2) == (0.9, 0.999) else ages >= 8
    assert_same(kernels, "adam", settings, 0.0, decay, dtype, most_age=20)


@pytest.mark.parametrize(
    "penalty, settings", [(0.1, {}), (0.0, {"epsilon": 0.0}), (0.0, {"beta_2": 0.0}),
                          (0.0, {"beta_2": 0.9})]
)  # fmt: skip
def test_adam_that_has_no_closed_form(kernels, penalty, settings):
    rule = rule_of("adam", 0.0, **settings)
    w, state = weights_and_state(rule, np.float64)
    before = w.copy()
    assert kernels.skip_updates(rule, w, state, np.ones(3), penalty, 1e-15) == 0
    assert (w == before).all()
