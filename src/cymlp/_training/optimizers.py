"""The settings and state of SGD and Adam; the engine does their arithmetic."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._training.config import TrainingConfig


class Optimizer:
    """An update rule's settings and state, as plain values and one array that can be pickled.

    It has plain attributes only, so ``to_dict`` is all of it.

    Parameters
    ----------
    rule : str
        One of the engine's update rules.
    config : TrainingConfig
    parameters : ndarray of shape (n_parameters,)
        The parameters to update.
    **settings : float
        The rule's settings among momentum, beta_1, beta_2 and epsilon.

    Attributes
    ----------
    learning_rate : float
        The current learning rate.
    state : ndarray of shape (n_states, n_parameters)
        Empty, the velocity, or Adam's two moments; the engine updates it in place.
    n_updates : int
        Number of updates so far.
    """

    solver: ClassVar[str]

    def __init__(
        self, rule: str, config: TrainingConfig, parameters: NDArray[Any], **settings: float
    ) -> None:
        self.rule_name = rule
        self.settings = settings
        self.learning_rate = float(config.learning_rate_init)
        self.n_updates = 0
        self.state = np.zeros((self.rule().n_states, parameters.size), parameters.dtype)

    def rule(self, **settings: float) -> _engine.UpdateRule:
        """The engine's update rule; ``settings`` are weight decay and clipping."""
        return _engine.UpdateRule(
            self.rule_name,
            learning_rate=self.learning_rate,
            n_updates=self.n_updates,
            **self.settings,
            **settings,
        )

    def to_dict(self) -> dict[str, Any]:
        """The solver, and all settings and state as plain values and one array, not copied."""
        return {"solver": self.solver, **vars(self)}

    def matches(self, parameters: NDArray[Any]) -> bool:
        """Whether the state has the size and dtype of these parameters; makes it writable if so."""
        if self.state.shape[1] != parameters.size or self.state.dtype != parameters.dtype:
            return False
        if not self.state.flags.writeable:  # a memory map, from joblib
            self.state = np.array(self.state)
        return True

    def end_epoch(self, n_samples_seen: int) -> None:
        """Set the learning rate of the next epoch, if it depends on the samples seen."""

    def on_plateau(self, reason: str) -> tuple[bool, str]:
        """Whether to stop as progress has stopped, and a message that begins with ``reason``."""
        return True, f"{reason} Stopping."


class SGD(Optimizer):
    """Stochastic gradient descent, plain or with (Nesterov's) momentum.

    Only scikit-learn's schedules, which change the learning rate after an epoch, are handled here;
    all others set it for each update.
    """

    solver = "sgd"

    def __init__(self, config: TrainingConfig, parameters: NDArray[Any]) -> None:
        rule = "momentum"
        if config.momentum == 0:
            rule = "sgd"
        elif config.nesterovs_momentum:
            rule = "nesterov"
        super().__init__(rule, config, parameters, momentum=config.momentum)
        self.schedule = config.learning_rate if isinstance(config.learning_rate, str) else None
        self.learning_rate_init = float(config.learning_rate_init)
        self.power_t = config.power_t

    def end_epoch(self, n_samples_seen: int) -> None:
        if self.schedule == "invscaling":
            self.learning_rate = self.learning_rate_init / (n_samples_seen + 1) ** self.power_t

    def on_plateau(self, reason: str) -> tuple[bool, str]:
        if self.schedule != "adaptive":
            return super().on_plateau(reason)
        if self.learning_rate <= 1e-6:
            return super().on_plateau(f"{reason} Learning rate too small.")
        self.learning_rate /= 5.0
        return False, f"{reason} Setting learning rate to {self.learning_rate:f}"


class Adam(Optimizer):
    """Adam, with a constant learning rate."""

    solver = "adam"

    def __init__(self, config: TrainingConfig, parameters: NDArray[Any]) -> None:
        super().__init__(
            "adam",
            config,
            parameters,
            beta_1=config.beta_1,
            beta_2=config.beta_2,
            epsilon=config.epsilon,
        )


# The optimizer of each solver that trains by mini-batches.
OPTIMIZERS: dict[str, type[SGD] | type[Adam]] = {kind.solver: kind for kind in (SGD, Adam)}


def optimizer_from_dict(values: dict[str, Any]) -> Optimizer:
    """The optimizer whose ``to_dict`` returned these values."""
    attributes = dict(values)
    kind = OPTIMIZERS[attributes.pop("solver")]
    optimizer = kind.__new__(kind)
    vars(optimizer).update(attributes)
    return optimizer
