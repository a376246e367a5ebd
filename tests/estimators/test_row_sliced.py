"""Fits and predictions of data that are read by slices of rows."""

import os
import signal
import threading
import time

import numpy as np
import pandas
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csr_array, csr_matrix, vstack
from sklearn.metrics import log_loss

from comparing import assert_state, parameters, state
from cymlp import MLPClassifier, MLPRegressor
from cymlp._network import row_source
from problems import targets_of
from small import Sliced

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 203
KINDS = ("binary", "multiclass", "strings", "multilabel", "numbers", "several outputs", "counts")
rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if "cymlp" in thread.name]


@pytest.fixture
def data(digits):
    X, y = digits
    return X[:N], y[:N]


def memmap(path, X):
    X.tofile(path)
    return np.memmap(path, X.dtype, "r", shape=X.shape)


def fitted(Estimator, X, *args, n_jobs=1, **params):
    common = {"max_iter": 3, "random_state": 0, "batch_size": 10, "learning_rate_init": 0.01}
    return Estimator(hidden_layer_sizes=12, n_jobs=n_jobs, **common | params).fit(X, *args)


def assert_same_fit(first, second):
    """Equal bits of the weights; the loss, a mean over parts, to rounding."""
    assert_array_equal(parameters(first), parameters(second))
    assert_allclose(first.loss_curve_, second.loss_curve_, rtol=1e-6)
    assert (first.t_, first.n_iter_) == (second.t_, second.n_iter_)


class TestEquality:
    @pytest.mark.parametrize("form", ["memmap", "class", "csr"])
    def test_a_buffer_of_all_rows_is_the_fit_in_memory(self, data, form, tmp_path):
        X, y = data
        rows = {
            "memmap": lambda: memmap(tmp_path / "x", X),
            "class": lambda: Sliced(X),
            "csr": lambda: Sliced(X, lambda _, rows: csr_array(rows)),
        }[form]()
        whole = csr_array(X) if form == "csr" else X
        for params in ({}, {"early_stopping": True}, {"shuffle_buffer": N}):
            one, other = (fitted(MLPClassifier, Z, y, **params) for Z in (rows, whole))
            assert_same_fit(one, other)
            assert one.loss_curve_ == other.loss_curve_
            assert_array_equal(one.predict_proba(rows), other.predict_proba(whole))

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_in_order(self, digits, kind, solver):
        """By windows of any size, with sample weights, the numbers are those of all at once."""
        X = digits[0][:N]
        Estimator, y = targets_of(X, digits[1][:N])[kind]
        params = {"shuffle": False, "solver": solver}
        if kind == "counts":
            params["loss"] = "poisson"
        weights = rng.uniform(0, 2, N)
        whole = fitted(Estimator, X, y, weights, **params)
        for buffer in (1, 25, 100):
            by_windows = fitted(Estimator, Sliced(X), y, weights, shuffle_buffer=buffer, **params)
            if solver == "lbfgs":
                assert_allclose(parameters(by_windows), parameters(whole), rtol=1e-6, atol=1e-9)
                assert_allclose(by_windows.loss_, whole.loss_, rtol=1e-10)
            else:
                assert_same_fit(by_windows, whole)
            predicted = by_windows.predict(Sliced(X))
            if Estimator is MLPClassifier:
                assert_array_equal(predicted, by_windows.predict(X))
            else:
                assert_allclose(predicted, by_windows.predict(X))
            assert_allclose(by_windows.score(Sliced(X), y), by_windows.score(X, y))

    @pytest.mark.parametrize(
        "form", [np.asarray, csr_array, csc_array, pandas.DataFrame, np.ndarray.tolist]
    )
    def test_data_in_memory_with_a_buffer(self, data, form):
        X, y = data
        by_windows = fitted(MLPClassifier, form(X), y, shuffle_buffer=50)
        expected = fitted(
            MLPClassifier,
            Sliced(X, lambda _, rows: csr_array(rows) if "array" in form.__name__ else rows)
            if form in (csr_array, csc_array)
            else Sliced(X),
            y,
            shuffle_buffer=50,
        )
        assert_same_fit(by_windows, expected)
        assert hasattr(by_windows, "feature_names_in_") == (form is pandas.DataFrame) * False

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">f8", bool])
    def test_dtypes(self, data, dtype):
        X, y = (data[0] * 16).astype(dtype), data[1]
        whole, by_windows = (
            fitted(MLPClassifier, Z, y, shuffle=False, shuffle_buffer=b)
            for Z, b in ((X, None), (Sliced(X), 40))
        )
        assert_same_fit(whole, by_windows)
        assert by_windows.coefs_[0].dtype == (np.float32 if dtype is np.float32 else np.float64)
        # The dtype of predictions is the same too.
        single = by_windows.set_params(shuffle_buffer=None)
        single = MLPClassifier.from_weights(
            [W.astype(np.float32) for W in single.coefs_],
            [b.astype(np.float32) for b in single.intercepts_], classes=single.classes_,
            shuffle_buffer=40,
        )  # fmt: skip
        for estimator in (by_windows, single):
            one, other = (estimator.predict_proba(Z) for Z in (X, Sliced(X)))
            assert one.dtype == other.dtype
            assert_allclose(one, other, rtol=1e-6, atol=1e-7)


