"""Training with SciPy's L-BFGS, on the vector of all parameters."""

from collections.abc import Callable
from contextlib import closing
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads
from cymlp._network.gradient import add_penalties
from cymlp._network.network import Network
from cymlp._network.row_source import RowSource
from cymlp._training.config import TrainingConfig
from cymlp._training.data import TrainingData
from cymlp._training.report import Ending, Epoch, Outcome, Report, do_nothing, no_report
from cymlp._training.validation import Evaluator, ValidationSet
from cymlp._training.windows import Parts


class LbfgsTraining:
    """Minimises the loss over all samples; each iteration of L-BFGS counts as an epoch.

    Parameters
    ----------
    config : TrainingConfig
    network : Network
        IN-OUT.
    data : TrainingData
    validation_set : ValidationSet, default=None
    """

    has_updated = True

    def __init__(
        self,
        config: TrainingConfig,
        network: Network,
        data: TrainingData,
        *,
        validation_set: ValidationSet | None = None,
    ) -> None:
        self._config = config
        self._network = network
        self._evaluator = (
            None if validation_set is None else Evaluator(network, config, validation_set)
        )
        objective = _SummedObjective if isinstance(data.X, RowSource) else _Objective
        self._objective = objective(config, network, data)

    def run(
        self, report: Report = no_report, begin_epoch: Callable[[], None] = do_nothing
    ) -> Outcome:
        """Iterate until SciPy's L-BFGS stops.

        However it ends, the network then has the parameters of the last iteration. Ctrl-C ends it
        without an exception.

        Parameters
        ----------
        report : callable
            Called with an Epoch after each iteration; training stops if it returns True.
        begin_epoch : callable
            Called before each evaluation of the loss.
        """
        config, network = self._config, self._network
        objective = self._objective
        n_done, loss = 0, np.nan

        def loss_and_gradient(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            begin_epoch()
            return objective.loss_and_gradient(w)

        def end_iteration(intermediate_result: Any) -> None:
            nonlocal n_done, loss
            network.parameters[...] = intermediate_result.x
            loss = float(intermediate_result.fun)
            n_done += 1
            if report(self._epoch(n_done, loss, team)):
                raise StopIteration

        self._last_time = perf_counter()
        try:
            team = engine_threads(
                config.n_jobs,
                objective.n_rows,
                objective.architecture.n_weights,
                config.max_iter,
                calls_blas=True,
            )
            try:
                team.start()
                objective.allocate(team)
                result = minimize(
                    loss_and_gradient,
                    network.parameters.astype(np.float64),
                    method="L-BFGS-B",
                    jac=True,
                    callback=end_iteration,
                    options={
                        "maxfun": config.max_fun,
                        "maxiter": config.max_iter,
                        "gtol": config.tol,
                    },
                )
            finally:
                team.close()
        except KeyboardInterrupt:
            return Outcome(Ending.INTERRUPTED, n_done, loss)
        network.parameters[...] = result.x
        return Outcome(
            _ending(result),
            min(int(result.nit), int(config.max_iter)),
            float(result.fun),
            f"(status={result.status}):\n{result.message}",
        )

    def _epoch(self, number: int, loss: float, team: Any) -> Epoch:
        """The report of an iteration."""
        now = perf_counter()
        record = {"loss": loss, "seconds": now - self._last_time}
        validation = None if self._evaluator is None else self._evaluator.evaluate(team)
        if validation is not None:
            record["val_loss"], record["val_score"] = validation.loss, validation.score
        self._last_time = perf_counter()
        return Epoch(number, loss, None if validation is None else validation.watched, [record])


class _Objective:
    """What is minimised, a function of all parameters: the loss over data in memory.

    Attributes
    ----------
    n_rows : int
        Rows that the engine works on at once.
    """

    def __init__(self, config: TrainingConfig, network: Network, data: TrainingData) -> None:
        self.architecture = config.architecture(network.units, penalties=True)
        self.n_rows = data.n_samples
        self._dataset = data.dataset()
        self._gradient = aligned_empty(network.parameters.size, network.parameters.dtype)

    def allocate(self, team: Any) -> None:
        """Allocate the memory for the team."""
        self._workspace = _engine.Workspace(
            self.architecture, self._dataset, batch_size=self.n_rows, team=team
        )

    def loss_and_gradient(self, w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The loss with the parameters w, and a new array of its gradient."""
        loss = self._engine_loss(w, self._dataset)
        # A copy, as SciPy keeps a reference to the gradient until the next call.
        return loss, self._gradient.astype(np.float64)

    def _engine_loss(self, w: NDArray[np.float64], dataset: Any) -> float:
        """The engine's loss on a dataset; sets the gradient."""
        return float(
            _engine.loss_gradient(
                self.architecture,
                w.astype(self._gradient.dtype, copy=False),
                self._gradient,
                dataset,
                self._workspace,
            )
        )


class _SummedObjective(_Objective):
    """The loss over data that are read part by part, and its gradient, summed."""

    def __init__(self, config: TrainingConfig, network: Network, data: TrainingData) -> None:
        self.architecture = config.architecture(network.units)
        self._config, self._units, self._parts = config, network.units, Parts(data)
        self.n_rows = self._parts.most_rows
        self._dataset = _engine.Dataset(data.X.sample, dtype=data.dtype)
        self._gradient = aligned_empty(network.parameters.size, network.parameters.dtype)

    def loss_and_gradient(self, w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The loss with the parameters w, and a new array of its gradient."""
        loss, total, gradient = 0.0, 0.0, np.zeros(len(w))
        with closing(self._parts.read()) as parts:
            for part in parts:
                weight = part.total_weight
                if weight > 0:
                    loss += weight * self._engine_loss(w, part.dataset())
                    gradient += weight * self._gradient
                    total += weight
        gradient /= total
        none = (0.0,) * (len(self._units) - 1)
        coefficients = self._config.l2 or none, self._config.l1 or none
        networks = Network(self._units, w), Network(self._units, gradient)
        return loss / total + add_penalties(*networks, coefficients, total), gradient


def _ending(result: Any) -> Ending:
    """Why SciPy's L-BFGS has ended."""
    if "StopIteration" in str(result.message):
        return Ending.REPORT
    return Ending.CONVERGED if result.status == 0 else Ending.FAILED
