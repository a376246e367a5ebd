"""Teams of threads, BLAS's threads during a run, concurrent fits, forks."""

import multiprocessing
import os
import threading
from unittest import mock

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

import in_workers
from cymlp import MLPClassifier, MLPRegressor, _engine
from cymlp._engine import threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# n_jobs, rows of a step, weights, and steps.
SMALL, LARGE = (None, 10, 100_000, 1000), (None, 200, 1_000_000, 1000)


def n_threads():
    return [info["num_threads"] for info in threads.blas_info()]


@pytest.fixture(autouse=True)
def two_threads():
    """Give BLAS two threads during each test, and restore their number afterwards."""
    libraries = threads._scipy_blas()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        threads._set_threads(library, 2)
    if n_threads() != [2] * len(libraries):
        pytest.skip("this BLAS does not let its threads be set")
    yield
    assert n_threads() == [2] * len(libraries)
    for library, n in zip(libraries, before, strict=True):
        threads._set_threads(library, n)


@pytest.fixture
def no_more_threads():
    """A function that returns a context in which no thread can start."""

    def start(*arguments):
        raise RuntimeError("can't start new thread")

    return lambda: mock.patch("cymlp._engine.team.start_new_thread", start)


def test_scipys_blas_is_found():
    assert len(threads.blas_info()) >= 1


@pytest.fixture
def uses_blas(monkeypatch):
    """Behave like a build that leaves large products to BLAS."""
    monkeypatch.setattr(_engine, "USES_BLAS", True)


@pytest.mark.usefixtures("uses_blas")
class TestBlas:
    """The threads of SciPy's BLAS, in a build that calls it."""

    def test_blas_has_one_thread_during_a_run(self):
        for arguments in (SMALL, LARGE):
            with threads.engine_threads(*arguments):
                assert set(n_threads()) == {1}
            assert set(n_threads()) == {2}

    def test_a_tiny_run_does_not_limit_blas(self):
        with threads.engine_threads(None, 1, 1000, 10):
            assert set(n_threads()) == {2}

    def test_a_build_without_blas_does_not_limit_it(self, monkeypatch):
        monkeypatch.setattr(_engine, "USES_BLAS", False)
        with threads.engine_threads(*LARGE):
            assert set(n_threads()) == {2}

    def test_lbfgs_limits_blas_in_any_build(self, monkeypatch, digits):
        """SciPy calls BLAS, whose spinning threads would slow down the engine."""
        monkeypatch.setattr(_engine, "USES_BLAS", False)
        found = []

        def scoring(estimator, X, y):
            found.extend(n_threads())
            return 0.0

        X, y = digits
        for solver, expected in (("lbfgs", 1), ("adam", 2)):
            found.clear()
            regressor = MLPRegressor(solver=solver, max_iter=2, scoring=scoring)
            regressor.fit(X, y, X_val=X[:100], y_val=y[:100])
            assert set(found) == {expected}

    def test_restored_after_an_exception(self):
        with pytest.raises(RuntimeError), threads.engine_threads(*SMALL):
            raise RuntimeError

    def test_concurrent_runs(self):
        """BLAS has one thread until the last run is over, in whatever order they begin and end."""
        inside, leave = threading.Event(), threading.Event()

        def run():
            with threads.engine_threads(*SMALL):
                inside.set()
                leave.wait(timeout=30)

        other = threading.Thread(target=run, daemon=True)
        with threads.engine_threads(*SMALL):
            other.start()
            assert inside.wait(timeout=30)
        assert set(n_threads()) == {1}
        with threads.engine_threads(*SMALL):
            assert set(n_threads()) == {1}
        leave.set()
        other.join()
        assert set(n_threads()) == {2}

    def test_a_run_where_no_thread_can_start(self, no_more_threads):
        """The calling thread then sets BLAS's number of threads."""
        with no_more_threads(), threads.engine_threads(*LARGE):
            assert set(n_threads()) == {1}


