"""history_: what a fit records; and what it prints meanwhile."""

import builtins
import copy
import pickle
import warnings

import numpy as np
import pandas
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score

from cymlp import MLPClassifier, MLPRegressor
from cymlp.schedules import LinearDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 230  # 4 mini-batches of 50, and one of 30
BATCH = 50
PER_EPOCH = 5
N_EPOCHS = 4
ALWAYS = ["n_updates", "loss", "learning_rate", "seconds"]

KINDS = ("binary", "multiclass", "multilabel", "numbers", "several outputs", "counts")


@pytest.fixture
def problem(digits, kind):
    """An estimator, X and y of this kind."""
    X, y = digits[0][:N], digits[1][:N]
    numbers = X[:, 20] - X[:, 43] + y / 10
    targets = {
        "binary": y > 4,
        "multiclass": y,
        "multilabel": np.c_[y % 2, y > 4, y % 3 == 0].astype(int),
        "numbers": numbers,
        "several outputs": np.c_[numbers, 3 * X[:, 11] - 1],
        "counts": y.astype(float),
    }[kind]
    if kind in KINDS[:3]:
        return classifier(), X, targets
    return regressor(loss="poisson" if kind == "counts" else "squared_error"), X, targets


@pytest.fixture
def few_digits(digits):
    return digits[0][:N], digits[1][:N]


PARAMS = {
    "hidden_layer_sizes": 12, "max_iter": N_EPOCHS, "random_state": 0, "batch_size": BATCH,
    "learning_rate_init": 0.01,
}  # fmt: skip


def classifier(**params):
    return MLPClassifier(**PARAMS | params)


def regressor(**params):
    return MLPRegressor(**PARAMS | params)


def assert_same_parameters(a, b):
    for mine, yours in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        assert_array_equal(mine, yours)


def assert_same_history(a, b, but=("seconds",)):
    assert a.keys() == b.keys()
    for name in a.keys() - set(but):
        assert_array_equal(a[name], b[name])


KIND = pytest.mark.parametrize("kind", KINDS)
SOLVER = pytest.mark.parametrize("solver", ["sgd", "adam"])


class TestEpochs:
    @SOLVER
    @KIND
    @pytest.mark.parametrize(
        "params, more",
        [
            ({}, []),
            ({"record_train_score": True}, ["train_score"]),
            ({"early_stopping": True}, ["val_loss", "val_score"]),
            (
                {"early_stopping": True, "record_train_score": True},
                ["val_loss", "val_score", "train_score"],
            ),
        ],
        ids=["plain", "train_score", "early_stopping", "both"],
    )
    def test_keys_and_lengths(self, problem, solver, params, more):
        estimator, X, y = problem
        estimator.set_params(solver=solver, **params).fit(X, y)
        history = estimator.history_
        assert list(history) == ALWAYS + more
        for values in history.values():
            assert values.shape == (N_EPOCHS,)
            assert np.isfinite(values).all()
        n_batches = PER_EPOCH if "early_stopping" not in params else 5  # 207 rows
        assert_array_equal(history["n_updates"], n_batches * np.arange(1, N_EPOCHS + 1))
        assert_array_equal(history["loss"], estimator.loss_curve_)
        assert_array_equal(history["learning_rate"], 0.01)
        assert (history["seconds"] > 0).all()

    def test_data_frame(self, few_digits):
        estimator = classifier(record_train_score=True).fit(*few_digits)
        frame = pandas.DataFrame(estimator.history_)
        assert frame.shape == (N_EPOCHS, 5)
        assert_array_equal(frame["loss"], estimator.loss_curve_)

    def test_a_property_of_fitted_estimators(self, few_digits):
        estimator = classifier()
        assert not hasattr(estimator, "history_")
        with pytest.raises(AttributeError, match=r"MLPClassifier has no history_ before"):
            _ = estimator.history_
        estimator.fit(*few_digits)
        with pytest.raises(AttributeError):
            estimator.history_ = {}
        estimator.history_["loss"][:] = 7  # a copy
        assert_array_equal(estimator.history_["loss"], estimator.loss_curve_)

    def test_no_history_after_a_failed_fit(self, few_digits):
        X, y = few_digits
        estimator = classifier()
        with pytest.raises(ValueError):
            estimator.fit(X, y[1:])
        assert not hasattr(estimator, "history_")
        estimator.fit(X, y)
        with pytest.raises(ValueError):
            estimator.fit(X, y[1:])
        assert_array_equal(estimator.history_["loss"], estimator.loss_curve_)
        assert len(estimator.loss_curve_) == N_EPOCHS

    def test_stopped_early(self, few_digits):
        """As many entries as epochs."""
        estimator = classifier(tol=10.0, n_iter_no_change=1).fit(*few_digits)
        assert estimator.n_iter_ == 3
        assert len(estimator.history_["loss"]) == 3

    @pytest.mark.parametrize("schedule", ["invscaling", "adaptive"])
    def test_learning_rate_of_sgd_by_name(self, few_digits, schedule):
        estimator = classifier(
            solver="sgd", learning_rate=schedule, tol=10.0, n_iter_no_change=1, max_iter=6
        ).fit(*few_digits)
        if schedule == "invscaling":
            expected = [0.01, *(0.01 / np.sqrt(N * np.arange(1, estimator.n_iter_) + 1))]
        else:  # divided by 5 after the epochs in which there was no progress twice in a row
            expected = [0.01, 0.01, 0.01, 0.002, 0.002, 0.0004]
        assert_allclose(estimator.history_["learning_rate"], expected)

    @SOLVER
    @pytest.mark.parametrize("record_every", [None, 1, 3])
    def test_learning_rate_of_a_schedule(self, few_digits, solver, record_every):
        """That of the last update before the record."""
        estimator = classifier(
            solver=solver, learning_rate=LinearDecay(end_factor=0.1), record_every=record_every
        ).fit(*few_digits)
        total = N_EPOCHS * PER_EPOCH
        steps = np.arange(record_every or PER_EPOCH, total + 1, record_every or PER_EPOCH)
        assert_array_equal(estimator.history_["n_updates"], steps)
        expected = 0.01 * LinearDecay(end_factor=0.1)(steps - 1, total)
        assert_allclose(estimator.history_["learning_rate"], expected, rtol=1e-12)


