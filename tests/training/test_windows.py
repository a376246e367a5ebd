"""The windows of an epoch, their order, and trainings by windows, without estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from cymlp._network.network import Network
from cymlp._network.row_source import SlicedRows
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows, TrainingData
from cymlp._training.lbfgs import LbfgsTraining
from cymlp._training.stochastic import StochasticTraining
from cymlp._training.validation import Evaluator, ValidationSet
from cymlp._training.windows import OneWindow, Parts, ReadWindows, windows_of
from small import Sliced

N, BATCH = 103, 8
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 3))
Y = rng.standard_normal((N, 2))
WEIGHTS = np.linspace(0, 2, N)


def sliced(window_rows, form=np.asarray, weights=None, chunk=5):
    source = SlicedRows(Sliced(X, lambda _, rows: form(rows), chunks=(chunk, 3)), "X", window_rows)
    return TrainingData(source, Y, 2, weights)


def order_by_numpy(random_state, window_rows, chunk=5):
    """The rows of each window of an epoch, in the order that they are visited in."""
    edges = np.append(np.arange(0, N, chunk), N)
    blocks = random_state.permutation(len(edges) - 1)
    sequence = np.concatenate([np.arange(edges[i], edges[i + 1]) for i in blocks])
    return [
        random_state.permutation(sequence[start : start + window_rows])
        for start in range(0, N, window_rows)
    ]


class TestOrder:
    @pytest.mark.parametrize("window_rows, used", [(40, 40), (39, 32), (3, 8)])
    def test_blocks_and_then_the_rows_of_a_window_are_permuted(self, window_rows, used):
        """A window is at least a mini-batch, and a multiple of it."""
        windows = windows_of(Rows(sliced(window_rows)), BATCH, np.random.RandomState(3))
        random_state = np.random.RandomState(3)
        for _ in range(2):
            seen = list(windows.epoch())
            expected = order_by_numpy(random_state, used)
            assert [window.is_last for window in seen] == [False] * (len(expected) - 1) + [True]
            for window, rows in zip(seen, expected, strict=True):
                assert window.n_rows == len(rows)
                assert_array_equal(window.in_all_data(window.order), rows)

    def test_in_order(self):
        windows = windows_of(Rows(sliced(40)), BATCH, None)
        seen = list(windows.epoch())
        assert all(window.order is None for window in seen)
        assert_array_equal(
            np.concatenate([window.in_all_data(None) for window in seen]), np.arange(N)
        )

    def test_data_in_memory_are_one_window(self):
        windows = windows_of(Rows(TrainingData(X, Y, 2)), BATCH, np.random.RandomState(3))
        assert isinstance(windows, OneWindow)
        random_state, order = np.random.RandomState(3), np.arange(N)
        for _ in range(2):
            (window,) = windows.epoch()
            order = order[random_state.permutation(N)]
            assert_array_equal(window.order, order)
            assert window.in_all_data(window.order) is window.order and window.is_last


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
class TestTraining:
    def trained(self, rows, weights, seed=0, start=None, **values):
        """A training of one epoch."""
        network = Network((3, 2), np.linspace(-1, 1, 8) if start is None else start.copy())
        plain = {"solver": "adam", "learning_rate_init": 0.1, "batch_size": BATCH, "max_iter": 1}
        training = StochasticTraining(
            TrainingConfig("identity", "squared_error", **plain | values),
            network, rows, np.random.RandomState(seed),
        )  # fmt: skip
        epochs = []
        training.run(epochs.append)
        return network.parameters, epochs[-1]

    def test_it_visits_the_rows_in_this_order(self, form, weights):
        """The same numbers as of the rows in memory, in that order."""
        values = {"record_every": 3, "record_train_score": True}
        parameters, epoch = self.trained(Rows(sliced(40, form, weights)), weights, **values)
        rows = np.concatenate(order_by_numpy(np.random.RandomState(0), 40))
        whole = Rows(TrainingData(form(X), Y, 2, weights), rows)
        expected, in_memory = self.trained(whole, weights, shuffle=False, **values)
        assert_array_equal(parameters, expected)
        assert_allclose(epoch.loss, in_memory.loss, rtol=1e-13)
        assert epoch.state.n_samples_seen == N
        for mine, theirs in zip(epoch.records, in_memory.records, strict=True):
            mine, theirs = (record | {"seconds": 0} for record in (mine, theirs))
            assert_allclose(list(mine.values()), list(theirs.values()), rtol=1e-12)

    def test_lbfgs(self, form, weights):
        """The same as in memory to rounding; a window with weights of 0 counts for nothing."""
        if weights is not None:
            weights = weights.copy()
            weights[30:60] = 0
        config = TrainingConfig("identity", "squared_error", solver="lbfgs", l2=(0.3,), tol=1e-9)
        results = []
        for data in (sliced(30, form, weights), TrainingData(form(X), Y, 2, weights)):
            network = Network((3, 2), np.linspace(-1, 1, 8))
            outcome = LbfgsTraining(config, network, data).run()
            results.append((network.parameters, outcome.loss))
        for mine, theirs in zip(*results, strict=True):
            assert_allclose(mine, theirs, rtol=1e-9)

    def test_evaluation(self, form, weights):
        network = Network((3, 2), np.linspace(-1, 1, 8))
        config = TrainingConfig("identity", "squared_error")
        predictions, results = [], []
        for data in (sliced(30, form, weights), TrainingData(form(X), Y, 2, weights)):
            validation_set = ValidationSet(
                Rows(data), lambda p: predictions.append(p) or 0.5, lambda outputs: outputs
            )
            results.append(Evaluator(network, config, validation_set).evaluate(None))
        assert_allclose(*results, rtol=1e-13)
        assert_allclose(*predictions, rtol=1e-13)


def test_parts_of_data():
    data = TrainingData(X, Y, 2)
    assert list(Parts(data).read()) == [data] and Parts(data).most_rows == N
    parts = Parts(sliced(40, weights=WEIGHTS))
    assert parts.most_rows == 40
    rows = [slice(0, 40), slice(40, 80), slice(80, N)]
    for part, rows_ in zip(parts.read(), rows, strict=True):
        assert_array_equal(part.X, X[rows_])
        assert_array_equal(part.targets, Y[rows_])
        assert_array_equal(part.weights, WEIGHTS[rows_])


def test_the_example_is_like_the_windows():
    for form in (np.asarray, csr_array):
        windows = ReadWindows(sliced(40, form), BATCH, None)
        first = next(windows.epoch())
        assert windows.example.n_features == first.dataset.n_features == 3
