"""An estimator's parameters as the plain values that training needs."""

from dataclasses import fields
from typing import Any

from cymlp._estimators.remembering import Remembered
from cymlp._estimators.targets import Targets
from cymlp._network.layer_sizes import per_layer
from cymlp._training.config import TrainingConfig

# Fields that are no parameters, or are made from others.
_COMPUTED = {
    "output_activation", "loss", "loss_parameter", "label_smoothing", "l2", "l1", "n_epochs",
}  # fmt: skip
_TAKEN = [field.name for field in fields(TrainingConfig) if field.name not in _COMPUTED]
_PARAMETERS = [*_TAKEN, "alpha", "l1_ratio"]

_remembered = Remembered[TrainingConfig]()


def training_config(
    estimator: Any, targets: Targets, n_layers: int, incremental: bool
) -> TrainingConfig:
    """The configuration of training for a network with ``n_layers`` layers of weights.

    Raises
    ------
    ValueError
        If a parameter has values for another number of layers.
    """
    given = {name: getattr(estimator, name) for name in _PARAMETERS}
    given |= targets.loss
    key = n_layers, incremental, targets.output_activation, *given
    values = list(given.values())
    config = _remembered.recall(key, values)
    if config is None:
        config = _new_config(given, targets.output_activation, n_layers, incremental)
        _remembered.remember(key, values, config)
    return config


def _new_config(
    given: dict[str, Any], output_activation: str, n_layers: int, incremental: bool
) -> TrainingConfig:
    """The configuration, from the parameters and the fields of the loss."""
    values = dict(given)
    for name in ("activation", "dropout"):
        values[name] = per_layer(values[name], n_layers - 1, name, "hidden layers")
    alphas, ratios = (
        per_layer(values.pop(name), n_layers, name, "layers of weights")
        for name in ("alpha", "l1_ratio")
    )
    pairs = list(zip(alphas, ratios, strict=True))
    values |= {
        "l2": tuple(float(alpha * (1 - ratio)) for alpha, ratio in pairs),
        "l1": tuple(float(alpha * ratio) for alpha, ratio in pairs),
        "clip_norm": values["clip_norm"] or 0.0,
        "n_epochs": 1 if incremental else None,
        "output_activation": output_activation,
    }
    return TrainingConfig(**values)
