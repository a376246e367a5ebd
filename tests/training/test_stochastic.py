"""Training by mini-batches against a loop in NumPy, without estimators."""

import math
from itertools import count

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows, TrainingData
from cymlp._training.report import Ending, TrainingState
from cymlp._training.stochastic import StochasticTraining
from cymlp._training.validation import ValidationSet
from cymlp.schedules import CosineDecay, ExponentialDecay, LinearDecay, OneCycle, StepDecay

N, BATCH = 23, 5  # 4 mini-batches of 5, and one of 3
PER_EPOCH = 5
SIZES = np.array([5, 5, 5, 5, 3])
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 3))
Y = rng.standard_normal((N, 2))
W = np.linspace(0.5, 2, N)
START = rng.standard_normal(8)


def config(**values):
    """Plain SGD, whose updates are easy to compute, with unlimited patience."""
    plain = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1, "batch_size": BATCH}
    forever = {"max_iter": 4, "tol": 0.0, "n_iter_no_change": np.inf}
    return TrainingConfig("identity", "squared_error", **plain | forever | values)


class Training(StochasticTraining):
    """The training of a linear network that starts at START, and its reports."""

    def __init__(self, *, rows=None, start=START, weights=None, validates=False, seed=0,
                 options=None, **values):  # fmt: skip
        self.network = Network((3, 2), start.copy())
        self.epochs, self.after = [], []
        self.random_state = np.random.RandomState(seed)
        data = TrainingData(X, Y, 2, weights)
        super().__init__(
            config(**values), self.network, Rows(data, rows), self.random_state,
            validation_set=ValidationSet(Rows(data, np.arange(4))) if validates else None,
            **options or {},
        )  # fmt: skip

    def run(self, stops=lambda epoch: False, begin_epoch=lambda: None):
        def report(epoch):
            self.epochs.append(epoch)
            self.after.append(self.network.parameters.copy())
            return stops(epoch)

        self.outcome = super().run(report, begin_epoch)
        return self

    @property
    def parameters(self):
        return self.network.parameters

    @property
    def losses(self):
        return [epoch.loss for epoch in self.epochs]

    def recorded(self, name):
        return np.array([record[name] for epoch in self.epochs for record in epoch.records])


def by_numpy(n_epochs, *, rows=None, weights=None, shuffle=True, seed=0, rate=lambda step: 0.1):
    """Parameters after these epochs, and the mean loss of each mini-batch."""
    parameters, random_state = START.copy(), np.random.RandomState(seed)
    W_, b = parameters[:6].reshape(3, 2), parameters[6:]
    order = np.arange(N) if rows is None else rows
    w = np.ones(N) if weights is None else weights
    steps, losses = count(), []
    for _ in range(n_epochs):
        if shuffle:
            permutation = np.arange(len(order))
            random_state.shuffle(permutation)
            order = order[permutation]
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            residuals = X[batch] @ W_ + b - Y[batch]
            losses.append(w[batch] @ (residuals**2).mean(axis=1) / 2 / w[batch].sum())
            D = w[batch, None] * residuals / w[batch].sum()
            step = rate(next(steps))
            W_ -= step * (X[batch].T @ D)
            b -= step * D.sum(axis=0)
    return parameters, np.array(losses)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("rows", [None, np.arange(19, 0, -2)], ids=["all", "some"])
def test_each_mini_batch_is_an_update(rows, weights, shuffle):
    """Each epoch's order is a permutation of the previous one's."""
    task = Training(rows=rows, weights=weights, shuffle=shuffle).run()
    expected, losses = by_numpy(4, rows=rows, weights=weights, shuffle=shuffle)
    assert_allclose(task.parameters, expected)
    if weights is None and rows is None:
        of_epochs = np.average(losses.reshape(4, PER_EPOCH), axis=1, weights=SIZES)
        assert_allclose(task.losses, of_epochs)
    assert task.optimizer.n_updates == 4 * (PER_EPOCH if rows is None else 2)


