import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cymlp._estimators.random_states import random_state_of


def numbers(random_state):
    return random_state.standard_normal(3)  # an odd number: one more is kept for the next call


class TestSeeds:
    def test_draws_as_a_new_one(self):
        for seed in (0, 0, np.int64(7), 2**32 - 1):
            with random_state_of(seed) as random_state:
                assert_array_equal(numbers(random_state), numbers(np.random.RandomState(seed)))

    def test_is_used_again(self):
        with random_state_of(1) as first:
            pass
        with random_state_of(2) as second:
            assert second is first

    def test_contexts_within_each_other(self):
        """A schedule may call partial_fit of another estimator."""
        expected = np.random.RandomState(3).uniform(size=2)
        with random_state_of(3) as outer:
            drawn = [outer.uniform()]
            with random_state_of(3) as inner:
                assert inner is not outer
                inner.uniform()
            assert_array_equal([*drawn, outer.uniform()], expected)

    def test_an_error_in_the_context(self):
        """Who has caught it may hold the RandomState, so it is not used again."""
        with pytest.raises(KeyboardInterrupt), random_state_of(4) as held:
            raise KeyboardInterrupt
        with random_state_of(4) as random_state:
            assert random_state is not held


def test_others_are_passed_on():
    own = np.random.RandomState(0)
    with random_state_of(own) as random_state:
        assert random_state is own
    with random_state_of(None) as random_state:
        assert random_state is np.random.mtrand._rand
    with random_state_of(5) as random_state:
        assert random_state is not own


@pytest.mark.parametrize("bad", [-1, 2**32, "seed", 0.5])
def test_bad_seeds(bad):
    for _ in range(2):
        with pytest.raises(ValueError), random_state_of(bad):
            pass
