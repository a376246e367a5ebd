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
    OUTPUTS,
    ReferenceNetwork,
    ReferenceUpdate,
    targets_for,
)

DTYPES = [np.float32, np.float64]
HIDDEN = [(), (5,), (4, 6), (5, 3, 4)]
MIXED = ["gelu", "relu", "mish"]  # with and without derivatives that are kept


class Case:
    """A small problem: a reference network with samples, targets and weights.

    ``settings`` are the architecture's: dropout, label_smoothing.
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
        self.activation, self.settings = activation, settings

    def architecture(self, alpha=0.0, l1=0.0):
        """With penalties of all layers, or of each."""
        output_activation, loss = OUTPUTS[self.reference.output]
        n_layers = len(self.units) - 1
        return _engine.Architecture(
            self.units,
            self.activation,
            output_activation,
            loss=loss,
            loss_parameter=LOSS_PARAMETERS.get(self.reference.output, 0.0),
            l2=tuple(np.broadcast_to(alpha, n_layers)),
            l1=tuple(np.broadcast_to(l1, n_layers)),
            **self.settings,
        )

    def dataset(self, X=None, dtype=np.float64, weighted=True):
        X = self.X.astype(dtype) if X is None else X
        return _engine.Dataset(X, self.T.astype(dtype), self.w.astype(dtype) if weighted else None)

    def loss_gradient(
        self, dataset, alpha=0.0, dtype=np.float64, parameters=None, *, size=1,
        most_chunk_rows=None, X_gradient=None,
    ):  # fmt: skip
        parameters = self.reference.flat if parameters is None else parameters
        gradient = np.full(parameters.size, np.nan, dtype=dtype)
        architecture = self.architecture(alpha)
        with engine_threads(size, 1, 1, 1) as team:
            workspace = _engine.Workspace(
                architecture, dataset, team=team, most_chunk_rows=most_chunk_rows
            )
            loss = _engine.loss_gradient(
                architecture, parameters.astype(dtype), gradient, dataset, workspace, X_gradient
            )
        return loss, gradient

    def X_gradient(self, dataset, dtype=np.float64, **settings):
        """dloss/dX; memory around it must stay as it is."""
        memory = np.full(self.X.size + 200, 7, dtype=dtype)
        out = memory[100:-100].reshape(self.X.shape)
        self.loss_gradient(dataset, dtype=dtype, X_gradient=out, **settings)
        assert_array_equal(memory[:100], 7)
        assert_array_equal(memory[-100:], 7)
        return out

    def train(
        self, rule, dataset, batch_size, *, alpha=0.0, l1=0.0, order=None, dtype=np.float64,
        size=1, most_chunk_rows=None, seed=0,
    ):  # fmt: skip
        """Parameters after one run, the loss it returned and the state it left."""
        parameters = self.reference.flat.astype(dtype)
        state = np.zeros((rule.n_states, parameters.size), dtype=dtype)
        architecture = self.architecture(alpha, l1)
        with engine_threads(size, 1, 1, 1) as team:
            workspace = _engine.Workspace(
                architecture, dataset, rule, batch_size, team, most_chunk_rows=most_chunk_rows
            )
            loss, _ = _engine.train(
                architecture, parameters, state, rule, dataset, workspace, order, seed=seed
            )
        return parameters, loss, state

    def outputs(self, dataset, n_rows, *, dtype=np.float64, **settings):
        out = np.full((n_rows, self.units[-1]), np.nan, dtype=dtype)
        parameters = self.reference.flat.astype(dtype)
        _engine.predict(self.architecture(), parameters, dataset, out, **settings)
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
    dataset = case.dataset()
    parameters = case.reference.flat
    _, gradient = case.loss_gradient(dataset, 0.3)
    numerical = np.empty_like(gradient)
    step = 1e-6
    for i in range(parameters.size):
        ends = []
        for sign in (1, -1):
            moved = parameters.copy()
            moved[i] += sign * step
            ends.append(case.loss_gradient(dataset, 0.3, parameters=moved)[0])
        numerical[i] = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(gradient - numerical) < 1e-6 * np.linalg.norm(numerical)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_loss_and_gradient_against_reference(hidden, activation, output, weighted):
    case = Case(hidden, activation, output)
    w = case.w if weighted else np.ones_like(case.w)
    loss, gradient = case.loss_gradient(case.dataset(weighted=weighted), 0.3)
    assert_allclose(gradient, case.reference.gradient(case.X, case.T, w, 0.3), rtol=1e-10)
    if output != "identity":
        assert_allclose(loss, case.reference.loss(case.X, case.T, w, 0.3), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("activation", [[MIXED[i - j] for i in range(3)] for j in range(3)])
def test_activations_of_each_layer(activation, rule, size):
    """Forward pass and training, where some layers keep their derivatives and some do not."""
    case = Case((5, 3, 4), activation, d=70)
    assert_allclose(
        case.outputs(case.dataset(), 23), case.reference.forward(case.X)[1][-1], rtol=1e-12
    )
    settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6} if rule == "adam" else {}
    engine_rule = _engine.UpdateRule(rule, learning_rate=0.1, **settings)
    parameters, loss, _ = case.train(engine_rule, case.dataset(), 6, alpha=0.2, size=size)
    batches = [np.arange(23)[start : start + 6] for start in range(0, 23, 6)]
    expected, expected_loss = reference_training(case, rule, batches, 0.2, 0.1, **settings)
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activates", [False, True])
@pytest.mark.parametrize("output", LINKS)
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_predict(hidden, output, activates, dtype):
    case = Case(hidden, "logistic", output)
    pre, post = case.reference.forward(case.X)
    out = case.outputs(
        case.dataset(dtype=dtype), len(case.X), apply_output_activation=activates, dtype=dtype
    )
    assert_allclose(
        out, post[-1] if activates else pre[-1], rtol=1e-4 if dtype == np.float32 else 1e-12
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
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    expected = reference_X_gradient(case)
    assert_allclose(case.X_gradient(dataset, size=size), expected, rtol=1e-6, atol=1e-8)
    result = case.X_gradient(dataset, most_chunk_rows=4, size=size)
    assert_allclose(result, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_of_X_with_more_features_than_units(dtype, size):
    """The product W_0 D^T has more columns than any other: it needs the most packed memory."""
    case = Case((256,), "tanh", "identity", d=784)
    result = case.X_gradient(case.dataset(dtype=dtype), dtype, size=size)
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


@pytest.mark.parametrize("most_chunk_rows", [4, None])
@pytest.mark.parametrize("size, d", [(1, 7), (2, 7), (3, 7), (2, 70), (3, 200)])
@pytest.mark.parametrize("shuffled, weighted", [(False, False), (True, True)])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adam"])
def test_training_against_reference(rule, hidden, weighted, shuffled, size, d, most_chunk_rows):
    """Several steps of every rule, with a penalty and a last short mini-batch.

    By teams of each size, which share the first product by rows or by features, in chunks with all
    of the gradient kept, or with each part of it used at once.
    """
    case = Case(hidden, d=d)
    settings = {"momentum": 0.8} if rule in ("momentum", "nesterov") else {}
    if rule == "adam":
        settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6}
    order = np.random.default_rng(1).permutation(23) if shuffled else None
    engine_rule = _engine.UpdateRule(rule, learning_rate=0.1, **settings)
    parameters, loss, _ = case.train(
        engine_rule, case.dataset(weighted=weighted), 6, alpha=0.2, order=order, size=size,
        most_chunk_rows=most_chunk_rows,
    )  # fmt: skip
    rows = np.arange(23) if order is None else order
    batches = [rows[start : start + 6] for start in range(0, 23, 6)]
    expected, expected_loss = reference_training(
        case, rule, batches, 0.2, 0.1, weighted, **settings
    )
    assert engine_rule.n_updates == len(batches)
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_wide_layers_and_long_batches(rule, size):
    """More than one block of every kind: of a product's, of a W's rows, of a batch."""
    case = Case((600, 70), n=300, k=10, d=300)
    settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6} if rule == "adam" else {}
    for batch_size in (100, 300):
        engine_rule = _engine.UpdateRule(rule, learning_rate=0.01, **settings)
        parameters, loss, _ = case.train(
            engine_rule, case.dataset(), batch_size, alpha=0.1, size=size
        )
        rows = [np.arange(i, i + batch_size) for i in range(0, 300, batch_size)]
        expected, expected_loss = reference_training(case, rule, rows, 0.1, 0.01, **settings)
        assert_allclose(parameters, expected, rtol=1e-7, atol=1e-9)
        assert_allclose(loss, expected_loss, rtol=1e-11)


def test_subnormal_parameters_become_zero():
    """Else a step takes a CPU many times as long."""
    case = Case((), output="identity")
    case.reference.flat = np.full_like(case.reference.flat, 1e-310)
    case.X[:, 0] = 0
    sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
    parameters, _, _ = case.train(sgd, case.dataset(), 23)
    assert_array_equal(parameters[:3], 0)


@pytest.mark.parametrize("batch_size", [4, 23])
@pytest.mark.parametrize("hidden", HIDDEN, ids=len)
def test_sgd_in_place_equals_gradient_then_update(hidden, batch_size):
    """In one chunk the gradient is made in the parameters, in several beside them."""
    results = [
        Case(hidden).train(
            _engine.UpdateRule("sgd", learning_rate=0.1),
            Case(hidden).dataset(),
            batch_size,
            alpha=0.2,
            most_chunk_rows=most_chunk_rows,
        )
        for most_chunk_rows in (None, 2)
    ]
    assert_allclose(results[0][0], results[1][0], rtol=1e-11, atol=1e-14)
    assert_allclose(results[0][1], results[1][1], rtol=1e-13)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_float32_follows_float64(rule):
    case = Case((5, 4))
    settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6} if rule == "adam" else {}
    results = [
        case.train(
            _engine.UpdateRule(rule, learning_rate=0.01, **settings),
            case.dataset(dtype=dtype),
            5,
            alpha=0.1,
            dtype=dtype,
        )
        for dtype in DTYPES
    ]
    assert results[0][0].dtype == np.float32
    assert_allclose(results[0][0], results[1][0], rtol=1e-3, atol=1e-5)
    assert_allclose(results[0][1], results[1][1], rtol=1e-5)


def strided_forms(X):
    """The same numbers in every memory architecture."""
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
        sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
        dataset = case.dataset(form_of_X, dtype)
        results.append(case.train(sgd, dataset, 5, order=order, dtype=dtype)[0])
        results.append(case.outputs(dataset, len(X), order=order, dtype=dtype))
    assert_allclose(results[2], results[0], rtol=1e-4 if dtype == np.float32 else 1e-12)
    assert_allclose(results[3], results[1], rtol=1e-4 if dtype == np.float32 else 1e-12)


def test_broadcast_and_single_column_X():
    """Strides of 0, and the stride of a length-1 axis, which means nothing."""
    case = Case((), output="identity", k=1)
    constant = np.broadcast_to(np.arange(7.0), (23, 7))
    assert_array_equal(
        case.outputs(case.dataset(constant), 23), case.outputs(case.dataset(constant.copy()), 23)
    )
    architecture = _engine.Architecture((1, 2), "relu", "identity")
    column = np.arange(12.0).reshape(6, 2)[:, 1:]
    parameters = np.array([2.0, 3.0, 0.5, -0.5])
    out = np.empty((6, 2))
    _engine.predict(architecture, parameters, _engine.Dataset(column), out)
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
    for most_chunk_rows in (2, None):
        results = []
        for X in (sparse, case.X.astype(dtype)):
            sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
            dataset = case.dataset(X, dtype)
            trained = case.train(
                sgd, dataset, 5, alpha=0.2, order=order, dtype=dtype,
                most_chunk_rows=most_chunk_rows,
            )  # fmt: skip
            results.append(trained[0])
            results.append(case.outputs(dataset, len(case.X), order=order, dtype=dtype))
        assert_allclose(results[0], results[2], rtol=rtol, atol=rtol)
        assert_allclose(results[1], results[3], rtol=rtol)


def test_sparse_with_repeated_and_unsorted_entries():
    """A CSR matrix need not be in canonical form: repeated entries add up."""
    X = csr_array(
        (np.array([1.0, 2.0, 4.0, 8.0]), np.array([3, 0, 3, 6]), np.array([0, 3, 4])), shape=(2, 7)
    )
    case = Case()
    expected = case.reference.forward(X.toarray())[1][-1]
    dataset = _engine.Dataset(X)
    assert_allclose(case.outputs(dataset, 2), expected, rtol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_chunks_do_not_show(sparse):
    """Whatever the rows of a chunk, the loss and the gradient are the same."""
    case = Case((5, 4))
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    whole = case.loss_gradient(dataset, 0.3)
    for most_chunk_rows in (1, 4, 10):
        parts = case.loss_gradient(dataset, 0.3, most_chunk_rows=most_chunk_rows)
        assert_allclose(parts[0], whole[0], rtol=1e-13)
        assert_allclose(parts[1], whole[1], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_predictions_of_many_chunks(sparse, size):
    """Of more rows than any chunk has, some threads' last chunk being shorter or missing."""
    case = Case((300,), n=1537, d=700)
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    with engine_threads(size, 1, 1, 1) as team:
        out = case.outputs(dataset, 1537, team=team)
    assert_allclose(out, case.reference.forward(case.X)[1][-1], rtol=1e-9, atol=1e-12)