def test_reports():
    task = Training().run()
    n = np.arange(1, 5)
    assert_array_equal([epoch.number for epoch in task.epochs], n)
    assert_array_equal([epoch.state.n_samples_seen for epoch in task.epochs], N * n)
    assert_array_equal(task.recorded("n_updates"), PER_EPOCH * n)
    assert_array_equal(task.recorded("loss"), task.losses)
    assert_array_equal(task.recorded("learning_rate"), 0.1)
    assert (task.recorded("seconds") > 0).all()
    assert all(epoch.best_parameters is None and not epoch.message for epoch in task.epochs)
    assert task.epochs[-1].state.best == min(task.losses)
    assert (task.outcome.ending, task.outcome.n_epochs) == (Ending.EPOCHS, 4)
    assert task.outcome.loss == task.losses[-1]
    assert task.outcome.records == []


def test_all_rows_in_one_batch_are_read_in_order():
    """Identical results, shuffled or not; the generator is advanced either way."""
    in_order, shuffled = (Training(batch_size=N, shuffle=s).run() for s in (False, True))
    assert_array_equal(in_order.parameters, shuffled.parameters)
    assert shuffled.random_state.randint(2**30) != in_order.random_state.randint(2**30)


def test_a_schedule_spans_max_iter_not_n_epochs():
    totals = []
    task = Training(n_epochs=1, learning_rate=lambda step, total: totals.append(total) or 1).run()
    assert task.outcome.n_epochs == 1
    assert totals == [4 * PER_EPOCH] * PER_EPOCH


class TestEnding:
    def test_the_report_may_stop_it(self):
        task = Training().run(stops=lambda epoch: epoch.number == 2)
        assert (task.outcome.ending, task.outcome.n_epochs) == (Ending.REPORT, 2)
        assert_allclose(task.parameters, by_numpy(2)[0])

    def test_without_progress(self):
        task = Training(tol=100.0, n_iter_no_change=1).run()
        assert (task.outcome.ending, task.outcome.n_epochs) == (Ending.CONVERGED, 3)
        assert task.epochs[-1].message == (
            "Training loss did not improve more than tol=100.000000 for 1 consecutive epochs. "
            "Stopping."
        )

    def test_an_adaptive_rate_continues(self):
        task = Training(
            tol=100.0, n_iter_no_change=1, learning_rate="adaptive", max_iter=6
        ).run()  # fmt: skip
        assert_allclose(task.recorded("learning_rate"), [0.1, 0.1, 0.1, 0.02, 0.02, 0.004])
        slower = [epoch.number for epoch in task.epochs if epoch.message]
        assert slower == [3, 5]

    def test_ctrl_c_keeps_the_last_update(self):
        """And the records of the interrupted epoch."""
        steps = []

        def schedule(step, total):
            steps.append(step)
            if step == 8:
                raise KeyboardInterrupt
            return 1.0

        task = Training(learning_rate=schedule, record_every=1).run()
        assert (task.outcome.ending, task.outcome.n_epochs) == (Ending.INTERRUPTED, 1)
        assert_array_equal([record["n_updates"] for record in task.outcome.records], [6, 7, 8])
        assert task.optimizer.n_updates == 8

    def test_other_exceptions_propagate(self):
        task = Training()
        with pytest.raises(RuntimeError, match="now"):
            task.run(begin_epoch=lambda: _raise(RuntimeError("now")))
        assert_array_equal(task.parameters, START)
        assert not task.has_updated

    def test_divergence(self):
        task = Training(learning_rate_init=1e200, max_iter=10**9).run()
        assert task.outcome.ending is Ending.CONVERGED
        assert task.outcome.n_epochs < 20
        assert not task.network.is_finite()

    def test_all_weights_are_0(self):
        for every in (None, 2):
            with pytest.raises(ValueError, match="Nothing was trained"):
                Training(weights=np.zeros(N), record_every=every).run()


def _raise(error):
    raise error