SHUFFLED = {"shuffle_buffer": 50, "record_train_score": True, "dropout": 0.2}


class TestShuffled:
    def test_the_speed_of_reading_does_not_matter(self, data):
        def slow(start, rows):
            time.sleep(rng.uniform(0, 2e-3))
            return rows

        X, y = data
        for params in ({}, {"n_jobs": 2}, {"early_stopping": True}):
            first, second = (
                fitted(MLPClassifier, Z, y, **SHUFFLED | params)
                for Z in (Sliced(X), Sliced(X, slow))
            )
            assert_same_fit(first, second)
            assert first.loss_curve_ == second.loss_curve_
            assert_array_equal(first.history_["train_score"], second.history_["train_score"])

    def test_partial_fit_is_an_epoch(self, data):
        X, y = data
        one = fitted(MLPClassifier, Sliced(X), y, max_iter=1, **SHUFFLED)
        other = MLPClassifier(**one.get_params()).partial_fit(Sliced(X), y, classes=np.unique(y))
        assert_same_fit(one, other)
        other.partial_fit(Sliced(X), y)
        assert other.t_ == 2 * N

    def test_warm_start(self, data):
        X, y = data
        estimator = fitted(MLPClassifier, X, y, **SHUFFLED).set_params(warm_start=True)
        estimator.fit(Sliced(X), y)
        assert estimator.t_ == 6 * N and len(estimator.loss_curve_) == 6

    def test_class_weights_and_schedules(self, data):
        X, y = data
        seen = []
        estimator = fitted(
            MLPClassifier, Sliced(X), y, shuffle_buffer=50, class_weight="balanced",
            learning_rate=lambda step, total: seen.append((step, total)) or 1.0, record_every=4,
        )  # fmt: skip
        assert seen == [(step, 63) for step in range(63)]
        assert_array_equal(estimator.history_["n_updates"], np.arange(4, 63, 4))

    def test_it_learns_from_sorted_data(self, digits):
        """Windows of a fifth of the rows, which are sorted by class."""
        X, y = digits
        order = np.argsort(y, kind="stable")
        estimator = fitted(
            MLPClassifier, Sliced(X[order]), y[order], shuffle_buffer=len(X) // 5, max_iter=20
        )
        assert estimator.score(X, y) > 0.9