class TestRecordEvery:
    @SOLVER
    @pytest.mark.parametrize("every", [1, 2, 3, 5, 7, 11])
    def test_multiples_across_epochs(self, few_digits, solver, every):
        estimator = classifier(solver=solver, record_every=every).fit(*few_digits)
        expected = np.arange(every, N_EPOCHS * PER_EPOCH + 1, every)
        assert_array_equal(estimator.history_["n_updates"], expected)
        for values in estimator.history_.values():
            assert values.shape == expected.shape
            assert np.isfinite(values).all()

    @SOLVER
    @KIND
    @pytest.mark.parametrize("every", [1, 3])
    def test_weights_do_not_depend_on_it(self, problem, solver, every):
        """Bit by bit, dropout and all."""
        estimator, X, y = problem
        estimator.set_params(solver=solver, dropout=0.2, l1_ratio=0.5, clip_norm=1.0)
        plain = clone(estimator).fit(X, y)
        estimator.set_params(record_every=every, record_train_score=True).fit(X, y)
        assert_same_parameters(estimator, plain)
        assert_allclose(estimator.loss_curve_, plain.loss_curve_, rtol=1e-12)

    @pytest.mark.parametrize("params", [{"shuffle": False}, {"early_stopping": True}])
    def test_weights_in_other_orders_of_rows(self, few_digits, params):
        plain = classifier(**params).fit(*few_digits)
        estimator = classifier(record_every=3, **params).fit(*few_digits)
        assert_same_parameters(estimator, plain)
        assert estimator.validation_scores_ == plain.validation_scores_

    @SOLVER
    @KIND
    def test_their_mean_is_that_of_the_epoch(self, problem, solver):
        """Of the losses of each mini-batch, weighted with their rows; the last one has 30."""
        estimator, X, y = problem
        estimator.set_params(solver=solver, record_every=1).fit(X, y)
        losses = estimator.history_["loss"].reshape(N_EPOCHS, PER_EPOCH)
        rows = np.array([BATCH] * 4 + [N - 4 * BATCH])
        assert_allclose(losses @ rows / N, estimator.loss_curve_, rtol=1e-12)
        assert np.ptp(losses[0]) > 1e-3

    @pytest.mark.parametrize("every", [2, 3, 7])
    def test_records_are_means_of_mini_batches(self, few_digits, every):
        """Also across the ends of epochs."""
        single = classifier(record_every=1, record_train_score=True).fit(*few_digits).history_
        estimator = classifier(record_every=every, record_train_score=True).fit(*few_digits)
        rows = np.tile([BATCH] * 4 + [N - 4 * BATCH], N_EPOCHS)
        for name in ("loss", "train_score"):
            expected = [
                np.average(single[name][end - every : end], weights=rows[end - every : end])
                for end in estimator.history_["n_updates"].astype(int)
            ]
            assert_allclose(estimator.history_[name], expected, rtol=1e-10)

    def test_none_is_the_epoch(self, few_digits):
        estimator = classifier(record_every=PER_EPOCH, record_train_score=True).fit(*few_digits)
        epochs = classifier(record_train_score=True).fit(*few_digits)
        assert_same_history(estimator.history_, epochs.history_)

    def test_longer_than_the_fit(self, few_digits):
        """No record, but a fitted estimator."""
        estimator = classifier(record_every=1000).fit(*few_digits)
        assert all(len(values) == 0 for values in estimator.history_.values())
        assert len(estimator.loss_curve_) == N_EPOCHS

    def test_partial_fit_counts_on(self, few_digits):
        """Every third mini-batch, whichever call it comes in."""
        X, y = few_digits
        estimator = classifier(record_every=3)
        for _ in range(3):
            estimator.partial_fit(X, y, classes=range(10))
        assert_array_equal(estimator.history_["n_updates"], [3, 6, 9, 12, 15])

    @pytest.mark.parametrize("make", [classifier, regressor])
    @pytest.mark.parametrize("every", [None, 1, 2])
    def test_mini_batches_without_weight(self, few_digits, make, every):
        """They are skipped, and no reason to fail; where there are others, they do not count."""
        X, y = few_digits
        weights = np.r_[np.zeros(2 * BATCH), np.ones(N - 2 * BATCH)]
        estimator = make(shuffle=False, record_every=every, record_train_score=True)
        estimator.fit(X, y.astype(float), weights)
        plain = make(shuffle=False).fit(X[2 * BATCH :], y[2 * BATCH :].astype(float))
        assert_same_parameters(estimator, plain)
        assert (estimator.history_["loss"] != 0).all()  # NaN, if there is none
        if every is None:
            assert_allclose(estimator.history_["loss"], plain.history_["loss"])


