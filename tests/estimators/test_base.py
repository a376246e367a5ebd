"""Behaviour of fit, partial_fit and predict that both estimators share."""

import copy
import pickle
import warnings
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import clone, config_context
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split

from comparing import assert_state, error_of, fitted_attributes, parameters, state
from cymlp import MLPClassifier, MLPRegressor
from cymlp._training.config import TrainingConfig
from cymlp.schedules import LinearDecay
from small import Sliced, X, classifier, numbers, regressor, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class TestConfig:
    """Parameters become the plain values of a TrainingConfig."""

    def test_defaults_match_the_estimators(self):
        reg = MLPRegressor()
        params = reg.get_params() | {"clip_norm": 0.0}
        for field in fields(TrainingConfig):
            if field.name in params.keys() - {"loss", "activation", "dropout"}:
                assert field.default == params[field.name], field.name
        reg.n_outputs_ = 1
        assert reg._training_config(reg._fitted_targets(), 2) == TrainingConfig(
            "identity", "squared_error", activation=("relu",), dropout=(0.0,),
            l2=(1e-4, 1e-4), l1=(0.0, 0.0),
        )  # fmt: skip

    @pytest.mark.parametrize(
        "alpha, l1_ratio, l2, l1",
        [
            (2.0, 0.0, (2.0, 2.0), (0.0, 0.0)),
            (2.0, 1.0, (0.0, 0.0), (2.0, 2.0)),
            (2.0, 0.25, (1.5, 1.5), (0.5, 0.5)),
            ([1.0, 4.0], [0.0, 0.75], (1.0, 1.0), (0.0, 3.0)),
        ],
        ids=str,
    )
    def test_penalties_per_layer(self, alpha, l1_ratio, l2, l1):
        reg = regressor(alpha=alpha, l1_ratio=l1_ratio)
        reg.n_outputs_ = 1
        config = reg._training_config(reg._fitted_targets(), 2)
        assert (config.l2, config.l1) == (l2, l1)

    def test_partial_fit_is_one_epoch(self):
        reg = regressor()
        reg.n_outputs_ = 1
        assert reg._training_config(reg._fitted_targets(), 2, incremental=True).n_epochs == 1
        assert reg._training_config(reg._fitted_targets(), 2).n_epochs is None

    @pytest.mark.parametrize("name", ["alpha", "dropout", "l1_ratio", "activation"])
    def test_equal_values_per_layer_match_one_value(self, name):
        value = "tanh" if name == "activation" else 0.25
        n = 2 if name in ("dropout", "activation") else 3
        expected = classifier(hidden_layer_sizes=(4, 3), **{name: value}).fit(X, y)
        for values in ([value] * n, np.full(n, value)):
            clf = classifier(hidden_layer_sizes=(4, 3), **{name: values}).fit(X, y)
            assert_array_equal(parameters(clf), parameters(expected))
            assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))

    OFF = {  # noqa: RUF012
        "alpha": (1e-4, 1e-4, 1e-4), "l1_ratio": (0.0, 0.0, 0.0), "weight_decay": 0.0,
        "dropout": (0.0, 0.0), "clip_norm": None, "init": "glorot_uniform",
        "activation": ["relu", "relu"], "label_smoothing": 0.0, "class_weight": None,
        "record_train_score": False, "record_every": None, "scoring": None,
    }  # fmt: skip

    @pytest.mark.parametrize("params", [{"solver": "adam"}, {"solver": "sgd"}, {"n_jobs": 2}])
    def test_options_that_are_off_change_no_bit(self, params):
        params |= {"hidden_layer_sizes": (6, 4)}
        plain = parameters(classifier(**params).fit(X, y))
        assert_array_equal(parameters(classifier(**params, **self.OFF).fit(X, y)), plain)
        for neutral in ({"clip_norm": 1e300}, {"class_weight": dict.fromkeys(range(3), 1.0)}):
            neutral_ones = parameters(classifier(**params, **neutral).fit(X, y))
            assert_allclose(neutral_ones, plain, rtol=1e-7, atol=1e-9)


