"""Records and running means of training, and the score on the training rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from cymlp._training.data import TrainingData
from cymlp._training.history import RunningMean, TrainingScore, as_arrays


def test_records_become_arrays_with_nan_for_missing_values():
    arrays = as_arrays([{"loss": 1.0}, {"loss": 2.0, "score": 0.5}, {"score": 0.25}])
    assert list(arrays) == ["loss", "score"]
    assert_array_equal(arrays["loss"], [1.0, 2.0, np.nan])
    assert_array_equal(arrays["score"], [np.nan, 0.5, 0.25])
    assert as_arrays([]) == {}


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.01, 100)), min_size=1))
def test_a_running_mean_is_the_weighted_mean(parts):
    mean = RunningMean()
    for value, n in parts:
        mean.add(value, n)
        mean.add(math.nan, 0)  # parts of weight 0 are ignored
    values, weights = zip(*parts, strict=True)
    assert_allclose(mean.value, np.average(values, weights=weights), rtol=1e-9, atol=1e-6)
    assert_allclose(mean.n, sum(weights))


@given(st.floats(allow_nan=False), st.floats(1e-3, 1e3))
def test_the_mean_of_one_part_is_that_part(value, n):
    mean = RunningMean()
    mean.add(value, n)
    assert mean.value == value


def test_the_mean_of_nothing_is_nan():
    assert math.isnan(RunningMean().value)


def scored(targets, weights=None, n_outputs=None):
    """A TrainingScore for one thread, and its sums."""
    n_outputs = targets.shape[1] if n_outputs is None else n_outputs
    score = TrainingScore(TrainingData(np.zeros((len(targets), 1)), targets, n_outputs, weights))
    score.allocate(2)
    return score


class TestTrainingScore:
    """The tests add to ``sums``, as the engine does."""

    Y = np.random.default_rng(0).standard_normal((9, 2))
    P = Y + 0.3

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("rows", [None, [np.array([5, 1, 2]), np.array([0])]])
    def test_regression_has_r2(self, weighted, rows):
        w = np.linspace(0.5, 2, 9) if weighted else None
        score = scored(self.Y, w)
        seen = np.arange(9) if rows is None else np.concatenate(rows)
        for part in [None] if rows is None else rows:
            score.add_rows(part)
        factors = np.ones(9) if w is None else w
        residuals = factors[seen, None] * (self.Y - self.P)[seen] ** 2
        score.sums[0], score.sums[1] = residuals[:1].sum(axis=0), residuals[1:].sum(axis=0)
        expected = r2_score(
            self.Y[seen], self.P[seen], sample_weight=None if w is None else w[seen]
        )
        assert_allclose(score.pop(), expected)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize(
        "targets", [np.arange(4, dtype=np.intc), np.array([[True], [False], [True], [False]])]
    )
    def test_classification_has_accuracy(self, targets, weighted):
        w = np.array([1.0, 2.0, 3.0, 4.0]) if weighted else None
        score = scored(targets, w, n_outputs=4 if targets.ndim == 1 else 1)
        score.add_rows(np.array([0, 3]))
        score.sums[0, 0] = 1.0  # row 0 is correct
        assert score.pop() == (1 / 5 if weighted else 1 / 2)

    def test_pop_resets_the_score(self):
        score = scored(self.Y)
        for _ in range(2):
            score.add_rows(None)
            score.sums[0] = ((self.Y - self.P) ** 2).sum(axis=0)
            assert_allclose(score.pop(), r2_score(self.Y, self.P))

    def test_rows_of_weight_0_have_no_score(self):
        score = scored(self.Y, np.r_[np.zeros(3), np.ones(6)])
        score.add_rows(np.arange(3))
        assert math.isnan(score.pop())

    @pytest.mark.parametrize("error, expected", [(0.0, 1.0), (2.0, 0.0)])
    def test_constant_targets(self, error, expected):
        """As in r2_score."""
        score = scored(np.ones((5, 1)))
        score.add_rows(None)
        score.sums[0] = error
        assert score.pop() == expected