class TestValidation:
    def test_validation_data_by_windows(self, data):
        X, y = data
        params = {"max_iter": 4, "random_state": 0, "shuffle": False, "early_stopping": True}
        arguments = {"y_val": y[:80], "sample_weight_val": rng.uniform(0, 1, 80)}
        whole = MLPClassifier(8, **params).fit(X, y, X_val=X[:80], **arguments)
        by_windows = MLPClassifier(8, shuffle_buffer=30, **params).fit(
            X, y, X_val=Sliced(X[:80]), **arguments
        )
        for name in ("val_loss", "val_score"):
            assert_allclose(by_windows.history_[name], whole.history_[name], rtol=1e-12)

    @pytest.mark.parametrize("form", [np.asarray, csr_array])
    def test_early_stopping(self, data, form):
        """Rows that are held out are not trained on; a scorer gets them as rows to be sliced."""
        X, y = data
        seen = []

        def scoring(estimator, X_val, y_val):
            seen.append((vstack([X_val[:]]).toarray() if form is csr_array else X_val[:], y_val))
            return -log_loss(y_val, estimator.predict_proba(X_val), labels=estimator.classes_)

        for score in (scoring, None, "neg_log_loss", "loss"):
            estimator = fitted(
                MLPClassifier, Sliced(X, lambda _, rows: form(rows)), y, shuffle_buffer=50,
                early_stopping=True, validation_fraction=0.2, scoring=score,
            )  # fmt: skip
            assert estimator.t_ == 3 * (N - 41)
            assert estimator.best_validation_score_ == max(estimator.validation_scores_)
        X_val, y_val = seen[0]
        assert X_val.shape == (41, 64)
        rows = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in X_val]
        assert_array_equal(y_val, y[rows])

    def test_regression(self, data):
        X, y = data
        estimator = fitted(
            MLPRegressor, Sliced(X), y / 10, y + 1.0, shuffle_buffer=50, early_stopping=True
        )
        assert len(estimator.validation_scores_) == 3


class TestTargets:
    def test_that_are_sliced_too(self, data):
        X, y = data
        weights = rng.uniform(0, 1, N)
        one = fitted(MLPClassifier, Sliced(X), y, weights, shuffle_buffer=50)
        other = fitted(MLPClassifier, Sliced(X), Sliced(y), Sliced(weights), shuffle_buffer=50)
        assert_same_fit(one, other)

    def test_of_other_lengths(self, data):
        X, y = data
        estimator = MLPClassifier(8, shuffle_buffer=50, max_iter=1)
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[203, 202\]"):
            estimator.fit(Sliced(X), y[1:])
        with pytest.raises(ValueError, match=r"sample_weight.shape == \(7,\)"):
            estimator.fit(Sliced(X), y, np.ones(7))
        with pytest.raises(ValueError, match="Input y contains NaN"):
            MLPRegressor(shuffle_buffer=50).fit(Sliced(X), np.full(N, np.nan))
        with pytest.raises(ValueError, match="requires y to be passed"):
            estimator.fit(Sliced(X), None)
        assert not hasattr(estimator, "coefs_")

    @pytest.mark.filterwarnings("error::sklearn.exceptions.DataConversionWarning")
    def test_a_single_column_is_flattened_with_a_warning(self, data):
        X, y = data
        with pytest.warns(match="A column-vector y was passed"):
            estimator = fitted(MLPClassifier, Sliced(X), y[:, None], shuffle_buffer=50)
        assert_same_fit(estimator, fitted(MLPClassifier, Sliced(X), y, shuffle_buffer=50))


def test_loss_gradient(data):
    X, y = data
    estimator = fitted(MLPClassifier, X, y)
    expected = estimator.loss_gradient(X, y)
    estimator.shuffle_buffer = 50
    loss, coef_grads, _, X_grad = estimator.loss_gradient(Sliced(X), y)
    assert loss == expected[0]
    assert_array_equal(coef_grads[0], expected[1][0])
    assert_array_equal(X_grad, expected[3])


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize("y", ["binary", "multiclass", "multilabel", "sparse multilabel"])
def test_predictions(data, method, y, monkeypatch):
    X, labels = data
    targets = {
        "binary": labels > 4, "multiclass": labels,
        "multilabel": np.c_[labels > 4, labels % 2, labels % 3 > 0].astype(int),
    }  # fmt: skip
    targets["sparse multilabel"] = csr_matrix(targets["multilabel"])
    estimator = fitted(MLPClassifier, X, targets[y])
    expected = getattr(estimator, method)(X)
    monkeypatch.setattr(row_source, "WINDOW_BYTES", 20_000)  # 39 rows
    for rows in (Sliced(X), Sliced(X, lambda _, rows: csr_matrix(rows))):
        predicted = getattr(estimator, method)(rows)
        assert len(rows.slices) > 5
        assert type(predicted) is type(expected)
        if method == "predict" and y == "sparse multilabel":
            assert (predicted != expected).nnz == 0
        else:
            assert predicted.dtype == expected.dtype
            (assert_array_equal if method == "predict" else assert_allclose)(predicted, expected)