class TestSeeds:
    def test_same_seed_gives_identical_weights(self):
        one, same, other = (
            parameters(classifier(random_state=s, dropout=0.2).fit(X, y)) for s in (1, 1, 2)
        )
        assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0.01

    @pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"dropout": 0.3}], ids=str)
    def test_records_change_no_bit(self, params):
        plain = classifier(**params).fit(X, y)
        recorded = classifier(record_every=3, record_train_score=True, **params).fit(X, y)
        assert_array_equal(parameters(recorded), parameters(plain))
        assert recorded.validation_scores_ == plain.validation_scores_

    def test_init_is_called_only_by_the_first_fit(self):
        """Fits that continue do not call it; it draws from the same generator as the rest."""
        calls = []

        def glorot(fan_in, fan_out, rng):
            calls.append((fan_in, fan_out))
            bound = np.sqrt(6 / (fan_in + fan_out))
            W = rng.uniform(-bound, bound, (fan_in, fan_out))
            return W, rng.uniform(-bound, bound, fan_out)

        clf = classifier(init=glorot, warm_start=True).fit(X, y)
        assert_array_equal(parameters(clf), parameters(classifier().fit(X, y)))
        clf.fit(X, y).partial_fit(X, y)
        assert calls == [(5, 7), (7, 3)]
        clf.set_params(warm_start=False).fit(X, y)
        assert calls == [(5, 7), (7, 3)] * 2


class TestContinuing:
    @pytest.mark.parametrize("schedule", ["constant", LinearDecay()], ids=str)
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_five_partial_fits_equal_a_fit_of_five_epochs(self, solver, schedule):
        params = {"learning_rate": schedule, "solver": solver, "shuffle": False}
        clf = classifier(**params)
        for _ in range(5):
            clf.partial_fit(X, y, classes=[0, 1, 2])
        expected = classifier(**params).fit(X, y)
        assert_array_equal(parameters(clf), parameters(expected))
        assert_array_equal(clf.history_["learning_rate"], expected.history_["learning_rate"])

    def test_schedule_continues_in_partial_fit_and_restarts_in_fit(self):
        calls = []
        clf = classifier(learning_rate=lambda *call: calls.append(call) or 1.0).fit(X, y)
        assert calls == [(step, 20) for step in range(20)]
        calls.clear()
        clf.partial_fit(X, y)
        assert calls == [(step, 20) for step in range(20, 24)]
        calls.clear()
        clf.fit(X, y)
        assert calls == [(step, 20) for step in range(20)]

    def test_held_out_rows_make_no_updates(self):
        calls = []
        classifier(
            learning_rate=lambda *call: calls.append(call) or 1.0, early_stopping=True,
            validation_fraction=0.5, max_iter=2,
        ).fit(X, y)  # fmt: skip
        assert calls == [(step, 4) for step in range(4)]

    def test_data_of_other_sizes(self):
        reg = regressor(warm_start=True).fit(X, numbers)
        before = state(reg)
        for data, message in (
            ((X[:, :2], numbers), "X has 2 features, but MLPRegressor is expecting 5"),
            ((X, X[:, :2]), "5 features and 1 outputs, but the data have 5 and 2"),
        ):
            for method in (reg.fit, reg.partial_fit):
                with pytest.raises(ValueError, match=message):
                    method(*data)
        assert_state(reg, before)

    def test_solver_may_change(self):
        reg = regressor(solver="lbfgs", warm_start=True, max_iter=20).fit(X, numbers)
        loss = reg.loss_
        reg.set_params(solver="adam", max_iter=3).fit(X, numbers)
        assert len(reg.loss_curve_) == 3
        assert reg.loss_curve_[0] < 1.5 * loss

    def test_hidden_layer_sizes_are_checked_but_not_used(self):
        reg = regressor().fit(X, numbers)
        with pytest.raises(ValueError, match=r"hidden_layer_sizes must be > 0, got \[3, -1\]"):
            reg.set_params(hidden_layer_sizes=(3, -1)).partial_fit(X, numbers)
        reg.set_params(hidden_layer_sizes=4).partial_fit(X, numbers)
        assert reg.coefs_[0].shape == (5, 7)

    def test_partial_fit_refuses_early_stopping(self):
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            regressor(early_stopping=True).partial_fit(X, numbers)

    def test_wrong_arguments(self):
        for Estimator in (MLPClassifier, MLPRegressor):
            for method in ("fit", "partial_fit"):
                name = f"{Estimator.__name__}.{method}"
                error = error_of(getattr(Estimator(), method), X, y, eval_set=[(X, y)])
                assert str(error) == f"{name}() got an unexpected keyword argument 'eval_set'"
                error = error_of(getattr(Estimator(), method), X)
                assert str(error) == f"{name}() missing 1 required positional argument: 'y'"