def test_workspace_is_bounded():
    """However many rows a batch has; and it never has more rows than the batch."""
    architecture = _engine.Architecture((784, 100, 10), "relu", "softmax")
    dataset = _engine.Dataset(np.empty((10, 784), dtype=np.float32))
    for batch_size in (1, 10, 1_000, 1_000_000_000):
        workspace = _engine.Workspace(architecture, dataset, batch_size=batch_size)
        assert workspace.n_bytes < 8_000_000
        assert 1 <= workspace.chunk_rows <= batch_size


def test_chunks_of_sparse_rows_are_bounded_by_their_entries():
    """So that Ctrl-C does not wait: a chunk has at most 5e7 products with the first weights."""
    architecture = _engine.Architecture((50_000, 100, 2), "relu", "softmax")

    def chunk_rows(X):
        return _engine.Workspace(architecture, _engine.Dataset(X), batch_size=1000).chunk_rows

    assert chunk_rows(csr_array(np.ones((20, 50_000), dtype=np.float32))) == 9
    assert chunk_rows(csr_array((20, 50_000), dtype=np.float32)) == 1000


def test_batches_without_weight_are_skipped():
    case = Case()
    case.w[:6] = 0
    adam = _engine.UpdateRule("adam", learning_rate=0.1, beta_1=0.9, beta_2=0.99)
    parameters, loss, _ = case.train(adam, case.dataset(), 6, alpha=0.2)
    batches = [np.arange(start, min(start + 6, 23)) for start in range(6, 23, 6)]
    expected, expected_loss = reference_training(
        case, "adam", batches, 0.2, 0.1, beta_1=0.9, beta_2=0.99, epsilon=0
    )
    assert adam.n_updates == 3
    assert_allclose(parameters, expected, rtol=1e-9)
    assert_allclose(loss, expected_loss, rtol=1e-12)