def score_of_every_batch(estimator, X, y, weights):
    """The score on all rows, as if the weights did not move."""
    if isinstance(estimator, MLPClassifier):
        return accuracy_score(y, estimator.predict(X), sample_weight=weights)
    return r2_score(y, estimator.predict(X), sample_weight=weights)


class TestTrainScore:
    @KIND
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_accuracy_or_r2(self, problem, weighted, dtype):
        """Of weights that hardly move, it is the score of the final model."""
        estimator, X, y = problem
        weights = np.random.default_rng(0).random(N) ** 2 if weighted else None
        # Somewhere in training, that predictions are neither hopeless nor perfect.
        estimator.set_params(max_iter=10, warm_start=True).fit(X.astype(dtype), y)
        estimator.set_params(max_iter=2, solver="sgd", learning_rate_init=1e-12)
        estimator.set_params(record_train_score=True).fit(X.astype(dtype), y, weights)
        expected = score_of_every_batch(estimator, X.astype(dtype), y, weights)
        assert 0.05 < expected < 1
        rtol = 1e-7 if dtype == np.float64 else 1e-4
        assert_allclose(estimator.history_["train_score"][-2:], expected, rtol=rtol)

    @KIND
    def test_of_every_mini_batch(self, problem):
        estimator, X, y = problem
        estimator.set_params(max_iter=10, warm_start=True).fit(X, y)
        estimator.set_params(
            max_iter=1, solver="sgd", learning_rate_init=1e-12, shuffle=False, record_every=1,
            record_train_score=True,
        ).fit(X, y)  # fmt: skip
        rows = [slice(start, start + BATCH) for start in range(0, N, BATCH)]
        expected = [score_of_every_batch(estimator, X[part], y[part], None) for part in rows]
        assert_allclose(estimator.history_["train_score"][-PER_EPOCH:], expected, rtol=1e-7)

    @pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
    def test_other_losses(self, few_digits, loss):
        X, y = few_digits
        Y = np.c_[y, 3.0 * y % 7]
        quantile = 0.4 if loss == "quantile" else None
        estimator = regressor(loss=loss, quantile=quantile, warm_start=True, max_iter=40).fit(X, Y)
        estimator.set_params(max_iter=1, learning_rate_init=1e-12, record_train_score=True)
        estimator.fit(X, Y)
        assert_allclose(estimator.history_["train_score"][-1], r2_score(Y, estimator.predict(X)))

    def test_constant_output(self, few_digits):
        """As r2_score has it: 0 for that output."""
        X, y = few_digits
        Y = np.c_[y / 10, np.full(N, 3.0)]
        estimator = regressor(warm_start=True, max_iter=10).fit(X, Y)
        estimator.set_params(max_iter=1, learning_rate_init=1e-12, record_train_score=True)
        estimator.fit(X, Y)
        assert_allclose(estimator.history_["train_score"][-1], r2_score(Y, estimator.predict(X)))

    def test_it_learns(self, few_digits):
        """Told on the way, it lags behind the score after the epoch."""
        X, y = few_digits
        estimator = classifier(record_train_score=True, max_iter=15).fit(X, y)
        scores = estimator.history_["train_score"]
        assert scores[-1] > scores[0] + 0.3
        models = [classifier(max_iter=n).fit(X, y) for n in range(1, 6)]
        assert (scores[:5] < [model.score(X, y) for model in models]).all()

    def test_rows_held_out_are_not_in_it(self, few_digits):
        X, y = few_digits
        flags = np.zeros(N)
        estimator = classifier(early_stopping=True, record_train_score=True, max_iter=1)
        n_train = estimator.fit(X, y, flags + 1).t_
        hits = estimator.history_["train_score"][0] * n_train
        assert n_train == 207
        assert_allclose(hits, round(hits), atol=1e-9)

    def test_dropout_is_included(self, few_digits):
        X, y = few_digits
        estimator = classifier(max_iter=20, warm_start=True).fit(X, y)
        estimator.set_params(
            max_iter=1, learning_rate_init=1e-12, record_train_score=True, dropout=0.7
        ).fit(X, y)
        assert estimator.history_["train_score"][-1] < estimator.score(X, y) - 0.1

    @KIND
    def test_two_threads(self, problem):
        estimator, X, y = problem
        estimator.set_params(hidden_layer_sizes=80, record_train_score=True)
        one = clone(estimator).set_params(n_jobs=1).fit(X, y)
        two = clone(estimator).set_params(n_jobs=2).fit(X, y)
        assert_allclose(one.history_["train_score"], two.history_["train_score"], rtol=1e-9)
        assert_allclose(one.history_["loss"], two.history_["loss"], rtol=1e-9)

    def test_weights_do_not_depend_on_it(self, few_digits):
        plain = classifier().fit(*few_digits)
        assert_same_parameters(classifier(record_train_score=True).fit(*few_digits), plain)


