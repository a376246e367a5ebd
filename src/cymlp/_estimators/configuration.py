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
    given = [getattr(estimator, name) for name in _PARAMETERS]
    key = n_layers, incremental, targets.output_activation, *targets.loss.items()
    config = _remembered.recall(key, given)
    if config is None:
        config = _new_config(estimator, targets, n_layers, incremental)
        _remembered.remember(key, given, config)
    return config


def _new_config(
    estimator: Any, targets: Targets, n_layers: int, incremental: bool
) -> TrainingConfig:
    alphas = per_layer(estimator.alpha, n_layers, "alpha", "layers of weights")
    ratios = per_layer(estimator.l1_ratio, n_layers, "l1_ratio", "layers of weights")
    pairs = list(zip(alphas, ratios, strict=True))
    values = {name: getattr(estimator, name) for name in _TAKEN}
    for name in ("activation", "dropout"):
        values[name] = per_layer(values[name], n_layers - 1, name, "hidden layers")
    values |= {
        "l2": tuple(float(alpha * (1 - ratio)) for alpha, ratio in pairs),
        "l1": tuple(float(alpha * ratio) for alpha, ratio in pairs),
        "clip_norm": estimator.clip_norm or 0.0,
        "n_epochs": 1 if incremental else None,
        "output_activation": targets.output_activation,
        **targets.loss,
    }
    return TrainingConfig(**values)
