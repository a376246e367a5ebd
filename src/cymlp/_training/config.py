"""TrainingConfig: everything that training needs besides the network and the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cymlp import _engine


@dataclass(frozen=True)
class TrainingConfig:
    """Plain values that define how a network is trained.

    Names and defaults are those of the estimators' parameters, unless described here.

    Attributes
    ----------
    output_activation : {"identity", "exp", "logistic", "softmax"}
        Activation of the output layer.
    loss : str
        One of the engine's losses.
    loss_parameter : float
        The quantile, or Huber's delta.
    activation : str or tuple of str
        Activation of all hidden layers, or one for each.
    dropout : tuple of float
        Rate of each hidden layer; empty for no dropout.
    l2, l1 : tuple of float
        Penalty of each layer of weights; empty for no penalty.
    clip_norm : float
        0 for no clipping.
    n_epochs : int or None
        Number of epochs of this run; None for ``max_iter``. A schedule always spans ``max_iter``.
    """

    output_activation: str
    loss: str
    loss_parameter: float = 0.0
    label_smoothing: float = 0.0
    activation: str | tuple[str, ...] = "relu"
    dropout: tuple[float, ...] = ()
    l2: tuple[float, ...] = ()
    l1: tuple[float, ...] = ()
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    solver: str = "adam"
    batch_size: int | str = "auto"
    shuffle: bool = True
    learning_rate: str | Callable[[int, int], float] = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    max_iter: int = 200
    n_epochs: int | None = None
    tol: float = 1e-4
    n_iter_no_change: float = 10
    max_fun: int = 15000
    early_stopping: bool = False
    record_train_score: bool = False
    record_every: int | None = None
    n_jobs: int | None = None

    def architecture(
        self, units: Sequence[int], *, dropout: bool = False, penalties: bool = False
    ) -> _engine.Architecture:
        """The engine's description of a network of these sizes and its loss."""
        return _engine.Architecture(
            units,
            self.activation,
            self.output_activation,
            loss=self.loss,
            loss_parameter=self.loss_parameter,
            label_smoothing=self.label_smoothing,
            dropout=self.dropout if dropout and any(self.dropout) else (),
            l2=self.l2 if penalties else (),
            l1=self.l1 if penalties else (),
        )

    def effective_batch_size(self, n_samples: int) -> int:
        """The number of rows in a mini-batch, at most ``n_samples``."""
        if isinstance(self.batch_size, str):  # "auto"
            return min(200, n_samples)
        return min(max(int(self.batch_size), 1), n_samples)