class TestLater:
    """What later fits make of the history, and what becomes of it elsewhere."""

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_warm_start_appends(self, few_digits, solver):
        estimator = classifier(solver=solver, warm_start=True, max_iter=3).fit(*few_digits)
        first = estimator.history_
        estimator.fit(*few_digits)
        assert len(estimator.history_["loss"]) == 6
        for name, values in first.items():
            assert_array_equal(estimator.history_[name][:3], values)

    def test_partial_fit_appends(self, few_digits):
        X, y = few_digits
        estimator = classifier().fit(X, y).partial_fit(X, y).partial_fit(X, y)
        assert_array_equal(estimator.history_["n_updates"], PER_EPOCH * np.arange(1, N_EPOCHS + 3))
        assert_array_equal(estimator.history_["loss"], estimator.loss_curve_)

    def test_new_fit_starts_afresh(self, few_digits):
        X, y = few_digits
        estimator = classifier(record_train_score=True).fit(X, y)
        estimator.set_params(max_iter=2, record_train_score=False).fit(X, y)
        assert list(estimator.history_) == ALWAYS
        assert len(estimator.history_["loss"]) == 2

    def test_quantities_that_come_and_go(self, few_digits):
        X, y = few_digits
        estimator = classifier(max_iter=2, warm_start=True).fit(X, y)
        estimator.set_params(record_train_score=True).fit(X, y)
        assert_array_equal(np.isnan(estimator.history_["train_score"]), [True] * 2 + [False] * 2)

    def test_solver_changes(self, few_digits):
        X, y = few_digits
        estimator = classifier(max_iter=2, warm_start=True).fit(X, y)
        estimator.set_params(solver="lbfgs").fit(X, y)
        assert_array_equal(np.isnan(estimator.history_["n_updates"]), [False] * 2 + [True] * 2)
        assert np.isfinite(estimator.history_["loss"]).all()

    @pytest.mark.parametrize(
        "copied",
        [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))],
        ids=["deepcopy", "pickle"],
    )
    def test_copies_have_a_history_of_their_own(self, few_digits, copied):
        X, y = few_digits
        estimator = classifier(record_train_score=True).fit(X, y)
        before = estimator.history_
        twin = copied(estimator)
        assert_same_history(twin.history_, before, but=())
        twin.partial_fit(X, y)
        assert len(twin.history_["loss"]) == N_EPOCHS + 1
        assert_same_history(estimator.history_, before, but=())

    def test_clone_has_none(self, few_digits):
        estimator = classifier(record_every=3, record_train_score=True).fit(*few_digits)
        cloned = clone(estimator)
        assert not hasattr(cloned, "history_")
        assert cloned.get_params() == estimator.get_params()
        assert_same_history(cloned.fit(*few_digits).history_, estimator.history_)


