"""What the classifier and the regressor share: parameters, fit and predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from cymlp._estimators.callbacks import CallbackSupportMixin, FitTask
from cymlp._estimators.configuration import training_config
from cymlp._estimators.fitted_state import FittedState, Snapshot
from cymlp._estimators.held_out import hold_out, validation_set
from cymlp._estimators.input_validation import (
    check_n_features,
    check_training_weights,
    check_X,
    passes_fast_check,
)
from cymlp._estimators.parameters import check_parameters, check_solver
from cymlp._estimators.progress import Progress
from cymlp._estimators.random_states import random_state_of
from cymlp._estimators.row_sliced import by_windows, checked_data, source_of
from cymlp._estimators.saving import SavingMixin
from cymlp._estimators.scikit_learn import ConversionMixin
from cymlp._estimators.targets import Targets
from cymlp._estimators.warning import (
    warn_about_outcome,
    warn_about_unused,
    warn_if_clipped,
    warn_if_cut_short,
)
from cymlp._network.arrays import (
    FLOATS,
    NUMBERS,
    SLICE_BYTES,
    CollectedRows,
    as_engine_input,
    cast_to,
    too_large,
)
from cymlp._network.gradient import loss_and_gradients
from cymlp._network.initializers import Initializer, initializer
from cymlp._network.layer_sizes import hidden_units
from cymlp._network.network import Activation, Network, NotFiniteError
from cymlp._network.row_source import RowSource, check_mapped_file, is_row_sliceable
from cymlp._training.config import TrainingConfig
from cymlp._training.data import Rows, TrainingData
from cymlp._training.lbfgs import LbfgsTraining
from cymlp._training.report import Ending, Epoch
from cymlp._training.stochastic import StochasticTraining

# X, y and sample_weight, as passed to fit.
RawData = tuple[Any, Any, Any]


@dataclass(kw_only=True, eq=False, repr=False, match_args=False)
class BaseMLP(SavingMixin, FittedState, ConversionMixin, CallbackSupportMixin, BaseEstimator, ABC):
    """Base class of MLPClassifier and MLPRegressor.

    Its fields are the parameters that both have, all keyword-only.
    """

    solver: str = "adam"
    alpha: float | Sequence[float] = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str | Callable[[int, int], float] = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: int | np.random.RandomState | None = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    l1_ratio: float | Sequence[float] = 0.0
    weight_decay: float = 0.0
    dropout: float | Sequence[float] = 0.0
    clip_norm: float | None = None
    init: str | Initializer = "glorot_uniform"
    scoring: str | Callable[..., float] | None = None
    record_train_score: bool = False
    record_every: int | None = None
    n_jobs: int | None = None
    shuffle_buffer: int | None = None
    dtype: str | None = None

    # Where the classifier and the regressor differ.

    @staticmethod
    @abstractmethod
    def _is_valid_y(y: Any) -> bool:
        """Whether a quick check shows that y is valid as it is."""

    @abstractmethod
    def _new_targets(self, y: NDArray[Any], incremental: bool, classes: Any) -> Targets:
        """The kind of targets in y; sets the fitted attributes that describe them.

        Raises
        ------
        ValueError
            If the estimator continues an earlier fit and y does not match it.
        """

    @abstractmethod
    def _fitted_targets(self) -> Targets:
        """The kind of targets that the estimator was fitted to."""

    # Fitting.

    def _begin_fit(self, raw_data: RawData, X_val: Any) -> FitTask:
        """Check the parameters, and tell the callbacks that the fit begins."""
        check_parameters(self)
        check_solver(self)
        holds_out = self.early_stopping and self.solver != "lbfgs"
        warn_about_unused(self, validates=holds_out or X_val is not None)
        return FitTask.begin(self, self.max_iter, *raw_data)

    def _end_fit(self, task: FitTask) -> Self:
        """Tell the callbacks that the fit has ended; warn if it stopped too early."""
        task.end()
        warn_if_cut_short(self)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        check_parameters(self)
        warn_about_unused(self, validates=True)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        raw_data = X, y, sample_weight
        if not hasattr(self, "coefs_"):  # a callable ``init`` may keep the RandomState
            return self._fit(raw_data, FitTask(), incremental=True, classes=classes)
        with random_state_of(self.random_state) as random_state:
            return self._fit(
                raw_data, FitTask(), incremental=True, classes=classes, random_state=random_state
            )

    def _fit(
        self,
        raw_data: RawData,
        task: FitTask,
        raw_validation_data: RawData = (None, None, None),
        *,
        incremental: bool = False,
        classes: Any = None,
        random_state: np.random.RandomState | None = None,
    ) -> Self:
        """Encode the data, make a network or copy the fitted one, and train it.

        Training continues on a copy, so that the fitted network survives if training diverges.
        """
        snapshot, training = Snapshot(self), None
        is_first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        try:
            if random_state is None:
                random_state = check_random_state(self.random_state)
            data, score_weights, targets = self._encode(raw_data, is_first, incremental, classes)
            network = (
                self._new_network(data, random_state) if is_first else self._copy_network(data)
            )
            if is_first:
                self._reset_history()
            self._set_network(network, targets.output_activation)
            self._prepare_history()
            config = self._training_config(targets, len(network.coefs), incremental)
            training = self._new_training(
                config,
                network,
                data,
                replace(data, weights=score_weights),
                self._encode_validation_data(raw_validation_data),
                random_state,
                is_first=is_first,
                incremental=incremental,
            )

            def begin_epoch() -> None:
                for X in (raw_data[0], raw_validation_data[0]):
                    check_mapped_file(X)
                task.begin_epoch()

            self.n_iter_ = 0
            with Progress(self.verbose, 1 if incremental else self.max_iter) as progress:
                outcome = training.run(
                    lambda epoch: self._report(epoch, task, progress), begin_epoch
                )
            self._records.extend(outcome.records)
            if self.solver == "lbfgs" and np.isfinite(outcome.loss):
                self.loss_, self.n_iter_ = outcome.loss, outcome.n_epochs
            if not (incremental and outcome.ending is Ending.EPOCHS):
                warn_about_outcome(self, outcome)
            if not network.is_finite():
                raise ValueError(
                    "Solver produced non-finite parameter weights. The input data may contain "
                    "large values and need to be preprocessed."
                )
        except BaseException:  # such as Ctrl-C before training, or SystemExit from a schedule
            if not task.has_failed:  # if a callback raised, the weights reached so far are kept
                snapshot.restore()
                if incremental and training is not None and training.has_updated:
                    # Its state belongs to the weights that have just been discarded.
                    self.__dict__.pop("_optimizer", None)
            raise
        return self

    def _report(self, epoch: Epoch, task: FitTask, progress: Progress) -> bool:
        """Set the fitted attributes, print, call the callbacks; return whether one says stop."""
        self._update_from(epoch)
        progress.end_epoch(epoch.number, epoch.loss, epoch.validation_score)
        if epoch.message:
            progress.write(epoch.message)
        return task.end_epoch(lambda: self._copy_weights(epoch.best_parameters))

    def _check_data(
        self, raw_data: RawData, *, reset: bool, name: str = "X"
    ) -> tuple[Any, NDArray[Any], NDArray[Any] | None, np.dtype[Any]]:
        """X, y and sample weights, checked, and the network's dtype; X as the engine needs it.

        If X is not read as a whole, it is a RowSource.
        ``reset`` says whether X determines features and dtype, or has to match the fitted ones.
        """
        dtype = self.dtype if reset else self._current_network().parameters.dtype
        return checked_data(self, raw_data, self._is_valid_y, dtype, reset=reset, name=name)

    def _encode(
        self, raw_data: RawData, is_first: bool, incremental: bool, classes: Any
    ) -> tuple[TrainingData, NDArray[Any] | None, Targets]:
        """The training data, the sample weights without class weights, and the kind of targets."""
        X, y, score_weights, dtype = self._check_data(raw_data, reset=is_first)
        targets = self._new_targets(y, incremental, classes)
        encoded = targets.encode(y, dtype)
        weights = targets.training_weights(y, score_weights, dtype)
        check_training_weights(weights, score_weights)
        data = TrainingData(X, encoded, targets.count_outputs(encoded), weights, dtype)
        return data, score_weights, targets

    def _encode_for_fitted(self, raw_data: RawData, name: str = "X") -> TrainingData:
        """Data encoded for the network that has been, or is being, fitted."""
        X, y, weights, dtype = self._check_data(raw_data, reset=False, name=name)
        targets = self._fitted_targets()
        return TrainingData(X, targets.encode(y, dtype), self.n_outputs_, weights, dtype)

    def _encode_validation_data(self, raw_data: RawData) -> TrainingData | None:
        """The validation data passed to fit; the training data must have been encoded before."""
        if all(value is None for value in raw_data):
            return None
        if raw_data[0] is None or raw_data[1] is None:
            raise ValueError("X_val and y_val must be given together.")
        try:
            return self._encode_for_fitted(raw_data, "X_val")
        except ValueError as error:
            error.add_note("The error is in X_val, y_val or sample_weight_val.")
            raise

    def _new_network(self, data: TrainingData, random_state: np.random.RandomState) -> Network:
        """A new network for the data, with initial weights."""
        units = [data.X.shape[1], *hidden_units(self.hidden_layer_sizes), data.n_outputs]
        initialize = initializer(self.init, self._activation())
        return Network.initialized(units, data.dtype, initialize, random_state)

    def _copy_network(self, data: TrainingData) -> Network:
        """A copy of the fitted network; ValueError if the data or ``dtype`` do not match it."""
        hidden_units(self.hidden_layer_sizes)  # not used, but an invalid value is still an error
        network = self._current_network().copy()
        if self.dtype is not None and network.parameters.dtype != self.dtype:
            raise ValueError(
                f"dtype={self.dtype!r}, but the fitted network that training is to continue from "
                f"is of {network.parameters.dtype.name}."
            )
        n_features, n_outputs = data.X.shape[1], data.n_outputs
        if (network.units[0], network.units[-1]) != (n_features, n_outputs):
            raise ValueError(
                f"{type(self).__name__} has a network with {network.units[0]} features and "
                f"{network.units[-1]} outputs, but the data have {n_features} and {n_outputs}."
            )
        return network

    def _new_training(
        self,
        config: TrainingConfig,
        network: Network,
        data: TrainingData,
        scored_data: TrainingData,
        validation_data: TrainingData | None,
        random_state: np.random.RandomState,
        *,
        is_first: bool,
        incremental: bool,
    ) -> LbfgsTraining | StochasticTraining:
        """The training of the network; with early stopping, on the rows that are not held out."""
        optimizer = self.__dict__.pop("_optimizer", None)
        held_out = None if validation_data is None else Rows(validation_data)
        if self.solver == "lbfgs":
            return LbfgsTraining(
                config, network, data, validation_set=validation_set(self, held_out)
            )
        rows = Rows(data)
        if self.early_stopping and held_out is None:
            stratify = self._fitted_targets().stratifies(data.targets)
            rows, held_out = hold_out(
                data, scored_data, self.validation_fraction, stratify, random_state
            )
        warn_if_clipped(self.batch_size, len(rows))
        training = StochasticTraining(
            config,
            network,
            rows,
            random_state,
            validation_set=validation_set(self, held_out),
            state=self._training_state(),
            optimizer=optimizer if incremental else None,
            best_parameters=(
                network.parameters.copy() if self.early_stopping and is_first else None
            ),
        )
        self._optimizer = training.optimizer
        return training

    # From parameters to plain values.

    def _activation(self) -> Activation:
        """``activation`` as a hashable value."""
        return self.activation if isinstance(self.activation, str) else tuple(self.activation)

    def _training_config(
        self, targets: Targets, n_layers: int, incremental: bool = False
    ) -> TrainingConfig:
        """The parameters that training needs, for a network with ``n_layers`` layers of weights."""
        return training_config(self, targets, n_layers, incremental)

    # The loss and its gradient.

    def loss_gradient(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[NDArray[Any]], list[NDArray[Any]], NDArray[Any]]:
        """The loss of the fitted network on X and y, and its gradient.

        This is the loss that training minimises, without dropout: the weighted mean of the
        samples' losses, plus the penalties divided by the sum of the weights. The gradient of
        ``|w|`` at 0 is taken as 0. With several outputs, the squared error is summed over them, as
        in the gradient used for training; ``loss_`` has the mean, as in scikit-learn.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        loss : float
            The loss.
        coef_grads : list of ndarray of shape (fan_in, fan_out)
            The gradient with respect to each of ``coefs_``.
        intercept_grads : list of ndarray of shape (fan_out,)
            The gradient with respect to each of ``intercepts_``.
        X_grad : ndarray of shape (n_samples, n_features)
            The gradient with respect to X.

        Raises
        ------
        NotFittedError
            If the estimator has no weights yet.
        ValueError
            If a parameter or the data are not valid.
        """
        check_is_fitted(self)
        check_parameters(self)
        network, targets = self._current_network(), self._fitted_targets()
        data = self._encode_for_fitted((X, y, sample_weight))
        if isinstance(data.X, RowSource):  # X_grad is as large
            data = replace(data, X=data.X[:])
        weights = targets.training_weights(targets.decode(data.targets), data.weights, data.dtype)
        check_training_weights(weights, data.weights)
        config = self._training_config(targets, len(network.coefs))
        return loss_and_gradients(
            network,
            config.architecture(network.units),
            replace(data, weights=weights).dataset(),
            weights,
            (config.l2, config.l1),
            # The engine reports the mean over the outputs, but differentiates the sum.
            self.n_outputs_ if targets.reports_mean_over_outputs else 1,
            self.n_jobs,
        )

    # Predicting.

    def _predict(
        self,
        X: Any,
        decode: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
        *,
        apply_output_activation: bool = True,
    ) -> NDArray[Any]:
        """The network's outputs (n_samples, n_outputs) for X, decoded if ``decode`` is given.

        The dtype of the computation is that of NumPy's product of X and the weights, or that of the
        weights if the parameter ``dtype`` is given. If an array X cannot be read in place or
        outputs must be decoded, this is done for a slice of the rows at a time, to need little
        memory beyond the result. Row-sliceable data are read window by window.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
        decode : callable, default=None
            Takes outputs (n_rows, n_outputs), returns an array or sparse matrix of n_rows.
        apply_output_activation : bool, default=True
            Whether to apply the output layer's activation.
        """
        fitted = self.__dict__
        if "_network" not in fitted:
            check_is_fitted(self)
        # For such an X, the engine checks that it is finite as it reads it.
        check_finite = (
            passes_fast_check(X)
            and X.shape[1] == fitted.get("n_features_in_")
            and "feature_names_in_" not in fitted
        )
        if not check_finite:
            if is_row_sliceable(X):
                source = source_of(X, self.shuffle_buffer)
                check_n_features(self, source)
                predict = partial(
                    self._predict, decode=decode, apply_output_activation=apply_output_activation
                )
                return by_windows(
                    source.for_network(self._network_for(X).parameters.dtype), predict
                )
            X = check_X(self, X)
        network = self._network_for(X)
        dtype = network.parameters.dtype
        if issparse(X):
            X = as_engine_input(X, dtype)
        n_samples = rows_per_slice = X.shape[0]
        is_read_in_place = X.dtype in NUMBERS
        if decode is not None or not is_read_in_place:
            row_bytes = 0 if is_read_in_place else 8 * X.shape[1]
            rows_per_slice = 1 + SLICE_BYTES // (row_bytes + 8 * network.units[-1])
        result = CollectedRows(n_samples)
        for start in range(0, n_samples, rows_per_slice):
            part, rows = X, None
            if rows_per_slice < n_samples and issparse(X):  # whose slices would be copies
                rows = np.arange(start, min(start + rows_per_slice, n_samples), dtype=np.intp)
            elif rows_per_slice < n_samples:
                part = X[start : start + rows_per_slice]
            try:
                outputs = network.outputs(
                    part if issparse(X) else as_engine_input(part, dtype),
                    self._activation(),
                    self.out_activation_,
                    rows=rows,
                    apply_output_activation=apply_output_activation,
                    check_finite=check_finite or X.dtype != dtype,
                    n_jobs=self.n_jobs,
                )
            except NotFiniteError:
                check_X(self, X)  # raises scikit-learn's error
                if is_read_in_place and X.dtype != dtype:
                    raise too_large("X", dtype) from None
                raise
            predicted = outputs if decode is None else decode(outputs)
            if rows_per_slice >= n_samples:
                return predicted
            result.add(predicted)
        whole: NDArray[Any] = result.whole
        return whole

    def _network_for(self, X: Any) -> Network:
        """The fitted network in the dtype used to predict X."""
        network = self._current_network()
        if X.shape[1] != network.units[0]:
            raise ValueError(
                f"X has {X.shape[1]} features, but coefs_[0] has {network.units[0]} rows."
            )
        if self.dtype is not None or X.dtype == network.parameters.dtype:
            return network
        dtype = np.result_type(X.dtype, network.parameters.dtype)
        return network.astype(dtype if dtype in FLOATS else np.float64)

    # Fitted from given weights.

    def _set_weights(self, coefs: Any, intercepts: Any, sizes_are_given: bool) -> Self:
        """Make this new estimator a fitted one with copies of these weights.

        Raises
        ------
        ValueError
            If a parameter is not valid, the shapes of the arrays do not match, or a value is not
            a finite real number.
        """
        network = Network.from_finite_arrays(coefs, intercepts, "coefs and intercepts")
        sizes = network.units[1:-1]
        if not sizes_are_given:
            self.hidden_layer_sizes = sizes
        check_parameters(self)
        if self.dtype is not None:
            parameters = cast_to(network.parameters, self.dtype, "coefs and intercepts")
            network = Network(network.units, parameters)
        if tuple(hidden_units(self.hidden_layer_sizes)) != sizes:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not match the weights, whose "
                f"hidden layers have sizes {sizes}."
            )
        self.n_outputs_ = network.units[-1]
        targets = self._fitted_targets()
        # Raises an error if a parameter has values for another number of layers.
        self._training_config(targets, len(network.coefs))
        self._set_network(network, targets.output_activation)
        self.n_features_in_ = network.units[0]
        self.n_iter_ = 0
        self._prepare_history()
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
