"""What a fitted estimator holds: settable weights, pickles, copies; and what fit leaves alone."""

import copy
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone

from cymlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def fitted(digits):
    X, y = digits
    return MLPClassifier((20, 10), max_iter=5, random_state=0).fit(X, y), X, y


class TestWeights:
    def test_they_are_views_of_one_vector(self, fitted):
        estimator, _, _ = fitted
        vector = estimator._network.parameters
        for array in estimator.coefs_ + estimator.intercepts_:
            assert np.shares_memory(array, vector)
        assert vector.size == sum(a.size for a in estimator.coefs_ + estimator.intercepts_)

    @pytest.mark.parametrize("how", ["in place", "item", "attribute"])
    def test_setting_them_takes_effect(self, fitted, how):
        """In predict, and where partial_fit and warm_start go on."""
        estimator, X, y = fitted
        weights = [0.5 * W for W in estimator.coefs_]
        expected = copy.deepcopy(estimator)
        expected._network.parameters[: sum(W.size for W in weights)] *= 0.5
        if how == "in place":
            for W in estimator.coefs_:
                W *= 0.5
        elif how == "item":
            for i, W in enumerate(weights):
                estimator.coefs_[i] = W
        else:
            estimator.coefs_ = weights
        before = vars(estimator).copy()
        assert_array_equal(estimator.predict_proba(X), expected.predict_proba(X))
        assert vars(estimator) == before
        estimator = pickle.loads(pickle.dumps(estimator))
        assert_array_equal(estimator.predict_proba(X), expected.predict_proba(X))
        estimator.partial_fit(X, y), expected.partial_fit(X, y)
        assert_array_equal(estimator.predict_proba(X), expected.predict_proba(X))

    def test_pruning_units(self, fitted):
        """Layers of other sizes than in fit, in predict and partial_fit."""
        estimator, X, y = fitted
        keep = np.arange(0, 20, 2)
        dead = np.setdiff1d(np.arange(20), keep)
        expected = copy.deepcopy(estimator)
        expected.coefs_[1][dead] = 0
        W, V, U = estimator.coefs_
        b, *rest = estimator.intercepts_
        estimator.coefs_ = [W[:, keep], V[keep], U]
        estimator.intercepts_ = [b[keep], *rest]
        assert_allclose(estimator.predict_proba(X), expected.predict_proba(X))
        estimator.partial_fit(X, y)
        assert [W.shape for W in estimator.coefs_] == [(64, 10), (10, 10), (10, 10)]

    def test_weights_from_elsewhere(self, digits):
        """Lists of any dtype, into an estimator that was never fitted."""
        estimator = MLPRegressor(activation="identity")
        estimator.coefs_ = [[[1, 2], [3, 4]], np.array([[1], [1]], dtype=np.float32)]
        estimator.intercepts_ = [[0, 1], [5]]
        estimator.out_activation_ = "identity"
        estimator.n_features_in_ = 2
        assert_array_equal(estimator.predict([[1, 1], [2, 0]]), [16, 12])

    def test_weights_that_do_not_fit(self, fitted):
        estimator, X, _ = fitted
        estimator.coefs_[1] = np.ones((7, 7))
        with pytest.raises(ValueError, match=r"shapes of the layers do not agree: coefs_ \[\(64"):
            estimator.predict(X)

    def test_activation_may_change(self, fitted):
        estimator, X, _ = fitted
        before = estimator.predict_proba(X)
        after = estimator.set_params(activation="tanh").predict_proba(X)
        assert np.abs(after - before).max() > 0.01


class TestPickles:
    def test_weights_are_held_once(self, digits):
        X, y = digits
        for solver, early_stopping, copies in [
            ("lbfgs", False, 1), ("sgd", False, 2), ("adam", False, 3), ("adam", True, 1),
        ]:  # fmt: skip
            estimator = MLPClassifier(
                500, solver=solver, early_stopping=early_stopping, max_iter=2
            ).fit(X, y)
            weights = estimator._network.parameters.nbytes
            size = len(pickle.dumps(estimator))
            assert copies * weights < size < copies * weights + 10_000, solver
        plain = MLPClassifier(500, solver="sgd", momentum=0, max_iter=2).fit(X, y)
        assert len(pickle.dumps(plain)) < plain._network.parameters.nbytes + 10_000

    @pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))],
        ids=["copy", "deepcopy", "pickle"],
    )
    def test_copies_go_on_alike(self, digits, solver, copied):
        X, y = digits
        estimator = MLPClassifier(solver=solver, max_iter=3, random_state=0).fit(X, y)
        twin = copied(estimator)
        assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
        if solver == "lbfgs":
            return
        before = estimator.predict_proba(X)
        twin.partial_fit(X, y)
        if copied is not copy.copy:  # a shallow copy shares the optimizer's state
            assert_array_equal(estimator.predict_proba(X), before)
            estimator.partial_fit(X, y)
            assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))

    @pytest.mark.parametrize("mmap_mode", [None, "r"])
    def test_joblib(self, fitted, tmp_path, mmap_mode):
        estimator, X, y = fitted
        joblib.dump(estimator, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib", mmap_mode=mmap_mode)
        assert loaded.coefs_[0].flags.writeable == (mmap_mode is None)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            assert_array_equal(getattr(loaded, method)(X), getattr(estimator, method)(X))
        loaded.partial_fit(X, y)
        estimator.partial_fit(X, y)
        assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))

    def test_in_another_process(self, fitted, tmp_path):
        estimator, X, _ = fitted
        (tmp_path / "model.pickle").write_bytes(pickle.dumps((estimator, X)))
        program = (
            "import pickle, sys; estimator, X = pickle.load(open(sys.argv[1], 'rb')); "
            "pickle.dump(estimator.predict_proba(X), open(sys.argv[2], 'wb'))"
        )
        paths = [str(tmp_path / "model.pickle"), str(tmp_path / "result.pickle")]
        subprocess.run([sys.executable, "-c", program, *paths], check=True, env=os.environ)
        result = pickle.loads((tmp_path / "result.pickle").read_bytes())
        assert_array_equal(result, estimator.predict_proba(X))

    def test_without_weights(self, fitted):
        estimator, _, _ = fitted
        del estimator.coefs_
        assert not hasattr(pickle.loads(pickle.dumps(estimator)), "coefs_")

    def test_clone(self, fitted):
        estimator, _, _ = fitted
        cloned = clone(estimator)
        assert cloned.get_params() == estimator.get_params()
        assert not hasattr(cloned, "coefs_")