class TestEarlyStopping:
    def test_it_returns_to_the_best(self):
        """The learning rate is so high that the loss grows after a few epochs."""
        task = Training(validates=True, early_stopping=True, learning_rate_init=0.8, max_iter=12)
        task.run()
        scores = [epoch.validation_score for epoch in task.epochs]
        best = int(np.argmax(scores))
        assert best < 11
        assert_array_equal(task.parameters, task.after[best])
        last = task.epochs[-1]
        assert (last.state.best, last.state.best_iteration) == (scores[best], best + 1)
        assert_array_equal(last.best_parameters, task.parameters)
        assert_array_equal(task.recorded("val_loss"), np.negative(scores))

    @pytest.mark.parametrize("interrupts", [KeyboardInterrupt, RuntimeError])
    def test_also_after_an_exception(self, interrupts):
        task, began = Training(validates=True, early_stopping=True, learning_rate_init=0.8), []

        def begin_epoch():
            began.append(True)
            if len(began) == 4:
                raise interrupts

        if interrupts is KeyboardInterrupt:
            task.run(begin_epoch=begin_epoch)
        else:
            with pytest.raises(interrupts):
                task.run(begin_epoch=begin_epoch)
        best = int(np.argmax([epoch.validation_score for epoch in task.epochs]))
        assert_array_equal(task.parameters, task.after[best])

    def test_best_score_of_an_earlier_training(self):
        """If no epoch beats it, its parameters are restored."""
        state = TrainingState(best=1e9)
        options = {"state": state, "best_parameters": START}
        task = Training(validates=True, early_stopping=True, options=options).run()
        assert_array_equal(task.parameters, START)
        assert task.epochs[-1].state.best_iteration is None

    @pytest.mark.parametrize("every", [2, 1000])
    def test_every_epoch_is_validated_whatever_is_recorded(self, every):
        plain, recorded = (
            Training(validates=True, early_stopping=True, record_every=n).run()
            for n in (None, every)
        )
        assert [epoch.validation_score for epoch in recorded.epochs] == [
            epoch.validation_score for epoch in plain.epochs
        ]


class TestContinuing:
    @pytest.mark.parametrize(
        "values",
        [{"solver": "adam"}, {"momentum": 0.9}, {"learning_rate": "invscaling"},
         {"learning_rate": LinearDecay()}, {"record_every": 3}],
        ids=str,
    )  # fmt: skip
    def test_two_plus_two_epochs_equal_four(self, values):
        values |= {"shuffle": False}
        whole = Training(**values).run()
        first = Training(**values, n_epochs=2).run()
        options = {"optimizer": first.optimizer, "state": first.epochs[-1].state}
        second = Training(**values, n_epochs=2, start=first.parameters, options=options).run()
        assert second.optimizer is first.optimizer
        assert_array_equal(second.parameters, whole.parameters)
        assert second.epochs[-1].state == whole.epochs[-1].state
        updates = np.r_[first.recorded("n_updates"), second.recorded("n_updates")]
        assert_array_equal(updates, whole.recorded("n_updates"))

    def test_an_optimizer_of_other_sizes_is_not_used(self):
        other = Training(solver="adam").optimizer
        other.state = other.state[:, :5]
        assert Training(solver="adam", options={"optimizer": other}).optimizer is not other

    def test_has_updated(self):
        task = Training(solver="adam")
        assert not task.has_updated
        task.run()
        assert task.has_updated
        assert not Training(solver="adam", options={"optimizer": task.optimizer}).has_updated


