"""Callbacks of sklearn.callback, and functions, for both estimators, alone and in pipelines."""

import pickle
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from comparing import error_of
from cymlp import MLPClassifier, MLPRegressor
from cymlp._estimators import callbacks
from in_workers import leave_a_file

callback = pytest.importorskip(
    "sklearn.callback", reason="scikit-learn has no callbacks before 1.9"
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PARAMS = {"hidden_layer_sizes": 5, "max_iter": 4, "random_state": 0}
ESTIMATORS = [
    MLPClassifier(solver="adam", **PARAMS),
    MLPClassifier(solver="lbfgs", **PARAMS),
    MLPRegressor(solver="sgd", **PARAMS),
]


@pytest.fixture(params=ESTIMATORS, ids=repr)
def estimator(request):
    return clone(request.param)


@pytest.fixture
def data(digits):
    X, y = digits
    return X[:200], y[:200] % 2


class Recorder:
    """Records its calls; it may stop the fit or raise an exception at an epoch."""

    def __init__(self, stop_at=None, raise_at=None):
        self.stop_at, self.raise_at = stop_at, raise_at
        self.events, self.fitted = [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.events.append(f"end {context.task_name} {context.task_id}")
        if context.task_name == "epoch" and fitted_estimator is not None:
            self.fitted.append((fitted_estimator, X, y, metadata))
            if context.task_id == self.raise_at:
                raise RuntimeError("the callback raised")
            return context.task_id == self.stop_at
        return False


def test_one_task_per_epoch(estimator, data):
    X, y = data
    recorder = Recorder()
    estimator.set_callbacks(recorder).fit(X, y, sample_weight=np.ones(200))
    expected = [f"{when} epoch {i}" for i in range(estimator.n_iter_) for when in ("begin", "end")]
    assert recorder.events == ["setup", "begin fit 0", *expected, "end fit 0", "teardown"]
    assert len(recorder.fitted) == estimator.n_iter_
    for fitted, X_seen, y_seen, metadata in recorder.fitted:
        assert X_seen is X
        assert y_seen is y
        assert list(metadata) == ["sample_weight"]
        assert fitted.predict(X).shape == y.shape
    last = recorder.fitted[-1][0]
    assert_array_equal(last.coefs_[0], estimator.coefs_[0])
    assert np.abs(recorder.fitted[0][0].coefs_[0] - last.coefs_[0]).max() > 1e-6


def test_callbacks_change_no_number(estimator, data):
    X, y = data
    with_callback = estimator.set_callbacks(Recorder()).fit(X, y).coefs_
    without = estimator.set_callbacks().fit(X, y).coefs_
    for a, b in zip(with_callback, without, strict=True):
        assert_array_equal(a, b)


def test_true_stops_the_fit(estimator, data):
    X, y = data
    estimator.set_callbacks(Recorder(stop_at=1)).fit(X, y)
    assert estimator.n_iter_ == 2
    assert estimator.predict(X).shape == y.shape


def test_an_exception_leaves_a_usable_model(estimator, data):
    X, y = data
    recorder = Recorder(raise_at=1)
    with pytest.raises(RuntimeError, match="the callback raised"):
        estimator.set_callbacks(recorder).fit(X, y)
    assert recorder.events[-1] == "teardown"
    assert estimator.n_iter_ == 2
    assert estimator.predict(X).shape == y.shape
    assert not [name for name in vars(estimator) if "callback" in name and "ctx" in name]


def test_snapshots_with_early_stopping_have_the_best_weights(data):
    X, y = data
    recorder = Recorder()
    estimator = MLPClassifier(
        5, early_stopping=True, learning_rate_init=0.3, max_iter=15, random_state=0, tol=0
    )
    estimator.set_callbacks(recorder).fit(X, y)
    best = int(np.argmax(estimator.validation_scores_))
    for fitted, *_ in recorder.fitted[best:]:
        assert_array_equal(fitted.coefs_[0], estimator.coefs_[0])


def test_scoring_monitor(estimator, data):
    X, y = data
    scoring = "accuracy" if isinstance(estimator, MLPClassifier) else "r2"
    monitor = callback.ScoringMonitor(scoring=scoring)
    estimator.set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    rows = [row for row in rows if scoring in row]
    assert len(rows) == estimator.n_iter_
    assert_allclose(rows[-1][scoring], estimator.score(X, y))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_in_a_pipeline_in_a_grid_search(n_jobs, data, capsys):
    """Callbacks set on the outermost estimator reach the inner one."""
    pytest.importorskip("rich")
    X, y = data
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=5, max_iter=3))
    search = GridSearchCV(pipeline, {"mlpregressor__alpha": [0.1, 1.0]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "MLPRegressor" in capsys.readouterr().out

    monitor = callback.ScoringMonitor(scoring="r2")
    pipeline.named_steps["mlpregressor"].set_callbacks(monitor)
    pipeline.fit(X, y)
    assert len([row for row in monitor.get_logs().data if row["task_name"] == "epoch"]) == 3


def test_without_callbacks_nothing_is_set_up(data, monkeypatch):
    """Not even a callback context."""
    X, y = data
    monkeypatch.setattr(MLPClassifier, "_init_callback_context", None)
    MLPClassifier(5, max_iter=2).fit(X, y)


CALLS = []


def append_epoch(estimator, epoch):
    """A callback at the top level of a module, so that it can be pickled."""
    CALLS.append((type(estimator).__name__, epoch, estimator.n_iter_))


class TestFunctions:
    """Plain functions (estimator, epoch)."""

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_called_after_each_epoch(self, estimator, early_stopping, data):
        X, y = data
        seen = []

        def look(estimator, epoch):
            history = estimator.history_
            loss = history["loss"][-1]
            seen.append((epoch, estimator.n_iter_, len(history["loss"]), loss, estimator.loss_))
            assert history["val_score"][-1] == pytest.approx(estimator.score(X, y))

        estimator.set_params(early_stopping=early_stopping)
        without = clone(estimator).fit(X, y, X_val=X, y_val=y)
        assert estimator.set_callbacks(look) is estimator
        estimator.fit(X, y, X_val=X, y_val=y)
        assert [call[:3] for call in seen] == [(i, i, i) for i in range(1, estimator.n_iter_ + 1)]
        assert all(loss == loss_ for *_, loss, loss_ in seen)
        for a, b in zip(estimator.coefs_, without.coefs_, strict=True):
            assert_array_equal(a, b)

    @pytest.mark.parametrize("stop", [True, np.True_, 1])
    def test_true_stops_the_fit(self, stop, data):
        estimator = clone(ESTIMATORS[0]).set_callbacks(lambda _, epoch: epoch == 2 and stop)
        assert estimator.fit(*data).n_iter_ == 2

    @pytest.mark.parametrize("exception", [RuntimeError, SystemExit])
    def test_an_exception_leaves_a_usable_model(self, estimator, exception, data):
        def prune(estimator, epoch):
            if epoch == 2:
                raise exception("pruned")

        with pytest.raises(exception, match="pruned"):
            estimator.set_callbacks(prune).fit(*data)
        assert estimator.n_iter_ == 2
        assert estimator.predict(data[0]).shape == data[1].shape

    def test_order_and_mix_with_scikit_learns_callbacks(self, data):
        order = []
        recorder = Recorder()
        recorder.on_fit_task_end = lambda estimator, context: order.append("object")
        estimator = MLPClassifier(5, max_iter=2)
        estimator.set_callbacks(
            lambda _, epoch: order.append(f"first {epoch}"),
            recorder,
            lambda _, epoch: order.append(f"last {epoch}"),
        ).fit(*data)
        assert order == ["first 1", "object", "last 1", "first 2", "object", "last 2", "object"]

    def test_in_a_pipeline(self, data):
        CALLS.clear()
        mlp = MLPClassifier(5, max_iter=3).set_callbacks(append_epoch)
        make_pipeline(StandardScaler(), mlp).fit(*data)
        assert CALLS == [("MLPClassifier", 1, 1), ("MLPClassifier", 2, 2), ("MLPClassifier", 3, 3)]

    def test_in_a_search(self, data, tmp_path):
        """Callbacks run in the workers."""
        mlp = MLPClassifier(5, max_iter=2).set_callbacks(partial(leave_a_file, tmp_path))
        search = GridSearchCV(mlp, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2, refit=False)
        search.fit(*data)
        calls = sorted(path.name[:5] for path in tmp_path.iterdir())
        assert calls == sorted(2 * ["0.1-1", "0.1-2", "1.0-1", "1.0-2"])

    def test_with_a_callback_of_the_whole_search(self, data, capsys):
        pytest.importorskip("rich")
        CALLS.clear()
        mlp = MLPClassifier(5, max_iter=2).set_callbacks(append_epoch)
        search = GridSearchCV(mlp, {"alpha": [1.0]}, cv=2)
        search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(*data)
        assert [epoch for _, epoch, _ in CALLS] == [1, 2, 1, 2, 1, 2]

    def test_clone_and_pickle_keep_callbacks(self, data):
        CALLS.clear()
        mlp = MLPClassifier(5, max_iter=1).set_callbacks(append_epoch)
        clone(mlp).fit(*data)
        pickle.loads(pickle.dumps(mlp)).fit(*data)
        assert len(CALLS) == 2
        mlp.set_callbacks().fit(*data)
        assert len(CALLS) == 2

    def test_not_called_after_an_interrupted_epoch(self, data):
        class Interrupt:
            def __call__(self, step, total):
                if step == 5:
                    raise KeyboardInterrupt
                return 1.0

        epochs = []
        mlp = MLPClassifier(5, batch_size=50, learning_rate=Interrupt(), max_iter=3)
        mlp.set_callbacks(lambda _, epoch: epochs.append(epoch))
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            mlp.fit(*data)
        assert epochs == [1]

    @pytest.mark.parametrize(
        "wrong", [3, None, callback.ProgressBar, Recorder], ids=["3", "None", "a class of theirs",
                                                                "a class"],
    )  # fmt: skip
    def test_neither_function_nor_callback(self, wrong):
        with pytest.raises(TypeError, match=r"functions \(estimator, epoch\) or .*FitCallback"):
            MLPClassifier().set_callbacks(append_epoch, wrong)


def test_older_scikit_learn_has_no_callbacks(monkeypatch, data):
    monkeypatch.setattr(callbacks, "FitCallback", None)
    assert not hasattr(MLPClassifier(), "set_callbacks")
    error = error_of(lambda: MLPClassifier().set_callbacks(print))
    assert "set_callbacks needs scikit-learn 1.9 or later" in str(error.__cause__)
    MLPClassifier(5, max_iter=2).fit(*data)
