"""What SGD and Adam carry from update to update; the engine does their arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine


class Optimizer:
    """An update rule's settings and state: plain values and one array, so that it pickles.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam"}
    n_parameters : int
    dtype : dtype
    learning_rate : float
    **settings : float
        Those that the rule has: momentum, beta_1, beta_2, epsilon.

    Attributes
    ----------
    learning_rate : float
        The current one.
    state : ndarray of shape (n_states, n_parameters)
        Nothing, the velocity, or Adam's two moments; the engine updates it in place.
    n_updates : int
        Updates done so far.
    """

    def __init__(
        self, rule: str, n_parameters: int, dtype: Any, learning_rate: float, **settings: float
    ) -> None:
        self.rule = rule
        self.settings = settings
        self.learning_rate = float(learning_rate)
        self.n_updates = 0
        self.state = np.zeros((self.update(alpha=0.0).n_states, n_parameters), dtype=dtype)

    def update(self, **settings: Any) -> Any:
        """The rule as the engine takes it, with penalties and the like as settings of its own."""
        return _engine.UpdateRule(
            self.rule,
            learning_rate=self.learning_rate,
            n_updates=self.n_updates,
            **self.settings,
            **settings,
        )

    def can_go_on_with(self, parameters: NDArray[Any]) -> bool:
        """Whether the state is of these parameters' size and dtype; made writable if so."""
        if self.state.shape[1] != parameters.size or self.state.dtype != parameters.dtype:
            return False
        if not self.state.flags.writeable:  # a memory map, from joblib
            self.state = np.array(self.state)
        return True

    def end_epoch(self, update: Any, t: int) -> None:
        """Take over what ``update`` counted, ``t`` samples after the first fit began."""
        self.n_updates = update.n_updates

    def stops(self, message: str, say: Callable[[str], None]) -> bool:
        """Whether to stop now that there is no more progress, for which ``message`` speaks."""
        say(message + " Stopping.")
        return True


class SGD(Optimizer):
    """Stochastic gradient descent, plain or with (Nesterov's) momentum.

    Parameters are those of the estimators, ``learning_rate`` being the name of a schedule that
    goes by epochs; other schedules are not the optimizer's business.
    """

    def __init__(
        self,
        n_parameters: int,
        dtype: Any,
        *,
        learning_rate: str,
        learning_rate_init: float,
        power_t: float,
        momentum: float,
        nesterovs_momentum: bool,
    ) -> None:
        rule = "sgd" if momentum == 0 else "nesterov" if nesterovs_momentum else "momentum"
        super().__init__(rule, n_parameters, dtype, learning_rate_init, momentum=momentum)
        self.schedule = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t

    def end_epoch(self, update: Any, t: int) -> None:
        super().end_epoch(update, t)
        if self.schedule == "invscaling":
            self.learning_rate = float(self.learning_rate_init) / (t + 1) ** self.power_t

    def stops(self, message: str, say: Callable[[str], None]) -> bool:
        if self.schedule != "adaptive":
            return super().stops(message, say)
        if self.learning_rate <= 1e-6:
            return super().stops(message + " Learning rate too small.", say)
        self.learning_rate /= 5.0
        say(f"{message} Setting learning rate to {self.learning_rate:f}")
        return False


class Adam(Optimizer):
    """Adam; its step size is constant, but for the bias corrections."""

    def __init__(
        self,
        n_parameters: int,
        dtype: Any,
        *,
        learning_rate_init: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> None:
        super().__init__(
            "adam",
            n_parameters,
            dtype,
            learning_rate_init,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
        )
