"""Data passed to fit and predict: scikit-learn's errors for bad data, and all valid forms."""

import numpy as np
import pytest
import sklearn.neural_network
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import (
    bsr_array,
    coo_matrix,
    csc_matrix,
    csr_array,
    csr_matrix,
    dia_array,
    lil_matrix,
)
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
from cymlp._network.sparse import checked_sparse

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
            (csr_matrix(X), False),
            (X.astype(np.float16), True),
            (np.ma.array(X), False),
            (X.astype(X.dtype.newbyteorder()), False),
        ):
            assert passes_fast_check(data) == expected, data

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


N_ROWS, N_FEATURES = 60, 40
DENSE = rng.standard_normal((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.1)


def broken(X, attribute, position, value):
    getattr(X, attribute)[position] = value
    return X


def none_stored(X, last):
    """X whose indptr ends with ``last``, so that SciPy treats it as empty."""
    X.indptr[5], X.indptr[-1] = 10**9, last
    return X


def lil_with_long_row():
    X = lil_matrix(DENSE)
    X.data[3] = X.data[3] + [1.0] * 1000
    return X


def bsr():
    return bsr_array(DENSE, blocksize=(2, 2))


def bsr_of_another_shape():
    X = bsr()
    X._shape = (N_ROWS, N_FEATURES - 1)
    return X


BROKEN = {
    "csc beyond": (lambda: broken(csc_matrix(DENSE), "indices", 10, 2**30), "must be <"),
    "csc negative": (lambda: broken(csc_matrix(DENSE), "indices", 10, -3000), "must be >= 0"),
    "csc falling": (lambda: broken(csc_matrix(DENSE), "indptr", 5, 10**6), "ind"),
    "csr beyond": (lambda: broken(csr_matrix(DENSE), "indices", 10, N_FEATURES), "must be <"),
    "csr negative": (lambda: broken(csr_matrix(DENSE), "indices", 10, -1), "must be >= 0"),
    "csr too long": (
        lambda: broken(csr_matrix(DENSE), "indptr", -1, 10**8),
        "[iI]ndex pointer|index and data",
    ),
    "csr falling": (lambda: broken(csr_matrix(DENSE), "indptr", 10, -5), "indptr|index pointer"),
    "coo beyond": (lambda: broken(coo_matrix(DENSE), "row", 3, 2**30), "index"),
    "coo negative": (lambda: broken(coo_matrix(DENSE), "col", 3, -7), "index"),
    "bsr": (lambda: broken(bsr(), "indices", 3, 2**30), "ind"),
    "bsr of another shape": (bsr_of_another_shape, "blocks|[iI]ndex"),
    "lil": (lil_with_long_row, "lengths"),
    "csc, none": (lambda: none_stored(csc_matrix(DENSE), 0), "indptr|index pointer"),
    "csr, none": (lambda: none_stored(csr_matrix(DENSE), 0), "indptr|index pointer"),
    "csr, fewer than none": (lambda: none_stored(csr_matrix(DENSE), -3000), "indptr|index pointer"),
    "bsr, none": (lambda: none_stored(bsr(), 0), "indptr|index pointer"),
}


class TestSparse:
    """Indices out of bounds raise an error; nothing is read out of bounds."""

    @pytest.mark.parametrize("make, message", BROKEN.values(), ids=BROKEN)
    def test_broken_matrices(self, make, message):
        with pytest.raises(ValueError, match=rf"Input X is a broken sparse .*({message})"):
            checked_sparse(make())

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "fit", "partial_fit"])
    def test_every_method_checks(self, method):
        labels = np.arange(N_ROWS) % 3
        model = MLPClassifier((8,), max_iter=1).fit(DENSE, labels)
        arguments = (none_stored(csr_matrix(DENSE), 0), labels)
        with pytest.raises(ValueError, match="Input X is a broken sparse csr matrix"):
            getattr(model, method)(*arguments[: 2 if "fit" in method else 1])

    @pytest.mark.parametrize("damage", [lambda Y: none_stored(Y, 0), lambda Y: broken(
        Y, "indices", 5, 2**30)], ids=["falling", "beyond"])  # fmt: skip
    def test_targets(self, damage):
        Y = damage(csr_matrix(np.arange(2 * N_ROWS).reshape(N_ROWS, 2) % 3 > 0))
        with pytest.raises(ValueError, match="Input y is a broken sparse csr matrix"):
            MLPClassifier((8,), max_iter=1).fit(DENSE, Y)

    def test_valid_matrices_are_not_copied(self):
        """They are not modified, although SciPy's own check removes spare entries."""
        assert checked_sparse(DENSE) is DENSE
        for matrix in (csr_matrix(DENSE), csc_matrix(DENSE)):
            assert np.shares_memory(checked_sparse(matrix).data, matrix.data)
        X = csr_matrix(DENSE)
        X.data, X.indices = np.append(X.data, [1.0] * 5), np.append(X.indices, [0] * 5)
        arrays = X.data, X.indices, X.indptr
        assert_array_equal(checked_sparse(X).toarray(), DENSE)
        assert all(a is b for a, b in zip(arrays, (X.data, X.indices, X.indptr), strict=True))

    @pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
    @pytest.mark.parametrize("format_", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
    def test_all_formats_give_the_same_numbers(self, format_):
        target = DENSE @ np.arange(N_FEATURES)
        reg = MLPRegressor(hidden_layer_sizes=8, max_iter=2, random_state=0)
        expected = reg.fit(DENSE, target).predict(DENSE)
        for make in (csr_matrix, csr_array):
            X = make(DENSE).asformat(format_)
            assert_array_equal(checked_sparse(X).toarray(), DENSE)
            assert_allclose(reg.fit(X, target).predict(X), expected, rtol=1e-9)

    def test_a_diagonal_matrix(self):
        X = dia_array((np.ones((1, 5)), [0]), shape=(5, 5))
        assert_array_equal(checked_sparse(X).toarray(), np.eye(5))

    @given(st.integers(0, 2**32))
    @settings(max_examples=100)
    def test_damage_is_an_error_or_harmless(self, seed):
        """If there is no error, the result is that of the dense matrix."""
        X = damaged(np.random.default_rng(seed))
        labels = np.arange(N_ROWS) % 3
        estimator = MLPClassifier((3,), max_iter=1, random_state=0)
        try:
            proba = estimator.fit(X, labels).predict_proba(X)
        except ValueError:
            with pytest.raises(ValueError):
                checked_sparse(X)
        else:
            if X.format != "coo":
                X.prune()  # SciPy cannot convert a BSR matrix with spare entries
            dense = X.toarray()
            assert_allclose(proba, estimator.fit(dense, labels).predict_proba(dense), rtol=1e-6)


def damaged(rng):
    """DENSE in a random format, with one random value of an index array changed."""
    kind = rng.choice(["csr", "csc", "coo", "bsr"])
    X = csr_array(DENSE).asformat(kind).copy()
    name = rng.choice(("row", "col") if kind == "coo" else ("indices", "indptr"))
    array = getattr(X, name)
    if rng.random() < 0.2:
        array = array.astype(np.int64)
        setattr(X, name, array)
    positions = [*rng.integers(len(array), size=rng.integers(1, 4)), len(array) - 1]
    huge = [-1, -3000, N_FEATURES, 5000, 10**8, 2**30, 2**31 - 1]
    for position in positions[rng.integers(2) :]:
        array[position] = rng.choice([*huge, 0, 1, array[position] + 1, array[position] - 1])
    return X
