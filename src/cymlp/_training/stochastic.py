"""Training by mini-batches: epochs, records, stopping, best parameters.

The engine is called once for each window of rows, or for each part between two records.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._engine.threads import engine_threads
from cymlp._network.network import Network
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows
from cymlp._training.history import RunningMean, TrainingScore
from cymlp._training.learning_rate import learning_rate_factors
from cymlp._training.optimizers import OPTIMIZERS, Optimizer
from cymlp._training.report import (
    Ending,
    Epoch,
    Outcome,
    Report,
    TrainingState,
    do_nothing,
    no_report,
)
from cymlp._training.stopping import EarlyStopping, LossStopping
from cymlp._training.validation import Evaluator, ValidationResult, ValidationSet
from cymlp._training.windows import Window, windows_of


class StochasticTraining:
    """Trains a network with "sgd" or "adam", mini-batch by mini-batch.

    Parameters
    ----------
    config : TrainingConfig
    network : Network
        IN-OUT.
    rows : Rows
        The rows to train on.
    random_state : RandomState
        For the order of the samples, and for dropout.
    validation_set : ValidationSet, default=None
        Required for early stopping.
    state : TrainingState
        The state to continue from.
    optimizer : Optimizer, default=None
        The optimizer of an earlier training, to continue with; None for a new one.
    best_parameters : ndarray of shape (n_parameters,), default=None
        With early stopping, what to return to if no epoch is better than ``state.best``.

    Attributes
    ----------
    optimizer : Optimizer
    """

    def __init__(
        self,
        config: TrainingConfig,
        network: Network,
        rows: Rows,
        random_state: np.random.RandomState,
        *,
        validation_set: ValidationSet | None = None,
        state: TrainingState = TrainingState(),  # noqa: B008, it is frozen
        optimizer: Optimizer | None = None,
        best_parameters: NDArray[Any] | None = None,
    ) -> None:
        if optimizer is None or not optimizer.matches(network.parameters):
            optimizer = OPTIMIZERS[config.solver](config, network.parameters)
        self.optimizer = optimizer
        self._config = config
        self._network = network
        self._n_samples = len(rows)
        self._n_samples_seen = state.n_samples_seen
        self._batch_size = config.effective_batch_size(self._n_samples)
        self._architecture = config.architecture(network.units, dropout=True, penalties=True)
        self._windows = windows_of(rows, self._batch_size, random_state if config.shuffle else None)
        self._rule = optimizer.rule(weight_decay=config.weight_decay, clip_norm=config.clip_norm)
        self._seed = _dropout_seed(config, random_state)
        self._evaluator = (
            None if validation_set is None else Evaluator(network, config, validation_set)
        )
        self._first_update = self._n_batches = self._rule.n_updates
        self._record_loss = RunningMean()
        self._records: list[dict[str, float]] = []
        self._score = TrainingScore(rows.data) if config.record_train_score else None
        self._stopping = (
            EarlyStopping(config, state, best_parameters)
            if config.early_stopping
            else LossStopping(config, state)
        )

    @property
    def has_updated(self) -> bool:
        """Whether the parameters and the optimizer have changed."""
        return bool(self._rule.n_updates > self._first_update)

    def run(
        self, report: Report = no_report, begin_epoch: Callable[[], None] = do_nothing
    ) -> Outcome:
        """Train until there is no more progress, or all epochs are done.

        However it ends, even by an exception, the network then has the parameters of the last
        update, or with early stopping the best ones. Ctrl-C ends it without an exception.

        Parameters
        ----------
        report : callable
            Called with an Epoch after each epoch; training stops if it returns True.
        begin_epoch : callable
            Called before each epoch.
        """
        config, stopping = self._config, self._stopping
        n_epochs = config.max_iter if config.n_epochs is None else config.n_epochs
        n_steps = n_epochs * self._n_samples / self._batch_size
        n_done, loss, ending = 0, np.nan, Ending.EPOCHS
        self._last_time = perf_counter()
        try:
            team = engine_threads(
                config.n_jobs, self._batch_size, self._architecture.n_weights, n_steps
            )
            try:
                team.start()
                self._allocate(team)
                while ending is Ending.EPOCHS and n_done < n_epochs:
                    begin_epoch()
                    loss, validation = self._run_epoch(team)
                    n_done += 1
                    score = None if validation is None else validation.watched
                    stopping.end_epoch(n_done, loss, score, self._network)
                    self.optimizer.end_epoch(self._n_samples_seen)
                    stops, message = stopping.check_patience(self.optimizer.on_plateau)
                    if stops or stopping.has_diverged(loss, self._network):
                        ending = Ending.CONVERGED
                    if report(self._epoch(n_done, loss, score, message)):
                        ending = Ending.REPORT
            finally:
                team.close()
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
        finally:
            self.optimizer.n_updates = self._rule.n_updates
            if stopping.best_parameters is not None:
                self._network.parameters[...] = stopping.best_parameters
        return Outcome(ending, n_done, loss, records=self._records)

    def _epoch(self, number: int, loss: float, score: float | None, message: str) -> Epoch:
        """The report of an epoch, with the records since the last one."""
        records, self._records = self._records, []
        return Epoch(
            number,
            loss,
            score,
            records,
            self._stopping.state(self._n_samples_seen),
            message,
            self._stopping.best_parameters,
        )

    def _allocate(self, team: Any) -> None:
        """Allocate all memory for the run, and bind the engine's arguments that do not change."""
        if self._score is not None:
            self._score.allocate(team.size)
        self._train = partial(
            _engine.train,
            self._architecture,
            self._network.parameters,
            self.optimizer.state,
            self._rule,
            workspace=_engine.Workspace(
                self._architecture, self._windows.example, self._rule, self._batch_size, team
            ),
            scores=None if self._score is None else self._score.sums,
            seed=self._seed,
        )

    def _run_epoch(self, team: Any) -> tuple[float, ValidationResult | None]:
        """Train on every sample once; return the loss and the last validation result."""
        self._rule.learning_rate = self.optimizer.learning_rate
        epoch, validation = RunningMean(), None
        with closing(self._windows.epoch()) as windows:
            for window, rows, is_recorded, is_last in self._parts(windows):
                rates = self._learning_rates(window.n_rows if rows is None else len(rows))
                mean_loss = self._train(window.dataset, order=rows, rates=rates)
                epoch.add(*mean_loss)
                self._record_loss.add(*mean_loss)
                if self._score is not None:
                    self._score.add_rows(window.in_all_data(rows))
                if self._evaluator is not None and (
                    is_recorded or (is_last and self._stopping.needs_validation)
                ):
                    validation = self._evaluator.evaluate(team)
                if is_recorded:
                    rate = self._rule.learning_rate if rates is None else rates[-1]
                    self._record(rate, validation)
        if not epoch.n:
            raise ValueError(
                "Nothing was trained: in every mini-batch the sample weights (times class weights) "
                "sum to 0."
            )
        self._n_samples_seen += self._n_samples
        self.optimizer.n_updates = self._rule.n_updates
        return epoch.value, validation

    def _parts(
        self, windows: Iterator[Window]
    ) -> Iterator[tuple[Window, NDArray[np.intp] | None, bool, bool]]:
        """The rows of each engine call, whether to record after it, and if it ends the epoch."""
        every = self._config.record_every
        for window in windows:
            if every is None:
                yield window, window.order, window.is_last, window.is_last
                continue
            every = max(1, int(every))  # it may be anything if validation has been skipped
            n_rows, start = window.n_rows, 0
            order = np.arange(n_rows, dtype=np.intp) if window.order is None else window.order
            while start < n_rows:
                stop = start + (every - self._n_batches % every) * self._batch_size
                rows = order[start:stop]
                self._n_batches += -(-len(rows) // self._batch_size)
                start = stop
                yield window, rows, self._n_batches % every == 0, window.is_last and stop >= n_rows

    def _learning_rates(self, n_rows: int) -> NDArray[np.float64] | None:
        """The learning rate of each of the next mini-batches; None without a schedule."""
        config = self._config
        if isinstance(config.learning_rate, str):
            return None
        per_epoch = -(-self._n_samples // self._batch_size)
        return config.learning_rate_init * learning_rate_factors(
            config.learning_rate,
            self._rule.n_updates,
            -(-n_rows // self._batch_size),
            per_epoch * config.max_iter,
        )

    def _record(self, learning_rate: float, validation: ValidationResult | None) -> None:
        """Add a record of the updates since the last one."""
        now = perf_counter()
        record = {
            "n_updates": self._rule.n_updates,
            "loss": self._record_loss.value,
            "learning_rate": learning_rate,
            "seconds": now - self._last_time,
        }
        if validation is not None:
            record["val_loss"], record["val_score"] = validation.loss, validation.score
        if self._score is not None:
            record["train_score"] = self._score.pop()
        self._records.append(record)
        self._record_loss, self._last_time = RunningMean(), now


def _dropout_seed(config: TrainingConfig, random_state: np.random.RandomState) -> int:
    """A seed for the dropout masks; drawn only if there are any."""
    if not any(config.dropout):
        return 0
    return int(random_state.randint(np.iinfo(np.int64).max, dtype=np.int64))
