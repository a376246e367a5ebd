"""The engine against finite differences and against the plain NumPy network."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from cymlp import _engine
from cymlp._engine.threads import engine_threads
from reference import (
    ACTIVATIONS,
    LINKS,
    LOSS_PARAMETERS,
    LOSSES,
    ReferenceNetwork,
    ReferenceUpdate,
    targets_for,
)

DTYPES = [np.float32, np.float64]
HIDDEN = [(), (5,), (4, 6), (5, 3, 4)]
MIXED = ["gelu", "relu", "mish"]  # with and without slopes that are kept


class Case:
    """A small problem: a reference network with samples, targets and weights.

    ``settings`` are the layout's: dropout, label_smoothing.
    """

    def __init__(
        self, hidden=(5,), activation="tanh", output="softmax", n=23, k=3, seed=0, d=7, **settings
    ):
        rng = np.random.default_rng(seed)
        self.units = (d, *hidden, k)
        self.reference = ReferenceNetwork(self.units, activation, output, rng)
        self.X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.6)
        self.T = targets_for(output, n, k, rng)
        self.w = rng.uniform(0.1, 2, n)
        self.layout = _engine.Architecture(
            self.units,
            activation,
            output,
            loss_parameter=LOSS_PARAMETERS.get(output, 0.0),
            **settings,
        )

    def samples(self, X=None, dtype=np.float64, weighted=True):
        X = self.X.astype(dtype) if X is None else X
        return _engine.Dataset(X, self.T.astype(dtype), self.w.astype(dtype) if weighted else None)

    def work(self, samples, n_rows, dtype=np.float64):
        return np.empty(_engine.workspace_elements(self.layout, samples, n_rows)[0], dtype=dtype)

    def loss_gradient(self, samples, alpha, dtype=np.float64, parameters=None, work=None):
        parameters = self.reference.flat if parameters is None else parameters
        gradient = np.full(parameters.size, np.nan, dtype=dtype)
        work = self.work(samples, len(self.X), dtype) if work is None else work
        update = _engine.UpdateRule("gradient", learning_rate=0.0, alpha=alpha)
        loss = _engine.loss_gradient(
            self.layout, update, parameters.astype(dtype), gradient, samples, work
        )
        return loss, gradient

    def X_gradient(self, samples, dtype=np.float64, work=None, size=1):
        """dloss/dX; memory beyond the workspace must stay as it is."""
        parameters = self.reference.flat.astype(dtype)
        out = np.full(self.X.shape, np.nan, dtype=dtype)
        update = _engine.UpdateRule("gradient", learning_rate=0.0, alpha=0.0)
        n_elements, _ = _engine.workspace_elements(self.layout, samples, len(self.X), size)
        memory = np.full(n_elements + 150_000, 7, dtype=dtype)
        with engine_threads(size, 1, 1, 1) as team:
            _engine.loss_gradient(
                self.layout, update, parameters, np.empty_like(parameters), samples,
                memory[:n_elements] if work is None else work, team, out,
            )  # fmt: skip
        assert_array_equal(memory[n_elements:], 7)
        return out

    def train(
        self, update, samples, batch_size, *, order=None, dtype=np.float64, in_place=False, size=1,
        room=None,
    ):  # fmt: skip
        """Parameters after one run, the loss it returned and the state it left.

        ``room`` is for how many rows the workspace is, if not for a mini-batch's.
        """
        parameters = self.reference.flat.astype(dtype)
        gradient = None if in_place else np.full_like(parameters, np.nan)
        state = np.zeros((update.n_states, parameters.size), dtype=dtype)
        n_rows = batch_size if room is None else room
        n_elements, _ = _engine.workspace_elements(self.layout, samples, n_rows, size)
        with engine_threads(size, 1, 1, 1) as team:
            loss, _ = _engine.train(
                self.layout, update, parameters, gradient, state, samples, order, batch_size,
                np.full(n_elements, np.nan, dtype=dtype), team,
            )  # fmt: skip
        return parameters, loss, state

    def outputs(self, samples, n_rows, *, order=None, linked=True, dtype=np.float64):
        out = np.full((n_rows, self.units[-1]), np.nan, dtype=dtype)
        parameters = self.reference.flat.astype(dtype)
        n_elements, _ = _engine.prediction_elements(self.layout, samples, n_rows)
        work = np.full(n_elements, np.nan, dtype=dtype)
        _engine.predict(self.layout, parameters, samples, order, out, linked, work)
        return out


@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_gradient_against_central_differences(hidden, activation, output):
    """Relative error below 1e-6, weights and penalty included.

    The loss of the engine itself is differentiated; for the squared error, whose reported
    loss is the mean over the outputs, there is one output.
    """
    case = Case(hidden, activation, output, k=1 if output == "identity" else 3)
    samples = case.samples()
    parameters = case.reference.flat
    _, gradient = case.loss_gradient(samples, 0.3)
    numerical = np.empty_like(gradient)
    step = 1e-6
    for i in range(parameters.size):
        ends = []
        for sign in (1, -1):
            moved = parameters.copy()
            moved[i] += sign * step
            ends.append(case.loss_gradient(samples, 0.3, parameters=moved)[0])
        numerical[i] = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(gradient - numerical) < 1e-6 * np.linalg.norm(numerical)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_loss_and_gradient_against_reference(hidden, activation, output, weighted):
    case = Case(hidden, activation, output)
    w = case.w if weighted else np.ones_like(case.w)
    loss, gradient = case.loss_gradient(case.samples(weighted=weighted), 0.3)
    assert_allclose(gradient, case.reference.gradient(case.X, case.T, w, 0.3), rtol=1e-10)
    if output != "identity":
        assert_allclose(loss, case.reference.loss(case.X, case.T, w, 0.3), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("activation", [[MIXED[i - j] for i in range(3)] for j in range(3)])
def test_activations_of_each_layer(activation, rule, size):
    """Forward pass and training, where some layers keep their slopes and some do not."""
    case = Case((5, 3, 4), activation, d=70)
    assert_allclose(
        case.outputs(case.samples(), 23), case.reference.forward(case.X)[1][-1], rtol=1e-12
    )
    settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6} if rule == "adam" else {}
    update = _engine.UpdateRule(rule, learning_rate=0.1, alpha=0.2, **settings)
    parameters, loss, _ = case.train(update, case.samples(), 6, in_place=True, size=size)
    batches = [np.arange(23)[start : start + 6] for start in range(0, 23, 6)]
    expected, expected_loss = reference_training(case, rule, batches, 0.2, 0.1, **settings)
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_predict(hidden, output, linked, dtype):
    case = Case(hidden, "logistic", output)
    pre, post = case.reference.forward(case.X)
    out = case.outputs(case.samples(dtype=dtype), len(case.X), linked=linked, dtype=dtype)
    assert_allclose(
        out, post[-1] if linked else pre[-1], rtol=1e-4 if dtype == np.float32 else 1e-12
    )


def reference_X_gradient(case):
    """By central differences; the rows' losses do not depend on each other."""
    gradient, step, w = np.empty_like(case.X), 1e-6, case.w
    for j in range(case.X.shape[1]):
        ends = []
        for sign in (1, -1):
            X = case.X.copy()
            X[:, j] += sign * step
            ends.append(w * LOSSES[case.reference.output](case.reference.forward(X)[1][-1], case.T))
        gradient[:, j] = (ends[0] - ends[1]) / (2 * step * w.sum())
    return gradient


