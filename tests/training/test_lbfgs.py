"""L-BFGS on problems with a known minimum, without estimators."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows, TrainingData
from cymlp._training.lbfgs import LbfgsTraining
from cymlp._training.report import Ending
from cymlp._training.validation import ValidationSet

N = 40
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 3))
Y = X @ rng.standard_normal((3, 1)) + 0.1 * rng.standard_normal((N, 1))


def training(dtype=np.float64, validation_set=None, weights=None, **values):
    """The training of a linear network that starts at 0, and the network."""
    network = Network((3, 1), np.zeros(4, dtype))
    config = TrainingConfig("identity", "squared_error", solver="lbfgs", **values)
    data = TrainingData(X.astype(dtype), Y.astype(dtype), 1, weights)
    return LbfgsTraining(config, network, data, validation_set=validation_set), network


@pytest.mark.parametrize("alpha", [0.0, 5.0])
@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, N)], ids=["plain", "weighted"])
def test_it_ends_at_the_minimum(weights, alpha):
    """The minimum is that of ridge regression without a penalty on the intercept."""
    task, network = training(weights=weights, l2=(alpha,), tol=1e-9)
    outcome = task.run()
    assert outcome.ending is Ending.CONVERGED
    w = np.ones(N) if weights is None else weights
    A = np.c_[X, np.ones(N)]
    penalty = np.diag([alpha, alpha, alpha, 0.0])
    expected = np.linalg.solve(A.T @ (w[:, None] * A) + penalty, A.T @ (w[:, None] * Y))
    assert_allclose(network.coefs[0], expected[:3], rtol=1e-4, atol=1e-6)
    assert_allclose(network.intercepts[0], expected[3], rtol=1e-4, atol=1e-6)
    residuals = A @ expected - Y
    loss = (w @ residuals[:, 0] ** 2 + alpha * (expected[:3] ** 2).sum()) / (2 * w.sum())
    assert_allclose(outcome.loss, loss, rtol=1e-6)


def test_each_iteration_is_an_epoch():
    """Each is reported once, after its parameters have been set, and the loss falls."""
    task, network = training()
    seen, began = [], []

    def report(epoch):
        seen.append((epoch, network.parameters.copy()))

    outcome = task.run(report, lambda: began.append(True))
    assert [epoch.number for epoch, _ in seen] == list(range(1, outcome.n_epochs + 1))
    assert (np.diff([epoch.loss for epoch, _ in seen]) < 0).all()
    assert len(began) >= len(seen)
    assert seen[-1][0].loss == outcome.loss
    assert_array_equal(seen[-1][1], network.parameters)
    for epoch, parameters in seen:
        (record,) = epoch.records
        assert record["loss"] == epoch.loss
        assert record["seconds"] > 0
        assert epoch.state is None and epoch.validation_score is None
        net = Network((3, 1), parameters)
        residuals = X @ net.coefs[0] + net.intercepts[0] - Y
        assert_allclose(epoch.loss, (residuals**2).mean() / 2)


def test_too_few_iterations():
    task, network = training(max_iter=2)
    outcome = task.run()
    assert (outcome.ending, outcome.n_epochs) == (Ending.FAILED, 2)
    assert outcome.message.startswith("(status=1):\n")
    assert network.parameters.any()


def test_too_few_evaluations():
    outcome = training(max_fun=1)[0].run()
    assert outcome.ending is Ending.FAILED
    assert "EVALUATIONS" in outcome.message


def test_the_report_may_stop_it():
    task, network = training()
    parameters = []

    def report(epoch):
        parameters.append(network.parameters.copy())
        return epoch.number == 2

    outcome = task.run(report)
    assert (outcome.ending, outcome.n_epochs) == (Ending.REPORT, 2)
    assert_array_equal(network.parameters, parameters[-1])


@pytest.mark.parametrize("exception", [KeyboardInterrupt, RuntimeError])
def test_an_exception_keeps_the_parameters_of_the_last_iteration(exception):
    task, network = training()
    after = []

    def report(epoch):
        after.append((network.parameters.copy(), epoch.loss))
        return False

    def begin_epoch():
        if len(after) == 2:
            raise exception("now")

    if exception is KeyboardInterrupt:
        outcome = task.run(report, begin_epoch)
        assert (outcome.ending, outcome.n_epochs) == (Ending.INTERRUPTED, 2)
        assert outcome.loss == after[1][1]
    else:
        with pytest.raises(RuntimeError, match="now"):
            task.run(report, begin_epoch)
    assert_array_equal(network.parameters, after[1][0])


def test_interrupted_before_the_first_iteration():
    def begin_epoch():
        raise KeyboardInterrupt

    outcome = training()[0].run(begin_epoch=begin_epoch)
    assert (outcome.ending, outcome.n_epochs) == (Ending.INTERRUPTED, 0)
    assert math.isnan(outcome.loss)


def test_each_iteration_is_validated():
    held_out = ValidationSet(Rows(TrainingData(X[:9], Y[:9], 1)))
    task, network = training(validation_set=held_out)
    epochs = []
    task.run(epochs.append)
    residuals = X[:9] @ network.coefs[0] + network.intercepts[0] - Y[:9]
    last = epochs[-1]
    assert_allclose(last.records[0]["val_loss"], (residuals**2).mean() / 2)
    assert last.validation_score == -last.records[0]["val_loss"]
    assert math.isnan(last.records[0]["val_score"])


def test_in_float32():
    """SciPy computes in float64, the network in its own dtype."""
    task, network = training(np.float32)
    task.run()
    exact, expected = training()
    exact.run()
    assert network.parameters.dtype == np.float32
    assert_allclose(network.parameters, expected.parameters, rtol=1e-2, atol=1e-3)
