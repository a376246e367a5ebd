"""Data passed to fit and predict: scikit-learn's errors for bad data, and all valid forms."""

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_array_equal
from scipy.sparse import csc_array, csr_matrix
from sklearn.utils.fixes import parse_version

import cymlp
from comparing import assert_state, error_of, fitted_attributes, state
from cymlp import MLPClassifier, MLPRegressor
from cymlp._estimators.input_validation import (
    are_finite_numbers,
    are_plain_labels,
    check_magnitude,
    check_X,
    check_X_y,
    checked_weights,
    passes_fast_check,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.standard_normal((20, 3))
y = np.arange(20) % 2


def with_value(value, where=(3, 1)):
    array = X.copy()
    array[where] = value
    return array


BAD = {
    "X of one dimension": (X[:, 0], y),
    "X of three dimensions": (X[None], y),
    "X empty": (X[:0], y[:0]),
    "X without features": (X[:, :0], y),
    "X with NaN": (with_value(np.nan), y),
    "X with inf": (with_value(np.inf), y),
    "X of strings": ([["a", "b"], ["c", "d"]], [0, 1]),
    "X of objects": (np.array([[1, "a"], [2, "b"]], dtype=object), [0, 1]),
    "X complex": (X + 1j, y),
    "X a sparse matrix of NaN": (csr_matrix(with_value(np.nan)), y),
    "y too short": (X, y[:-1]),
    "y None": (X, None),
    "y with NaN": (X, np.where(y == 1, np.nan, 0.0)),
    "y with inf": (X, np.where(y == 1, np.inf, 0.0)),
    "weights too short": (X, y, np.ones(19)),
    "weights of two dimensions": (X, y, np.ones((20, 1))),
    "weights with NaN": (X, y, np.r_[np.nan, np.ones(19)]),
    "weights with inf": (X, y, np.r_[np.inf, np.ones(19)]),
    "weights all 0": (X, y, np.zeros(20)),
    "weights of strings": (X, y, ["a"] * 20),
}
OF_CLASSIFIER = {
    "y continuous": (X, X[:, 0]),
    "y of several outputs": (X, np.array([[1, 2], [3, 1]] * 10)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("what", BAD | OF_CLASSIFIER)
def test_errors_match_scikit_learn_and_leave_the_estimator_unchanged(what):
    assert_refused("MLPClassifier", (BAD | OF_CLASSIFIER)[what])
    if what in BAD:
        assert_refused("MLPRegressor", BAD[what])


def assert_refused(name, args):
    """By fit and partial_fit, of a new estimator and of a fitted one."""
    Estimator = getattr(cymlp, name)
    expected = error_of(getattr(sklearn.neural_network, name)().fit, *args)
    for method in ("fit", "partial_fit"):
        more = {"classes": [0, 1]} if (name, method) == ("MLPClassifier", "partial_fit") else {}
        new = Estimator()
        error = error_of(getattr(new, method), *args, **more)
        assert isinstance(error, (ValueError, TypeError))
        if method == "fit" and parse_version(sklearn.__version__) >= parse_version("1.9"):
            assert str(error) == str(expected)
        assert not fitted_attributes(new)

        fitted = Estimator(hidden_layer_sizes=5, max_iter=1).fit(X[:, :2], y)
        before = state(fitted)
        error_of(getattr(fitted, method), *args, **more)
        assert_state(fitted, before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_regression_on_strings(method):
    with pytest.raises(ValueError, match="could not convert string to float"):
        getattr(MLPRegressor(), method)(X, np.array(["a", "b"])[y])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_bad_input_of_predict(method):
    fitted = MLPClassifier(max_iter=1).fit(X, y)
    before = state(fitted)
    for wrong, message in [
        (X[:, :2], "X has 2 features, but MLPClassifier is expecting 3 features as input"),
        (with_value(np.nan), "Input X contains NaN"),
        (with_value(np.inf), "Input X contains infinity"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (X[:0], r"Found array with 0 sample\(s\)"),
        (csr_matrix(X[:, :2]), "X has 2 features"),
    ]:
        with pytest.raises(ValueError, match=message):
            getattr(fitted, method)(wrong)
    assert_state(fitted, before)


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_column_vector_y_gives_a_warning(Estimator):
    with pytest.warns(sklearn.exceptions.DataConversionWarning, match="column-vector"):
        Estimator(max_iter=1).fit(X, y[:, None])


class TestWeights:
    def test_forms(self):
        for given_weights in (2.0, [2.0] * 20, np.full(20, 2, dtype=int), np.full(20, 2.0)[::-1]):
            weights = checked_weights(given_weights, 20, np.float32)
            assert weights.dtype == np.float32
            assert weights.flags.c_contiguous
            assert_array_equal(weights, np.full(20, 2.0))
        right = np.ones(20)
        assert checked_weights(right, 20, np.float64) is right

    def test_negative_weights(self):
        """scikit-learn accepts them and may divide by zero."""
        weights = np.r_[-1.0, np.ones(19)]
        with pytest.raises(ValueError, match=r"Negative values.*sample_weight"):
            checked_weights(weights, 20, np.float64)
        with pytest.raises(ValueError, match=r"Negative values.*sample_weight"):
            MLPRegressor().fit(X, y, weights)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_magnitude_of_weights(self, dtype):
        """The gradients, or their mean, would underflow to 0."""
        limits = np.finfo(dtype)
        least = float(limits.tiny / limits.eps)
        for largest, n, good in (
            (1.01 * least, 1, True), (0.99 * least, 1, False),
            (0.99 / least, 1, True), (0.6 / least, 2, False), (1.01 / least, 1, False),
        ):  # fmt: skip
            weights = np.full(n, largest, dtype=dtype)
            if good:
                check_magnitude(weights, "sample_weight")
            else:
                with pytest.raises(ValueError, match=r"^it must have a largest value of at least"):
                    check_magnitude(weights, "it")


class TestFastCheck:
    """scikit-learn's validation is skipped if it would not change the data."""

    def test_of_X(self):
        for data, expected in (
            (X, True),
            (X.astype(np.float32), True),
            (X.T, True),
            (X.astype(int), True),
            (X > 0, True),
            (X.astype(object), False),
            (X + 1j, False),
            (X[0], False),
            (X[:0], False),
            (X.tolist(), False),
            (csr_matrix(X), True),
            (csr_matrix(X)[:0], False),
            (X.astype(np.float16), True),
            (np.ma.array(X), False),
            (X.astype(X.dtype.newbyteorder()), False),
        ):
            assert passes_fast_check(data) == expected, data

    def test_of_csr(self):
        """Of the indices only what the engine does not look at is checked."""
        sparse = csr_matrix(X)
        long = csr_matrix((sparse.data, sparse.indices, sparse.indptr), shape=X.shape)
        long.indices, long.indptr = long.indices.astype("i8"), long.indptr.astype("i8")
        assert passes_fast_check(long)
        for name, value in (
            ("data", sparse.data[:-1]),
            ("data", sparse.data.astype(complex)),
            ("indices", sparse.indices.astype("i8")),
            ("indices", sparse.indices[:, None]),
            ("indptr", sparse.indptr[:-1]),
            ("indptr", sparse.indptr + 1),
            ("indptr", sparse.indptr.tolist()),
        ):
            broken = csr_matrix(X)
            setattr(broken, name, value)
            assert not passes_fast_check(broken), name
        assert not passes_fast_check(csc_array(X))

    def test_of_y(self):
        for target, numbers, labels in (
            (X[:, 0], True, False),
            (with_value(np.nan, (0, 0))[:, 0], False, False),
            (with_value(np.inf, (19, 0))[:, 0], False, False),
            (y, False, True),
            (y > 0, False, True),
            (y.astype(np.uint8), False, True),
            (y.astype(str), False, False),
            (y.tolist(), False, False),
            (y[:, None], False, False),
            (X[:, :1], False, False),
        ):
            assert are_finite_numbers(target) == numbers, target
            assert are_plain_labels(target) == labels, target

    def test_same_attributes_and_errors_as_the_full_check(self):
        estimator = MLPRegressor()
        estimator.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
        data, target = check_X_y(estimator, X, X[:, 0], are_finite_numbers, reset=True)
        assert data is X and np.shares_memory(target, X)
        assert estimator.n_features_in_ == 3
        assert not hasattr(estimator, "feature_names_in_")
        for wrong, message in (
            ((X[:, :2].copy(), X[:, 0]), "X has 2 features, but MLPRegressor is expecting 3"),
            ((X, X[:-1, 0]), "inconsistent numbers of samples"),
            ((with_value(np.nan), X[:, 0]), "Input X contains NaN"),
        ):
            with pytest.raises(ValueError, match=message):
                check_X_y(estimator, *wrong, are_finite_numbers, reset=False)
        with pytest.raises(ValueError, match="X has 2 features"):
            check_X(estimator, X[:, :2])

    def test_one_row_gets_the_full_check(self):
        """scikit-learn's validation treats a single sample specially."""
        assert MLPRegressor(max_iter=1).fit(X[:1], X[:1, 0]).predict(X).shape == (20,)
