"""X of every type of numbers and in every layout: as if it had been converted, without a copy."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cymlp import MLPClassifier, MLPRegressor, load
from problems import NUMBER_TYPES, classifier, regressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
PIXELS = rng.integers(0, 17, (150, 70)) * rng.integers(0, 2, (150, 70))
LABELS = np.digitize(PIXELS[:, :35].sum(axis=1) - PIXELS[:, 35:].sum(axis=1), [-9, 20])
NUMBERS = PIXELS @ np.linspace(-1, 1, 70)
DTYPES = [None, "float32", "float64"]


def confidence(estimator, X, y):
    """A scorer, for which the type of the predictions matters."""
    return float(estimator.predict_proba(X)[np.arange(len(X)), y].mean(dtype=np.float64))


# Ways to fit, each with its data beside X.
FITS = {
    "adam": lambda X, **params: classifier(batch_size=32, **params).fit(X, LABELS),
    "in order": lambda X, **params: classifier(
        solver="sgd", momentum=0, shuffle=False, batch_size=32, **params
    ).fit(X, LABELS),
    "threads": lambda X, **params: classifier(n_jobs=2, batch_size=64, **params).fit(X, LABELS),
    "row by row": lambda X, **params: classifier(
        batch_size=1, max_iter=1, hidden_layer_sizes=(), **params
    ).fit(X, LABELS),
    "lbfgs": lambda X, **params: regressor(solver="lbfgs", **params).fit(X, NUMBERS),
    "weights": lambda X, **params: classifier(**params).fit(
        X, LABELS, np.linspace(0.5, 1, len(X))
    ),
    "early stopping": lambda X, **params: regressor(early_stopping=True, **params).fit(
        X, NUMBERS
    ),
    "scorer": lambda X, **params: classifier(
        early_stopping=True, scoring=confidence, **params
    ).fit(X, LABELS),
    "partial_fit": lambda X, **params: classifier(**params)
    .partial_fit(X, LABELS, classes=[0, 1, 2])
    .partial_fit(X[::-2], LABELS[::-2]),
    "string labels": lambda X, **params: classifier(**params).fit(X, LABELS.astype(str)),
    "X_val of bytes": lambda X, **params: classifier(scoring=confidence, **params).fit(
        X, LABELS, X_val=PIXELS[:40].astype(np.uint8), y_val=LABELS[:40]
    ),
}  # fmt: skip


def results(estimator, X):
    """Weights, validation records, predictions and gradients."""
    yield from estimator.coefs_ + estimator.intercepts_
    yield estimator.history_.get("val_score", 0)
    yield estimator.predict(X)
    if isinstance(estimator, MLPClassifier):
        yield estimator.predict_proba(X)
        yield estimator.score(X, estimator.classes_[LABELS])
        loss, *gradients = estimator.loss_gradient(X, estimator.classes_[LABELS])
    else:
        loss, *gradients = estimator.loss_gradient(X, NUMBERS)
    yield loss
    yield from gradients[0] + gradients[1] + gradients[2:]


def network_dtype(number, dtype):
    """The parameter, or what X determines."""
    return np.dtype(dtype or (np.float32 if number == "f" else np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", NUMBER_TYPES)
def test_fits_are_those_to_the_converted_X(number, dtype):
    X = PIXELS.astype(number)
    converted = X.astype(network_dtype(number, dtype))
    for name, fit in FITS.items():
        ours, expected = fit(X, dtype=dtype), fit(converted, dtype=dtype)
        for one, wanted in zip(results(ours, X), results(expected, converted), strict=True):
            assert_array_equal(one, wanted, err_msg=name)
            assert np.asarray(one).dtype == np.asarray(wanted).dtype
        assert ours.coefs_[0].dtype == converted.dtype


def forms(X, folder):
    """X in layouts of every kind, with the slowest axis first or last, and read-only."""
    raw = np.empty(X.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(X.dtype).reshape(X.shape)
    unaligned[...] = X
    wide = np.repeat(X, 3, axis=1)
    np.save(folder / "X.npy", X)
    return {
        "columns first": np.asfortranarray(X),
        "strided": np.repeat(wide, 2, axis=0)[::2, ::3],
        "backwards": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "unaligned": unaligned,
        "memory-mapped": np.load(folder / "X.npy", mmap_mode="r"),
        "a list": X.tolist(),
        "the other byte order": X.astype(X.dtype.newbyteorder()),
    }


@pytest.mark.parametrize("number", ["?", "B", "h", "e", "f", "d"])
def test_layouts(number, tmp_path):
    X = PIXELS.astype(number)
    expected = [*results(FITS["adam"](X, dtype="float32"), X)]
    for name, same in forms(X, tmp_path).items():
        found = results(FITS["adam"](same, dtype="float32"), same)
        for one, wanted in zip(found, expected, strict=True):
            assert_array_equal(one, wanted, err_msg=name)


def test_one_row_again_and_again():
    """A view with strides of 0."""
    X = np.broadcast_to(PIXELS[0].astype(np.uint8), PIXELS.shape)
    for one, wanted in zip(
        results(FITS["adam"](X), X), results(FITS["adam"](X.copy()), X.copy()), strict=True
    ):
        assert_array_equal(one, wanted)


N_BIG = 1500


@pytest.mark.parametrize("labels", [np.arange(N_BIG) % 2, (np.arange(N_BIG) % 2).astype(str)])
@pytest.mark.parametrize(
    "X",
    [
        np.ones((N_BIG, 2000), np.uint8),
        np.ones((N_BIG, 2000), bool),
        np.ones((N_BIG, 2000), np.int64),
        np.full((N_BIG, 2000), 1000, np.float16),
        np.full((N_BIG, 2000), 1000, np.float16, order="F"),
        np.ones((N_BIG, 2000), np.uint8, order="F"),
        np.ones((2 * N_BIG, 4000), np.uint8)[::2, ::-2],
        np.ones((N_BIG, 2000), np.float32),
    ],
    ids=lambda X: f"{X.dtype} {X.strides}",
)
def test_X_is_not_copied(X, labels):
    """What is allocated is less than a quarter of X in the network's dtype, 24 MB."""
    estimator = MLPClassifier((), dtype="float64", max_iter=1, batch_size=100, n_jobs=1)

    def peak_of(function, *args):
        tracemalloc.start()
        try:
            function(*args)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    estimator.fit(X, labels)  # imports what it needs
    for function, args in (
        (estimator.fit, (X, labels)), (estimator.predict, (X,)), (estimator.predict_proba, (X,)),
    ):  # fmt: skip
        assert peak_of(function, *args) < X.size * 8 / 4


