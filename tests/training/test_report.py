"""What training reports: plain values, none of which shares a list with another."""

import math

import pytest

from cymlp._training.report import Ending, Outcome, TrainingState, do_nothing, no_report


def test_a_first_training_begins_with_nothing():
    assert TrainingState() == TrainingState(0, None, None, 0)
    with pytest.raises(AttributeError):
        TrainingState().best = 1.0


def test_an_outcome_without_an_epoch_has_no_loss_and_records_of_its_own():
    one, other = Outcome(Ending.INTERRUPTED), Outcome(Ending.INTERRUPTED)
    assert math.isnan(one.loss)
    one.records.append({"loss": 1.0})
    assert other.records == []


def test_by_default_training_goes_on():
    assert not no_report(None)
    assert do_nothing() is None