class TestNumberOfThreads:
    """How many threads a run gets."""

    @pytest.fixture(autouse=True)
    def eight_cpus(self, monkeypatch):
        monkeypatch.setattr(threads, "cpus", lambda: 8)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    @staticmethod
    def size(*arguments):
        with threads.engine_threads(*arguments) as team:
            return team.size

    def test_by_the_size_of_the_step(self):
        assert self.size(*SMALL) in range(1, 4)
        assert self.size(*LARGE) == 8

    def test_a_short_run_is_not_worth_a_team(self):
        assert self.size(None, 200, 100_000, 0.1) == 1

    @pytest.mark.parametrize("n_jobs, expected", [(1, 1), (3, 3), (-1, 8), (-2, 7), (-20, 1)])
    def test_n_jobs_is_respected(self, n_jobs, expected):
        assert self.size(n_jobs, 1, 1, 1) == expected

    def test_environment_limits_what_is_chosen(self, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert self.size(*LARGE) == 2
        assert self.size(5, *LARGE[1:]) == 5

    def test_invalid_environment_variables_are_ignored(self, monkeypatch):
        for text in ("", "0", "many"):
            monkeypatch.setenv("OMP_NUM_THREADS", text)
            assert self.size(*LARGE) == 8

    def test_concurrent_runs_share_the_cpus(self):
        with threads.engine_threads(*LARGE):
            assert self.size(*LARGE) == 4

    def test_joblibs_threads_have_one_each(self):
        sizes = Parallel(n_jobs=2, backend="threading")(
            delayed(self.size)(*LARGE) for _ in range(2)
        )
        assert sizes == [1, 1]


def test_joblibs_processes_share_the_cpus():
    sizes = Parallel(n_jobs=2)(delayed(in_workers.team_size)(*LARGE) for _ in range(2))
    assert max(sizes) <= max(1, threads.cpus() // 2)


def fitted(X, y, **params):
    return MLPClassifier(max_iter=3, random_state=0, **params).fit(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"hidden_layer_sizes": (), "solver": "sgd"},
        {"hidden_layer_sizes": (30, 20, 10), "batch_size": 3, "solver": "sgd", "momentum": 0},
        {"solver": "lbfgs", "activation": "tanh"},
        {"batch_size": 400, "early_stopping": True, "activation": "logistic"},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_jobs, n_features", [(2, 64), (3, 5), (7, 64)])
def test_n_jobs(digits, params, n_jobs, n_features):
    """Same n_jobs, identical results; other values agree to rounding."""
    X, y = digits[0][:500, :n_features], digits[1][:500]
    one = fitted(X, y, n_jobs=1, **params)
    first, second = (fitted(X, y, n_jobs=n_jobs, **params) for _ in range(2))
    for a, b, c in zip(one.coefs_, first.coefs_, second.coefs_, strict=True):
        assert_array_equal(b, c)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert first.loss_ == second.loss_
    np.testing.assert_allclose(first.loss_, one.loss_, rtol=1e-12)
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_n_jobs_of_sparse_and_weighted_samples(digits):
    X, y = csr_matrix(digits[0][:300]), digits[1][:300]
    weights = np.linspace(0, 1, 300)
    one, several = (
        MLPClassifier(max_iter=3, random_state=0, n_jobs=n).fit(X, y, weights) for n in (1, 3)
    )
    for a, b in zip(one.coefs_, several.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.predict_proba(X), several.predict_proba(X), rtol=1e-9)


def test_more_threads_than_rows(digits):
    X, y = digits[0][:4], digits[1][:4]
    one, several = (fitted(X, y, n_jobs=n, batch_size=2) for n in (1, 9))
    np.testing.assert_allclose(one.predict_proba(X), several.predict_proba(X), rtol=1e-9)


class TestTeam:
    """Teams of threads."""

    def test_sizes(self):
        with pytest.raises(ValueError, match="at least one"):
            _engine.Team(0)
        with pytest.raises(ValueError, match="at most 256"):
            _engine.Team(257)
        with pytest.raises(ValueError, match="rank"):
            _engine.Team(2).serve(2)

    def test_threads_end_with_the_run(self):
        with threads.engine_threads(4, 1, 1, 1) as team:
            assert team.n_serving == 3
            assert team in _engine.AT_WORK
        assert team.n_serving == 0
        assert team not in _engine.AT_WORK

    def test_threads_that_cannot_start(self, no_more_threads, digits):
        """The calling thread then does all of the work, with identical results."""
        with no_more_threads():
            alone = fitted(*digits, n_jobs=2)
            with threads.engine_threads(2, 1, 1, 1) as team:
                assert team.n_serving == 0
        together = fitted(*digits, n_jobs=2)
        assert_array_equal(alone.coefs_[0], together.coefs_[0])

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
    def test_a_forked_child_runs_serially(self, digits):
        """The parent's other threads do not exist there, and it does not wait for them."""
        X, _ = digits
        architecture = _engine.Architecture((64, 10), "relu", "softmax")
        parameters, out = np.zeros(650), np.empty((len(X), 10))
        arguments = (architecture, parameters, _engine.Dataset(X), out)
        with threads.engine_threads(2, 1, 1, 1) as team:
            _engine.predict(*arguments, team=team)
            out[...] = np.nan
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    _engine.predict(*arguments, team=team)
                    forgotten = not _engine.AT_WORK and team.n_serving == 0
                    status = int(not (np.allclose(out, 0.1) and forgotten))
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("n_features", [64, 5])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_one_thread_can_do_all_parts(no_more_threads, digits, solver, n_features):
    """The results are identical, as the parts are the same."""
    X, y = digits[0][:500, :n_features], digits[1][:500]
    together = fitted(X, y, n_jobs=3, solver=solver)
    with no_more_threads():
        by_itself = fitted(X, y, n_jobs=3, solver=solver)
    assert by_itself.loss_ == together.loss_
    for a, b in zip(by_itself.coefs_, together.coefs_, strict=True):
        assert_array_equal(a, b)


def test_contention(digits):
    """While other processes keep the CPUs busy, a fit ends, with identical results."""
    quiet = fitted(*digits, n_jobs=2)
    busy = [
        multiprocessing.get_context("spawn").Process(target=in_workers.spin, daemon=True)
        for _ in range(threads.cpus())
    ]
    for process in busy:
        process.start()
    try:
        for _ in range(3):
            assert all(process.is_alive() for process in busy)
            contended = fitted(*digits, n_jobs=2)
            assert_array_equal(contended.coefs_[0], quiet.coefs_[0])
    finally:
        for process in busy:
            process.kill()
            process.join()


def test_the_caller_keeps_subnormal_numbers(digits):
    """The engine flushes them to 0 during training, but not for its caller."""
    tiny = np.float64(5e-324)
    fitted(*digits, n_jobs=1)
    fitted(*digits, n_jobs=2)
    assert tiny / 1 == tiny and np.array([tiny])[0] * 1 > 0


@pytest.mark.parametrize("hidden", [5, 400])
def test_concurrent_fits_equal_successive_fits(digits, hidden):
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
@pytest.mark.usefixtures("uses_blas")
def test_fork(digits, during):
    """A child forked after or during a fit can fit too, with its own count of runs."""
    X, y = digits
    estimator = MLPRegressor(hidden_layer_sizes=300, max_iter=2, random_state=0).fit(X, y)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_child, args=(X, y, queue))
    if during:
        with threads.engine_threads(*SMALL):
            child.start()
    else:
        child.start()
    result, found = queue.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert set(found) == {2}
    assert_array_equal(np.isfinite(result), True)
    np.testing.assert_allclose(result, estimator.predict(X), rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.usefixtures("uses_blas")
def test_fork_within_a_run():
    """The child leaves the run during which it was forked without an error."""
    child = None
    try:
        with threads.engine_threads(*SMALL):
            child = os.fork()
    except BaseException:
        if child == 0:
            os._exit(1)
        raise
    if child == 0:
        os._exit(0 if set(n_threads()) == {2} else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
