"""Penalties, weight decay, dropout, clipping and smoothed labels against plain NumPy."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from cases import RULES, Case, batches_of, update_rule
from comparing import parameters
from cymlp import MLPClassifier, MLPRegressor
from reference import ReferenceUpdate

# Rule, threads, features, and maximum rows of a chunk. The work is shared by rows if there are few
# features, else by features. The gradient of several chunks needs a buffer; otherwise it
# is used piece by piece, or for plain SGD computed in the parameters.
RUNS = [
    ("sgd", 1, 7, 4),
    ("sgd", 1, 7, None),
    ("sgd", 2, 70, None),
    ("momentum", 2, 7, 4),
    ("nesterov", 3, 200, None),
    ("adam", 2, 70, 4),
    ("adam", 1, 7, None),
]
OF_SGD = [run for run in RUNS if run[0] == "sgd"]


def runs(which):
    return pytest.mark.parametrize("rule, size, d, most_chunk_rows", which)


def fitted(estimator, X, y, **of_fit):
    """The estimator after max_iter epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, **of_fit)


def soft_threshold(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def trained_by_reference(
    case, rule, rate, batch_size, *, masks, targets, alpha=0.0, l1=0.0, weight_decay=0.0,
    clip_norm=np.inf,
):  # fmt: skip
    """Parameters and mean loss after one epoch, by the textbook's formulas."""
    network, update = case.reference, ReferenceUpdate(rule, rate, **RULES[rule])
    total = 0.0
    for i, rows in enumerate(batches_of(np.arange(len(case.X)), batch_size)):
        batch = case.X[rows], targets(case.T[rows]), case.w[rows]
        of_batch = masks(i + 1, rows)
        total += len(rows) * network.loss(*batch, alpha, l1, of_batch)
        gradient = network.gradient(*batch, alpha, of_batch)
        gradient *= min(1, clip_norm / np.linalg.norm(gradient))
        w = network.flat
        is_weight = np.arange(w.size) < case.architecture().n_weights
        network.flat = update(w * (1 - rate * weight_decay * is_weight), gradient)
        for layer, W in enumerate(network.W):
            threshold = rate * np.broadcast_to(l1, len(network.W))[layer] / batch[2].sum()
            network.W[layer] = soft_threshold(W, threshold)
    return network.flat, total / len(case.X)


def assert_trains_as_reference(
    case, rule, *, size=1, most_chunk_rows=None, seed=0, masks=lambda update, rows: None,
    targets=lambda T: T, alpha=0.0, l1=0.0, **settings,
):  # fmt: skip
    """Compare one epoch with the reference's, in mini-batches of 6, from the same weights."""
    parameters, loss, _ = case.train(
        update_rule(rule, **settings), case.dataset(), 6,
        alpha=alpha, l1=l1, size=size, most_chunk_rows=most_chunk_rows, seed=seed,
    )  # fmt: skip
    expected, expected_loss = trained_by_reference(
        case, rule, 0.1, 6, masks=masks, targets=targets, alpha=alpha, l1=l1, **settings
    )
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


class TestDropout:
    @runs(RUNS)
    @pytest.mark.parametrize(
        "activation, rates",
        [("relu", (0.5, 0.2)), ("tanh", (0.0, 0.4)), (["gelu", "elu"], (0.3, 0.0))],
    )
    def test_training_against_reference(
        self, kernels, activation, rates, rule, size, d, most_chunk_rows
    ):
        """With the same masks for every layer, whichever thread makes them."""
        case = Case((12, 9), activation, d=d, dropout=rates)

        def masks(update, rows):
            found = [np.ones((len(rows), h)) for h in (12, 9)]
            for layer, (mask, rate) in enumerate(zip(found, rates, strict=True)):
                kernels.drop_out(mask, mask.copy(), rate, 11, n_updates=update, layer=layer)
            return found

        assert_trains_as_reference(
            case, rule, size=size, most_chunk_rows=most_chunk_rows, masks=masks, alpha=0.2, seed=11
        )

    @pytest.mark.parametrize("most_chunk_rows", [1, 4])
    @pytest.mark.parametrize("rule", ["sgd", "adam"])
    def test_masks_do_not_depend_on_chunks(self, rule, most_chunk_rows):
        """A mini-batch processed a few rows at a time has the same masks."""
        case = Case((12,), dropout=(0.5,))
        results = [
            case.train(
                update_rule(rule),
                case.dataset(),
                10,
                seed=3,
                most_chunk_rows=rows,
            )[0]
            for rows in (None, most_chunk_rows)
        ]
        assert_allclose(results[1], results[0], rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("activation", ["relu", "gelu"])
    def test_fits(self, digits, activation):
        """Same seed, same fit; another seed, another fit; two threads agree to rounding."""
        X, y = digits[0][:500], digits[1][:500]

        def fit(**params):
            params = {"dropout": (0.3, 0.1), "random_state": 0, "n_jobs": 1} | params
            return parameters(
                fitted(MLPClassifier((40, 20), activation, max_iter=3, **params), X, y)
            )

        one = fit()
        assert_array_equal(fit(), one)
        assert_allclose(fit(n_jobs=2), one, rtol=1e-7, atol=1e-9)
        for other in (fit(dropout=0.0), fit(dropout=0.3), fit(random_state=1)):
            assert np.abs(other - one).max() > 1e-3


class TestPenalties:
    @runs(RUNS)
    def test_alpha_per_layer(self, rule, size, d, most_chunk_rows):
        assert_trains_as_reference(
            Case((5, 4), d=d),
            rule,
            size=size,
            most_chunk_rows=most_chunk_rows,
            alpha=(0.0, 0.5, 0.1),
        )

    @runs(OF_SGD)
    @pytest.mark.parametrize(
        "l1, others",
        [
            ((0.5, 0.5, 0.5), {}),
            ((0.0, 2.0, 0.3), {"alpha": (0.2, 0.0, 0.1)}),
            ((0.0, 2.0, 0.3), {"clip_norm": 0.5}),
        ],
        ids=["alone", "L2", "clipped"],
    )
    def test_l1(self, l1, others, rule, size, d, most_chunk_rows):
        """Plain SGD with the soft threshold is the proximal gradient method."""
        assert_trains_as_reference(
            Case((5, 4), d=d), rule, size=size, most_chunk_rows=most_chunk_rows,
            l1=l1, **others,
        )  # fmt: skip

    @runs(RUNS)
    def test_weight_decay(self, rule, size, d, most_chunk_rows):
        """SGDW and AdamW: only the weights decay, by the learning rate times the decay.

        The gradient, L2 penalty included, is taken at the weights before they decay.
        """
        assert_trains_as_reference(
            Case((5, 4), d=d),
            rule,
            size=size,
            most_chunk_rows=most_chunk_rows,
            weight_decay=0.7,
            alpha=0.5,
        )

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_l1_leaves_nan(self, dtype):
        """The soft threshold must not hide that a fit diverges."""
        case = Case(())
        case.reference.W[0][0, 0] = np.nan
        rule = update_rule("sgd")
        parameters, _, _ = case.train(rule, case.dataset(dtype=dtype), 6, l1=5.0, dtype=dtype)
        assert np.isnan(parameters[0])

    @staticmethod
    def sparse_problem(n=120):
        """A linear problem in which 4 of 24 features matter."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, 24))
        truth = np.zeros(24)
        truth[:4] = [2, -1.5, 1, -3]
        return X, X @ truth + 0.1 * rng.standard_normal(n), truth

    def linear_fit(self, l1_ratio, **params):
        X, y, _ = self.sparse_problem()
        params = {"learning_rate_init": 0.1, "max_iter": 600, "momentum": 0.0} | params
        return fitted(
            MLPRegressor(
                hidden_layer_sizes=(), alpha=24.0, l1_ratio=l1_ratio, batch_size=len(X), tol=0,
                n_iter_no_change=np.inf, random_state=0, **params,
            ),
            X, y,
        )  # fmt: skip

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_l1_makes_zeros(self, solver):
        """Only the weights of irrelevant features become 0; without L1, none does."""
        *_, truth = self.sparse_problem()
        sparse, full = (self.linear_fit(ratio, solver=solver) for ratio in (1.0, 0.0))
        assert_array_equal(sparse.coefs_[0][:, 0] != 0, truth != 0)
        assert np.count_nonzero(full.coefs_[0]) == 24

    @pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
    @pytest.mark.parametrize(
        "params",
        [
            pytest.param({"solver": "sgd"}, id="sgd"),
            pytest.param(
                {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
                id="momentum",
            ),
            pytest.param({"solver": "sgd", "momentum": 0.9}, id="nesterov"),
            pytest.param(
                {"solver": "adam", "max_iter": 3000, "learning_rate_init": 0.01},
                id="adam",
            ),
        ],
    )
    def test_l1_ends_at_the_minimum(self, params, l1_ratio):
        """0 is a subgradient of the convex loss, with either solver."""
        X, y, _ = self.sparse_problem()
        reg = self.linear_fit(l1_ratio, **params)
        _, (G,), (g,), _ = reg.loss_gradient(X, y)
        limit = np.where(reg.coefs_[0] == 0, 24.0 * l1_ratio / len(X), 0)
        assert (np.abs(G) <= limit + 1e-6).all()
        assert_allclose(g, 0, atol=1e-6)


class TestClipping:
    @pytest.mark.parametrize("alpha, size, d", [(0.0, 1, 7), (0.5, 2, 7), (0.5, 3, 200)])
    @pytest.mark.parametrize("clip_norm", [1e-3, 0.05, 1e3])
    def test_length_of_a_step(self, clip_norm, size, d, alpha):
        """With plain SGD: the rate times the gradient's norm (L2 included), or times the bound."""
        case = Case((5, 4), d=d)
        before = case.reference.flat
        gradient = case.reference.gradient(case.X, case.T, case.w, alpha)
        length = np.linalg.norm(gradient)
        assert 0.06 < length < 1e3
        rule = update_rule("sgd", clip_norm=clip_norm)
        after, _, _ = case.train(rule, case.dataset(), 23, alpha=alpha, size=size)
        wanted = min(length, clip_norm)
        assert_allclose(np.linalg.norm(after - before), 0.1 * wanted, rtol=1e-9)
        assert_allclose(before - after, 0.1 * wanted / length * gradient, rtol=1e-7, atol=1e-12)

    @runs(RUNS)
    @pytest.mark.parametrize(
        "others", [{"alpha": 0.2}, {"alpha": (0.0, 0.5, 0.1)}, {"weight_decay": 0.7}], ids=str
    )
    def test_training_against_reference(self, others, rule, size, d, most_chunk_rows):
        """Some steps are clipped and others are not."""
        assert_trains_as_reference(
            Case((5, 4), d=d), rule, size=size, most_chunk_rows=most_chunk_rows, clip_norm=0.5,
            **others,
        )  # fmt: skip

    @pytest.mark.parametrize("size, weight_decay", [(1, 0.0), (2, 0.7)])
    @pytest.mark.parametrize("rule", RULES)
    def test_a_bound_never_reached_changes_nothing(self, rule, weight_decay, size):
        results = []
        for clip_norm in (0.0, 1e300):
            case = Case((5, 4), d=70)
            clipping = update_rule(rule, clip_norm=clip_norm, weight_decay=weight_decay)
            results.append(
                case.train(clipping, case.dataset(), 6, alpha=0.5, l1=(0.1, 0.2, 0.0), size=size)
            )
        assert_allclose(results[1][0], results[0][0], rtol=1e-10, atol=1e-13)
        assert_allclose(results[1][1], results[0][1], rtol=1e-12)

    @pytest.mark.parametrize("sparse, n_jobs", [(False, 1), (True, 2)])
    def test_estimators_step(self, digits, n_jobs, sparse):
        """A mini-batch of all rows, in one chunk or several, makes one step of that length."""
        X, y = digits
        params = {"solver": "sgd", "momentum": 0.0, "n_jobs": n_jobs, "batch_size": len(X)}
        one = fitted(MLPClassifier((30,), random_state=0, max_iter=1, **params), X, y)
        clf = MLPClassifier.from_weights(
            one.coefs_, one.intercepts_, classes=one.classes_, clip_norm=1e-3,
            learning_rate_init=0.25, shuffle=False, **params,
        )  # fmt: skip
        clf.partial_fit(csr_array(X) if sparse else X, y)
        assert_allclose(np.linalg.norm(parameters(clf) - parameters(one)), 0.25e-3, rtol=1e-9)

    @pytest.mark.parametrize("dtype, size", [(np.float32, 1e25), (np.float64, 1e160)])
    def test_gradients_whose_squares_overflow(self, dtype, size):
        """Clipping is meant for such gradients."""
        X, y = np.eye(4, dtype=dtype), np.full(4, size, dtype=dtype)
        reg = MLPRegressor.from_weights(
            [np.zeros((4, 1), dtype)], [np.zeros(1, dtype)], solver="sgd", momentum=0.0,
            learning_rate_init=0.5, clip_norm=1.0,
        ).partial_fit(X, y)  # fmt: skip
        step = np.append(reg.coefs_[0], reg.intercepts_[0])
        assert_allclose(step, 0.5 * np.array([0.25, 0.25, 0.25, 0.25, 1]) / 1.25**0.5, rtol=1e-5)


class TestLabelSmoothing:
    @pytest.mark.parametrize("size, d", [(1, 7), (2, 7), (3, 200)])
    @pytest.mark.parametrize("output, classes", [("softmax", 3), ("logistic", 2)])
    def test_training_against_reference(self, output, classes, size, d):
        """The targets are (1 - s) t + s / k, where k = 2 for each label if multilabel."""
        case = Case((5, 4), output=output, d=d, label_smoothing=0.2)
        assert_trains_as_reference(
            case, "sgd", size=size, alpha=0.1, targets=lambda T: 0.8 * T + 0.2 / classes
        )