class Broken:
    """A schedule that returns or raises ``value`` from step ``first`` on."""

    def __init__(self, first, value):
        self.first, self.value = first, value

    def __call__(self, step, total):
        if step < self.first:
            return 1.0
        if isinstance(self.value, type) and issubclass(self.value, BaseException):
            raise self.value("out of factors")
        return self.value


class TestFailures:
    """A call that fails leaves the estimator as it was."""

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    @pytest.mark.parametrize("fitted, first", [(False, 0), (False, 2), (True, 2)])
    @pytest.mark.parametrize(
        "value", [np.nan, RuntimeError, SystemExit], ids=["NaN", "RuntimeError", "SystemExit"]
    )  # fmt: skip
    def test_in_a_schedule(self, value, first, fitted, method):
        reg = regressor(warm_start=True, record_every=1)  # one engine call per update
        if fitted:
            reg.fit(X, numbers)
            first += 20 if method == "partial_fit" else 0
        reg.set_params(learning_rate=Broken(first, value))
        before = state(reg) | {"learning_rate": reg.learning_rate}
        kind = value if isinstance(value, type) else ValueError
        with pytest.raises(kind, match=r"learning rate|out of factors"):
            getattr(reg, method)(X, numbers)
        if method == "partial_fit" and fitted and first > 20:
            assert not hasattr(reg, "_optimizer")  # it had been updated, so it is discarded
            del before["_optimizer"]
        assert_state(reg, before)

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_in_init(self, method):
        reg = regressor(init=lambda n, m, rng: None)
        with pytest.raises(ValueError, match="init must return"):
            getattr(reg, method)(X, numbers)
        assert not fitted_attributes(reg)
        fitted = regressor().fit(X, numbers).set_params(init=reg.init)
        before = state(fitted)
        with pytest.raises(ValueError, match="init must return"):
            fitted.fit(X[:, :3], numbers)
        assert_state(fitted, before)

    def test_in_a_warning_raised_as_an_error(self):
        reg = regressor().fit(X, numbers)
        before = state(reg)
        with warnings.catch_warnings(), pytest.raises(UserWarning, match="batch_size"):
            warnings.simplefilter("error")
            reg.set_params(batch_size=5000).fit(X, numbers)
        assert_state(reg, before | {"batch_size": 5000})

    def test_all_training_weights_are_0(self):
        """Only the held-out rows have weights above 0."""
        rows = np.arange(100)
        data = np.c_[rows, rows**2] / 100.0
        reg = MLPRegressor(early_stopping=True, max_iter=1, random_state=0).fit(data, rows)
        random_state = np.random.RandomState(0)  # the initial weights are drawn before the split
        random_state.uniform(size=parameters(reg).size)
        _, held_out = train_test_split(rows, random_state=random_state, test_size=0.1)
        with pytest.raises(ValueError, match="Nothing was trained"):
            reg.fit(data, rows, np.isin(rows, held_out).astype(float))

    def test_float32_overflow(self):
        """Values too large for float32 raise an error that names y or X."""
        for bad_y in (np.full(60, 1e300), np.r_[1e39, np.zeros(59)]):
            with pytest.raises(ValueError, match="Input y contains infinity or a value too large"):
                MLPRegressor().fit(X.astype(np.float32), bad_y)
        reg = MLPRegressor().partial_fit(X.astype(np.float32), numbers)
        bad_X = X.copy()
        bad_X[3, 1] = 1e39
        for data in (bad_X, csr_matrix(bad_X)):
            with pytest.raises(ValueError, match="Input X contains infinity or a value too large"):
                reg.partial_fit(data, numbers)


def clone_of_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def interrupted(start, rows):
    raise KeyboardInterrupt


def with_params(**params):
    """A call of partial_fit with parameters that are set for it alone."""

    def call(clf):
        own = {name: getattr(clf, name) for name in params}
        try:
            clf.set_params(**params).partial_fit(X, y, classes=[0, 1, 2])
        finally:
            clf.set_params(**own)

    return call


