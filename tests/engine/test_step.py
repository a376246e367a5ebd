"""The loop over mini-batches: learning rates, batches of weight 0, scores, memory, threads."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from cases import Case, batches_of, update_rule
from cymlp import _engine
from cymlp._engine.threads import engine_threads


def test_batches_of_weight_0_are_skipped():
    case = Case()
    case.w[:6] = 0
    adam = update_rule("adam")
    parameters, loss, _ = case.train(adam, case.dataset(), 6, alpha=0.2)
    expected, expected_loss = case.train_by_reference(
        "adam", batches_of(np.arange(6, 23), 6), alpha=0.2
    )
    assert adam.n_updates == 3
    assert_allclose(parameters, expected, rtol=1e-9)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_learning_rate_of_each_update(rule):
    case, rates = Case(), [0.3, 0.1, 0.0, 0.2]
    engine_rule = update_rule(rule, 7.0)
    parameters, _, _ = case.train(engine_rule, case.dataset(), 6, rates=np.array(rates))
    expected, _ = case.train_by_reference(rule, batches_of(np.arange(23), 6), rates=rates)
    assert_allclose(parameters, expected, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("output", ["softmax", "logistic", "exp", "identity"])
def test_scores(output, size):
    """The total weight of correct rows, or the sum of squared residuals of each output."""
    case = Case(output=output)
    scores = np.zeros((size, 3))
    case.train(update_rule("sgd", 0.0), case.dataset(), 6, size=size, scores=scores)
    P = case.reference.forward(case.X)[1][-1]
    if output in ("exp", "identity"):
        expected = case.w @ (P - case.T) ** 2
    elif output == "softmax":
        expected = [case.w @ (P.argmax(axis=1) == case.T.argmax(axis=1)), 0, 0]
    else:
        expected = [case.w @ ((P > 0.5) == case.T).all(axis=1), 0, 0]
    assert_allclose(scores.sum(axis=0), expected, rtol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_nothing_is_allocated_in_a_run(sparse):
    """A run of many mini-batches needs no more memory than a run of one.

    The first run makes room for the largest mini-batch of sparse entries.
    """
    case = Case(n=2000)
    dataset = case.dataset(csr_array(case.X) if sparse else None)
    order = np.random.default_rng(1).permutation(2000)
    adam = update_rule("adam")
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

    peak(2000)
    assert peak(2000) <= peak(2) + 256


@pytest.mark.parametrize("d", [7, 150], ids=["by rows", "by features"])
@pytest.mark.parametrize("clip_norm", [0.0, 0.02], ids=["free", "clipped"])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_threads_wait_for_each_other(rule, clip_norm, d):
    """Hundreds of steps give identical results with two threads and with one that does all parts.

    A thread that did not wait would sometimes read what another has not written yet; shared scratch
    memory would change the results too.
    """
    case = Case((50, 40), "relu", n=600, k=8, d=d)
    results = []
    for serial in (True, False, False):
        parameters = case.reference.flat
        engine_rule = update_rule(rule, 0.02, clip_norm=clip_norm)
        state = np.zeros((engine_rule.n_states, parameters.size))
        architecture, dataset = case.architecture(alpha=0.1), case.dataset()
        with engine_threads(2, 1, 1, 1) as team:
            if serial:
                team.go_serial()
            losses = []
            for batch_size in (6, 6, 6, 30, 30, 30, 30, 30):
                workspace = _engine.Workspace(architecture, dataset, engine_rule, batch_size, team)
                losses.append(
                    _engine.train(architecture, parameters, state, engine_rule, dataset, workspace)[
                        0
                    ]
                )
        results.append(np.append(parameters, losses))
    for result in results[1:]:
        assert_array_equal(result, results[0])
