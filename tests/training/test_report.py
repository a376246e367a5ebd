"""The reports of training: plain values that share no lists."""

import math

import pytest

from cymlp._training.report import Ending, Outcome, TrainingState, do_nothing, no_report


def test_the_default_state_is_empty():
    assert TrainingState() == TrainingState(0, None, None, 0)
    with pytest.raises(AttributeError):
        TrainingState().best = 1.0


def test_outcomes_without_an_epoch_have_no_loss_and_separate_records():
    one, other = Outcome(Ending.INTERRUPTED), Outcome(Ending.INTERRUPTED)
    assert math.isnan(one.loss)
    one.records.append({"loss": 1.0})
    assert other.records == []


def test_by_default_training_continues():
    assert not no_report(None)
    assert do_nothing() is None
