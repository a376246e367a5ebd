"""Rows of data given by indices, and the split into training and held-out rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import train_test_split

from cymlp._training.data import Rows, TrainingData, split_for_validation


def data(n, targets=None):
    X = np.arange(2.0 * n).reshape(n, 2)
    return TrainingData(X, np.zeros((n, 1)) if targets is None else targets, 1)


@given(n=st.integers(1, 30), n_rows=st.integers(1, 40), seed=st.none() | st.integers(0, 9))
def test_slices_cover_all_rows_once_in_order(n, n_rows, seed):
    indices = None if seed is None else np.random.default_rng(seed).permutation(n)[: 1 + n // 2]
    rows = Rows(data(n), indices)
    parts = list(rows.slices(n_rows))
    if len(rows) <= n_rows:
        assert len(parts) == 1 and parts[0] is indices
    else:
        assert all(1 <= len(part) <= n_rows for part in parts)
        assert_array_equal(np.concatenate(parts), np.arange(n) if indices is None else indices)


def test_rows_of_an_array():
    array = np.arange(5) * 10
    assert Rows(data(5)).select(array) is array
    some = Rows(data(5), np.array([3, 1]))
    assert len(some) == 2
    assert_array_equal(some.select(array), [30, 10])
    assert some.select(None) is None


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_the_split_equals_scikit_learns(fraction, stratify):
    targets = (np.arange(40) % 4 == 0)[:, np.newaxis]
    whole = data(40, targets)
    train, held_out = split_for_validation(whole, fraction, stratify, np.random.RandomState(3))
    expected = train_test_split(
        np.arange(40), test_size=fraction, random_state=np.random.RandomState(3),
        stratify=targets if stratify else None,
    )  # fmt: skip
    for rows, indices in zip((train, held_out), expected, strict=True):
        assert rows.data is whole
        assert_array_equal(rows.indices, indices)


@pytest.mark.parametrize("n, fraction", [(40, 0.0), (10, 0.1), (5, 0.1)])
def test_at_least_two_rows_are_held_out(n, fraction):
    with pytest.raises(ValueError, match="The validation set is too small"):
        split_for_validation(data(n), fraction, False, np.random.RandomState(0))


def test_each_class_must_be_in_both_parts():
    targets = np.array([[True]] + 39 * [[False]])
    with pytest.raises(ValueError, match="The least populated class"):
        split_for_validation(data(40, targets), 0.1, True, np.random.RandomState(0))


def test_the_engine_accepts_the_data():
    assert data(7).n_samples == data(7).dataset().n_samples == 7