class TestNotFinite:
    """Looked at only where there may be such numbers, and in the network's type."""

    @pytest.mark.parametrize("number", ["e", "f", "d"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_in_X(self, number, order):
        X = PIXELS.astype(number, order=order)
        fitted = FITS["adam"](X)
        for bad, message in ((np.nan, "Input X contains NaN"), (np.inf, "Input X contains inf")):
            X[77, 33] = bad
            for call in (
                lambda: FITS["adam"](X), lambda: FITS["string labels"](X),
                lambda: fitted.predict(X), lambda: fitted.loss_gradient(X, LABELS),
            ):  # fmt: skip
                with pytest.raises(ValueError, match=message):
                    call()

    def test_too_large_for_the_network(self):
        """Numbers of float64 that float32 does not have; integers are never too large."""
        X = PIXELS.astype(np.float64)
        fitted = FITS["adam"](X, dtype="float32")
        X[77, 33] = 1e39
        for call in (
            lambda: FITS["adam"](X, dtype="float32"),
            lambda: FITS["string labels"](X, dtype="float32"),
            lambda: FITS["adam"](X.tolist(), dtype="float32"),
            lambda: fitted.partial_fit(X, LABELS),
            lambda: fitted.predict(X),
            lambda: fitted.predict(X.tolist()),
            lambda: fitted.loss_gradient(X, LABELS),
        ):
            with pytest.raises(ValueError, match="too large for dtype\\('float32'\\)"):
                call()
        assert np.isfinite(fitted.set_params(dtype=None).predict_proba(X)).all()
        largest = np.full((2, 70), 2**64 - 1, np.uint64)
        assert fitted.set_params(dtype="float32").predict(largest).shape == (2,)


class TestDtype:
    """The parameter."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("number", ["B", "q", "f", "d"])
    def test_predictions_have_it(self, number, dtype):
        X = PIXELS.astype(number)
        reg = regressor(dtype=dtype).fit(X, NUMBERS)
        assert {array.dtype.name for array in reg.coefs_ + reg.intercepts_} == {dtype}
        for other in ("B", "q", "f", "d"):
            assert reg.predict(PIXELS.astype(other)).dtype == dtype
        assert reg.loss_gradient(X, NUMBERS)[3].dtype == dtype

    @pytest.mark.parametrize("number", NUMBER_TYPES)
    def test_without_it_predictions_have_the_dtype_of_numpys_product(self, number):
        X = PIXELS.astype(number)
        reg = regressor().fit(PIXELS.astype(np.float32), NUMBERS)
        assert reg.predict(X).dtype == (X[:1] @ reg.coefs_[0]).dtype

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_a_fitted_network_keeps_its_own(self, method):
        reg = regressor(dtype="float32", warm_start=True).fit(PIXELS, NUMBERS)
        getattr(reg.set_params(dtype=None), method)(PIXELS, NUMBERS)
        assert reg.coefs_[0].dtype == np.float32
        with pytest.raises(ValueError, match=r"dtype='float64', but .* is of float32"):
            getattr(reg.set_params(dtype="float64"), method)(PIXELS, NUMBERS)
        reg.set_params(warm_start=False).fit(PIXELS, NUMBERS)
        assert reg.coefs_[0].dtype == np.float64

    def test_given_weights(self):
        reg = MLPRegressor.from_weights([[[2.0]]], [[1.0]], dtype="float32")
        assert reg.coefs_[0].dtype == reg.predict([[3]]).dtype == np.float32
        with pytest.raises(ValueError, match="too large"):
            MLPRegressor.from_weights([[[2e300]]], [[1.0]], dtype="float32")

    def test_in_files_and_scikit_learn(self, tmp_path):
        reg = regressor(dtype="float32").fit(PIXELS, NUMBERS)
        reg.save(tmp_path / "model.safetensors")
        loaded = load(tmp_path / "model.safetensors")
        assert loaded.dtype == "float32"
        assert_array_equal(loaded.predict(PIXELS), reg.predict(PIXELS))
        reg.set_params(dtype="float64").save(tmp_path / "model.safetensors")
        loaded = load(tmp_path / "model.safetensors")
        assert loaded.coefs_[0].dtype == np.float32
        assert_array_equal(loaded.predict(PIXELS), reg.predict(PIXELS))
        assert reg.to_sklearn().coefs_[0].dtype == np.float32