# Calls of partial_fit that fail before the first update, and their errors.
FAULTS = {
    "NaN in X": (ValueError, lambda clf: clf.partial_fit(X * np.nan, y, classes=[0, 1, 2])),
    "NaN in a sparse X": (
        ValueError,
        lambda clf: clf.partial_fit(csr_matrix(X * np.nan), y, classes=[0, 1, 2]),
    ),
    "unknown class": (ValueError, lambda clf: clf.partial_fit(X, y + 1, classes=[0, 1, 2])),
    "y too short": (ValueError, lambda clf: clf.partial_fit(X, y[1:], classes=[0, 1, 2])),
    "numbers as y": (ValueError, lambda clf: clf.partial_fit(X, y + 0.5, classes=[0, 1, 2])),
    "weights of 0": (ValueError, lambda clf: clf.partial_fit(X, y, 0 * y, classes=[0, 1, 2])),
    "Ctrl-C": (
        KeyboardInterrupt,
        lambda clf: clf.partial_fit(Sliced(X, interrupted), y, classes=[0, 1, 2]),
    ),
    "warning": (UserWarning, with_params(batch_size=1000)),
    "schedule": (ValueError, with_params(learning_rate=lambda step, total: np.nan)),
    "parameter": (ValueError, with_params(momentum=2)),
    "early_stopping": (ValueError, with_params(early_stopping=True)),
    "number of layers": (ValueError, with_params(alpha=[0.1, 0.1, 0.1])),
}


class TestStream:
    """Many calls of partial_fit, which share what has been made of the parameters."""

    CHUNKS = [slice(start, start + 20) for start in range(0, 60, 20)] * 3

    @staticmethod
    def part(clf, rows):
        return clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])

    @pytest.mark.parametrize("copied", [clone_of_pickle, copy.copy, copy.deepcopy])
    def test_continues_from_a_copy_after_any_call(self, copied):
        whole, parted = (classifier(dropout=0.2) for _ in range(2))
        for rows in self.CHUNKS:
            self.part(whole, rows)
            parted = copied(self.part(parted, rows))
        assert_array_equal(parameters(parted), parameters(whole))

    def test_another_estimator_between_the_calls(self):
        first, second = classifier(alpha=0.5), classifier(alpha=0.0, hidden_layer_sizes=3)
        alone = clone(first)
        for rows in self.CHUNKS:
            self.part(alone, rows)
        for rows in self.CHUNKS:
            self.part(first, rows), self.part(second, rows)
        assert_array_equal(parameters(first), parameters(alone))

    @pytest.mark.parametrize(
        "name, value",
        [("alpha", 5.0), ("alpha", [5.0, 0.0]), ("batch_size", 7), ("dropout", 0.5)],
    )
    def test_a_parameter_that_is_set_between_the_calls(self, name, value):
        clf, other = classifier(), classifier()
        for estimator in (clf, other):
            self.part(estimator, self.CHUNKS[0])
        self.part(other, self.CHUNKS[1])
        self.part(clf.set_params(**{name: value}), self.CHUNKS[1])
        assert (parameters(clf) != parameters(other)).any()
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            self.part(clf.set_params(**{name: -1}), self.CHUNKS[2])

    def test_a_list_that_is_changed_between_the_calls(self):
        clf = classifier(alpha=[0.5, 0.5])
        self.part(clf, self.CHUNKS[0])
        clf.alpha[1] = -1
        with pytest.raises(ValueError, match="'alpha' parameter"):
            self.part(clf, self.CHUNKS[1])

    def test_weights_that_are_replaced_between_the_calls(self):
        clf = self.part(classifier(), self.CHUNKS[0])
        old = clf.coefs_[0]
        clf.coefs_[0] = old + 1
        self.part(clf, self.CHUNKS[1])
        assert_allclose(clf.coefs_[0], old + 1, atol=0.1)

    def test_weights_of_earlier_calls_are_kept(self):
        """What a user holds is not written to by later calls."""
        clf = self.part(classifier(), self.CHUNKS[0])
        held, before = clf.coefs_[0], clf.coefs_[0].copy()
        for rows in self.CHUNKS:
            self.part(clf, rows)
        assert_array_equal(held, before)

    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize("name", FAULTS)
    def test_goes_on_after_a_failed_call_as_if_there_had_been_none(self, name, first):
        error, call = FAULTS[name]
        clf, twin = classifier(), classifier()
        for estimator in () if first else (clf, twin):
            self.part(estimator, self.CHUNKS[0])
        before = state(clf)
        with warnings.catch_warnings(), pytest.raises(error):
            warnings.simplefilter("error")
            call(clf)
        assert_state(clf, before)
        for rows in self.CHUNKS:
            self.part(clf, rows), self.part(twin, rows)
        assert_array_equal(parameters(clf), parameters(twin))
        assert clf.loss_curve_ == twin.loss_curve_


