"""The fitted state of an estimator: weights that can be set, history, pickles and copies."""

import copy
import io
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from comparing import parameters
from cymlp import MLPClassifier, MLPRegressor
from cymlp._estimators.fitted_state import Snapshot
from cymlp.schedules import ExponentialDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def fitted(digits):
    X, y = digits
    return MLPClassifier((20, 10), max_iter=5, random_state=0).fit(X, y), X, y


class TestWeights:
    def test_weights_are_views_of_one_vector(self, fitted):
        estimator, _, _ = fitted
        vector = estimator._network.parameters
        for array in estimator.coefs_ + estimator.intercepts_:
            assert np.shares_memory(array, vector)
        assert vector.size == sum(a.size for a in estimator.coefs_ + estimator.intercepts_)

    @pytest.mark.parametrize("how", ["in place", "item", "attribute"])
    def test_changed_weights_are_used(self, fitted, how):
        """In predict, and by partial_fit and warm_start."""
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
        """predict and partial_fit work with layer sizes that differ from those of the fit."""
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

    def test_weights_set_on_an_unfitted_estimator(self, digits):
        """The weights are lists of any dtype."""
        estimator = MLPRegressor(activation="identity")
        estimator.coefs_ = [[[1, 2], [3, 4]], np.array([[1], [1]], dtype=np.float32)]
        estimator.intercepts_ = [[0, 1], [5]]
        estimator.out_activation_ = "identity"
        estimator.n_features_in_ = 2
        assert_array_equal(estimator.predict([[1, 1], [2, 0]]), [16, 12])

    def test_weights_of_mismatched_shapes(self, fitted):
        estimator, X, _ = fitted
        estimator.coefs_[1] = np.ones((7, 7))
        with pytest.raises(ValueError, match=r"shapes of the layers do not agree: coefs_ \[\(64"):
            estimator.predict(X)

    def test_activation_may_change(self, fitted):
        estimator, X, _ = fitted
        before = estimator.predict_proba(X)
        after = estimator.set_params(activation="tanh").predict_proba(X)
        assert np.abs(after - before).max() > 0.01


def load_with_names(pickled):
    """The unpickled object, and the modules and names that were imported to load it."""
    names = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module, name):
            names.add((module, name))
            return super().find_class(module, name)

    return Recorder(io.BytesIO(pickled)).load(), names


def stop_at_once(estimator, epoch):
    return True


class TestPickles:
    @pytest.mark.parametrize("name", ["binary", "many classes", "multilabel", "numbers"])
    @pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
    def test_a_pickle_names_no_private_class(self, name, solver):
        """NumPy's functions that make arrays are private, but kept by NumPy for old pickles."""
        X = np.random.default_rng(0).normal(size=(30, 3))
        y = {
            "binary": X[:, 0] > 0,
            "many classes": np.arange(30).astype(str),
            "multilabel": (X > 0).astype(int),
            "numbers": X[:, 0],
        }[name]
        Estimator = MLPRegressor if name == "numbers" else MLPClassifier
        estimator = Estimator(hidden_layer_sizes=4, solver=solver, max_iter=2)
        if solver != "lbfgs":
            estimator.set_params(learning_rate=ExponentialDecay(0.5, decay_steps=3))
        if hasattr(estimator, "set_callbacks"):
            estimator.set_callbacks(stop_at_once)
        pickled = pickle.dumps(estimator.fit(X, y), protocol=4)
        own = {("cymlp", Estimator.__name__)}
        if solver != "lbfgs":
            own.add(("cymlp.schedules", "ExponentialDecay"))
        if hasattr(estimator, "set_callbacks"):
            own.add((__name__, "stop_at_once"))
        twin, names = load_with_names(pickled)
        assert own <= names
        assert {module.partition(".")[0] for module, _ in names - own} == {"numpy"}
        assert_array_equal(twin.predict(X), estimator.predict(X))

    def test_skops_needs_to_trust_the_estimator_only(self, digits):
        skops = pytest.importorskip("skops.io")
        estimator = MLPClassifier(max_iter=2, random_state=0).fit(*digits)
        dumped = skops.dumps(estimator)
        assert skops.get_untrusted_types(data=dumped) == ["cymlp.MLPClassifier"]
        twin = skops.loads(dumped, trusted=["cymlp.MLPClassifier"])
        assert_array_equal(twin.predict_proba(digits[0]), estimator.predict_proba(digits[0]))
        assert_array_equal(
            twin.partial_fit(*digits).coefs_[0], estimator.partial_fit(*digits).coefs_[0]
        )

    def test_pickle_has_weights_once(self, digits):
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
    def test_copies_train_like_the_original(self, digits, solver, copied):
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
        estimator.set_params(n_jobs=1)  # another process may have other CPUs
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