def fails_in(first_row, error):
    """A source whose slices from this row on raise an error."""

    def then(start, rows):
        if start >= first_row:
            raise error
        return rows

    return then


class TestFaults:
    """A fit that fails leaves the estimator as it was, and no thread."""

    @pytest.mark.parametrize(
        "then, error, message",
        [
            (fails_in(120, OSError("bad sector")), OSError, "bad sector"),
            (fails_in(120, SystemExit(3)), SystemExit, "3"),
            (lambda start, rows: rows[1:] if start > 120 else rows, ValueError, "of shape"),
            (lambda start, rows: rows.astype("f4") if start > 120 else rows, ValueError, "float32"),
            (lambda start, rows: rows + np.where(rows > 0.99, np.nan, 0), ValueError, "NaN"),
        ],
    )
    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_of_the_source(self, data, then, error, message, solver):
        X, y = data
        estimator = fitted(MLPClassifier, X, y).set_params(
            shuffle_buffer=40, warm_start=True, solver=solver
        )
        before = state(estimator)
        with pytest.raises(error, match=message):
            estimator.fit(Sliced(X, then), y)
        assert_state(estimator, before)
        with pytest.raises(error, match=message):
            estimator.fit(X, y, X_val=Sliced(X, then), y_val=y)
        assert_state(estimator, before)
        if solver == "adam":
            with pytest.raises(error, match=message):
                estimator.partial_fit(Sliced(X, then), y)
            before.pop("_optimizer", None)
            vars(estimator).pop("_optimizer", None)  # it belonged to the weights discarded
            assert_state(estimator, before)
        with pytest.raises(error, match=message):
            estimator.predict(Sliced(X, then))
        with pytest.raises(error, match=message):
            estimator.score(Sliced(X, then), y)

    def test_which_row_is_not_finite(self, data):
        X, y = data[0].copy(), data[1]
        X[190, 3] = np.nan
        for method in ("fit", "predict", "score"):
            estimator = fitted(MLPClassifier, data[0], y, shuffle_buffer=40)
            arguments = (Sliced(X), y) if method != "predict" else (Sliced(X),)
            with pytest.raises(ValueError, match=r"(?s)Input X contains NaN.*row 190\."):
                getattr(estimator, method)(*arguments)

    def test_a_file_that_shrinks(self, data, tmp_path):
        """Found before it is read: read by windows, or in place, in the next epoch."""
        X, y = np.tile(data[0], (3, 1)), np.tile(data[1], 3)
        for params in ({"shuffle_buffer": 40}, {}, {"solver": "lbfgs"}):
            path = tmp_path / "x"
            rows = memmap(path, X)
            estimator = MLPClassifier(8, random_state=0, **params)

            def shrink(w, h, rng, path=path):
                os.truncate(path, 5000)
                return rng.standard_normal((w, h)), np.zeros(h)

            estimator.set_params(init=shrink)
            with pytest.raises(OSError, match="has shrunk from at least 311808 to 5000 bytes"):
                estimator.fit(rows, y)
            assert not hasattr(estimator, "coefs_")

    def test_the_source_raises_a_keyboard_interrupt(self, data):
        X, y = data
        estimator = MLPClassifier(8, shuffle_buffer=40, shuffle=False)
        with pytest.warns(UserWarning, match="interrupted by user"):
            estimator.fit(Sliced(X, fails_in(120, KeyboardInterrupt())), y)
        assert estimator.n_iter_ == 0

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no interval timer")
    @pytest.mark.parametrize("method", ["fit", "predict"])
    def test_ctrl_c_while_a_slow_source_reads(self, data, method):
        """After the slice that is being read, not after the window."""
        X, y = data
        estimator = fitted(MLPClassifier, X, y, shuffle_buffer=100, n_jobs=None, shuffle=False)
        slow = Sliced(X, lambda start, rows: time.sleep(0.05 if start else 0) or rows)

        def interrupt(*_):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            if method == "fit":
                with pytest.warns(UserWarning, match="interrupted by user"):
                    estimator.fit(slow, y)
            else:
                with pytest.raises(KeyboardInterrupt):
                    estimator.predict(slow)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert len(slow.slices) < 60

    @pytest.mark.parametrize(
        "make, message",
        [
            (lambda X: Sliced(X[0]), "Expected 2D array"),
            (lambda X: Sliced(X[None]), "Expected 2D array"),
            (lambda X: Sliced(X[:0]), r"Found array with 0 sample\(s\)"),
            (lambda X: Sliced(X[:, :0]), r"0 feature"),
            (lambda X: Sliced(X.astype(object)), "dtype object"),
        ],
    )
    def test_data_that_are_no_matrix_of_numbers(self, data, make, message):
        X, y = data
        estimator = fitted(MLPClassifier, X, y)
        before = state(estimator)
        for buffer in (None, 40):
            estimator.shuffle_buffer = before["shuffle_buffer"] = buffer
            with pytest.raises(ValueError, match=message):
                estimator.fit(make(X), y[: len(make(X).X)])
            assert_state(estimator, before)
            with pytest.raises(ValueError, match=message):
                estimator.predict(make(X))

    def test_another_number_of_features(self, data):
        X, y = data
        estimator = fitted(MLPClassifier, X, y, shuffle_buffer=40)
        message = "X has 63 features, but MLPClassifier is expecting 64 features"
        with pytest.raises(ValueError, match=message):
            estimator.predict(Sliced(X[:, 1:]))
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(Sliced(X[:, 1:]), y)
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, y, X_val=Sliced(X[:, 1:]), y_val=y)

    def test_which_of_the_data_are_bad(self, data):
        X, y = data
        X_val = X.copy()
        X_val[150, 0] = np.inf
        estimator = MLPClassifier(8, shuffle_buffer=40)
        for rows in (X_val, Sliced(X_val)):
            with pytest.raises(ValueError, match="infinity") as caught:
                estimator.fit(X, y, X_val=rows, y_val=y)
            message = "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
            assert "X_val" in message


