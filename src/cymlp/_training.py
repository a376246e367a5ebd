"""Training by mini-batches: epochs, stopping, best weights. One call to the engine an epoch."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from cymlp import _engine
from cymlp._callbacks import FitTask
from cymlp._data import Problem
from cymlp._network import Network, aligned_empty
from cymlp._threads import engine_threads


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
    from sklearn.model_selection import train_test_split  # late, for a quick import of cymlp

    too_small = (
        "The validation set is too small. Increase 'validation_fraction' "
        "or the size of your dataset."
    )
    if fraction == 0:
        raise ValueError(too_small)
    train, validation = train_test_split(
        np.arange(problem.n_samples, dtype=np.intp),
        random_state=random_state,
        test_size=fraction,
        stratify=problem.targets if stratify else None,
    )
    if len(validation) < 2:
        raise ValueError(too_small)
    return Split(train, validation)


class StochasticTraining:
    """Training of a network by the estimator's optimizer, mini-batch by mini-batch.

    ``run`` allocates all memory that it needs, once, and does the epochs.

    Parameters
    ----------
    estimator : estimator
        Parameters are read from it, fitted attributes written to it.
    network : Network
        IN-OUT.
    problem : Problem
    split : Split
    random_state : RandomState
    incremental : bool
        Whether ``run`` does one epoch only, as partial_fit does.
    best : ndarray of shape (n_parameters,), default=None
        Parameters to return to where early stopping sees no score better than the best so
        far; None for those of the last epoch.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        problem: Problem,
        split: Split,
        random_state: np.random.RandomState,
        *,
        incremental: bool,
        best: NDArray[Any] | None = None,
    ) -> None:
        self._estimator = estimator
        self._incremental = incremental
        self._network = network
        self._random_state = random_state
        self._order = split.train
        self._n_samples = problem.n_samples if split.train is None else len(split.train)
        self._batch_size = _checked_batch_size(estimator.batch_size, self._n_samples)
        self._layout = network.layout(estimator.activation, estimator.out_activation_)
        self._samples = _engine.Samples(problem.X, problem.targets, problem.weights)
        self._update = estimator._optimizer.update(estimator.alpha)
        self._watch = (
            _WatchedLoss(estimator)
            if split.validation is None
            else _WatchedScore(estimator, network, problem, split.validation, best)
        )

    def run(self, task: FitTask) -> None:
        """Train epoch by epoch until the fit stops.

        loss_, loss_curve_, n_iter_, t_ and what stopping watches are written to the
        estimator after each epoch, so that it is usable however the fit ends: by
        convergence, after max_iter epochs, through a callback or by Ctrl-C.
        """
        estimator, watch = self._estimator, self._watch
        optimizer = estimator._optimizer
        n_epochs = 1 if self._incremental else estimator.max_iter
        n_steps = n_epochs * self._n_samples / self._batch_size
        estimator.n_iter_ = 0
        try:
            with engine_threads(
                estimator.n_jobs, self._batch_size, self._layout.n_weights, n_steps
            ) as team:
                self._allocate(team)
                for _ in range(n_epochs):
                    task.begin_epoch()
                    self._epoch(team)
                    watch.end_epoch(team)
                    optimizer.end_epoch(self._update, estimator.t_)
                    stopped = watch.stops(optimizer) or watch.has_diverged(self._network)
                    if task.end_epoch(lambda: estimator._fitted_copies(watch.best)) or stopped:
                        break
                else:
                    if not self._incremental:
                        warnings.warn(
                            "Stochastic Optimizer: Maximum iterations "
                            f"({int(estimator.max_iter)}) reached and the optimization hasn't "
                            "converged yet.",
                            ConvergenceWarning,
                            stacklevel=5,
                        )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        finally:
            optimizer.n_updates = self._update.n_updates
            if watch.best is not None:
                self._network.parameters[...] = watch.best

    def _allocate(self, team: Any) -> None:
        """All memory that the engine needs, once for the fit."""
        dtype = self._network.parameters.dtype
        n_elements, chunk = _engine.workspace_elements(
            self._layout, self._samples, self._batch_size, team.size
        )
        self._work = aligned_empty(n_elements, dtype)
        self._gradient = None
        if _engine.needs_gradient(
            self._layout, self._update, self._samples, self._batch_size, chunk
        ):
            self._gradient = aligned_empty(self._layout.n_parameters, dtype)

    def _epoch(self, team: Any) -> None:
        """Visit every sample once, in one call to the engine, and record the loss."""
        estimator = self._estimator
        if estimator.shuffle:
            self._order = self._shuffled_order()
        self._update.learning_rate = estimator._optimizer.learning_rate
        estimator.loss_ = _engine.train(
            self._layout,
            self._update,
            self._network.parameters,
            self._gradient,
            estimator._optimizer.state,
            self._samples,
            self._order,
            self._batch_size,
            self._work,
            team,
        )
        estimator.n_iter_ += 1
        estimator.t_ += self._n_samples
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")

    def _shuffled_order(self) -> NDArray[np.intp]:
        """The order so far, permuted as ``sklearn.utils.shuffle`` does after long checks."""
        permutation = np.arange(self._n_samples, dtype=np.intp)
        self._random_state.shuffle(permutation)
        return permutation if self._order is None else self._order[permutation]


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
            f"{int(estimator.n_iter_no_change)} consecutive epochs.",
            estimator.verbose,
        ):
            return True
        estimator._no_improvement_count = 0
        return False


class _WatchedLoss(_Watch):
    """Watches the training loss."""

    complaint = "Training loss did not improve"

    def end_epoch(self, team: Any) -> None:
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

    def end_epoch(self, team: Any) -> None:
        estimator = self._estimator
        outputs = self._network.outputs(
            self._X,
            estimator.activation,
            estimator.out_activation_,
            rows=self._rows,
            team=team,
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
    return min(max(int(batch_size), 1), n_samples)
