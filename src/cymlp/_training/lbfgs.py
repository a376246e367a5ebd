"""Training by L-BFGS: SciPy's, over the vector of all parameters."""

import warnings
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads
from cymlp._estimators.callbacks import FitTask
from cymlp._estimators.progress import Progress
from cymlp._network.network import Network
from cymlp._training.data import Problem
from cymlp._training.validation import Validation


class LbfgsTraining:
    """Minimisation of the loss over all samples; one iteration of L-BFGS is one epoch.

    ``run`` allocates all memory of the engine, once, and does the iterations.

    Parameters
    ----------
    estimator : estimator
        Parameters are read from it, fitted attributes written to it.
    network : Network
        IN-OUT.
    problem : Problem
    validation : Validation, default=None
        The rows held out, if there are any.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        problem: Problem,
        validation: Validation | None = None,
    ) -> None:
        self._estimator = estimator
        self._network = network
        self._validation = validation
        self._layout = estimator._training_layout(network)
        self._update = _engine.UpdateRule(
            "gradient", learning_rate=0.0, alpha=estimator._penalties(network)["alpha"]
        )
        self._samples = problem.samples(problem.weights)

    has_updated = True

    def run(self, task: FitTask) -> None:
        """Iterate until SciPy's L-BFGS stops.

        loss_, history_, n_iter_ and the parameters are written after each iteration, so that
        the estimator is usable however the fit ends.
        """
        estimator, network = self._estimator, self._network
        dtype = network.parameters.dtype
        n_samples = self._samples.n_samples

        def loss_and_gradient(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            task.begin_epoch()
            loss = _engine.loss_gradient(
                self._layout,
                self._update,
                w.astype(dtype, copy=False),
                gradient,
                self._samples,
                work,
                team,
            )
            # SciPy keeps the gradient it is given until the next one.
            return loss, gradient.astype(np.float64)

        def end_iteration(intermediate_result: Any) -> None:
            network.parameters[...] = intermediate_result.x
            estimator.loss_ = float(intermediate_result.fun)
            estimator.n_iter_ += 1
            score = self._record(team)
            progress.end_epoch(estimator.n_iter_, estimator.loss_, score)
            if task.end_epoch(estimator._fitted_copies):
                raise StopIteration

        estimator.n_iter_ = 0
        self._since = perf_counter()
        try:
            with (
                engine_threads(
                    estimator.n_jobs,
                    n_samples,
                    self._layout.n_weights,
                    estimator.max_iter,
                    calls_blas=True,
                ) as team,
                Progress(estimator.verbose, estimator.max_iter) as progress,
            ):
                n_elements, _ = _engine.workspace_elements(
                    self._layout, self._samples, n_samples, team.size
                )
                work = aligned_empty(n_elements, dtype)
                gradient = aligned_empty(self._layout.n_parameters, dtype)
                result = minimize(
                    loss_and_gradient,
                    network.parameters.astype(np.float64),
                    method="L-BFGS-B",
                    jac=True,
                    callback=end_iteration,
                    options={
                        "maxfun": estimator.max_fun,
                        "maxiter": estimator.max_iter,
                        "gtol": estimator.tol,
                    },
                )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
            return
        network.parameters[...] = result.x
        estimator.loss_ = float(result.fun)
        estimator.n_iter_ = min(int(result.nit), int(estimator.max_iter))
        _warn_unless_converged(result, estimator.n_iter_, estimator.max_iter)

    def _record(self, team: Any) -> float | None:
        """Add the iteration to the history; return what is watched in validation, if any."""
        now = perf_counter()
        record = {"loss": self._estimator.loss_, "seconds": now - self._since}
        validated = None if self._validation is None else self._validation.evaluate(team)
        if validated is not None:
            record["val_loss"], record["val_score"] = validated.loss, validated.score
        self._estimator._records.append(record)
        self._since = perf_counter()
        return None if validated is None else validated.watched


def _warn_unless_converged(result: Any, n_iter: int, max_iter: int) -> None:
    """ConvergenceWarning in scikit-learn's words, unless L-BFGS converged or was told to stop."""
    if result.status == 0 or "StopIteration" in str(result.message):
        return
    message = (
        f"lbfgs failed to converge after {n_iter} iteration(s) (status={result.status}):\n"
        f"{result.message}\n"
    )
    if n_iter == max_iter:
        message += (
            f"\nIncrease the number of iterations to improve the convergence (max_iter={max_iter})."
        )
    message += (
        "\nYou might also want to scale the data as shown in:\n"
        "    https://scikit-learn.org/stable/modules/preprocessing.html"
    )
    warnings.warn(message, ConvergenceWarning, stacklevel=6)
