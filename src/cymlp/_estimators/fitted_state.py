"""What an estimator knows once it is fitted: the network, its views, records, the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp._network.network import Network
from cymlp._training.history import as_arrays
from cymlp._training.optimizers import Optimizer
from cymlp._training.report import Epoch, TrainingState

# Attributes that one fit leaves for the next only with warm_start or in partial_fit.
_HISTORY = (
    "t_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "_no_improvement_count",
    "_records",
)


class FittedState:
    """The fitted attributes of an estimator, and how they are pickled.

    The fitted weights are the vector of ``_network``; ``coefs_`` and ``intercepts_`` are lists of
    its views. Other arrays that are put into these lists, and other lists that are put in their
    place, take effect: the network is then made of them.
    """

    # Parameters, which the estimators have at different places of their signatures.
    hidden_layer_sizes: Any
    activation: str | Sequence[str]
    solver: str
    early_stopping: bool

    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_iteration_: int | None
    n_features_in_: int
    n_outputs_: int
    n_layers_: int
    n_iter_: int
    out_activation_: str
    t_: int
    _network: Network
    _optimizer: Optimizer
    _no_improvement_count: int
    _records: list[dict[str, float]]

    @property
    def history_(self) -> dict[str, NDArray[np.float64]]:
        """What has been recorded of each epoch, by name."""
        if "_records" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no history_ before it is fitted.")
        return as_arrays(self._records)

    def _set_network(self, network: Network, out_activation: str) -> None:
        """Make ``network`` the fitted one."""
        self._network = network
        self.coefs_ = list(network.coefs)
        self.intercepts_ = list(network.intercepts)
        self.n_outputs_ = network.units[-1]
        self.n_layers_ = len(network.units)
        self.out_activation_ = out_activation

    def _current_network(self) -> Network:
        """The fitted network, or one made of what has been put in place of its arrays."""
        network: Network | None = self.__dict__.get("_network")
        if network is None or not network.consists_of(self.coefs_, self.intercepts_):
            network = Network.from_arrays(self.coefs_, self.intercepts_)
        return network

    def _copy_weights(self, parameters: NDArray[Any] | None) -> dict[str, Any]:
        """Copies of the weights as they are, or as ``parameters`` has them, by attribute."""
        network = self._network
        if parameters is not None:
            network = Network(network.units, parameters)
        network = network.copy()
        return {
            "_network": network,
            "coefs_": list(network.coefs),
            "intercepts_": list(network.intercepts),
        }

    def _reset_history(self) -> None:
        """Remove what has been counted and recorded."""
        for name in _HISTORY:
            self.__dict__.pop(name, None)

    def _prepare_history(self) -> None:
        """Begin to count and record, or go on from what an earlier fit has left."""
        fitted = self.__dict__
        fitted.setdefault("t_", 0)
        fitted.setdefault("_records", [])
        fitted.pop("best_iteration_", None)
        if self.solver == "lbfgs":
            return
        fitted.setdefault("loss_curve_", [])
        fitted.setdefault("_no_improvement_count", 0)
        self.best_iteration_ = None
        if self.early_stopping:
            self.best_loss_ = None
            if fitted.get("validation_scores_") is None:
                fitted |= {"validation_scores_": [], "best_validation_score_": -np.inf}
        else:
            fitted |= {"validation_scores_": None, "best_validation_score_": None}
            if fitted.get("best_loss_") is None:
                self.best_loss_ = np.inf

    def _training_state(self) -> TrainingState:
        """The same, as training goes on from it."""
        if self.solver == "lbfgs":
            return TrainingState()
        return TrainingState(
            n_samples_seen=self.t_,
            best=self.best_validation_score_ if self.early_stopping else self.best_loss_,
            n_epochs_without_progress=self._no_improvement_count,
        )

    def _update_from(self, epoch: Epoch) -> None:
        """Set the fitted attributes by what training reports of an epoch."""
        self.n_iter_, self.loss_ = epoch.number, epoch.loss
        self._records.extend(epoch.records)
        state = epoch.state
        if state is None:
            return
        self.t_ = state.n_samples_seen
        self.loss_curve_.append(epoch.loss)
        self._no_improvement_count = state.n_epochs_without_progress
        if self.validation_scores_ is None:
            self.best_loss_ = state.best
        else:
            assert epoch.validation_score is not None
            self.validation_scores_.append(epoch.validation_score)
            self.best_validation_score_ = state.best
            self.best_iteration_ = state.best_iteration

    def __getstate__(self) -> dict[str, Any]:
        # The weights once; the optimizer's state only where partial_fit would go on from it.
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        network = state.get("_network")
        if network is not None:
            if network.consists_of(state.get("coefs_", ()), state.get("intercepts_", ())):
                del state["coefs_"], state["intercepts_"]
            else:
                del state["_network"]
        if self.solver == "lbfgs" or self.early_stopping:
            state.pop("_optimizer", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        if "_network" in state:
            self.coefs_ = list(self._network.coefs)
            self.intercepts_ = list(self._network.intercepts)


class Snapshot:
    """What an estimator knew before a fit, to return to should the fit fail.

    Arrays are not copied, as fit does not write into those of an earlier one; the lists that
    it appends to are cut to their length again.
    """

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._attributes = dict(estimator.__dict__)
        self._lengths = [
            (attribute, len(attribute))
            for attribute in self._attributes.values()
            if isinstance(attribute, list)
        ]

    def restore(self) -> None:
        """Undo all that has been set since."""
        self._estimator.__dict__.clear()
        self._estimator.__dict__.update(self._attributes)
        for attribute, length in self._lengths:
            del attribute[length:]