@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("size, d", [(1, 7), (2, 7), (2, 70)])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_gradient_of_X(hidden, size, d, sparse, output):
    """Through each loss, by rows and by features, and in chunks of a few rows."""
    case = Case(hidden, "gelu", output, d=d)
    samples = case.samples(csr_array(case.X) if sparse else None)
    expected = reference_X_gradient(case)
    assert_allclose(case.X_gradient(samples, size=size), expected, rtol=1e-6, atol=1e-8)
    n_elements, _ = _engine.workspace_elements(case.layout, samples, 4, size)
    result = case.X_gradient(samples, work=np.empty(n_elements), size=size)
    assert_allclose(result, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_of_X_with_more_features_than_units(dtype, size):
    """The product W_0 D^T has more columns than any other: it needs the most packed memory."""
    case = Case((256,), "tanh", "identity", d=784)
    result = case.X_gradient(case.samples(dtype=dtype), dtype, size=size)
    (W, V), A = case.reference.W, case.reference.forward(case.X)[1]
    D = case.w[:, None] * (A[2] - case.T) / case.w.sum()
    expected = (D @ V.T * (1 - A[1] ** 2)) @ W.T
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    assert_allclose(result, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def reference_training(case, rule, batches, alpha, rate, weighted=True, **settings):
    """Parameters and mean loss after a step on each batch of row indices."""
    network, update = case.reference, ReferenceUpdate(rule, rate, **settings)
    w = case.w if weighted else np.ones_like(case.w)
    total = 0.0
    for rows in batches:
        X, T, weights = case.X[rows], case.T[rows], w[rows]
        total += len(rows) * network.loss(X, T, weights, alpha)
        network.flat = update(network.flat, network.gradient(X, T, weights, alpha))
    return network.flat, total / sum(len(rows) for rows in batches)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("size, d", [(1, 7), (2, 7), (3, 7), (2, 70), (3, 200)])
@pytest.mark.parametrize("shuffled, weighted", [(False, False), (True, True)])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adam"])
def test_training_against_reference(rule, hidden, weighted, shuffled, size, d, in_place):
    """Several steps of every rule, with a penalty and a last short mini-batch.

    By teams of each size, that share the first product by rows or by features, with each
    block's gradient used at once or with all of it kept.
    """
    case = Case(hidden, d=d)
    settings = {"momentum": 0.8} if rule in ("momentum", "nesterov") else {}
    if rule == "adam":
        settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6}
    order = np.random.default_rng(1).permutation(23) if shuffled else None
    update = _engine.UpdateRule(rule, learning_rate=0.1, alpha=0.2, **settings)
    parameters, loss, _ = case.train(
        update, case.samples(weighted=weighted), 6, order=order, size=size, in_place=in_place
    )
    rows = np.arange(23) if order is None else order
    batches = [rows[start : start + 6] for start in range(0, 23, 6)]
    expected, expected_loss = reference_training(
        case, rule, batches, 0.2, 0.1, weighted, **settings
    )
    assert update.n_updates == len(batches)
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_wide_layers_and_long_batches(rule, size):
    """More than one block of every kind: of a product's, of a W's rows, of a batch."""
    case = Case((600, 70), n=300, k=10, d=300)
    update = _engine.UpdateRule(
        rule, learning_rate=0.01, alpha=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-6
    )
    for batch_size, in_place in ((100, True), (300, False)):
        parameters, loss, _ = case.train(
            update, case.samples(), batch_size, size=size, in_place=in_place
        )
        rows = [np.arange(i, i + batch_size) for i in range(0, 300, batch_size)]
        settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6} if rule == "adam" else {}
        expected, expected_loss = reference_training(case, rule, rows, 0.1, 0.01, **settings)
        assert_allclose(parameters, expected, rtol=1e-7, atol=1e-9)
        assert_allclose(loss, expected_loss, rtol=1e-11)
        update = _engine.UpdateRule(
            rule, learning_rate=0.01, alpha=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-6
        )


