"""Ctrl-C, and other signals whose handlers raise exceptions, during compiled code."""

import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from cymlp import MLPClassifier, MLPRegressor, _engine
from cymlp._engine import threads

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this platform has no interval timer"
)


@pytest.fixture
def signal_soon(monkeypatch):
    """A function that sends a signal 0.2 s after the engine is first called.

    The signal's handler raises the given exception.
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
    """Data so large that one epoch takes many seconds."""
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
def test_other_exceptions_propagate(method, long_epoch, signal_soon):
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
def test_other_threads_keep_running(long_epoch):
    """The engine releases the interpreter's lock."""
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


@pytest.fixture
def small_model():
    """A model whose calls use a team of two, its data, and SciPy's BLAS with two threads."""
    X = np.random.default_rng(0).standard_normal((400, 70))
    libraries = threads._scipy_blas()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        threads._set_threads(library, 2)
    if not libraries or any(library.get_num_threads() != 2 for library in libraries):
        pytest.skip("this BLAS does not let its threads be set")
    yield MLPClassifier((32,), max_iter=2, n_jobs=2).fit(X, X[:, 0] > 0), X, libraries
    for library, n in zip(libraries, before, strict=True):
        threads._set_threads(library, n)


@pytest.fixture
def alarm():
    """A function that sets the handler of SIGALRM; the timer is stopped at the end."""
    before = signal.getsignal(signal.SIGALRM)
    yield lambda function: signal.signal(signal.SIGALRM, function)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("uses_blas", [False, True])
@pytest.mark.parametrize("method", ["predict", "fit", "partial_fit"])
def test_interrupted_calls_leave_nothing_behind(monkeypatch, small_model, alarm, method, uses_blas):
    """Whenever Ctrl-C comes: no thread, no team, no limit on BLAS's threads."""
    monkeypatch.setattr(_engine, "USES_BLAS", uses_blas)
    model, X, libraries = small_model
    arguments = (X,) if method == "predict" else (X, X[:, 0] > 0)
    n_threads = _os_threads()
    alarm(signal.default_int_handler)
    random_state = np.random.RandomState(0)
    start = time.perf_counter()
    getattr(model, method)(*arguments)
    seconds = 1.5 * (time.perf_counter() - start)
    interrupted = 0
    for _ in range(250):
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", UserWarning)
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + random_state.uniform(0, seconds))
                getattr(model, method)(*arguments)
                signal.setitimer(signal.ITIMER_REAL, 0)
            interrupted += any("interrupted by user" in str(one.message) for one in warned)
        except KeyboardInterrupt:
            interrupted += 1
        assert not _engine.AT_WORK and not threads._blas.runs
        assert all(library.get_num_threads() == 2 for library in libraries)
    assert interrupted > 0
    deadline = time.monotonic() + 10  # the last team's threads may still be ending
    while n_threads < _os_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _os_threads() <= n_threads
    assert np.isfinite(model.predict_proba(X)).all()


def _os_threads():
    """Number of threads of this process, Python's and others; 0 if the system does not say."""
    folder = Path("/proc/self/task")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


_PREDICTING_HANDLER = """
import signal
import numpy as np
from cymlp import MLPClassifier, _engine
from cymlp._engine import threads

def set_threads(*arguments):
    if not found:
        signal.raise_signal(signal.SIGALRM)
    original(*arguments)

_engine.USES_BLAS = True
X = np.random.default_rng(0).standard_normal((400, 70))
model = MLPClassifier((32,), max_iter=2, n_jobs=2).fit(X, X[:, 0] > 0)
expected = model.predict_proba(X)
found = []

def predict(*of_the_signal):
    found.append(True)
    found.append(np.array_equal(model.predict_proba(X), expected))

signal.signal(signal.SIGALRM, predict)
original, threads._set_threads = threads._set_threads, set_threads
assert np.array_equal(model.predict_proba(X), expected)
assert len(found) >= 2 and all(found)
"""


def test_a_signal_handler_may_predict():
    """Even if the signal comes while BLAS's threads are being set for a prediction."""
    command = [sys.executable, "-W", "ignore", "-c", _PREDICTING_HANDLER]
    assert subprocess.run(command, timeout=110, check=False).returncode == 0


def test_partial_fit_warns_too(long_epoch, signal_soon):
    X, y = long_epoch
    estimator = MLPClassifier(**LONG, batch_size=50)
    signal_soon(KeyboardInterrupt)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        estimator.partial_fit(X, y, classes=[False, True])
    assert np.isfinite(estimator.predict_proba(X[:10])).all()
