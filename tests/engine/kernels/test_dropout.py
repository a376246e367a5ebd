"""Dropout masks: their rate, and what they depend on."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal


@pytest.fixture
def masks_of(kernels):
    """A function that returns drop_out's mask for activations of ``shape``."""

    def masks(rate, shape, seed=0, **place):
        mask, F = np.ones(shape), np.ones(shape)
        kernels.drop_out(mask, F, rate, seed, **place)
        assert_array_equal(mask, F)
        return mask

    return masks


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rate_of_zeros(kernels, rate, dtype):
    """The rate overall, in each row and in each column, within 5 standard deviations."""
    A = np.full((300, 400), 3, dtype=dtype)
    F = np.full_like(A, 2)
    kernels.drop_out(A, F, rate, 7)
    kept = A != 0
    assert_array_equal(A, np.where(kept, dtype(3) * dtype(1 / (1 - rate)), 0))
    assert_array_equal(F, np.where(kept, dtype(2) * dtype(1 / (1 - rate)), 0))
    for axis in (None, 0, 1):
        share = kept.mean(axis=axis)
        n = kept.size / share.size
        assert (np.abs(share - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / n)).all()


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_expected_activation_is_preserved(masks_of, rate):
    """The mean over the masks of many updates, within 5 standard deviations for each unit."""
    n = 4000
    mean = sum(masks_of(rate, (4, 9), n_updates=i) for i in range(n)) / n
    assert (np.abs(mean - 1) < 5 * np.sqrt(rate / (1 - rate) / n)).all()


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"n_updates": 6}, {"layer": 1}, {"first": 1}, {"seed": 2**63}], ids=str
)
def test_masks_are_independent(masks_of, other):
    """Masks of another seed, update, layer or row agree only by chance."""
    place = {"seed": 0, "n_updates": 5, "layer": 0, "first": 0}
    one = masks_of(0.5, (200, 200), **place)
    assert_array_equal(masks_of(0.5, (200, 200), **place), one)
    same = (masks_of(0.5, (200, 200), **place | other) == one).mean()
    assert abs(same - 0.5) < 5 * 0.5 / 200


def test_masks_belong_to_rows_of_the_mini_batch(masks_of):
    whole = masks_of(0.3, (20, 11))
    assert_array_equal(masks_of(0.3, (13, 11), first=7), whole[7:])
    assert len(np.unique(whole, axis=0)) == 20
    assert len(np.unique(whole, axis=1).T) == 11
