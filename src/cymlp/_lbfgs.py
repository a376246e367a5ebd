"""Training by L-BFGS: SciPy's, over the vector of all parameters."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from cymlp import _engine
from cymlp._callbacks import FitTask
from cymlp._network import Network
from cymlp._threads import blas_threads
from cymlp._training import Problem


def fit_lbfgs(estimator: Any, network: Network, problem: Problem, task: FitTask) -> None:
    """Minimise the loss over all samples; one iteration of L-BFGS is one epoch.

    Writes loss_ and n_iter_ to the estimator, and to ``network``, after each iteration, the
    parameters reached, so that it is usable however the fit ends.

    Parameters
    ----------
    estimator : estimator
        Parameters are read from it, fitted attributes written to it.
    network : Network
        IN-OUT.
    problem : Problem
    task : FitTask
    """
    layout = network.layout(estimator.activation, estimator.out_activation_)
    samples = _engine.Samples(problem.X, problem.targets, problem.weights)
    n_elements, chunk = _engine.workspace_elements(layout, samples, problem.n_samples)
    dtype = network.parameters.dtype
    work = np.empty(n_elements, dtype=dtype)
    gradient = np.empty_like(network.parameters)

    def loss_and_gradient(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        task.begin_epoch()
        loss = _engine.loss_gradient(
            layout, w.astype(dtype, copy=False), gradient, samples, estimator.alpha, work
        )
        # SciPy keeps the gradient it is given until the next one.
        return loss, gradient.astype(np.float64)

    def end_iteration(intermediate_result: Any) -> None:
        network.parameters[...] = intermediate_result.x
        estimator.loss_ = float(intermediate_result.fun)
        estimator.n_iter_ += 1
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if task.end_epoch(estimator._fitted_copies):
            raise StopIteration

    estimator.n_iter_ = 0
    try:
        with blas_threads(chunk, 6 * chunk * layout.n_weights):
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
    estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
    _warn_unless_converged(result, estimator.n_iter_, estimator.max_iter)


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
