"""Forward and backward passes against finite differences and the reference network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from cases import Case, batches_of, update_rule
from cymlp import _engine
from cymlp._engine.threads import engine_threads
from reference import ACTIVATIONS, LINKS, LOSSES

DTYPES = [np.float32, np.float64]
# Every activation, loss and depth once, as they are independent.
NETWORKS = [
    *(((5, 3), activation, "softmax") for activation in ACTIVATIONS),
    *(((4, 6), "gelu", output) for output in LINKS),
    *((hidden, "tanh", "logistic") for hidden in ((), (5,), (5, 3, 4))),
]
# Threads and features: the work is shared by rows if there are few features, else by features.
TEAMS = [(1, 7), (2, 7), (3, 7), (2, 70), (3, 200), (5, 200)]


@pytest.fixture(params=NETWORKS, ids=str)
def network(request):
    return request.param


def test_gradient_against_central_differences(network):
    """Relative error below 1e-6, with weights and penalty.

    The engine's own loss is differentiated. For the squared error, whose reported
    loss is the mean over the outputs, there is a single output.
    """
    case = Case(*network, k=1 if network[-1] == "identity" else 3)
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


def test_loss_and_gradient_against_reference(network):
    """With and without weights, each layer with its own penalty."""
    case = Case(*network)
    alpha = np.linspace(0.1, 0.4, len(case.units) - 1)
    for w in (None, case.w):
        loss, gradient = case.loss_gradient(case.dataset(weighted=w is not None), alpha)
        batch = case.X, case.T, np.ones(len(case.X)) if w is None else w
        assert_allclose(gradient, case.reference.gradient(*batch, alpha), rtol=1e-10)
        if case.reference.output != "identity":
            assert_allclose(loss, case.reference.loss(*batch, alpha), rtol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("size, d", TEAMS)
def test_threads_share_the_passes(size, d, sparse):
    """The loss and both gradients do not depend on the size of the chunks."""
    case = Case((5, 4), "gelu", d=d)
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    expected = case.reference.gradient(case.X, case.T, case.w, 0.3)
    expected_loss = case.reference.loss(case.X, case.T, case.w, 0.3)
    of_X = reference_X_gradient(case)
    for most_chunk_rows in (None, 1, 4, 10):
        settings = {"size": size, "most_chunk_rows": most_chunk_rows}
        loss, gradient = case.loss_gradient(dataset, 0.3, **settings)
        assert_allclose(loss, expected_loss, rtol=1e-12)
        assert_allclose(gradient, expected, rtol=1e-9, atol=1e-14)
        assert_allclose(case.X_gradient(dataset, **settings), of_X, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("first", range(3))
def test_activations_per_layer(first):
    """Forward pass and training, if some layers keep their derivatives and others do not."""
    names = ["gelu", "relu", "mish"]
    case = Case((5, 3, 4), names[first:] + names[:first], d=70)
    assert_allclose(
        case.outputs(case.dataset(), 23), case.reference.forward(case.X)[1][-1], rtol=1e-12
    )
    batches = batches_of(np.arange(23), 6)
    for rule in ("sgd", "adam"):
        expected, expected_loss = case.train_by_reference(rule, batches, alpha=0.2)
        for size in (1, 2):
            parameters, loss, _ = case.train(
                update_rule(rule), case.dataset(), 6, alpha=0.2, size=size
            )
            assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
            assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("output", LINKS)
def test_predict(output):
    """With and without the output activation, in both dtypes."""
    for hidden in ((), (4, 6)):
        case = Case(hidden, "logistic", output)
        pre, post = case.reference.forward(case.X)
        for dtype in DTYPES:
            rtol = 1e-4 if dtype == np.float32 else 1e-12
            for applies, expected in ((True, post[-1]), (False, pre[-1])):
                out = case.outputs(
                    case.dataset(dtype=dtype), 23, apply_output_activation=applies, dtype=dtype
                )
                assert_allclose(out, expected, rtol=rtol)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_predictions_of_many_chunks(sparse, size):
    """More rows than fit into a chunk; some threads' last chunk is shorter or missing."""
    case = Case((300,), n=1537, d=700)
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    with engine_threads(size, 1, 1, 1) as team:
        out = case.outputs(dataset, 1537, team=team)
    assert_allclose(out, case.reference.forward(case.X)[1][-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_predictions_say_whether_X_is_finite(dtype):
    """Wherever the non-finite number is, but only if asked to check."""
    case = Case(n=40)
    parameters, out = case.reference.flat.astype(dtype), np.empty((40, 3), dtype=dtype)

    def is_valid(X, **settings):
        dataset = _engine.Dataset(X)
        return _engine.predict(case.architecture(), parameters, dataset, out, **settings)

    X = case.X.astype(dtype)
    assert is_valid(X, check_finite=True)
    for row, column in ((0, 0), (17, 3), (39, 6)):
        for number in (np.nan, np.inf):
            broken = X.copy()
            broken[row, column] = number
            assert not is_valid(broken, check_finite=True)
            assert is_valid(broken)


def reference_X_gradient(case):
    """By central differences; the losses of the rows are independent."""
    gradient, step, w = np.empty_like(case.X), 1e-6, case.w
    for j in range(case.X.shape[1]):
        ends = []
        for sign in (1, -1):
            X = case.X.copy()
            X[:, j] += sign * step
            ends.append(w * LOSSES[case.reference.output](case.reference.forward(X)[1][-1], case.T))
        gradient[:, j] = (ends[0] - ends[1]) / (2 * step * w.sum())
    return gradient


def test_gradient_of_X(network):
    case = Case(*network)
    result = case.X_gradient(case.dataset())
    assert_allclose(result, reference_X_gradient(case), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_of_X_with_more_features_than_units(dtype, size):
    """The product W_0 D^T has the most columns, so it needs the most packed memory."""
    case = Case((256,), "tanh", "identity", d=784)
    result = case.X_gradient(case.dataset(dtype=dtype), dtype, size=size)
    (W, V), A = case.reference.W, case.reference.forward(case.X)[1]
    D = case.w[:, None] * (A[2] - case.T) / case.w.sum()
    expected = (D @ V.T * (1 - A[1] ** 2)) @ W.T
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    assert_allclose(result, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
