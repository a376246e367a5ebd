"""The fitted state of an estimator: the network and its views, records, the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp._network.network import Network
from cymlp._training.history import as_arrays
from cymlp._training.optimizers import Optimizer, optimizer_from_dict
from cymlp._training.report import Epoch, TrainingState

# Counts and curves of training, which a fit continues only with warm_start or in partial_fit.
HISTORY = (
    "t_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "_no_improvement_count",
)


class FittedState:
    """The fitted attributes of an estimator, and how they are pickled.

    The fitted weights are the parameter vector of ``_network``; ``coefs_`` and ``intercepts_`` are
    lists of views of it. If a user replaces arrays in these lists, or the lists themselves, a new
    network is made from them.
    """

    # Parameters, declared here as the estimators' signatures have them in different places.
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
        """The records of each epoch, by name."""
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
        """The fitted network, or a new one if ``coefs_`` or ``intercepts_`` have been replaced."""
        network: Network | None = self.__dict__.get("_network")
        if network is None or not network.consists_of(self.coefs_, self.intercepts_):
            network = Network.from_arrays(self.coefs_, self.intercepts_)
        return network

    def _copy_weights(self, parameters: NDArray[Any] | None) -> dict[str, Any]:
        """Copies of the current weights, or of those in ``parameters``, by attribute."""
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
        """Remove the counts and records of earlier fits."""
        for name in (*HISTORY, "_records"):
            self.__dict__.pop(name, None)

    def _prepare_history(self) -> None:
        """Initialise the counts and records, or continue those of an earlier fit."""
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
        """The counts in the form that training continues from."""
        if self.solver == "lbfgs":
            return TrainingState()
        return TrainingState(
            n_samples_seen=self.t_,
            best=self.best_validation_score_ if self.early_stopping else self.best_loss_,
            n_epochs_without_progress=self._no_improvement_count,
        )

    def _update_from(self, epoch: Epoch) -> None:
        """Set the fitted attributes from training's report of an epoch."""
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
        # Plain values and arrays only, so that a pickle depends on no private class. The weights
        # once; the optimizer's state only if partial_fit would continue from it.
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        network, optimizer = state.pop("_network", None), state.pop("_optimizer", None)
        if network is not None and network.consists_of(
            state.get("coefs_", ()), state.get("intercepts_", ())
        ):
            del state["coefs_"], state["intercepts_"]
            state["_units"], state["_parameters"] = network.units, network.parameters
        if optimizer is not None and self.solver != "lbfgs" and not self.early_stopping:
            state["_optimizer"] = optimizer.to_dict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        fitted = dict(state)
        if "_units" in fitted:
            # asarray makes a view of joblib's memory map a plain array, still backed by the map.
            network = Network(fitted.pop("_units"), np.asarray(fitted.pop("_parameters")))
            fitted |= {
                "_network": network,
                "coefs_": list(network.coefs),
                "intercepts_": list(network.intercepts),
            }
        if "_optimizer" in fitted:
            fitted["_optimizer"] = optimizer_from_dict(fitted["_optimizer"])
        super().__setstate__(fitted)  # type: ignore[misc]


class Snapshot:
    """The state of an estimator before a fit, to be restored if the fit fails.

    Arrays are not copied, as a fit does not write into those of an earlier one. The lists that it
    appends to are cut back to their length.
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
        """Undo all changes since."""
        self._estimator.__dict__.clear()
        self._estimator.__dict__.update(self._attributes)
        for attribute, length in self._lengths:
            del attribute[length:]
