"""Update rules against the formulas of their papers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cases import RULES, update_rule
from reference import ReferenceUpdate

RTOL = {np.float32: 1e-5, np.float64: 1e-13}


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("rule", RULES)
def test_update_rules(kernels, rule, decay):
    """With an L2 penalty, and with weight decay after the penalty."""
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        w = rng.standard_normal(37).astype(dtype)
        engine_rule = update_rule(rule, weight_decay=decay)
        reference = ReferenceUpdate(rule, 0.1, **RULES[rule])
        state = np.zeros((engine_rule.n_states, w.size), dtype=dtype)
        expected = w.astype(np.float64)
        for _ in range(5):
            g = rng.standard_normal(w.size).astype(dtype)
            gradient = g + 0.03 * expected
            expected = reference(expected * (1 - 0.1 * decay), gradient)
            kernels.apply(engine_rule, w, g, state, 0.03)
        assert engine_rule.n_updates == 5
        assert_allclose(w, expected, rtol=100 * RTOL[dtype], atol=10 * RTOL[dtype])


@pytest.mark.parametrize("rule", RULES)
def test_nan_is_not_hidden(kernels, rule):
    w, g = np.ones(3), np.array([0.0, np.nan, 0.0])
    engine_rule = update_rule(rule)
    kernels.apply(engine_rule, w, g, np.zeros((engine_rule.n_states, 3)), 0.0)
    assert np.isnan(w).tolist() == [False, True, False]


def test_shapes_are_checked(kernels):
    w = np.ones(2)
    with pytest.raises(ValueError, match="do not agree"):
        kernels.apply(update_rule("adam"), w, w, np.ones((1, 2)), 0.0)
