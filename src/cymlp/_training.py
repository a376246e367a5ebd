"""Training by mini-batches: epochs, stopping, best weights. One call to the engine an epoch."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from cymlp import _engine
from cymlp._callbacks import FitTask
from cymlp._network import Network
from cymlp._threads import blas_threads


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, in the form that the engine takes.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Of the network's dtype.
    targets : ndarray of shape (n_samples, n_outputs)
        Of X's dtype, or bool.
    weights : ndarray of shape (n_samples,) or None
        Of X's dtype.
    """

    X: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows held out for early stopping; None stands for all, and none."""

    train: NDArray[np.intp] | None
    validation: NDArray[np.intp] | None


def split_for_validation(
    problem: Problem, fraction: float, stratify: bool, random_state: np.random.RandomState
) -> Split:
    """Split the rows as scikit-learn's MLP does, but by index, so that nothing is copied.

    Raises
    ------
    ValueError
        If fewer than two rows are held out, or a class is too small to be stratified.
    """
    train, validation = train_test_split(
        np.arange(problem.n_samples),
        random_state=random_state,
        test_size=fraction,
        stratify=problem.targets if stratify else None,
    )
    if len(validation) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return Split(train, validation)


def fit_stochastic(
    estimator: Any,
    network: Network,
    problem: Problem,
    split: Split,
    task: FitTask,
    random_state: np.random.RandomState,
    *,
    incremental: bool,
    best: NDArray[Any] | None = None,
) -> None:
    """Train ``network`` with the estimator's optimizer, epoch by epoch, until it stops.

    loss_, loss_curve_, n_iter_, t_ and what stopping watches are written to the estimator
    after each epoch, so that it is usable however the fit ends: by convergence, after
    max_iter epochs, through a callback or by Ctrl-C.

    Parameters
    ----------
    estimator : estimator
        Parameters are read from it, fitted attributes written to it.
    network : Network
        IN-OUT.
    problem : Problem
    split : Split
    task : FitTask
    random_state : RandomState
    incremental : bool
        One epoch only, as partial_fit does.
    best : ndarray of shape (n_parameters,), default=None
        Parameters to return to where early stopping sees no score better than the best so
        far; None for those of the last epoch.
    """
    optimizer = estimator._optimizer
    update = optimizer.update(estimator.alpha)
    layout = network.layout(estimator.activation, estimator.out_activation_)
    samples = _engine.Samples(problem.X, problem.targets, problem.weights)
    order = split.train
    n_samples = problem.n_samples if order is None else len(order)
    if order is None and estimator.shuffle:
        order = np.arange(n_samples)
    batch_size = _checked_batch_size(estimator.batch_size, n_samples)
    n_elements, chunk = _engine.workspace_elements(layout, samples, batch_size)
    work = np.empty(n_elements, dtype=network.parameters.dtype)
    works_in_place = update.n_states == 0 and batch_size <= chunk
    gradient = None if works_in_place else np.empty_like(network.parameters)
    watch = (
        _WatchedLoss(estimator)
        if split.validation is None
        else _WatchedScore(estimator, network, problem, split.validation, best)
    )
    estimator.n_iter_ = 0
    try:
        with blas_threads(batch_size, 6 * batch_size * layout.n_weights):
            for _ in range(1 if incremental else estimator.max_iter):
                task.begin_epoch()
                if estimator.shuffle and order is not None:
                    order = _shuffled(order, random_state)
                update.learning_rate = optimizer.learning_rate
                estimator.loss_ = _engine.train(
                    layout, update, network.parameters, gradient, optimizer.state,
                    samples, order, batch_size, work,
                )  # fmt: skip
                estimator.n_iter_ += 1
                estimator.t_ += n_samples
                estimator.loss_curve_.append(estimator.loss_)
                if estimator.verbose:
                    print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
                watch.end_epoch()
                optimizer.end_epoch(update, estimator.t_)
                stopped = watch.stops(optimizer) or watch.has_diverged(network)
                if task.end_epoch(lambda: estimator._fitted_copies(watch.best)) or stopped:
                    break
            else:
                if not incremental:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                        "reached and the optimization hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=5,
                    )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=5)
    finally:
        optimizer.n_updates = update.n_updates
        if watch.best is not None:
            network.parameters[...] = watch.best


class _Watch:
    """Counts the epochs without progress; the estimator keeps the count between fits."""

    complaint: str
    best: NDArray[Any] | None = None  # parameters to return to at the end

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def _count(self, progress: bool) -> None:
        estimator = self._estimator
        estimator._no_improvement_count = 0 if progress else estimator._no_improvement_count + 1

    def stops(self, optimizer: Any) -> bool:
        """Whether patience has run out, and the optimizer has no lower rate to try."""
        estimator = self._estimator
        if estimator._no_improvement_count <= estimator.n_iter_no_change:
            return False
        if optimizer.stops(
            f"{self.complaint} more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs.",
            estimator.verbose,
        ):
            return True
        estimator._no_improvement_count = 0
        return False


class _WatchedLoss(_Watch):
    """Watches the training loss."""

    complaint = "Training loss did not improve"

    def end_epoch(self) -> None:
        estimator = self._estimator
        # A NaN loss counts as progress, as it does in scikit-learn.
        self._count(not estimator.loss_ > estimator.best_loss_ - estimator.tol)
        estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)

    def has_diverged(self, network: Network) -> bool:
        """Whether there is no way back: later epochs cannot mend a non-finite parameter."""
        return not np.isfinite(self._estimator.loss_) and not network.is_finite()


class _WatchedScore(_Watch):
    """Watches the score on the rows held out, and keeps the best parameters."""

    complaint = "Validation score did not improve"

    def __init__(
        self,
        estimator: Any,
        network: Network,
        problem: Problem,
        rows: NDArray[np.intp],
        best: NDArray[Any] | None,
    ) -> None:
        super().__init__(estimator)
        self.best = best
        self._network = network
        self._X = problem.X
        self._rows = rows
        self._truth = estimator._decoded(problem.targets[rows])
        self._weights = None if problem.weights is None else problem.weights[rows]

    def end_epoch(self) -> None:
        estimator = self._estimator
        outputs = self._network.outputs(
            self._X, estimator.activation, estimator.out_activation_, rows=self._rows
        )
        score = estimator._validation_score(self._truth, outputs, self._weights)
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        # A NaN score counts as progress, as it does in scikit-learn.
        self._count(not score < estimator.best_validation_score_ + estimator.tol)
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            self.best = self._network.parameters.copy()

    def has_diverged(self, network: Network) -> bool:
        """Never: the best parameters so far are finite, and will be restored."""
        return False


def _checked_batch_size(batch_size: Any, n_samples: int) -> int:
    """The number of rows of a mini-batch."""
    if batch_size == "auto":
        return min(200, n_samples)
    if batch_size > n_samples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=6,
        )
    return min(int(batch_size), n_samples)


def _shuffled(order: NDArray[np.intp], random_state: np.random.RandomState) -> NDArray[np.intp]:
    """``order`` permuted as ``sklearn.utils.shuffle`` does, which validates at length."""
    permutation = np.arange(len(order))
    random_state.shuffle(permutation)
    return order[permutation]
