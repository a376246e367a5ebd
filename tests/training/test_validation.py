"""The Evaluator: loss and score of a network on a validation set, against NumPy."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import log_softmax

from cymlp._network.network import Network
from cymlp._training import validation
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows, TrainingData
from cymlp._training.validation import Evaluator, ValidationSet

N = 23
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 4))
Y = rng.standard_normal((N, 2))
CLASSES = rng.integers(0, 3, N).astype(np.intc)
WEIGHTS = np.linspace(0, 2, N)
SOME = np.array([20, 3, 7, 7, 11])


def network(n_outputs, dtype=np.float64):
    return Network((4, n_outputs), np.linspace(-1, 1, 5 * n_outputs).astype(dtype))


def outputs(net):
    return X @ net.coefs[0] + net.intercepts[0]


def evaluated(net, config, rows, **values):
    return Evaluator(net, config, ValidationSet(rows, **values)).evaluate(None)


NUMBERS = TrainingConfig("identity", "squared_error")
LABELS = TrainingConfig("softmax", "log_loss")


@pytest.mark.parametrize("slice_bytes", [10**6, 50])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("indices", [None, SOME], ids=["all", "some"])
class TestLoss:
    """Over all rows, however many are evaluated at a time."""

    def loss(self, losses, indices, weights):
        rows = slice(None) if indices is None else indices
        return np.average(losses[rows], weights=None if weights is None else weights[rows])

    def test_half_the_squared_error(self, indices, weights, slice_bytes, monkeypatch):
        monkeypatch.setattr(validation, "SLICE_BYTES", slice_bytes)
        rows = Rows(TrainingData(X, Y, 2, weights), indices)
        net = network(2)
        result = evaluated(net, NUMBERS, rows)
        losses = ((outputs(net) - Y) ** 2).mean(axis=1) / 2
        assert_allclose(result.loss, self.loss(losses, indices, weights))

    def test_cross_entropy(self, indices, weights, slice_bytes, monkeypatch):
        monkeypatch.setattr(validation, "SLICE_BYTES", slice_bytes)
        rows = Rows(TrainingData(X, CLASSES, 3, weights), indices)
        net = network(3)
        result = evaluated(net, LABELS, rows)
        losses = -log_softmax(outputs(net), axis=1)[np.arange(N), CLASSES]
        assert_allclose(result.loss, self.loss(losses, indices, weights))


@pytest.mark.parametrize("slice_bytes", [10**6, 50])
def test_the_score_gets_the_decoded_outputs_of_all_rows(slice_bytes, monkeypatch):
    """The output activation is applied."""
    monkeypatch.setattr(validation, "SLICE_BYTES", slice_bytes)
    seen = []

    def score(predictions):
        seen.append(predictions)
        return 0.75

    net = network(3)
    rows = Rows(TrainingData(X, CLASSES, 3), SOME)
    result = evaluated(net, LABELS, rows, score=score, decode=lambda P: 2 * P, watches_loss=False)
    assert result.score == result.watched == 0.75
    expected = 2 * np.exp(log_softmax(outputs(net)[SOME], axis=1))
    assert_allclose(seen[0], expected)


def test_without_decode_the_score_gets_none():
    seen = []
    rows = Rows(TrainingData(X, Y, 2))
    result = evaluated(
        network(2), NUMBERS, rows, score=lambda given: seen.append(given) or 0.5, watches_loss=True
    )
    assert seen == [None]
    assert result.score == 0.5


def test_the_negative_loss_is_watched():
    result = evaluated(network(2), NUMBERS, Rows(TrainingData(X, Y, 2)))
    assert math.isnan(result.score)
    assert result.watched == -result.loss < 0


def test_no_penalties_or_dropout():
    """The loss is that of the network in predictions."""
    rows = Rows(TrainingData(X, Y, 2))
    net = Network((4, 3, 2), np.linspace(-1, 1, 23))
    trained = TrainingConfig("identity", "squared_error", dropout=(0.5,), l2=(9.0, 9.0), l1=(1, 1))
    assert evaluated(net, trained, rows).loss == evaluated(net, NUMBERS, rows).loss


def test_current_parameters_are_used_and_not_changed():
    net = network(2)
    evaluator = Evaluator(net, NUMBERS, ValidationSet(Rows(TrainingData(X, Y, 2))))
    evaluator.evaluate(None)
    net.parameters[...] = 0
    assert_allclose(evaluator.evaluate(None).loss, (Y**2).mean() / 2)
    assert_array_equal(net.parameters, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_equal_dense_rows(dtype):
    S = np.where(X > 0, X, 0).astype(dtype)
    dense, sparse = (
        evaluated(network(3, dtype), LABELS, Rows(TrainingData(form(S), CLASSES, 3), SOME))
        for form in (np.asarray, csr_array)
    )
    assert_allclose(dense.loss, sparse.loss, rtol=1e-6 if dtype == np.float32 else 1e-12)