class TestLbfgs:
    @KIND
    def test_history(self, problem):
        estimator, X, y = problem
        estimator.set_params(solver="lbfgs", max_iter=6).fit(X, y)
        history = estimator.history_
        assert list(history) == ["loss", "seconds"]
        assert len(history["loss"]) == estimator.n_iter_ == 6
        assert (np.diff(history["loss"]) < 0).all()
        assert_allclose(history["loss"][-1], estimator.loss_)
        for n in (1, 3):
            estimator.set_params(max_iter=n).fit(X, y)
            assert_allclose(history["loss"][n - 1], estimator.loss_, rtol=1e-9)


def printed(estimator, X, y, capsys):
    """What a fit writes to stdout and stderr."""
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    return capsys.readouterr()


class TestVerbose:
    CASES = pytest.mark.parametrize(
        "params",
        [
            {"max_iter": 3},
            {"max_iter": 3, "solver": "sgd"},
            {"max_iter": 3, "early_stopping": True},
            {"tol": 10.0, "n_iter_no_change": 1},
            {"tol": 10.0, "n_iter_no_change": 1, "early_stopping": True},
            {"tol": 10.0, "n_iter_no_change": 1, "solver": "sgd", "learning_rate": "adaptive",
             "learning_rate_init": 1e-5},
        ],
        ids=str,
    )  # fmt: skip

    @CASES
    @pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
    @pytest.mark.parametrize("verbose", [True, 10])
    def test_lines_are_those_of_scikit_learn(self, few_digits, capsys, name, params, verbose):
        params = PARAMS | params | {"verbose": verbose}
        ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**params)
        theirs = getattr(sklearn.neural_network, name)(**params)
        expected = printed(theirs, *few_digits, capsys).out
        assert "Iteration 1, loss = " in expected
        assert printed(ours, *few_digits, capsys) == (expected, "")

    def test_silence(self, few_digits, capsys):
        for verbose in (False, 0):
            estimator = classifier(verbose=verbose, early_stopping=True, tol=10.0)
            assert printed(estimator, *few_digits, capsys) == ("", "")

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_bar(self, few_digits, capsys, solver, early_stopping):
        pytest.importorskip("tqdm")
        estimator = classifier(verbose=2, solver=solver, early_stopping=early_stopping)
        out, err = printed(estimator, *few_digits, capsys)
        assert "Iteration" not in out + err
        assert f"{N_EPOCHS}/{N_EPOCHS}" in err
        assert f"loss={estimator.loss_:.6g}" in err
        shown = early_stopping and solver == "adam"
        assert ("score=" in err) == shown
        if shown:
            assert f"score={estimator.validation_scores_[-1]:.6g}" in err

    def test_bar_and_why_it_stopped(self, few_digits, capsys):
        pytest.importorskip("tqdm")
        out, err = printed(classifier(verbose=2, tol=10.0, n_iter_no_change=1), *few_digits, capsys)
        assert "Training loss did not improve more than tol=10.000000 for 1 cons" in out + err
        assert f"3/{N_EPOCHS}" in err

    def test_lines_without_tqdm(self, few_digits, capsys, monkeypatch):
        original = builtins.__import__

        def without_tqdm(name, *args, **kwargs):
            if name.partition(".")[0] == "tqdm":
                raise ImportError("no tqdm here")
            return original(name, *args, **kwargs)

        expected = printed(classifier(verbose=1), *few_digits, capsys)
        monkeypatch.setattr(builtins, "__import__", without_tqdm)
        assert printed(classifier(verbose=2), *few_digits, capsys) == expected
        assert expected.out.count("Iteration") == N_EPOCHS
