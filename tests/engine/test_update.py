"""Updates against the textbook's formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from cases import RULES, Case, batches_of, update_rule
from cymlp import _engine

DTYPES = [np.float32, np.float64]


def assert_trains_as_reference(case, rule, batch_size, *, sparse=False, order=None, **settings):
    """Compare one run with the reference's, with a penalty, from the same weights."""
    weighted = order is not None
    X = csr_array(case.X) if sparse else None
    engine_rule = update_rule(rule)
    parameters, loss, _ = case.train(
        engine_rule, case.dataset(X, weighted=weighted), batch_size, alpha=0.2, order=order,
        **settings,
    )  # fmt: skip
    batches = batches_of(np.arange(len(case.X)) if order is None else order, batch_size)
    expected, expected_loss = case.train_by_reference(rule, batches, alpha=0.2, weighted=weighted)
    assert engine_rule.n_updates == len(batches)
    assert_allclose(parameters, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(loss, expected_loss, rtol=1e-12)


@pytest.mark.parametrize("most_chunk_rows", [3, 4, None])
@pytest.mark.parametrize("size, d", [(1, 7), (2, 7), (3, 7), (2, 70), (3, 200), (5, 200)])
@pytest.mark.parametrize("rule", RULES)
def test_training_against_reference(rule, size, d, most_chunk_rows):
    """Several steps of every rule, with a short last mini-batch, for dense and sparse samples.

    With teams of each size, which share the first product by rows or by features, and either in
    chunks with the whole gradient kept, or with each part of it used immediately.
    """
    case = Case((4, 6), d=d)
    order = np.random.default_rng(1).permutation(23)
    for sparse in (False, True):
        for visited in (None, order):
            assert_trains_as_reference(
                case, rule, 6, sparse=sparse, order=visited, size=size,
                most_chunk_rows=most_chunk_rows,
            )  # fmt: skip


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3, 4)], ids=len)
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_depths(rule, hidden):
    for size in (1, 2):
        for d in (7, 70):
            assert_trains_as_reference(Case(hidden, d=d), rule, 6, size=size)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_wide_layers_and_long_batches(rule, size):
    """More than one block of every kind: of a product, of the rows of W, of a batch."""
    case = Case((600, 70), n=300, k=10, d=300)
    for batch_size in (100, 300):
        parameters, loss, _ = case.train(
            update_rule(rule, 0.01), case.dataset(), batch_size, alpha=0.1, size=size
        )
        batches = batches_of(np.arange(300), batch_size)
        expected, expected_loss = case.train_by_reference(rule, batches, alpha=0.1, rates=[0.01])
        assert_allclose(parameters, expected, rtol=1e-7, atol=1e-9)
        assert_allclose(loss, expected_loss, rtol=1e-11)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_float32_follows_float64(rule):
    case = Case((5, 4))
    results = [
        case.train(update_rule(rule, 0.01), case.dataset(dtype=dtype), 5, alpha=0.1, dtype=dtype)
        for dtype in DTYPES
    ]
    assert results[0][0].dtype == np.float32
    assert_allclose(results[0][0], results[1][0], rtol=1e-3, atol=1e-5)
    assert_allclose(results[0][1], results[1][1], rtol=1e-5)


def test_subnormal_parameters_become_zero():
    """Otherwise steps become many times slower."""
    case = Case((), output="identity")
    case.reference.flat = np.full_like(case.reference.flat, 1e-310)
    case.X[:, 0] = 0
    sgd = _engine.UpdateRule("sgd", learning_rate=0.1)
    parameters, _, _ = case.train(sgd, case.dataset(), 23)
    assert_array_equal(parameters[:3], 0)