class TestContainers:
    """zarr, h5py and Dask arrays give the numbers of a class of our own with these chunks."""

    def expected(self, X, y, chunk=30):
        return fitted(MLPClassifier, Sliced(X, chunks=(chunk, 64)), y, shuffle_buffer=60)

    def test_zarr(self, data):
        zarr = pytest.importorskip("zarr")
        X, y = data
        array = zarr.create_array({}, shape=X.shape, chunks=(30, 64), dtype=X.dtype)
        array[:] = X
        targets = zarr.create_array({}, shape=y.shape, chunks=(30,), dtype=y.dtype)
        targets[:] = y
        estimator = fitted(MLPClassifier, array, targets, shuffle_buffer=60)
        assert_same_fit(estimator, self.expected(X, y))
        assert_array_equal(estimator.predict(array), estimator.predict(X))

    def test_h5py(self, data, tmp_path):
        h5py = pytest.importorskip("h5py")
        X, y = data
        with h5py.File(tmp_path / "x.h5", "w") as file:
            array = file.create_dataset("X", data=X, chunks=(30, 64))
            targets = file.create_dataset("y", data=y)
            estimator = fitted(MLPClassifier, array, targets, shuffle_buffer=60)
            assert_same_fit(estimator, self.expected(X, y))
            assert_array_equal(estimator.predict(array), estimator.predict(X))

    @pytest.mark.parametrize("sparse", [False, True])
    def test_dask(self, data, sparse):
        dask_array = pytest.importorskip("dask.array")
        X, y = data
        chunks = (30, 50, 50, 73), (64,)
        array = dask_array.from_array(X, chunks=chunks)
        if sparse:
            array = array.map_blocks(csr_matrix)
        estimator = fitted(MLPClassifier, array, dask_array.from_array(y), shuffle_buffer=60)
        form = csr_matrix if sparse else np.asarray
        own = Sliced(X, lambda _, rows: form(rows), chunks=chunks)
        assert_same_fit(estimator, fitted(MLPClassifier, own, y, shuffle_buffer=60))
        assert_array_equal(estimator.predict(array), estimator.predict(X))

    def test_dask_without_lengths(self, data):
        dask_array = pytest.importorskip("dask.array")
        X, y = data
        array = dask_array.from_array(X, chunks=(30, 64))
        with pytest.raises(ValueError, match=r"shape \(nan, 64\)"):
            MLPClassifier().fit(array[array[:, 3] > 0], y)
