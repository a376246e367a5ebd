"""Stopping rules against a three-line reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.report import TrainingState
from cymlp._training.stopping import EarlyStopping, LossStopping

# Few different numbers, so that ties and differences of exactly tol are frequent.
NUMBERS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.0, math.nan, math.inf]))
TOL = st.sampled_from([0.0, 0.25, 1.0])


def config(**values):
    return TrainingConfig("identity", "squared_error", **values)


def network(value=0.0):
    return Network((2, 1), np.full(3, value))


def never(reason):
    raise AssertionError("there is patience left")


@given(losses=NUMBERS, tol=TOL, best=st.sampled_from([None, 0.5]), n=st.integers(0, 2))
def test_loss_counts_epochs_that_are_not_better_by_tol(losses, tol, best, n):
    rule = LossStopping(config(tol=tol), TrainingState(5, best, 7, n))
    least = math.inf if best is None else best
    for number, loss in enumerate(losses, start=1):
        n = n + 1 if loss > least - tol else 0
        least = min(least, loss)
        rule.end_epoch(number, loss, None, network())
        assert rule.state(5) == TrainingState(5, least, None, n)
    assert rule.best_parameters is None


@given(scores=NUMBERS, tol=TOL, best=st.sampled_from([None, 0.5]), n=st.integers(0, 2))
def test_early_stopping_counts_and_keeps_the_first_of_the_best(scores, tol, best, n):
    before = np.full(3, -1.0)
    rule = EarlyStopping(config(tol=tol), TrainingState(5, best, 7, n), before)
    greatest, first = -math.inf if best is None else best, None
    for number, score in enumerate(scores, start=1):
        n = n + 1 if score < greatest + tol else 0
        if score > greatest:
            greatest, first = score, number
        rule.end_epoch(number, 1.0, score, network(float(number)))
        assert rule.state(5).n_epochs_without_progress == n
        assert rule.state(5).best_iteration == first
        assert rule.state(5).best == (best if first is None else greatest)
    assert_array_equal(rule.best_parameters, before if first is None else np.full(3, float(first)))


def test_the_best_parameters_are_a_copy():
    trained = network(1.0)
    rule = EarlyStopping(config(), TrainingState(), None)
    rule.end_epoch(1, 0.0, 0.5, trained)
    trained.parameters[...] = 2.0
    assert_array_equal(rule.best_parameters, 1.0)


def test_early_stopping_needs_a_score():
    with pytest.raises(ValueError, match="needs a validation set"):
        EarlyStopping(config(), TrainingState(), None).end_epoch(1, 0.0, None, network())


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_one_epoch_later(patience):
    rule = LossStopping(config(n_iter_no_change=patience, tol=0.5), TrainingState())
    rule.end_epoch(1, 1.0, None, network())
    for number in range(2, patience + 2):
        rule.end_epoch(number, 1.0, None, network())
        assert rule.check_patience(never) == (False, "")
    rule.end_epoch(patience + 2, 1.0, None, network())
    reasons = []

    def on_plateau(reason):
        reasons.append(reason)
        return True, "over"

    assert rule.check_patience(on_plateau) == (True, "over")
    assert reasons == [
        f"Training loss did not improve more than tol=0.500000 for {patience} consecutive epochs."
    ]
    assert rule.state(5).n_epochs_without_progress == patience + 1


def test_unlimited_patience():
    rule = LossStopping(config(n_iter_no_change=np.inf), TrainingState())
    for number in range(1, 50):
        rule.end_epoch(number, 1.0, None, network())
        assert rule.check_patience(never) == (False, "")


def test_the_count_restarts_if_the_optimizer_continues():
    rule = EarlyStopping(config(n_iter_no_change=1), TrainingState(n_epochs_without_progress=2), W)
    reasons = []
    assert rule.check_patience(lambda reason: (reasons.append(reason), (False, "slower"))[1]) == (
        False, "slower",
    )  # fmt: skip
    assert reasons[0].startswith("Validation score did not improve more than")
    assert rule.state(5).n_epochs_without_progress == 0
    assert rule.check_patience(never) == (False, "")


W = np.zeros(3)


@pytest.mark.parametrize(
    "loss, value, diverged",
    [(1.0, 0.0, False), (math.nan, 0.0, False), (math.nan, math.nan, True),
     (math.inf, math.inf, True), (1.0, math.nan, False)],
)  # fmt: skip
def test_divergence_is_a_non_finite_loss_and_parameter(loss, value, diverged):
    assert LossStopping(config(), TrainingState()).has_diverged(loss, network(value)) == diverged
    assert not EarlyStopping(config(), TrainingState(), None).has_diverged(loss, network(value))
