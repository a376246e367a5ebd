"""Rows of data given by indices, and the split into training and held-out rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import train_test_split

from cymlp._network.row_source import SlicedRows
from cymlp._training.data import (
    Rows,
    TrainingData,
    split_blocks_for_validation,
    split_for_validation,
)
from small import Sliced


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


class TestBlocks:
    """Data that are read by slices."""

    def split(self, n, fraction, chunk=10, window_rows=1280, seed=0):
        source = SlicedRows(Sliced(data(n).X, chunks=(chunk, 2)), "X", window_rows)
        whole, scored = (
            TrainingData(source, np.arange(n)[:, np.newaxis] + 0.5, 1, weights)
            for weights in (None, np.arange(1.0, n + 1))
        )
        return split_blocks_for_validation(whole, scored, fraction, np.random.RandomState(seed))

    @pytest.mark.parametrize("n, fraction", [(100, 0.1), (95, 0.25), (95, 0.97), (1000, 0.013)])
    def test_a_run_of_each_block_is_held_out(self, n, fraction):
        train, held_out = self.split(n, fraction)
        assert len(held_out) == math.ceil(fraction * n)
        numbers = []
        for rows in (train, held_out):
            own = rows.data.X[:][:, 0] / 2
            assert_array_equal(rows.data.targets[:, 0], own + 0.5)
            numbers.append(own.astype(int))
        assert train.data.weights is None
        assert_array_equal(held_out.data.weights, numbers[1] + 1)
        assert_array_equal(np.sort(np.concatenate(numbers)), np.arange(n))
        for start in range(0, n, 10):
            run = numbers[1][(numbers[1] >= start) & (numbers[1] < start + 10)]
            assert abs(len(run) - fraction * min(10, n - start)) <= 1
            assert (np.diff(run) == 1).all()

    def test_the_places_are_drawn(self):
        first, again, other = (self.split(1000, 0.1, seed=seed)[1] for seed in (0, 0, 1))
        assert_array_equal(first.data.targets, again.data.targets)
        places = first.data.targets[:, 0] - 0.5
        assert len(np.unique(places % 10)) > 5
        assert (first.data.targets != other.data.targets).any()

    def test_the_blocks_of_the_parts_are_those_of_the_data(self):
        train, held_out = self.split(100, 0.2)
        assert_array_equal(train.data.X.blocks(8 * 128), np.arange(0, 81, 8))
        assert_array_equal(held_out.data.X.blocks(2 * 128), np.arange(0, 21, 2))

    @pytest.mark.parametrize("n, fraction", [(40, 0.0), (10, 0.1)])
    def test_at_least_two_rows_are_held_out(self, n, fraction):
        with pytest.raises(ValueError, match="The validation set is too small"):
            self.split(n, fraction)