class TestRecordEvery:
    @pytest.mark.parametrize("every", [1, 2, 3, 5, 7, 1000])
    def test_records_are_means_of_mini_batches_across_epochs(self, every):
        task = Training(record_every=every).run()
        _, losses = by_numpy(4)
        ends = np.arange(every, 4 * PER_EPOCH + 1, every)
        assert_array_equal(task.recorded("n_updates"), ends)
        rows = np.tile(SIZES, 4)
        expected = [
            np.average(losses[end - every : end], weights=rows[end - every : end]) for end in ends
        ]
        assert_allclose(task.recorded("loss"), expected)
        plain = Training().run()
        assert_array_equal(task.parameters, plain.parameters)
        assert_allclose(task.losses, plain.losses, rtol=1e-12)

    @pytest.mark.parametrize("values", [{"solver": "adam", "dropout": ()}, {"momentum": 0.9}])
    def test_records_do_not_affect_training(self, values):
        """Neither does the score on the training rows."""
        plain = Training(**values).run()
        recorded = Training(**values, record_every=2, record_train_score=True).run()
        assert_array_equal(plain.parameters, recorded.parameters)

    @pytest.mark.parametrize("every", [0, -3])
    def test_unchecked_values_count_as_1(self, every):
        assert len(Training(record_every=every).run().recorded("loss")) == 20

    @pytest.mark.parametrize("every", [None, 1, 2])
    def test_mini_batches_of_weight_0_are_ignored(self, every):
        weights = np.r_[np.zeros(2 * BATCH), np.ones(N - 2 * BATCH)]
        task = Training(
            weights=weights, shuffle=False, record_every=every, record_train_score=True
        ).run()
        without = Training(rows=np.arange(2 * BATCH, N), shuffle=False).run()
        assert_array_equal(task.parameters, without.parameters)
        assert_allclose(task.losses, without.losses)
        assert (task.recorded("loss") != 0).all()  # NaN if no mini-batch has weight


def linear_decay(step, total):
    return 1 - step / total


class TestSchedules:
    @pytest.mark.parametrize(
        "schedule",
        [linear_decay, LinearDecay(0.1), CosineDecay(warmup_steps=3), ExponentialDecay(0.5, 4),
         StepDecay(5, 0.5), OneCycle()],
        ids=lambda schedule: getattr(schedule, "__name__", repr(schedule)),
    )  # fmt: skip
    def test_each_update_uses_its_rate(self, schedule):
        """A record has the rate of the last update before it."""
        for every in (None, 3):
            task = Training(learning_rate=schedule, record_every=every).run()
            expected, _ = by_numpy(4, rate=lambda step: 0.1 * schedule(step, 20))
            assert_allclose(task.parameters, expected)
            rates = [0.1 * schedule(int(n) - 1, 20) for n in task.recorded("n_updates")]
            assert_allclose(task.recorded("learning_rate"), rates, rtol=1e-12)

    @pytest.mark.parametrize("values", [{"solver": "adam"}, {"momentum": 0.9}, {}], ids=str)
    def test_factor_1_equals_a_constant_rate(self, values):
        constant = Training(**values).run()
        for rate, factor in ((0.1, 1), (0.2, np.float32(0.5))):
            task = Training(
                **values, learning_rate=lambda step, total, f=factor: f, learning_rate_init=rate
            ).run()
            assert_array_equal(task.parameters, constant.parameters)

    def test_it_is_called_once_per_update(self):
        calls = []
        Training(
            learning_rate=lambda *call: calls.append(call) or 1.0, tol=100.0, n_iter_no_change=1,
            max_iter=50,
        ).run()  # fmt: skip
        assert calls == [(step, 50 * PER_EPOCH) for step in range(3 * PER_EPOCH)]

    def test_a_bad_factor(self):
        task = Training(learning_rate=lambda step, total: np.nan if step > 6 else 1.0)
        with pytest.raises(ValueError, match=r"learning rate.* at step 7 of 20"):
            task.run()


TARGETS = {
    "two classes": (rng.random((N, 1)) < 0.4, 1, "logistic", "log_loss"),
    "labels": (rng.random((N, 3)) < 0.4, 3, "logistic", "log_loss"),
    "classes": (rng.integers(0, 3, N).astype(np.intc), 3, "softmax", "log_loss"),
    "number": (Y[:, :1].copy(), 1, "identity", "squared_error"),
    "numbers": (Y, 2, "identity", "squared_error"),
    "counts": (np.round(np.abs(Y)), 2, "exp", "poisson"),
    "huber": (Y, 2, "identity", "huber"),
    "absolute error": (Y, 2, "identity", "absolute_error"),
    "quantile": (Y, 2, "identity", "quantile"),
}


