"""BLAS's threads during a fit, several fits at once, forks."""

import multiprocessing
import os
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cymlp import MLPClassifier, MLPRegressor, _threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Rows of a step, weights, and steps.
SMALL, LARGE = (10, 100_000, 1000), (200, 1_000_000, 1000)


def n_threads():
    return [info["num_threads"] for info in _threads.blas_info()]


@pytest.fixture(autouse=True)
def two_threads():
    """BLAS with two threads before each test, and as it was after it."""
    libraries = _threads._scipy_blas()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        _threads._set_threads(library, 2)
    if n_threads() != [2] * len(libraries):
        pytest.skip("this BLAS does not let its threads be set")
    yield
    assert n_threads() == [2] * len(libraries)
    for library, n in zip(libraries, before, strict=True):
        _threads._set_threads(library, n)


def test_scipys_blas_is_found():
    assert len(_threads.blas_info()) >= 1


def test_one_thread_or_all_by_the_size_of_the_step():
    with _threads.blas_threads(*SMALL):
        assert set(n_threads()) == {1}
    assert set(n_threads()) == {2}
    with _threads.blas_threads(*LARGE):
        assert set(n_threads()) == {2}


def test_a_tiny_step_is_left_to_blas():
    with _threads.blas_threads(1, 1000, 10):
        assert set(n_threads()) == {2}


def test_a_short_run_does_not_wake_all():
    with _threads.blas_threads(200, 100_000, 1):
        assert set(n_threads()) == {1}


def test_restored_after_an_exception():
    with pytest.raises(RuntimeError), _threads.blas_threads(*SMALL):
        raise RuntimeError


def test_a_run_within_a_run_changes_nothing():
    for outer, inner, expected in [(SMALL, LARGE, 1), (LARGE, SMALL, 2)]:
        with _threads.blas_threads(*outer):
            with _threads.blas_threads(*inner):
                assert set(n_threads()) == {expected}
            assert set(n_threads()) == {expected}


def test_runs_at_once_have_one_thread_each():
    """The last to leave restores, in whatever order they come and go."""
    inside, leave = threading.Barrier(2), threading.Event()

    def run():
        with _threads.blas_threads(*LARGE):
            inside.wait(timeout=30)
            leave.wait(timeout=30)

    with _threads.blas_threads(*LARGE):
        other = threading.Thread(target=run, daemon=True)
        other.start()
        inside.wait(timeout=30)
        assert set(n_threads()) == {1}
        leave.set()
        other.join()
        assert set(n_threads()) == {2}

    other = threading.Thread(target=run, daemon=True)
    inside.reset()
    leave.clear()
    with _threads.blas_threads(*LARGE):
        other.start()
        inside.wait(timeout=30)
    assert set(n_threads()) == {2}  # the other has BLAS to itself now
    with _threads.blas_threads(*SMALL):
        assert set(n_threads()) == {1}
    leave.set()
    other.join()


@pytest.mark.parametrize("hidden", [5, 400])
def test_fits_at_once_give_the_numbers_of_one_after_the_other(digits, hidden):
    X, y = digits

    def fit(seed):
        return MLPClassifier(hidden, max_iter=3, random_state=seed).fit(X, y).predict_proba(X)

    expected = [fit(seed) for seed in range(4)]
    results = [None] * 4

    def store(seed):
        results[seed] = fit(seed)

    threads = [threading.Thread(target=store, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-6)


def test_one_model_predicts_in_several_threads(digits):
    X, y = digits
    estimator = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    expected = estimator.predict_proba(X)
    wrong = []

    def predict():
        for _ in range(20):
            if not np.allclose(estimator.predict_proba(X), expected, rtol=1e-10):
                wrong.append(True)

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _fit_in_child(X, y, queue):
    estimator = MLPRegressor(hidden_layer_sizes=300, max_iter=2, random_state=0).fit(X, y)
    queue.put((estimator.predict(X), n_threads()))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork"
)
@pytest.mark.parametrize("during", [False, True])
def test_fork(digits, during):
    """A child forked after a fit, or from within one, fits too, with its own count of runs."""
    X, y = digits
    estimator = MLPRegressor(hidden_layer_sizes=300, max_iter=2, random_state=0).fit(X, y)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_child, args=(X, y, queue))
    if during:
        with _threads.blas_threads(*SMALL):
            child.start()
    else:
        child.start()
    result, threads = queue.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert set(threads) == {2}
    assert_array_equal(np.isfinite(result), True)
    np.testing.assert_allclose(result, estimator.predict(X), rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_fork_within_a_run():
    """The child leaves the run that it was forked from without an error."""
    child = None
    try:
        with _threads.blas_threads(*SMALL):
            child = os.fork()
    except BaseException:
        if child == 0:
            os._exit(1)
        raise
    if child == 0:
        os._exit(0 if set(n_threads()) == {2} else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
