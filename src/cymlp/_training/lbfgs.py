"""Training with SciPy's L-BFGS, on the vector of all parameters."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads
from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.data import TrainingData
from cymlp._training.report import Ending, Epoch, Outcome, Report, do_nothing, no_report
from cymlp._training.validation import Evaluator, ValidationSet


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
        self._architecture = config.architecture(network.units, penalties=True)
        self._dataset = data.dataset()

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
        dtype = network.parameters.dtype
        n_samples = self._dataset.n_samples
        n_done, loss = 0, np.nan

        def loss_and_gradient(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            begin_epoch()
            loss = _engine.loss_gradient(
                self._architecture,
                w.astype(dtype, copy=False),
                gradient,
                self._dataset,
                workspace,
            )
            # A copy, as SciPy keeps a reference to the gradient until the next call.
            return loss, gradient.astype(np.float64)

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
                n_samples,
                self._architecture.n_weights,
                config.max_iter,
                calls_blas=True,
            )
            try:
                team.start()
                workspace = _engine.Workspace(self._architecture, self._dataset, team=team)
                gradient = aligned_empty(self._architecture.n_parameters, dtype)
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


def _ending(result: Any) -> Ending:
    """Why SciPy's L-BFGS has ended."""
    if "StopIteration" in str(result.message):
        return Ending.REPORT
    return Ending.CONVERGED if result.status == 0 else Ending.FAILED