@pytest.mark.parametrize(
    "dtype, n_jobs, weights",
    [(np.float64, 1, W**3), (np.float32, 2, None)],
    ids=["float64, weighted", "float32, two threads"],
)
@pytest.mark.parametrize("kind", TARGETS)
def test_the_score_on_the_training_rows_is_that_of_the_network(kind, dtype, n_jobs, weights):
    """The parameters hardly change; for the whole epoch and for each mini-batch."""
    targets, n_outputs, output_activation, loss = TARGETS[kind]
    is_number = targets.dtype.kind == "f"
    data = TrainingData(
        X.astype(dtype), targets.astype(dtype) if is_number else targets, n_outputs,
        None if weights is None else weights.astype(dtype),
    )  # fmt: skip
    network = Network((3, n_outputs), np.linspace(-0.2, 0.3, 4 * n_outputs).astype(dtype))
    Z = X @ network.coefs[0] + network.intercepts[0]
    if is_number:
        score, predicted = r2_score, np.exp(Z) if loss == "poisson" else Z
    else:
        score, predicted = accuracy_score, Z.argmax(axis=1) if targets.ndim == 1 else Z > 0
    for every, parts in (
        (None, [slice(0, N)]),
        (1, [slice(start, start + BATCH) for start in range(0, N, BATCH)]),
    ):
        training = StochasticTraining(
            TrainingConfig(
                output_activation, loss, loss_parameter=0.7, solver="sgd", momentum=0.0,
                learning_rate_init=1e-12, batch_size=BATCH, shuffle=False, max_iter=1,
                record_train_score=True, record_every=every, n_jobs=n_jobs,
            ),
            network, Rows(data), np.random.RandomState(0),
        )  # fmt: skip
        records = []
        training.run(lambda epoch, records=records: records.extend(epoch.records))
        expected = [
            score(targets[part], predicted[part], sample_weight=None if weights is None else
                  weights[part])
            for part in parts
        ]  # fmt: skip
        assert_allclose(
            [record["train_score"] for record in records], expected,
            rtol=1e-3 if dtype == np.float32 else 1e-7, atol=1e-6,
        )  # fmt: skip


def test_dropout_masks_depend_on_the_generator():
    """Equal seeds give equal masks; without dropout nothing is drawn."""

    def trained(seed, dropout):
        network = Network((3, 6, 2), np.linspace(-1, 1, 38))
        random_state = np.random.RandomState(seed)
        data = TrainingData(X, Y, 2)
        task = StochasticTraining(
            config(dropout=dropout, shuffle=False), network, Rows(data), random_state
        )
        task.run()
        return network.parameters, random_state.randint(2**30)

    one, same, other, none = (trained(s, d) for s, d in ((0, (0.5,)), (0, (0.5,)), (1, (0.5,)),
                                                         (0, (0.0,))))  # fmt: skip
    assert_array_equal(one[0], same[0])
    assert np.abs(one[0] - other[0]).max() > 1e-3
    assert np.abs(one[0] - none[0]).max() > 1e-3
    assert none[1] == np.random.RandomState(0).randint(2**30) != one[1]


def test_no_loss_yet():
    task = Training()

    def begin_epoch():
        raise KeyboardInterrupt

    task.run(begin_epoch=begin_epoch)
    assert (task.outcome.ending, task.outcome.n_epochs) == (Ending.INTERRUPTED, 0)
    assert math.isnan(task.outcome.loss)


class TestTrainingScore:
    """It is computed from the forward passes of the updates."""

    @staticmethod
    def score(rows=None, dropout=()):
        network = Network((3, 6, 2), np.linspace(-1, 1, 38))
        task = StochasticTraining(
            config(
                dropout=dropout, learning_rate_init=1e-12, record_train_score=True, max_iter=1,
                activation="identity",
            ),
            network, Rows(TrainingData(X, Y, 2), rows), np.random.RandomState(0),
        )  # fmt: skip
        records = []
        task.run(lambda epoch: records.extend(epoch.records))
        return records[0]["train_score"], network.outputs(X, "identity", "identity")

    def test_only_training_rows(self):
        rows = np.array([3, 1, 20, 7, 11, 2, 9])
        score, Z = self.score(rows)
        assert_allclose(score, r2_score(Y[rows], Z[rows]))

    def test_with_dropout(self):
        score, Z = self.score(dropout=(0.5,))
        assert abs(score - r2_score(Y, Z)) > 0.01