def test_subnormal_parameters_become_zero():
    """Else a step takes a CPU many times as long."""
    case = Case((), output="identity")
    case.reference.flat = np.full_like(case.reference.flat, 1e-310)
    case.X[:, 0] = 0
    update = _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0)
    parameters, _, _ = case.train(update, case.samples(), 23, in_place=True)
    assert_array_equal(parameters[:3], 0)


@pytest.mark.parametrize("batch_size", [1, 4, 23])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_sgd_in_place_equals_gradient_then_update(hidden, batch_size):
    results = [
        Case(hidden).train(
            _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0.2),
            Case(hidden).samples(),
            batch_size,
            in_place=in_place,
        )
        for in_place in (True, False)
    ]
    assert_allclose(results[0][0], results[1][0], rtol=1e-12, atol=1e-14)
    assert_allclose(results[0][1], results[1][1], rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_float32_follows_float64(rule, dtype):
    case = Case((5, 4))
    parameters, loss, _ = case.train(
        _engine.UpdateRule(
            rule, learning_rate=0.01, alpha=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-6
        ),
        case.samples(dtype=dtype), 5, dtype=dtype, in_place=rule == "sgd",
    )  # fmt: skip
    exact, exact_loss, _ = case.train(
        _engine.UpdateRule(
            rule, learning_rate=0.01, alpha=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-6
        ),
        case.samples(), 5,
    )  # fmt: skip
    assert parameters.dtype == dtype
    assert_allclose(parameters, exact, rtol=1e-3, atol=1e-5)
    assert_allclose(loss, exact_loss, rtol=1e-5)


def strided_forms(X):
    """The same numbers in every memory layout."""
    wide = np.zeros((X.shape[0], 2 * X.shape[1]), dtype=X.dtype)
    wide[:, ::2] = X
    tall = np.zeros((3 * X.shape[0], X.shape[1]), dtype=X.dtype)
    tall[::3] = X
    padded = np.zeros((X.shape[0], X.shape[1] + 3), dtype=X.dtype)
    padded[:, :-3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "F-ordered": np.asfortranarray(X),
        "every second column": wide[:, ::2],
        "every third row": tall[::3],
        "reversed rows": X[::-1].copy()[::-1],
        "reversed columns": X[:, ::-1].copy()[:, ::-1],
        "padded rows": padded[:, :-3],
        "read-only": read_only,
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("form", list(strided_forms(np.ones((1, 1)))))
def test_memory_layouts_of_X(form, shuffled, dtype):
    case = Case()
    X = case.X.astype(dtype)
    order = np.random.default_rng(1).permutation(len(X)) if shuffled else None
    results = []
    for form_of_X in (X, strided_forms(X)[form]):
        update = _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0.0)
        samples = case.samples(form_of_X, dtype)
        results.append(case.train(update, samples, 5, order=order, dtype=dtype)[0])
        results.append(case.outputs(samples, len(X), order=order, dtype=dtype))
    assert_allclose(results[2], results[0], rtol=1e-4 if dtype == np.float32 else 1e-12)
    assert_allclose(results[3], results[1], rtol=1e-4 if dtype == np.float32 else 1e-12)


def test_broadcast_and_single_column_X():
    """Strides of 0, and the stride of a length-1 axis, which means nothing."""
    case = Case((), output="identity", k=1)
    constant = np.broadcast_to(np.arange(7.0), (23, 7))
    assert_array_equal(
        case.outputs(case.samples(constant), 23), case.outputs(case.samples(constant.copy()), 23)
    )
    layout = _engine.Architecture((1, 2), "relu", "identity")
    column = np.arange(12.0).reshape(6, 2)[:, 1:]
    parameters = np.array([2.0, 3.0, 0.5, -0.5])
    out = np.empty((6, 2))
    samples = _engine.Dataset(column)
    work = np.empty(_engine.prediction_elements(layout, samples, 6)[0])
    _engine.predict(layout, parameters, samples, None, out, True, work)
    assert_allclose(out, column * [2, 3] + [0.5, -0.5])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize("container", [csr_matrix, csr_array])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_sparse_equals_dense(hidden, shuffled, container, index_dtype, dtype):
    case = Case(hidden)
    rtol = 1e-4 if dtype == np.float32 else 1e-11
    sparse = container(case.X.astype(dtype))
    sparse.indices = sparse.indices.astype(index_dtype)
    sparse.indptr = sparse.indptr.astype(index_dtype)
    order = np.random.default_rng(1).permutation(len(case.X)) if shuffled else None
    for in_place in (False, True):
        results = []
        for X in (sparse, case.X.astype(dtype)):
            update = _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0.2)
            samples = case.samples(X, dtype)
            results.append(
                case.train(update, samples, 5, order=order, dtype=dtype, in_place=in_place)[0]
            )
            results.append(case.outputs(samples, len(case.X), order=order, dtype=dtype))
        assert_allclose(results[0], results[2], rtol=rtol, atol=rtol)
        assert_allclose(results[1], results[3], rtol=rtol)


