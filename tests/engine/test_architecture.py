"""Impossible architectures are refused."""

import pytest

from cymlp import _engine
from reference import OUTPUTS


def test_names():
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


def test_units():
    for units in ((3,), (3, 0, 2), (3, 2**31)):
        with pytest.raises(ValueError, match="Layers must have from 1 to"):
            _engine.Architecture(units, "relu", "softmax")


def test_values_per_layer():
    units = (3, 4, 2)
    for settings in ({"dropout": (0.1, 0.1)}, {"l2": (0.1,)}, {"l1": (0.1, 0.1, 0.1)}):
        with pytest.raises(ValueError, match="for each"):
            _engine.Architecture(units, "relu", "softmax", **settings)


def test_losses_go_with_output_activations():
    """Only the pairs in OUTPUTS are allowed."""
    for output_activation in _engine.OUTPUT_ACTIVATIONS:
        for loss in _engine.LOSSES:
            if (output_activation, loss) in OUTPUTS.values():
                _engine.Architecture((3, 2), "relu", output_activation, loss=loss)
            else:
                with pytest.raises(ValueError, match="goes with the output activations"):
                    _engine.Architecture((3, 2), "relu", output_activation, loss=loss)


def test_sizes():
    architecture = _engine.Architecture((3, 4, 2), "relu", "softmax")
    assert architecture.n_weights == 3 * 4 + 4 * 2
    assert architecture.n_parameters == architecture.n_weights + 4 + 2
