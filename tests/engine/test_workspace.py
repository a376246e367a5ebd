"""The memory of a run, and when it needs memory for the whole gradient."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cases import Case, update_rule
from cymlp import _engine


def test_memory_is_bounded():
    """However many rows a batch has; a chunk never has more rows than the batch."""
    architecture = _engine.Architecture((784, 100, 10), "relu", "softmax")
    dataset = _engine.Dataset(np.empty((10, 784), dtype=np.float32))
    for batch_size in (1, 10, 1_000, 1_000_000_000):
        workspace = _engine.Workspace(architecture, dataset, batch_size=batch_size)
        assert workspace.n_bytes < 8_000_000
        assert 1 <= workspace.chunk_rows <= batch_size


def test_chunks_of_sparse_rows_are_bounded_by_their_entries():
    """A chunk has at most 5e7 products with the first weights, so that Ctrl-C works quickly."""
    architecture = _engine.Architecture((50_000, 100, 2), "relu", "softmax")

    def chunk_rows(X):
        return _engine.Workspace(architecture, _engine.Dataset(X), batch_size=1000).chunk_rows

    assert chunk_rows(csr_array(np.ones((20, 50_000), dtype=np.float32))) == 9
    assert chunk_rows(csr_array((20, 50_000), dtype=np.float32)) == 1000


def test_a_mini_batch_of_sparse_rows_is_updated_by_in_one_chunk():
    """Though a chunk of dense rows would have fewer, to stay in the cache."""
    architecture = _engine.Architecture((100, 600, 2), "relu", "softmax")
    X = csr_array(np.eye(100))
    for rule, rows in ((update_rule("adam"), 4000), (None, 500)):
        workspace = _engine.Workspace(architecture, _engine.Dataset(X), rule, 4000)
        assert workspace.chunk_rows == rows


def test_gradients_that_need_memory():
    case = Case(n=300)
    dense, sparse = case.dataset(), case.dataset(csr_array(case.X))
    adam, sgd = update_rule("adam"), update_rule("sgd")
    clipping = update_rule("sgd", clip_norm=1.0)
    for rule, dataset, batch_size, needed in (
        (adam, dense, 128, False), (adam, dense, 129, True), (adam, sparse, 5, False),
        (sgd, dense, 300, False), (sgd, sparse, 300, False), (clipping, dense, 5, True),
    ):  # fmt: skip
        workspace = _engine.Workspace(case.architecture(), dataset, rule, batch_size)
        assert workspace.chunk_rows == batch_size
        assert workspace.has_gradient == needed
    workspace = _engine.Workspace(case.architecture(), dense, sgd, 300, most_chunk_rows=299)
    assert workspace.has_gradient


class TestMisuse:
    """Mismatched arguments are refused before a pointer is followed."""

    def test_architecture_of_another_size(self):
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.Workspace(_engine.Architecture((3, 3), "relu", "softmax"), Case().dataset())

    def test_batches_and_chunks_have_rows(self):
        case = Case()
        for sizes in ({"batch_size": 0}, {"most_chunk_rows": 0}):
            with pytest.raises(ValueError, match="no rows"):
                _engine.Workspace(case.architecture(), case.dataset(), **sizes)

    def test_workspace_of_another_run(self):
        case = Case()
        architecture, dataset = case.architecture(), case.dataset()
        parameters, gradient = case.reference.flat, np.empty_like(case.reference.flat)
        sgd = update_rule("sgd")
        state = np.empty((0, parameters.size))
        for workspace in (
            _engine.Workspace(case.architecture(), dataset, sgd),
            _engine.Workspace(architecture, case.dataset(csr_array(case.X)), sgd),
            _engine.Workspace(architecture, case.dataset(dtype=np.float32), sgd),
            _engine.Workspace(architecture, dataset),
        ):
            with pytest.raises(ValueError, match="made for another"):
                _engine.train(architecture, parameters, state, sgd, dataset, workspace)
        for workspace, match in (
            (_engine.Workspace(architecture, dataset, sgd), "made for another"),
            (_engine.Workspace(architecture, dataset, batch_size=22), "all samples"),
        ):
            with pytest.raises(ValueError, match=match):
                _engine.loss_gradient(architecture, parameters, gradient, dataset, workspace)

    def test_rule_that_has_changed(self):
        """It would need memory that the workspace does not have."""
        case = Case()
        architecture, dataset, rule = case.architecture(), case.dataset(), update_rule("sgd")
        workspace = _engine.Workspace(architecture, dataset, rule)
        rule.__init__("adam", learning_rate=0.1, clip_norm=1.0)
        parameters = case.reference.flat
        state = np.zeros((2, parameters.size))
        with pytest.raises(ValueError, match="rule has changed"):
            _engine.train(architecture, parameters, state, rule, dataset, workspace)