def test_bool_targets():
    case = Case()
    indicator = _engine.Dataset(case.X, case.T.astype(bool), case.w)
    assert case.loss_gradient(indicator, 0.1)[0] == case.loss_gradient(case.dataset(), 0.1)[0]


def test_class_targets():
    """As their indicators, to the last bit."""
    case = Case()
    classes = np.arange(23, dtype=np.intc) % case.T.shape[1]
    case.T = np.eye(case.T.shape[1])[classes]
    as_classes = _engine.Dataset(case.X, classes, case.w, n_classes=case.T.shape[1])
    loss, gradient = case.loss_gradient(as_classes, 0.1)
    expected_loss, expected = case.loss_gradient(case.dataset(), 0.1)
    assert loss == expected_loss
    assert_array_equal(gradient, expected)


@pytest.mark.parametrize("sparse", [False, True])
def test_nothing_is_allocated_in_a_run(sparse):
    """A run of many mini-batches takes no more memory than a run of one."""
    case = Case(n=2000)
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    order = np.random.default_rng(1).permutation(2000)
    adam = _engine.UpdateRule("adam", learning_rate=0.1, beta_1=0.9, beta_2=0.99)
    parameters = case.reference.flat
    state = np.zeros((2, parameters.size))
    architecture = case.architecture(alpha=0.2)
    workspace = _engine.Workspace(architecture, dataset, adam, 2)

    def peak(n_rows):
        tracemalloc.start()
        _engine.train(architecture, parameters, state, adam, dataset, workspace, order[:n_rows])
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
            case.outputs(case.dataset(dtype=np.float32), 23)
        with pytest.raises(TypeError, match="targets"):
            _engine.Dataset(case.X, case.T.astype(np.float32))
        with pytest.raises(TypeError, match="X must have"):
            _engine.Dataset(np.ones((2, 2), dtype=int))

    def test_shapes(self):
        case = Case()
        architecture, dataset = case.architecture(), case.dataset()
        workspace = _engine.Workspace(architecture, dataset)
        short = np.ones(3)
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.loss_gradient(architecture, short, short, dataset, workspace)
        with pytest.raises(ValueError, match="gradient"):
            _engine.loss_gradient(architecture, case.reference.flat, short, dataset, workspace)
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.Workspace(_engine.Architecture((3, 3), "relu", "softmax"), dataset)
        with pytest.raises(ValueError, match="output"):
            case.outputs(dataset, 22)
        with pytest.raises(ValueError, match="targets has"):
            _engine.Dataset(case.X, case.T[:-1])
        with pytest.raises(ValueError, match="weights has"):
            _engine.Dataset(case.X, case.T, case.w[:-1])

    def test_workspace_of_another_run(self):
        case = Case()
        architecture, dataset = case.architecture(), case.dataset()
        parameters, gradient = case.reference.flat, np.empty_like(case.reference.flat)
        sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
        state = np.empty((0, parameters.size))
        for workspace in (
            _engine.Workspace(case.architecture(), dataset, sgd),
            _engine.Workspace(architecture, case.dataset(), sgd),
            _engine.Workspace(architecture, dataset),
        ):
            with pytest.raises(ValueError, match="made for another"):
                _engine.train(architecture, parameters, state, sgd, dataset, workspace)
        with pytest.raises(ValueError, match="made for another"):
            _engine.loss_gradient(
                architecture, parameters, gradient, dataset,
                _engine.Workspace(architecture, dataset, sgd),
            )  # fmt: skip
        with pytest.raises(ValueError, match="all samples"):
            _engine.loss_gradient(
                architecture, parameters, gradient, dataset,
                _engine.Workspace(architecture, dataset, batch_size=22),
            )  # fmt: skip

    def test_names(self):
        units = (3, 4, 2)
        for names, match in (
            (("sigmoid", "softmax"), "activation must be one of"),
            (("relu", "relu"), "output activation must be one of"),
        ):
            with pytest.raises(ValueError, match=match):
                _engine.Architecture(units, *names)
        with pytest.raises(ValueError, match="loss must be one of"):
            _engine.Architecture(units, "relu", "softmax", loss="hinge")
        with pytest.raises(ValueError, match="update rule must be one of"):
            _engine.UpdateRule("lion", learning_rate=0.1)

    def test_values_of_each_layer(self):
        units = (3, 4, 2)
        for settings in ({"dropout": (0.1, 0.1)}, {"l2": (0.1,)}, {"l1": (0.1, 0.1, 0.1)}):
            with pytest.raises(ValueError, match="for each"):
                _engine.Architecture(units, "relu", "softmax", **settings)

    def test_losses_go_with_output_activations(self):
        """Of all pairs those of OUTPUTS alone."""
        for output_activation in _engine.OUTPUT_ACTIVATIONS:
            for loss in _engine.LOSSES:
                if (output_activation, loss) in OUTPUTS.values():
                    _engine.Architecture((3, 2), "relu", output_activation, loss=loss)
                else:
                    with pytest.raises(ValueError, match="goes with the output activations"):
                        _engine.Architecture((3, 2), "relu", output_activation, loss=loss)

    def test_without_a_loss_nothing_is_trained(self):
        case = Case()
        architecture, dataset = _engine.Architecture(case.units, "tanh", "softmax"), case.dataset()
        workspace = _engine.Workspace(architecture, dataset)
        parameters = case.reference.flat
        with pytest.raises(ValueError, match="no loss"):
            _engine.loss_gradient(
                architecture, parameters, np.empty_like(parameters), dataset, workspace
            )

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
            case.loss_gradient(case.dataset(), 0.1)

    def test_order_is_checked(self):
        case = Case()
        for wrong in (23, -1):
            with pytest.raises(IndexError, match="order"):
                case.outputs(case.dataset(), 1, order=np.array([wrong]))

    def test_batches_and_chunks_have_rows(self):
        case = Case()
        with pytest.raises(ValueError, match="no rows"):
            case.train(_engine.UpdateRule("sgd", learning_rate=0.1), case.dataset(), 0)
        with pytest.raises(ValueError, match="no rows"):
            _engine.Workspace(case.architecture(), case.dataset(), most_chunk_rows=0)

    def test_gradients_that_need_memory(self):
        case = Case(n=300)
        dense, sparse = case.dataset(), case.dataset(csr_array(case.X))
        adam = _engine.UpdateRule("adam", learning_rate=0.1)
        clipping = _engine.UpdateRule("sgd", learning_rate=0.1, clip_norm=1.0)
        sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
        for rule, dataset, batch_size, needed in (
            (adam, dense, 128, False), (adam, dense, 129, True), (adam, sparse, 5, True),
            (sgd, dense, 300, False), (sgd, sparse, 300, False), (clipping, dense, 5, True),
        ):  # fmt: skip
            workspace = _engine.Workspace(case.architecture(), dataset, rule, batch_size)
            assert workspace.chunk_rows == batch_size
            assert workspace.has_gradient == needed
        workspace = _engine.Workspace(case.architecture(), dense, sgd, 300, most_chunk_rows=299)
        assert workspace.has_gradient

    def test_state_must_fit_the_rule(self):
        case = Case()
        architecture, dataset, parameters = case.architecture(), case.dataset(), case.reference.flat
        adam = _engine.UpdateRule("adam", learning_rate=0.1)
        workspace = _engine.Workspace(architecture, dataset, adam, 5)
        state = np.zeros((1, parameters.size))
        with pytest.raises(ValueError, match="state"):
            _engine.train(architecture, parameters, state, adam, dataset, workspace)