class TestHistory:
    """Counts and records across successive fits."""

    def test_only_fitted_estimators_have_it(self, digits):
        estimator = MLPClassifier(5, max_iter=2)
        assert not hasattr(estimator, "history_")
        with pytest.raises(AttributeError, match=r"MLPClassifier has no history_ before"):
            _ = estimator.history_
        estimator.fit(*digits)
        with pytest.raises(AttributeError):
            estimator.history_ = {}
        estimator.history_["loss"][:] = 7  # a copy
        assert_array_equal(estimator.history_["loss"], estimator.loss_curve_)
        assert not hasattr(clone(estimator), "history_")
        frame = pandas.DataFrame(estimator.history_)
        assert frame.shape == (2, 4)
        assert_array_equal(frame["loss"], estimator.loss_curve_)

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_warm_start_appends(self, digits, solver):
        estimator = MLPClassifier(5, solver=solver, warm_start=True, max_iter=3).fit(*digits)
        first = estimator.history_
        estimator.fit(*digits)
        assert len(estimator.history_["loss"]) == 6
        for name, values in first.items():
            assert_array_equal(estimator.history_[name][:3], values)
        if solver == "adam":
            assert estimator.t_ == 6 * len(digits[0])
            assert len(estimator.loss_curve_) == 6
            assert_array_equal(estimator.history_["n_updates"], [9, 18, 27, 9, 18, 27])
        assert estimator.n_iter_ == 3

    def test_partial_fit_appends(self, digits):
        X, y = digits
        estimator = MLPClassifier(5, max_iter=2).fit(X, y).partial_fit(X, y).partial_fit(X, y)
        assert_array_equal(estimator.history_["n_updates"], [9, 18, 27, 36])
        assert_array_equal(estimator.history_["loss"], estimator.loss_curve_)
        assert estimator.n_iter_ == 1
        assert estimator.best_loss_ == min(estimator.loss_curve_)

    def test_a_new_fit_starts_afresh(self, digits):
        X, y = digits
        estimator = MLPClassifier(5, max_iter=3, record_train_score=True).fit(X, y)
        estimator.set_params(max_iter=2, record_train_score=False).fit(X, y)
        assert list(estimator.history_) == ["n_updates", "loss", "learning_rate", "seconds"]
        assert len(estimator.history_["loss"]) == len(estimator.loss_curve_) == 2
        assert estimator.t_ == 2 * len(X)
        estimator.set_params(solver="lbfgs").fit(X[:, :5], y)
        assert list(estimator.history_) == ["loss", "seconds"]
        assert not hasattr(estimator, "loss_curve_")
        assert estimator.n_features_in_ == 5

    def test_quantities_recorded_in_some_fits(self, digits):
        estimator = MLPClassifier(5, max_iter=2, warm_start=True).fit(*digits)
        estimator.set_params(record_train_score=True).fit(*digits)
        assert_array_equal(np.isnan(estimator.history_["train_score"]), [True] * 2 + [False] * 2)
        estimator.set_params(solver="lbfgs", record_train_score=False).fit(*digits)
        assert_array_equal(np.isnan(estimator.history_["n_updates"]), [False] * 4 + [True] * 2)
        assert np.isfinite(estimator.history_["loss"]).all()

    def test_the_stopping_rule_may_change(self, digits):
        estimator = MLPClassifier(5, warm_start=True, max_iter=2, random_state=0).fit(*digits)
        estimator.set_params(early_stopping=True).fit(*digits)
        assert estimator.best_loss_ is None
        assert len(estimator.validation_scores_) == 2
        assert estimator.best_iteration_ in (1, 2)
        estimator.set_params(early_stopping=False).fit(*digits)
        assert estimator.validation_scores_ is estimator.best_validation_score_ is None
        assert estimator.best_iteration_ is None
        assert np.isfinite(estimator.best_loss_)
        estimator.set_params(solver="lbfgs").fit(*digits)
        assert not hasattr(estimator, "best_iteration_")


class TestSnapshot:
    def test_restores_attributes_and_lengths_of_lists(self):
        estimator = MLPRegressor()
        estimator.loss_curve_, network = [1.0, 2.0], object()
        estimator._network, curve = network, estimator.loss_curve_
        before = Snapshot(estimator)
        curve.append(3.0)
        estimator._network, estimator.t_ = None, 7
        estimator.loss_curve_ = []
        before.restore()
        assert estimator._network is network
        assert estimator.loss_curve_ is curve == [1.0, 2.0]
        assert not hasattr(estimator, "t_")


@given(
    solver=st.sampled_from(["sgd", "adam", "lbfgs"]), early_stopping=st.booleans(),
    hidden=st.lists(st.integers(1, 6), max_size=2), dtype=st.sampled_from([np.float32, np.float64]),
    kind=st.sampled_from(["numbers", "two", "three", "labels"]),
)  # fmt: skip
@settings(max_examples=30)
def test_any_fitted_state_survives_a_pickle(solver, early_stopping, hidden, dtype, kind):
    """The copy predicts and trains like the original."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3)).astype(dtype)
    y = {
        "numbers": X[:, 0],
        "two": np.where(X[:, 0] > 0, "yes", "no"),
        "three": X.argmax(axis=1),
        "labels": (X > 0).astype(int),
    }[kind]
    Estimator = MLPRegressor if kind == "numbers" else MLPClassifier
    estimator = Estimator(
        hidden_layer_sizes=hidden, solver=solver, early_stopping=early_stopping, max_iter=2,
        validation_fraction=0.3, warm_start=True, random_state=0,
    ).fit(X, y)  # fmt: skip
    twin = pickle.loads(pickle.dumps(estimator))
    for _ in range(2):
        assert_array_equal(twin.predict(X), estimator.predict(X))
        assert_array_equal(parameters(twin), parameters(estimator))
        assert twin.history_.keys() == estimator.history_.keys()
        estimator.fit(X, y), twin.fit(X, y)
