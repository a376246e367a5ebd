"""Ctrl-C, and other signals whose handlers raise, in the middle of compiled code."""

import signal
import threading

import numpy as np
import pytest

from cymlp import MLPClassifier, MLPRegressor, _engine

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this platform has no interval timer"
)


@pytest.fixture
def signal_soon(monkeypatch):
    """Call it to have a signal 0.2 s after the engine is first called.

    Its handler raises the given exception.
    """
    before = signal.getsignal(signal.SIGALRM)

    def soon(exception):
        armed = [True]

        def handler(number, frame):
            raise exception

        def starting_the_timer(function):
            def timed(*args, **kwargs):
                if armed:
                    armed.pop()
                    signal.setitimer(signal.ITIMER_REAL, 0.2)
                return function(*args, **kwargs)

            return timed

        signal.signal(signal.SIGALRM, handler)
        for name in ("train", "loss_gradient", "predict"):
            monkeypatch.setattr(_engine, name, starting_the_timer(getattr(_engine, name)))

    yield soon
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def long_epoch():
    """Data that one epoch takes many seconds for."""
    X = np.random.default_rng(0).standard_normal((30_000, 200))
    return X, X[:, 0] > 0


LONG = {"hidden_layer_sizes": (2_000, 2_000), "random_state": 0}
CASES = {
    "plain sgd, in place": {"solver": "sgd", "momentum": 0, "batch_size": 1},
    "adam, small batches": {"batch_size": 50},
    "adam, one large batch": {"batch_size": 30_000},
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_the_model_stays_usable(params, long_epoch, signal_soon):
    X, y = long_epoch
    estimator = MLPClassifier(**LONG, **params)
    signal_soon(KeyboardInterrupt)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        estimator.fit(X, y)
    assert estimator.n_iter_ <= 1
    assert np.isfinite(estimator.predict_proba(X[:10])).all()
    if params.get("solver") != "lbfgs":
        estimator.set_params(batch_size=2).partial_fit(X[:10], y[:10])
        assert np.isfinite(estimator.predict_proba(X[:10])).all()


def test_early_stopping_returns_to_the_best(signal_soon):
    X = np.random.default_rng(0).standard_normal((400, 20))
    estimator = MLPRegressor(
        hidden_layer_sizes=300, max_iter=10**6, n_iter_no_change=10**6, early_stopping=True,
        random_state=0, learning_rate_init=0.01,
    )  # fmt: skip
    signal_soon(KeyboardInterrupt)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        estimator.fit(X, X[:, 0] ** 2)
    best = int(np.argmax(estimator.validation_scores_))
    assert best < estimator.n_iter_
    again = MLPRegressor(**estimator.get_params()).set_params(max_iter=best + 1)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        again.fit(X, X[:, 0] ** 2)
    np.testing.assert_allclose(estimator.coefs_[0], again.coefs_[0], rtol=1e-6)


@pytest.mark.parametrize("method", ["fit", "predict_proba"])
def test_another_exception_goes_through(method, long_epoch, signal_soon):
    X, y = long_epoch
    estimator = MLPClassifier(**LONG, max_iter=1)
    arguments = (X, y)
    if method == "predict_proba":
        estimator.partial_fit(X[:10], y[:10], classes=[False, True])
        arguments = (np.vstack([X] * 3),)
    signal_soon(TimeoutError("too slow"))
    with pytest.raises(TimeoutError, match="too slow"):
        getattr(estimator, method)(*arguments)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_threads_go_on_meanwhile(long_epoch):
    """The engine does not hold the interpreter's lock."""
    X, y = long_epoch
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1

    other = threading.Thread(target=count, daemon=True)
    other.start()
    try:
        MLPClassifier(**LONG, batch_size=50, max_iter=1).fit(X[:1000], y[:1000])
    finally:
        done.set()
        other.join()
    assert counted[0] > 10_000
