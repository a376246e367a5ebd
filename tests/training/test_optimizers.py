"""Optimizers: state, learning rates after each epoch, and when they stop training."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cymlp._training.config import TrainingConfig
from cymlp._training.optimizers import OPTIMIZERS, optimizer_from_dict

W = np.ones(7)


def optimizer(parameters=W, **values):
    values = {"output_activation": "identity", "loss": "squared_error"} | values
    config = TrainingConfig(**values)
    return OPTIMIZERS[config.solver](config, parameters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "values, n_states, rule",
    [
        ({"solver": "adam"}, 2, "adam"),
        ({"solver": "sgd", "momentum": 0.0}, 0, "sgd"),
        ({"solver": "sgd", "momentum": 0.9}, 1, "nesterov"),
        ({"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False}, 1, "momentum"),
    ],
    ids=["adam", "sgd", "nesterov", "momentum"],
)
def test_the_state_starts_at_0_with_a_row_per_moment(values, n_states, rule, dtype):
    new = optimizer(W.astype(dtype), learning_rate_init=0.5, **values)
    assert new.state.shape == (n_states, 7)
    assert new.state.dtype == dtype
    assert not new.state.any()
    assert new.rule_name == rule
    assert (new.learning_rate, new.n_updates) == (0.5, 0)


class TestLearningRate:
    """Its changes after an epoch."""

    def test_invscaling_divides_by_a_power_of_the_samples_seen(self):
        sgd = optimizer(solver="sgd", learning_rate="invscaling", learning_rate_init=0.5, power_t=2)
        for n_seen, expected in ((3, 0.5 / 16), (9, 0.5 / 100), (0, 0.5)):
            sgd.end_epoch(n_seen)
            assert sgd.learning_rate == expected

    @pytest.mark.parametrize("learning_rate", ["constant", "adaptive", lambda step, total: 0.1])
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_other_schedules_do_not_change_it(self, solver, learning_rate):
        other = optimizer(solver=solver, learning_rate=learning_rate, learning_rate_init=0.5)
        other.end_epoch(1000)
        assert other.learning_rate == 0.5


class TestPlateau:
    """What an optimizer does when there is no more progress."""

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    @pytest.mark.parametrize("learning_rate", ["constant", "invscaling", lambda step, total: 1.0])
    def test_it_stops(self, solver, learning_rate):
        assert optimizer(solver=solver, learning_rate=learning_rate).on_plateau("No more.") == (
            True, "No more. Stopping.",
        )  # fmt: skip

    def test_adam_has_no_adaptive_rate(self):
        assert optimizer(solver="adam", learning_rate="adaptive").on_plateau("No.")[0]

    def test_an_adaptive_rate_is_divided_by_5_down_to_a_millionth(self):
        sgd = optimizer(solver="sgd", learning_rate="adaptive", learning_rate_init=1e-5)
        assert sgd.on_plateau("No.") == (False, "No. Setting learning rate to 0.000002")
        assert sgd.on_plateau("No.") == (False, "No. Setting learning rate to 0.000000")
        assert sgd.learning_rate == pytest.approx(4e-7, rel=1e-12)
        assert sgd.on_plateau("No.") == (True, "No. Learning rate too small. Stopping.")
        assert sgd.learning_rate == pytest.approx(4e-7, rel=1e-12)

    def test_a_millionth_is_too_small(self):
        sgd = optimizer(solver="sgd", learning_rate="adaptive", learning_rate_init=1e-6)
        assert sgd.on_plateau("No.")[0]


class TestContinuing:
    """Continuing with the state of an earlier training."""

    @pytest.mark.parametrize(
        "others", [np.ones(8), np.ones(6), np.ones(7, dtype=np.float32)], ids=["8", "6", "float32"]
    )
    def test_not_with_parameters_of_another_size_or_dtype(self, others):
        assert not optimizer().matches(others)

    def test_with_parameters_of_the_same_size_and_dtype(self):
        adam = optimizer()
        before = adam.state
        assert adam.matches(W)
        assert adam.state is before

    def test_a_read_only_state_is_copied(self):
        adam = optimizer()
        adam.state[...] = 3
        before = adam.state
        before.flags.writeable = False
        assert adam.matches(W)
        assert adam.state is not before
        assert adam.state.flags.writeable
        assert_array_equal(adam.state, before)

    def test_as_a_dict(self):
        sgd = optimizer(solver="sgd", learning_rate="adaptive", learning_rate_init=0.1)
        sgd.state[...] = np.arange(7)
        sgd.n_updates = 11
        sgd.on_plateau("No.")
        values = sgd.to_dict()
        assert {type(value) for value in values.values()} <= {str, int, float, dict, np.ndarray}
        twin = optimizer_from_dict(pickle.loads(pickle.dumps(values)))
        assert_array_equal(twin.state, sgd.state)
        assert (twin.n_updates, twin.learning_rate) == (11, sgd.learning_rate)
        assert twin.on_plateau("No.") == sgd.on_plateau("No.")
