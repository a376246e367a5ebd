"""Training by mini-batches: epochs, records, stopping, best weights.

One call to the engine for each epoch, or from one record to the next.
"""

import warnings
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads
from cymlp._estimators.callbacks import FitTask
from cymlp._estimators.progress import Progress
from cymlp._network.network import Network
from cymlp._training.data import Problem
from cymlp._training.history import RunningMean, TrainingScore
from cymlp._training.validation import Validated, Validation
from cymlp.schedules import Schedule, _factors


def split_for_validation(
    problem: Problem, fraction: float, stratify: bool, random_state: np.random.RandomState
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows to hold out, as scikit-learn's MLP splits them.

    By index, so that nothing is copied.

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
    return train, validation


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
    rows : ndarray of shape (n_rows,), intp, or None
        Those to train on; None for all.
    random_state : RandomState
    incremental : bool
        Whether ``run`` does one epoch only, as partial_fit does.
    validation : Validation, default=None
        The rows held out, if there are any.
    best : ndarray of shape (n_parameters,), default=None
        Parameters to return to where early stopping sees no score better than the best so
        far; None for those of the last epoch.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        problem: Problem,
        rows: NDArray[np.intp] | None,
        random_state: np.random.RandomState,
        *,
        incremental: bool,
        validation: Validation | None = None,
        best: NDArray[Any] | None = None,
    ) -> None:
        self._estimator = estimator
        self._incremental = incremental
        self._network = network
        self._random_state = random_state
        self._order = rows
        self._n_samples = problem.n_samples if rows is None else len(rows)
        self._batch_size = _checked_batch_size(estimator.batch_size, self._n_samples)
        self._layout = estimator._training_layout(network, dropout=True)
        self._samples = problem.samples(problem.weights)
        self._update = estimator._optimizer.update(
            seed=estimator._dropout_seed(random_state), **estimator._penalties(network)
        )
        self._validation = validation
        self._first_update = self._n_batches = self._update.n_updates
        self._recent = RunningMean()
        self._score = TrainingScore(problem) if estimator.record_train_score else None
        self._watch = (
            _WatchedScore(estimator, network, best)
            if estimator.early_stopping
            else _WatchedLoss(estimator)
        )

    @property
    def has_updated(self) -> bool:
        """Whether the parameters and the optimizer are no longer what they were."""
        return bool(self._update.n_updates > self._first_update)

    def run(self, task: FitTask) -> None:
        """Train epoch by epoch until the fit stops.

        loss_, loss_curve_, history_, n_iter_, t_ and what stopping watches are written to the
        estimator after each epoch, so that it is usable however the fit ends: by
        convergence, after max_iter epochs, through a callback or by Ctrl-C.
        """
        estimator, watch = self._estimator, self._watch
        optimizer = estimator._optimizer
        n_epochs = 1 if self._incremental else estimator.max_iter
        n_steps = n_epochs * self._n_samples / self._batch_size
        estimator.n_iter_ = 0
        self._since = perf_counter()
        try:
            with (
                engine_threads(
                    estimator.n_jobs, self._batch_size, self._layout.n_weights, n_steps
                ) as team,
                Progress(estimator.verbose, n_epochs) as progress,
            ):
                self._allocate(team)
                for _ in range(n_epochs):
                    task.begin_epoch()
                    score = self._epoch(team)
                    progress.end_epoch(estimator.n_iter_, estimator.loss_, score)
                    watch.end_epoch(score)
                    optimizer.end_epoch(self._update, estimator.t_)
                    stopped = watch.stops(optimizer, progress) or watch.has_diverged(self._network)
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
        """All memory that the engine needs, once for the fit; and bind what does not change."""
        dtype = self._network.parameters.dtype
        n_elements, chunk = _engine.workspace_elements(
            self._layout, self._samples, self._batch_size, team.size
        )
        gradient = None
        if _engine.needs_gradient(
            self._layout, self._update, self._samples, self._batch_size, chunk
        ):
            gradient = aligned_empty(self._layout.n_parameters, dtype)
        if self._score is not None:
            self._score.allocate(team.size)
        self._train = partial(
            _engine.train,
            self._layout,
            self._update,
            self._network.parameters,
            gradient,
            self._estimator._optimizer.state,
            self._samples,
            batch_size=self._batch_size,
            work=aligned_empty(n_elements, dtype),
            team=team,
            scores=None if self._score is None else self._score.sums,
        )

    def _epoch(self, team: Any) -> float | None:
        """Visit every sample once, and record the loss; return what is watched in validation."""
        estimator = self._estimator
        if estimator.shuffle:
            order = self._shuffled_order()
            # In one batch the order is of no account, and rows are read fastest where they lie.
            if self._batch_size < self._n_samples:
                self._order = order
        self._update.learning_rate = estimator._optimizer.learning_rate
        epoch, validated = RunningMean(), None
        for rows, records, ends in self._runs():
            rates = self._rates(self._n_samples if rows is None else len(rows))
            mean_loss = self._train(order=rows, rates=rates)
            epoch.add(*mean_loss)
            self._recent.add(*mean_loss)
            if self._score is not None:
                self._score.add_rows(rows)
            if self._validation is not None and (records or (ends and self._watch.wants_score)):
                validated = self._validation.evaluate(team)
            if records:
                self._record(self._update.learning_rate if rates is None else rates[-1], validated)
        if not epoch.n:
            raise ValueError(
                "Nothing was trained: of every mini-batch the weights of the samples, times those "
                "of their classes, sum to 0."
            )
        estimator.loss_ = epoch.value
        estimator.n_iter_ += 1
        estimator.t_ += self._n_samples
        estimator.loss_curve_.append(estimator.loss_)
        return None if validated is None else validated.watched

    def _runs(self) -> Iterator[tuple[NDArray[np.intp] | None, bool, bool]]:
        """The rows of each call to the engine in an epoch, if a record and if its end follows."""
        every = self._estimator.record_every
        if every is None:
            yield self._order, True, True
            return
        every = max(1, int(every))  # whoever skips validation of parameters may have set anything
        order = np.arange(self._n_samples, dtype=np.intp) if self._order is None else self._order
        start = 0
        while start < self._n_samples:
            stop = start + (every - self._n_batches % every) * self._batch_size
            rows = order[start:stop]
            self._n_batches += -(-len(rows) // self._batch_size)
            start = stop
            yield rows, self._n_batches % every == 0, stop >= self._n_samples

    def _rates(self, n_rows: int) -> NDArray[np.float64] | None:
        """The learning rate of each of the next mini-batches; None where there is no schedule."""
        estimator = self._estimator
        if isinstance(estimator.learning_rate, str):
            return None
        per_epoch = -(-self._n_samples // self._batch_size)
        return estimator.learning_rate_init * _factors(
            estimator.learning_rate,
            self._update.n_updates,
            -(-n_rows // self._batch_size),
            per_epoch * estimator.max_iter,
        )

    def _record(self, learning_rate: float, validated: Validated | None) -> None:
        """Add what has been going on since the last record."""
        now = perf_counter()
        record = {
            "n_updates": self._update.n_updates,
            "loss": self._recent.value,
            "learning_rate": learning_rate,
            "seconds": now - self._since,
        }
        if validated is not None:
            record["val_loss"], record["val_score"] = validated.loss, validated.score
        if self._score is not None:
            record["train_score"] = self._score.take()
        self._estimator._records.append(record)
        self._recent, self._since = RunningMean(), now

    def _shuffled_order(self) -> NDArray[np.intp]:
        """The order so far, permuted as ``sklearn.utils.shuffle`` does after long checks."""
        permutation = np.arange(self._n_samples, dtype=np.intp)
        self._random_state.shuffle(permutation)
        return permutation if self._order is None else self._order[permutation]


class _Watch:
    """Counts the epochs without progress; the estimator keeps the count between fits."""

    complaint: str
    wants_score = False
    best: NDArray[Any] | None = None  # parameters to return to at the end

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def _count(self, progress: bool) -> None:
        estimator = self._estimator
        estimator._no_improvement_count = 0 if progress else estimator._no_improvement_count + 1

    def stops(self, optimizer: Any, progress: Progress) -> bool:
        """Whether patience has run out, and the optimizer has no lower rate to try."""
        estimator = self._estimator
        if estimator._no_improvement_count <= estimator.n_iter_no_change:
            return False
        if optimizer.stops(
            f"{self.complaint} more than tol={estimator.tol:f} for "
            f"{int(estimator.n_iter_no_change)} consecutive epochs.",
            progress.say,
        ):
            return True
        estimator._no_improvement_count = 0
        return False


class _WatchedLoss(_Watch):
    """Watches the training loss."""

    complaint = "Training loss did not improve"

    def end_epoch(self, score: Any) -> None:
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
    wants_score = True

    def __init__(self, estimator: Any, network: Network, best: NDArray[Any] | None) -> None:
        super().__init__(estimator)
        self.best = best
        self._network = network

    def end_epoch(self, score: float) -> None:
        estimator = self._estimator
        estimator.validation_scores_.append(score)
        # A NaN score counts as progress, as it does in scikit-learn.
        self._count(not score < estimator.best_validation_score_ + estimator.tol)
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            estimator.best_iteration_ = estimator.n_iter_
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
            stacklevel=7,
        )
    return min(max(int(batch_size), 1), n_samples)


def warn_if_cut_short(estimator: Any, stacklevel: int) -> None:
    """UserWarning if a fit stopped for want of progress before most of its schedule.

    That is in the first half of max_iter, with more than twice the factor that the schedule would
    have come down to by then, had max_iter been the epochs that were run. A function of one's
    own is taken as it is.
    """
    schedule, n_iter, max_iter = estimator.learning_rate, estimator.n_iter_, estimator.max_iter
    if (
        not isinstance(schedule, Schedule)
        or estimator._no_improvement_count <= estimator.n_iter_no_change
        or not 0 < 2 * n_iter < max_iter
    ):
        return
    n_updates = estimator._optimizer.n_updates
    factor = schedule(n_updates - 1, n_updates * max_iter // n_iter)
    if schedule(n_updates - 1, n_updates) < factor / 2:
        warnings.warn(
            f"The fit stopped after epoch {n_iter} of max_iter={max_iter}, with the learning rate "
            f"at {factor:.1%} of learning_rate_init. {schedule!r} spans max_iter epochs, so most "
            "of it was left out. Set n_iter_no_change=np.inf to run all of it, or a smaller "
            "max_iter.",
            stacklevel=stacklevel,
        )
