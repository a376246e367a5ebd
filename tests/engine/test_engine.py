"""The functions that Python calls: losses of given outputs, and errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cases import Case, update_rule
from cymlp import _engine
from reference import LINKS, LOSSES, delta


@pytest.mark.parametrize("output", LINKS)
def test_mean_loss(output):
    """Without penalties, weighted, for samples in any order."""
    case = Case(output=output)
    Z = case.reference.forward(case.X)[0][-1]
    architecture = case.architecture(alpha=0.5)
    for order in (None, np.array([3, 22, 0, 3, 17])):
        rows = np.arange(23) if order is None else order
        given, T, w = Z[rows], case.T[rows], case.w[rows]
        P = LINKS[output](Z[rows])
        losses = LOSSES[output](P, T) / (3 if output == "identity" else 1)
        loss, weight = _engine.mean_loss(architecture, case.dataset(), order, given)
        assert_allclose(weight, w.sum())
        assert_allclose(loss, w @ losses / w.sum(), rtol=1e-12)
        assert_allclose(given, w[:, None] * delta(output, P, T), rtol=1e-10, atol=1e-13)


def test_mean_loss_without_weight():
    case = Case()
    case.w[:] = 0
    loss, weight = _engine.mean_loss(case.architecture(), case.dataset(), None, np.zeros((23, 3)))
    assert np.isnan(loss) and weight == 0


class TestMisuse:
    """Mismatched arguments are refused before a pointer is followed."""

    def test_dtypes(self):
        case = Case()
        with pytest.raises(TypeError, match="one dtype"):
            case.outputs(case.dataset(dtype=np.float32), 23)

    def test_shapes(self):
        case = Case()
        architecture, dataset = case.architecture(), case.dataset()
        workspace = _engine.Workspace(architecture, dataset)
        parameters, gradient, short = case.reference.flat, case.reference.flat, np.ones(3)
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.loss_gradient(architecture, short, short, dataset, workspace)
        with pytest.raises(ValueError, match="gradient"):
            _engine.loss_gradient(architecture, parameters, short, dataset, workspace)
        for shape in ((22, 7), (23, 6)):
            with pytest.raises(ValueError, match="gradient of X"):
                _engine.loss_gradient(
                    architecture, parameters, gradient, dataset, workspace, np.empty(shape)
                )
        with pytest.raises(ValueError, match="output"):
            case.outputs(dataset, 22)
        with pytest.raises(ValueError, match="do not fit together"):
            _engine.mean_loss(architecture, dataset, None, np.ones((23, 2)))
        with pytest.raises(ValueError, match="Z does not fit"):
            _engine.apply_output_activation(architecture, np.ones((23, 2)))

    def test_training_needs_a_loss(self):
        case = Case()
        architecture, dataset = _engine.Architecture(case.units, "tanh", "softmax"), case.dataset()
        workspace = _engine.Workspace(architecture, dataset)
        parameters = case.reference.flat
        with pytest.raises(ValueError, match="no loss"):
            _engine.loss_gradient(
                architecture, parameters, np.empty_like(parameters), dataset, workspace
            )

    def test_no_weight(self):
        case = Case()
        case.w[:] = 0
        with pytest.raises(ValueError, match="sample weights sum to 0"):
            case.loss_gradient(case.dataset(), 0.1)

    def test_order(self):
        case = Case()
        for wrong in (23, -1):
            with pytest.raises(IndexError, match="order"):
                case.outputs(case.dataset(), 1, order=np.array([wrong]))

    def test_state_scores_and_rates(self):
        case = Case()
        adam = update_rule("adam")
        with pytest.raises(ValueError, match="rate for each mini-batch"):
            case.train(adam, case.dataset(), 6, rates=np.ones(3))
        for shape in ((1, 2), (2, 3)):
            with pytest.raises(ValueError, match="scores for each thread"):
                case.train(adam, case.dataset(), 6, scores=np.zeros(shape))
        architecture, dataset, parameters = case.architecture(), case.dataset(), case.reference.flat
        workspace = _engine.Workspace(architecture, dataset, adam, 5)
        for shape in ((1, parameters.size), (2, parameters.size - 1)):
            with pytest.raises(ValueError, match="state"):
                _engine.train(architecture, parameters, np.zeros(shape), adam, dataset, workspace)