class TestDivergence:
    """Training that diverges ends in the documented ValueError, never in NaN predictions."""

    MESSAGE = "Solver produced non-finite parameter weights. The input data may contain large"

    def diverging(self, **params):
        return MLPRegressor(
            hidden_layer_sizes=(5,), activation="identity", solver="sgd",
            learning_rate_init=1e10, random_state=0, **{"max_iter": 50, **params},
        )  # fmt: skip

    def test_first_fit(self):
        """The fit ends after the epoch that diverged."""
        reg = self.diverging(max_iter=10**9, n_iter_no_change=np.inf)
        with pytest.raises(ValueError, match=self.MESSAGE):
            reg.fit(X, numbers)
        with pytest.raises(NotFittedError):
            reg.predict(X)

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_later_fit(self, solver):
        """It leaves no trace: partial_fit continues with the earlier optimizer's state."""
        reg = self.diverging(warm_start=True)
        reg.set_params(solver=solver, learning_rate_init=1e-3).fit(X, numbers)
        before, twin = state(reg), copy.deepcopy(reg)
        with pytest.raises(ValueError, match=self.MESSAGE):
            reg.fit(1e300 * X, numbers)
        assert_state(reg, before)
        reg.partial_fit(X, numbers), twin.partial_fit(X, numbers)
        assert_array_equal(reg.predict(X), twin.predict(X))

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_later_partial_fit(self, solver):
        """The weights are kept; the optimizer starts afresh."""
        reg = self.diverging()
        reg.set_params(solver=solver, learning_rate_init=1e-3).fit(X, numbers)
        before = state(reg)
        with pytest.raises(ValueError, match=self.MESSAGE):
            for _ in range(10):
                reg.partial_fit(1e300 * X, numbers)
        del before["_optimizer"]
        assert_state(reg, before | {"n_iter_": reg.n_iter_})
        assert np.isfinite(reg.partial_fit(X, numbers).predict(X)).all()

    def test_early_stopping_returns_to_the_best(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reg = self.diverging(early_stopping=True).fit(X, numbers)
        assert np.isfinite(reg.predict(X)).all()
        assert np.isnan(reg.validation_scores_[-1])


class TestWeights:
    @given(
        st.lists(st.integers(0, 3), min_size=60, max_size=60).filter(any),
        st.sampled_from(["numbers", "two", "three"]), st.sampled_from(["lbfgs", "sgd"]),
    )  # fmt: skip
    @settings(max_examples=25)
    def test_weight_2_equals_a_repeated_row(self, weights, kind, solver):
        """And weight 0 equals a missing row, if there is a single mini-batch."""
        target = {"numbers": numbers, "two": y % 2, "three": y}[kind]
        rows = np.repeat(np.arange(60), weights)
        if kind != "numbers" and len(np.unique(target[rows])) < len(np.unique(target)):
            return  # a different problem without the rows of weight 0
        make = regressor if kind == "numbers" else classifier
        params = {"solver": solver, "batch_size": 10**6, "max_iter": 4, "activation": "tanh"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the batch size is clipped
            one = make(**params).fit(X, target, weights)
            other = make(**params).fit(X[rows], target[rows])
        assert_allclose(parameters(one), parameters(other), rtol=1e-6, atol=1e-8)
        assert_allclose(one.loss_, other.loss_, rtol=1e-7)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_small_weights_train(self, dtype):
        params = {"alpha": 0.0, "max_iter": 5}
        weighted = regressor(**params).fit(X.astype(dtype), numbers, np.full(60, 1e-30))
        plain = regressor(**params).fit(X.astype(dtype), numbers)
        assert_allclose(weighted.loss_, plain.loss_, rtol=1e-4)

    @pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
    def test_weights_too_small_or_too_large(self, solver):
        for size in (1e-310, 1e306):
            with pytest.raises(ValueError, match="sample_weight must have a largest value of"):
                regressor(solver=solver).fit(X, numbers, np.full(60, size))

    @pytest.mark.parametrize("batch_size", [0, -5])
    def test_unchecked_batch_size_is_clipped(self, batch_size):
        """As in scikit-learn; the engine would never finish with such a size."""
        with config_context(skip_parameter_validation=True):
            reg = regressor(batch_size=batch_size, max_iter=1).fit(X, numbers)
        assert_array_equal(parameters(reg), parameters(
            regressor(batch_size=1, max_iter=1).fit(X, numbers)))  # fmt: skip


class TestData:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_read_only_any_order_memory_mapped(self, order, dtype, tmp_path):
        data = np.asarray(X, dtype=dtype, order=order)
        target, weights = numbers.copy(), np.linspace(0.5, 1.5, 60)
        np.save(tmp_path / "X.npy", data)
        expected = regressor().fit(data, target, weights).predict(data)
        for array in (data, target, weights):
            array.flags.writeable = False
        for form in (data, np.load(tmp_path / "X.npy", mmap_mode="r")):
            reg = regressor().fit(form, target, weights)
            assert_array_equal(reg.predict(form), expected)
            assert reg.coefs_[0].dtype == dtype

    def test_misaligned_byte_swapped_and_lists(self):
        expected = classifier().fit(X, y).predict_proba(X)
        raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
        misaligned = raw[1:].view(X.dtype).reshape(X.shape)
        misaligned[...] = X
        for data in (misaligned, X.astype(X.dtype.newbyteorder()), X.tolist()):
            assert_array_equal(classifier().fit(data, y).predict_proba(data), expected)

    def test_unusual_sparse_matrices(self):
        """Spare entries, strided arrays and integer data are read and left unchanged."""
        clf = classifier().fit(X, y)
        expected = clf.predict_proba(np.round(X))
        sparse = csr_matrix(np.round(X))
        spare, strided = sparse.copy(), sparse.copy()
        spare.data = np.append(spare.data, np.ones(50))
        spare.indices = np.append(spare.indices, np.zeros(50, dtype=spare.indices.dtype))
        strided.data = np.repeat(strided.data, 2)[::2]
        for matrix in (spare, strided, sparse.astype(np.int64), sparse.astype(np.float32)):
            n_entries = len(matrix.data)
            assert_allclose(clf.predict_proba(matrix), expected, rtol=1e-6)
            classifier(max_iter=1).fit(matrix, y)
            assert len(matrix.data) == n_entries

    @given(st.permutations(range(60)), st.sampled_from([np.float32, np.float64, np.float16]))
    @settings(max_examples=20)
    def test_rows_are_predicted_independently(self, order, dtype):
        clf = MLPClassifier.from_weights(
            [np.ones((5, 4)), np.eye(4, 3)], [np.ones(4), np.zeros(3)], classes=[0, 1, 2]
        )
        data = X.astype(dtype)
        together = clf.predict_proba(data)
        assert_allclose(clf.predict_proba(data[order]), together[order], rtol=1e-5)
        assert_allclose(clf.predict_proba(csr_matrix(data.astype(np.float64))[order]),
                        together[order], rtol=1e-5)  # fmt: skip
        assert_allclose(clf.predict_proba(data[:1]), together[:1], rtol=1e-5)

    def test_predict_changes_nothing(self):
        clf = classifier().fit(X, y)
        before = state(clf)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            getattr(clf, method)(X)
        assert_state(clf, before)

    def test_too_small_for_early_stopping(self):
        for params, n in (({}, 5), ({"validation_fraction": 0.0}, 20)):
            with pytest.raises(ValueError, match="The validation set is too small"):
                regressor(early_stopping=True, **params).fit(X[:n], numbers[:n])
        with pytest.raises(ValueError, match="The least populated class"):
            classifier(early_stopping=True).fit(X[:4], [0, 0, 0, 1])


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_dropout_is_off_in_predictions(solver):
    clf = classifier(dropout=0.5, solver=solver).fit(X, y)
    plain = MLPClassifier.from_weights(clf.coefs_, clf.intercepts_, classes=clf.classes_)
    assert_array_equal(clf.predict_proba(X), plain.predict_proba(X))


def test_dropout_masks_do_not_repeat():
    """The loss of one sample shows the mask, as the weights hardly change."""
    data, out = np.zeros((1, 1)), np.random.default_rng(0).standard_normal((30, 1))
    reg = MLPRegressor.from_weights(
        [np.ones((1, 30)), out], [np.ones(30), np.zeros(1)], solver="sgd", momentum=0.0,
        learning_rate_init=1e-12, dropout=0.5, activation="identity", alpha=0.0, tol=0.0,
        random_state=0, n_iter_no_change=np.inf, max_iter=8, warm_start=True,
    )  # fmt: skip
    losses = list(reg.fit(data, [1.0]).loss_curve_)
    losses += [reg.partial_fit(data, [1.0]).loss_ for _ in range(8)]
    assert len(np.unique(np.round(losses, 6))) == 16