class TestData:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_read_only_and_unchanged(self, digits, order, dtype, tmp_path):
        """X in any order, read-only or memory-mapped, gives the same model."""
        X, y = np.asarray(digits[0], dtype=dtype, order=order), digits[1].astype(float)
        weights = np.linspace(0.5, 1.5, len(y))
        np.save(tmp_path / "X.npy", X)
        params = {"hidden_layer_sizes": 10, "max_iter": 3, "random_state": 0}
        expected = MLPRegressor(**params).fit(X, y, weights).predict(X)
        for array in (X, y, weights):
            array.flags.writeable = False
        for data in (X, np.load(tmp_path / "X.npy", mmap_mode="r")):
            estimator = MLPRegressor(**params).fit(data, y, weights)
            assert_array_equal(estimator.predict(data), expected)
            assert estimator.coefs_[0].dtype == dtype

    def test_misaligned_and_swapped(self, digits):
        X, y = digits
        params = {"hidden_layer_sizes": 10, "max_iter": 3, "random_state": 0}
        expected = MLPClassifier(**params).fit(X, y).predict_proba(X)
        raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
        misaligned = raw[1:].view(X.dtype).reshape(X.shape)
        misaligned[...] = X
        assert not misaligned.flags.aligned
        for data in (misaligned, X.astype(X.dtype.newbyteorder())):
            assert_array_equal(MLPClassifier(**params).fit(data, y).predict_proba(data), expected)

    def test_sparse_matrices_of_any_make(self, fitted):
        """Spare entries stay, strided arrays and counts are read."""
        estimator, X, y = fitted
        expected = estimator.predict_proba(np.round(X))
        sparse = csr_matrix(np.round(X))
        spare = sparse.copy()
        spare.data = np.append(spare.data, np.ones(50))
        spare.indices = np.append(spare.indices, np.zeros(50, dtype=spare.indices.dtype))
        strided = sparse.copy()
        strided.data = np.repeat(strided.data, 2)[::2]
        for matrix in (spare, strided, sparse.astype(np.int64), sparse.astype(np.float32)):
            n_entries = len(matrix.data)
            assert_allclose(estimator.predict_proba(matrix), expected, rtol=1e-12)
            MLPClassifier(5, max_iter=1).fit(matrix, y)
            assert len(matrix.data) == n_entries

    def test_a_row_does_not_depend_on_the_others(self, fitted):
        estimator, X, _ = fitted
        together = estimator.predict_proba(X)
        alone = np.vstack([estimator.predict_proba(X[i : i + 1]) for i in range(50)])
        assert_allclose(alone, together[:50], rtol=1e-12)
        assert_allclose(estimator.predict_proba(csr_matrix(X)), together, rtol=1e-12)

    def test_predict_changes_nothing(self, fitted):
        estimator, X, _ = fitted
        before = copy.deepcopy(vars(estimator))
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            getattr(estimator, method)(X)
        assert vars(estimator).keys() == before.keys()
        assert_array_equal(estimator._network.parameters, before["_network"].parameters)

    def test_decision_function(self, digits):
        X, y = digits
        multiclass = MLPClassifier(max_iter=5).fit(X, y)
        Z = multiclass.decision_function(X)
        assert Z.shape == (len(X), 10)
        assert_array_equal(multiclass.classes_[Z.argmax(axis=1)], multiclass.predict(X))
        binary = MLPClassifier(max_iter=5).fit(X, y > 4)
        assert_allclose(
            1 / (1 + np.exp(-binary.decision_function(X))), binary.predict_proba(X)[:, 1]
        )

    def test_seed(self, digits):
        """The same seed gives the same bits."""
        X, y = digits
        first, second = (
            MLPClassifier(max_iter=3, random_state=7).fit(X, y)._network.parameters
            for _ in range(2)
        )
        assert_array_equal(first, second)

    def test_refit_forgets(self, digits):
        X, y = digits
        estimator = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
        estimator.set_params(solver="lbfgs").fit(X[:, :5], y)
        assert not hasattr(estimator, "loss_curve_")
        assert estimator.n_features_in_ == 5