def test_sparse_with_repeated_and_unsorted_entries():
    """A CSR matrix need not be in canonical form: repeated entries add up."""
    X = csr_array(
        (np.array([1.0, 2.0, 4.0, 8.0]), np.array([3, 0, 3, 6]), np.array([0, 3, 4])), shape=(2, 7)
    )
    case = Case()
    expected = case.reference.forward(X.toarray())[1][-1]
    samples = _engine.Dataset(X)
    assert_allclose(case.outputs(samples, 2), expected, rtol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_chunks_do_not_show(sparse):
    """A workspace for fewer rows than a batch gives the same gradient and the same outputs."""
    case = Case((5, 4))
    samples = case.samples(csr_array(case.X) if sparse else None)
    whole = case.loss_gradient(samples, 0.3)
    for n_rows in (1, 4, 10):
        work = case.work(samples, n_rows)
        parts = case.loss_gradient(samples, 0.3, work=work)
        assert_allclose(parts[0], whole[0], rtol=1e-13)
        assert_allclose(parts[1], whole[1], rtol=1e-9, atol=1e-14)
        out = np.empty((23, 3))
        n_elements, _ = _engine.prediction_elements(case.layout, samples, n_rows)
        work = np.empty(n_elements)
        _engine.predict(case.layout, case.reference.flat, samples, None, out, True, work)
        assert_allclose(out, case.outputs(samples, 23), rtol=1e-12)


def test_workspace_is_bounded():
    """However many rows a batch has; and it never has more rows than the batch."""
    layout = _engine.Architecture((784, 100, 10), "relu", "softmax")
    samples = _engine.Dataset(np.empty((10, 784), dtype=np.float32))
    for n_rows in (1, 10, 1_000, 1_000_000_000):
        n_elements, chunk = _engine.workspace_elements(layout, samples, n_rows)
        assert 4 * n_elements < 8_000_000
        assert 1 <= chunk <= n_rows


def test_chunks_of_sparse_rows_are_bounded_by_their_entries():
    """So that Ctrl-C does not wait: a chunk has at most 5e7 products with the first weights."""
    layout = _engine.Architecture((50_000, 100, 2), "relu", "softmax")
    X = csr_array(np.ones((20, 50_000), dtype=np.float32))
    _, chunk = _engine.workspace_elements(layout, _engine.Dataset(X), 1000)
    assert chunk == 9
    X = csr_array((20, 50_000), dtype=np.float32)
    assert _engine.workspace_elements(layout, _engine.Dataset(X), 1000)[1] == 1000


def test_batches_without_weight_are_skipped():
    case = Case()
    case.w[:6] = 0
    update = _engine.UpdateRule("adam", learning_rate=0.1, alpha=0.2, beta_1=0.9, beta_2=0.99)
    parameters, loss, _ = case.train(update, case.samples(), 6)
    batches = [np.arange(start, min(start + 6, 23)) for start in range(6, 23, 6)]
    expected, expected_loss = reference_training(
        case, "adam", batches, 0.2, 0.1, beta_1=0.9, beta_2=0.99, epsilon=0
    )
    assert update.n_updates == 3
    assert_allclose(parameters, expected, rtol=1e-9)
    assert_allclose(loss, expected_loss, rtol=1e-12)


def test_bool_targets():
    case = Case()
    indicator = _engine.Dataset(case.X, case.T.astype(bool), case.w)
    assert case.loss_gradient(indicator, 0.1)[0] == case.loss_gradient(case.samples(), 0.1)[0]


def test_class_targets():
    """As their indicators, to the last bit."""
    case = Case()
    classes = np.arange(23, dtype=np.intc) % case.T.shape[1]
    case.T = np.eye(case.T.shape[1])[classes]
    as_classes = _engine.Dataset(case.X, classes, case.w, n_classes=case.T.shape[1])
    loss, gradient = case.loss_gradient(as_classes, 0.1)
    expected_loss, expected = case.loss_gradient(case.samples(), 0.1)
    assert loss == expected_loss
    assert_array_equal(gradient, expected)


@pytest.mark.parametrize("sparse", [False, True])
def test_nothing_is_allocated_in_a_run(sparse):
    """A run of many mini-batches takes no more memory than a run of one."""
    case = Case(n=2000)
    samples = case.samples(csr_array(case.X) if sparse else None)
    order = np.random.default_rng(1).permutation(2000)
    update = _engine.UpdateRule("adam", learning_rate=0.1, alpha=0.2, beta_1=0.9, beta_2=0.99)
    parameters = case.reference.flat
    gradient = np.empty_like(parameters)
    state = np.zeros((2, parameters.size))
    work = case.work(samples, 2)

    def peak(n_rows):
        tracemalloc.start()
        _engine.train(
            case.layout, update, parameters, gradient, state, samples, order[:n_rows], 2, work
        )
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(2)
    assert peak(2000) <= peak(2) + 256


class TestMisuse:
    """What does not fit together is refused before a pointer is followed."""

    def test_dtypes(self):
        case = Case()
        with pytest.raises(TypeError, match="one dtype"):
            case.outputs(case.samples(dtype=np.float32), 23)
        with pytest.raises(TypeError, match="targets"):
            _engine.Dataset(case.X, case.T.astype(np.float32))
        with pytest.raises(TypeError, match="X must have"):
            _engine.Dataset(np.ones((2, 2), dtype=int))

    def test_shapes(self):
        case = Case()
        samples = case.samples()
        work = case.work(samples, 23)
        short = np.ones(3)
        nothing = _engine.UpdateRule("gradient", learning_rate=0, alpha=0)
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.loss_gradient(case.layout, nothing, short, short, samples, work)
        with pytest.raises(ValueError, match="no room"):
            case.loss_gradient(samples, 0.0, work=np.empty(8))
        with pytest.raises(ValueError, match="gradient"):
            _engine.loss_gradient(case.layout, nothing, case.reference.flat, short, samples, work)
        with pytest.raises(ValueError, match="output"):
            case.outputs(samples, 22)
        with pytest.raises(ValueError, match="targets has"):
            _engine.Dataset(case.X, case.T[:-1])
        with pytest.raises(ValueError, match="weights has"):
            _engine.Dataset(case.X, case.T, case.w[:-1])

    @pytest.mark.parametrize("wrong", [-1, 3])
    def test_classes_are_checked(self, wrong):
        with pytest.raises(ValueError, match=rf"targets\[1\] is {wrong}, of 3 classes"):
            _engine.Dataset(np.ones((2, 4)), np.array([0, wrong], dtype=np.intc), n_classes=3)

    def test_indptr_is_checked(self):
        X = csr_array(np.ones((3, 4)))
        X.indptr = X.indptr[:-1]
        with pytest.raises(ValueError, match="indptr"):
            _engine.Dataset(X)

    def test_no_weight(self):
        case = Case()
        case.w[:] = 0
        with pytest.raises(ValueError, match="sample weights sum to 0"):
            case.loss_gradient(case.samples(), 0.1)

    def test_order_is_checked(self):
        case = Case()
        for wrong in (23, -1):
            with pytest.raises(IndexError, match="order"):
                case.outputs(case.samples(), 1, order=np.array([wrong]))

    def test_batches_have_rows(self):
        case = Case()
        update = _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0)
        samples = case.samples()
        parameters = case.reference.flat
        with pytest.raises(ValueError, match="no rows"):
            _engine.train(
                case.layout, update, parameters, None, np.empty((0, parameters.size)), samples,
                None, 0, case.work(samples, 5),
            )  # fmt: skip

    def test_gradients_that_need_memory(self):
        case = Case(n=300)
        samples, sparse = case.samples(), case.samples(csr_array(case.X))
        adam = _engine.UpdateRule("adam", learning_rate=0.1, alpha=0)
        sgd = _engine.UpdateRule("sgd", learning_rate=0.1, alpha=0)
        for update, data, batch_size, needed in (
            (adam, samples, 128, False), (adam, samples, 129, True), (adam, sparse, 5, True),
            (sgd, samples, 300, False), (sgd, sparse, 300, False),
        ):  # fmt: skip
            _, chunk = _engine.workspace_elements(case.layout, data, batch_size)
            assert chunk == batch_size
            assert needed == _engine.needs_gradient(case.layout, update, data, batch_size, chunk)
            if needed:
                with pytest.raises(ValueError, match="memory for the gradient"):
                    case.train(update, data, batch_size, in_place=True)
        assert _engine.needs_gradient(case.layout, sgd, samples, 300, 299)

    def test_state_must_fit_the_rule(self):
        case = Case()
        parameters = case.reference.flat
        update = _engine.UpdateRule("adam", learning_rate=0.1, alpha=0)
        with pytest.raises(ValueError, match="state"):
            _engine.train(
                case.layout, update, parameters, np.empty_like(parameters),
                np.zeros((1, parameters.size)), case.samples(), None, 5,
                case.work(case.samples(), 5),
            )  # fmt: skip
