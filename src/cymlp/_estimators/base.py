"""What the classifier and the regressor share: parameters, fit, and the fitted state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from cymlp import _engine
from cymlp._estimators.callbacks import CallbackSupportMixin, FitTask
from cymlp._estimators.parameters import (
    check_parameters,
    check_solver,
    hidden_units,
    per_layer,
    warn_of_unused,
)
from cymlp._network.gradient import loss_and_gradients
from cymlp._network.initializers import Initializer, initializer
from cymlp._network.network import Activation, Network, NotFiniteError
from cymlp._training.data import (
    FLOATS,
    SLICE_BYTES,
    Problem,
    cast_to,
    check_size,
    checked_sparse,
    checked_weights,
    engine_ready,
    is_ready,
    is_ready_and_finite,
    stacked,
)
from cymlp._training.history import as_arrays
from cymlp._training.lbfgs import LbfgsTraining
from cymlp._training.optimizers import SGD, Adam, Optimizer
from cymlp._training.stochastic import StochasticTraining, split_for_validation, warn_if_cut_short
from cymlp._training.validation import HeldOut, Validation

# Attributes that one fit leaves for the next only with warm_start or in partial_fit.
_HISTORY = (
    "t_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "_no_improvement_count",
    "_records",
)


def is_stochastic(estimator: Any) -> bool:
    """Whether partial_fit exists; the AttributeError says why not."""
    if estimator.solver not in ("sgd", "adam"):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):
    """Base class of MLPClassifier and MLPRegressor.

    The fitted weights are the vector of ``_network``; ``coefs_`` and ``intercepts_`` are
    lists of its views. Whoever puts other arrays into these lists, or other lists into these
    attributes, is heard: the network is then made from them.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Callable[[int, int], float] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        l1_ratio: float | Sequence[float] = 0.0,
        weight_decay: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        init: str | Initializer = "glorot_uniform",
        scoring: str | Callable[..., float] | None = None,
        record_train_score: bool = False,
        record_every: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.l1_ratio = l1_ratio
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.init = init
        self.scoring = scoring
        self.record_train_score = record_train_score
        self.record_every = record_every
        self.n_jobs = n_jobs

    # What the classifier and the regressor differ in.

    @abstractmethod
    def _encoded(
        self, y: NDArray[Any], dtype: Any, incremental: bool, classes: Any
    ) -> NDArray[Any]:
        """Targets of the validated y, as in Problem; numbers are of ``dtype``."""

    @staticmethod
    @abstractmethod
    def _are_ready(y: Any) -> bool:
        """Whether y is an array that validate_data would only wave on."""

    @abstractmethod
    def _decoded(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What predict returns for the network's outputs (n_samples, n_outputs), or for targets."""

    @abstractmethod
    def _output_activation(self) -> str:
        """The output layer's activation, once the targets are encoded."""

    @abstractmethod
    def _n_outputs(self, targets: NDArray[Any]) -> int:
        """Outputs of a network for these targets."""

    @abstractmethod
    def _validation_score(
        self, truth: NDArray[Any], predicted: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        """The score on validation data, of what predict returns for them."""

    def _watches_loss(self) -> bool:
        """Whether early stopping watches the loss on validation data, and not a score."""
        return bool(self.scoring == "loss")

    @abstractmethod
    def _encoded_again(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        """Targets, as ``_encoded`` gives them, of other samples of the same problem.

        Raises
        ------
        ValueError
            If y has classes or outputs that the estimator does not know.
        """

    @abstractmethod
    def _loss_settings(self) -> tuple[str, dict[str, float]]:
        """The output activation or loss as the engine calls it, and its settings."""

    def _with_class_weights(
        self, y: NDArray[Any], weights: NDArray[Any] | None, dtype: Any, incremental: bool
    ) -> NDArray[Any] | None:
        """Weights (n_samples,) of the samples, times those of their classes."""
        return weights

    # Fitting.

    def _begin_fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any) -> FitTask:
        """Check the parameters, and tell the callbacks that the fit begins."""
        check_parameters(self)
        check_solver(self)
        holds_out = self.early_stopping and self.solver != "lbfgs"
        warn_of_unused(self, validates=holds_out or X_val is not None, stacklevel=5)
        return FitTask.begin(self, self.max_iter, X, y, sample_weight)

    def _end_fit(self, task: FitTask) -> Self:
        """Tell the callbacks that the fit has ended, and the caller if it was too early."""
        task.end()
        warn_if_cut_short(self, stacklevel=5)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        check_parameters(self)
        warn_of_unused(self, validates=True, stacklevel=4)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, FitTask(), incremental=True, classes=classes)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        task: FitTask,
        *,
        validation_data: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
        classes: Any = None,
    ) -> Self:
        before = _Snapshot(self)
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        random_state = check_random_state(self.random_state)
        try:
            problem = self._problem(X, y, sample_weight, first_pass, incremental, classes)
            network = self._begin(problem, first_pass, incremental, random_state)
            training = self._training(
                network, problem, validation_data, first_pass, incremental, random_state
            )
        except BaseException:  # Ctrl-C too
            before.restore()
            raise
        try:
            training.run(task)
            if not network.is_finite():
                raise ValueError(
                    "Solver produced non-finite parameter weights. The input data may contain "
                    "large values and need to be preprocessed."
                )
        except BaseException:  # of a schedule or a scorer SystemExit too; run handles Ctrl-C
            if not task.has_failed:  # else the callback finds the model as far as it got
                before.restore()
                if incremental and training.has_updated:
                    # The optimizer of before went on, and is as lost as the weights.
                    self.__dict__.pop("_optimizer", None)
            raise
        return self

    def _problem(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        first_pass: bool,
        incremental: bool,
        classes: Any,
    ) -> Problem:
        """The validated data, as the engine takes them."""
        X, y = self._checked_data(X, y, reset=first_pass)
        dtype = X.dtype if first_pass else self._current_network().parameters.dtype
        X = engine_ready(cast_to(X, dtype, "X"))
        weights = None if sample_weight is None else checked_weights(sample_weight, X)
        targets = self._encoded(y, X.dtype, incremental, classes)
        training_weights = self._with_class_weights(y, weights, X.dtype, incremental)
        _check_training_weights(training_weights, weights)
        return Problem(X, targets, self._n_outputs(targets), training_weights, weights)

    def _validation_problem(self, X: Any, y: Any, sample_weight: Any) -> Problem | None:
        """The validation data given to fit, as the engine takes them, once y is known."""
        if X is None and y is None and sample_weight is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val must be given together, or neither of them.")
        try:
            return self._known_problem(X, y, sample_weight)
        except ValueError as error:
            error.add_note("This is about X_val, y_val or sample_weight_val.")
            raise

    def _known_problem(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        """Validated data of the problem that the estimator has been, or is being, fitted to."""
        X, y = self._checked_data(X, y, reset=False)
        X = engine_ready(cast_to(X, self._current_network().parameters.dtype, "X"))
        weights = None if sample_weight is None else checked_weights(sample_weight, X)
        targets = self._encoded_again(y, X.dtype)
        return Problem(X, targets, self.n_outputs_, weights, weights)

    def _checked_data(self, X: Any, y: Any, reset: bool) -> tuple[Any, NDArray[Any]]:
        """X and y validated, y (n_samples,) or (n_samples, n_outputs)."""
        if is_ready_and_finite(X) and self._are_ready(y) and len(X) == len(y) > 1:
            if reset:
                self.n_features_in_ = X.shape[1]
                self.__dict__.pop("feature_names_in_", None)
            if X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
                return X, y
        checked_sparse(y, "y")
        X, y = validate_data(
            self,
            checked_sparse(X),
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
            dtype=FLOATS,
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _begin(
        self,
        problem: Problem,
        first_pass: bool,
        incremental: bool,
        random_state: np.random.RandomState,
    ) -> Network:
        """The network to train, with all fitted attributes as they are before training.

        One that goes on from an earlier fit is a copy: should training diverge, the earlier
        one is still there.
        """
        n_features, n_outputs = problem.X.shape[1], problem.n_outputs
        hidden = hidden_units(self.hidden_layer_sizes)
        if first_pass:
            network = Network.initialized(
                [n_features, *hidden, n_outputs],
                problem.X.dtype,
                initializer(self.init, self._activation()),
                random_state,
            )
            for name in _HISTORY:
                self.__dict__.pop(name, None)
        else:
            network = self._current_network().copy()
            if (network.units[0], network.units[-1]) != (n_features, n_outputs):
                raise ValueError(
                    f"{type(self).__name__} has a network of {network.units[0]} features and "
                    f"{network.units[-1]} outputs, but the data have {n_features} and {n_outputs}."
                )
        self._adopt(network)
        self.n_outputs_ = n_outputs
        self.n_layers_ = len(network.units)
        self.out_activation_ = self._output_activation()
        self._continue_history()
        optimizer = self.__dict__.pop("_optimizer", None)
        if self.solver != "lbfgs":
            if not (
                incremental
                and optimizer is not None
                and optimizer.can_go_on_with(network.parameters)
            ):
                optimizer = self._new_optimizer(network)
            self._optimizer = optimizer
        return network

    def _continue_history(self) -> None:
        """Set what training counts and records, save what an earlier fit left behind."""
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

    def _new_optimizer(self, network: Network) -> Optimizer:
        size, dtype = network.parameters.size, network.parameters.dtype
        if self.solver == "sgd":
            return SGD(
                size,
                dtype,
                learning_rate=(
                    self.learning_rate if isinstance(self.learning_rate, str) else "constant"
                ),
                learning_rate_init=self.learning_rate_init,
                power_t=self.power_t,
                momentum=self.momentum,
                nesterovs_momentum=self.nesterovs_momentum,
            )
        return Adam(
            size,
            dtype,
            learning_rate_init=self.learning_rate_init,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def _training(
        self,
        network: Network,
        problem: Problem,
        validation_data: tuple[Any, Any, Any],
        first_pass: bool,
        incremental: bool,
        random_state: np.random.RandomState,
    ) -> LbfgsTraining | StochasticTraining:
        """What trains the network; with early stopping, on the rows that are not held out."""
        own = self._validation_problem(*validation_data)
        held_out = None if own is None else HeldOut(own, None)
        rows, best = None, None
        if self.early_stopping and self.solver != "lbfgs":
            best = network.parameters.copy() if first_pass else None
            if held_out is None:
                stratify = problem.targets.dtype == bool and self.n_outputs_ == 1
                rows, others = split_for_validation(
                    problem, self.validation_fraction, stratify, random_state
                )
                held_out = HeldOut(problem, others)
        validation = None if held_out is None else Validation(self, network, held_out)
        if self.solver == "lbfgs":
            return LbfgsTraining(self, network, problem, validation)
        return StochasticTraining(
            self,
            network,
            problem,
            rows,
            random_state,
            incremental=incremental,
            validation=validation,
            best=best,
        )

    # What training takes from the parameters.

    def _activation(self) -> Activation:
        """``activation``, hashable."""
        return self.activation if isinstance(self.activation, str) else tuple(self.activation)

    def _training_layout(self, network: Network, dropout: bool = False) -> Any:
        """The network with its loss, as the engine takes it, with or without dropout."""
        n_hidden = len(network.units) - 2
        activations = per_layer(self.activation, n_hidden, "activation", "hidden layers")
        rates = per_layer(self.dropout, n_hidden, "dropout", "hidden layers")
        loss, settings = self._loss_settings()
        return _engine.Architecture(
            network.units,
            activations,
            loss,
            dropout=rates if dropout and any(rates) else (),
            **settings,
        )

    def _coefficients(self, n_layers: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The L2 and the L1 coefficient of each layer."""
        alphas = per_layer(self.alpha, n_layers, "alpha", "layers of weights")
        ratios = per_layer(self.l1_ratio, n_layers, "l1_ratio", "layers of weights")
        pairs = list(zip(alphas, ratios, strict=True))
        l2 = tuple(float(alpha * (1 - ratio)) for alpha, ratio in pairs)
        return l2, tuple(float(alpha * ratio) for alpha, ratio in pairs)

    def _penalties(self, network: Network) -> dict[str, Any]:
        """Penalties, decay and clipping, as the engine takes them."""
        l2, l1 = self._coefficients(len(network.coefs))
        return {
            "alpha": l2[0] if len(set(l2)) == 1 else l2,
            "l1": l1,
            "weight_decay": self.weight_decay,
            "clip_norm": self.clip_norm or 0.0,
        }

    def _dropout_seed(self, random_state: np.random.RandomState) -> int:
        """A seed for dropout's masks; drawn only if there are any."""
        if not np.any(np.asarray(self.dropout)):
            return 0
        return int(random_state.randint(np.iinfo(np.int64).max, dtype=np.int64))

    # The loss and its gradient.

    def loss_gradient(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[NDArray[Any]], list[NDArray[Any]], NDArray[Any]]:
        """The loss of the fitted network on X and y, and its gradient.

        It is what training minimises: the weighted mean of the samples' losses plus the
        penalties over the sum of the weights, dropout left out. The penalty ``|w|`` has the slope
        0 at 0. Of several outputs the squared error is the sum here, as it is in the gradient
        that training takes; in ``loss_``, as in scikit-learn, it is the mean.

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
            Its gradient with respect to each of ``coefs_``.
        intercept_grads : list of ndarray of shape (fan_out,)
            Its gradient with respect to each of ``intercepts_``.
        X_grad : ndarray of shape (n_samples, n_features)
            Its gradient with respect to X.

        Raises
        ------
        NotFittedError
            If the estimator has no weights yet.
        ValueError
            If a parameter or the data are not valid.
        """
        check_is_fitted(self)
        check_parameters(self)
        network = self._current_network()
        problem = self._known_problem(X, y, sample_weight)
        weights = self._with_class_weights(
            self._decoded(problem.targets), problem.weights, problem.X.dtype, incremental=False
        )
        _check_training_weights(weights, problem.weights)
        return loss_and_gradients(
            network,
            self._training_layout(network),
            problem.samples(weights),
            weights,
            self._coefficients(len(network.coefs)),
            # Of several outputs the engine reports the mean.
            self.n_outputs_ if getattr(self, "loss", None) == "squared_error" else 1,
            self.n_jobs,
        )

    # Predicting.

    def _predicted(
        self,
        X: Any,
        decode: Callable[[NDArray[Any]], Any] | None = None,
        linked: bool = True,
    ) -> Any:
        """The network's outputs (n_samples, n_outputs) for X, or what ``decode`` makes of them.

        Computed in the dtype that NumPy gives the product of X and the weights. Where X must
        be converted or outputs decoded, that is done for a slice of the rows at a time, so
        that beyond the result memory stays small.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        decode : callable, default=None
            Takes outputs (n_rows, n_outputs), returns an array or sparse matrix of n_rows.
        linked : bool, default=True
            Whether to apply the output layer's activation.
        """
        fitted = self.__dict__
        if "_network" not in fitted:
            check_is_fitted(self)
        # What validate_data would only wave on goes to the engine, which sees on its way
        # whether all is finite.
        ready = (
            is_ready(X)
            and X.shape[1] == fitted.get("n_features_in_")
            and "feature_names_in_" not in fitted
        )
        if not ready:
            X = self._validated(checked_sparse(X))
        network = self._current_network()
        if X.shape[1] != network.units[0]:
            raise ValueError(
                f"X has {X.shape[1]} features, but coefs_[0] has {network.units[0]} rows."
            )
        dtype = network.parameters.dtype
        if X.dtype != dtype:
            dtype = np.result_type(X.dtype, dtype)
            network = network.astype(dtype if dtype in FLOATS else np.float64)
            dtype = network.parameters.dtype
        if issparse(X):
            X = X.tocsr()
        n_samples = X.shape[0]
        n_rows = n_samples
        if X.dtype != dtype or decode is not None:
            per_row = 12 * X.nnz // n_samples if issparse(X) else 8 * X.shape[1]
            n_rows = 1 + SLICE_BYTES // (per_row + 8 * network.units[-1])
        parts = []
        for start in range(0, n_samples, n_rows):
            rows = X if n_rows >= n_samples else X[start : start + n_rows]
            try:
                part: Any = network.outputs(
                    engine_ready(rows.astype(dtype, copy=False)),
                    self._activation(),
                    self.out_activation_,
                    linked=linked,
                    n_jobs=self.n_jobs,
                    finite=not ready,
                )
            except NotFiniteError:
                self._validated(checked_sparse(X))  # which says what and where
                raise
            part = part if decode is None else decode(part)
            if n_rows >= n_samples:
                return part
            if issparse(part):
                parts.append(part)
                continue
            if start == 0:
                result = np.empty((n_samples, *part.shape[1:]), dtype=part.dtype)
            result[start : start + n_rows] = part
        return stacked(parts) if parts else result

    def _validated(self, X: Any) -> Any:
        """X as scikit-learn validates what a fitted estimator is given."""
        return validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)

    # The fitted state.

    @property
    def history_(self) -> dict[str, NDArray[np.float64]]:
        """What has been recorded of each epoch, by name."""
        if "_records" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no history_ before it is fitted.")
        return as_arrays(self._records)

    def _adopt(self, network: Network) -> None:
        """Make ``network`` the fitted one."""
        self._network = network
        self.coefs_ = list(network.coefs)
        self.intercepts_ = list(network.intercepts)

    def _with_weights(self, coefs: Any, intercepts: Any, sizes_are_given: bool) -> Self:
        """Make this estimator, just constructed, a fitted one with copies of these weights.

        Raises
        ------
        ValueError
            If a parameter is not valid, or the arrays do not fit together or are not of finite
            real numbers.
        """
        arrays = [np.asarray(array) for array in (*coefs, *intercepts)]
        if not all(array.dtype.kind in "biuf" for array in arrays):
            raise ValueError("coefs and intercepts must be arrays of real numbers.")
        network = Network.from_arrays(arrays[: len(coefs)], arrays[len(coefs) :])
        if not network.is_finite():
            raise ValueError("coefs and intercepts must be finite, got NaN or infinity.")
        sizes = network.units[1:-1]
        if not sizes_are_given:
            self.hidden_layer_sizes = sizes
        check_parameters(self)
        if tuple(hidden_units(self.hidden_layer_sizes)) != sizes:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not fit weights of hidden "
                f"layers of sizes {sizes}."
            )
        self.out_activation_ = self._output_activation()
        # These say what is not made for so many layers.
        self._training_layout(network)
        self._coefficients(len(network.coefs))
        self._adopt(network)
        self.n_features_in_, self.n_outputs_ = network.units[0], network.units[-1]
        self.n_layers_ = len(network.units)
        self.n_iter_ = 0
        self._continue_history()
        return self

    def _current_network(self) -> Network:
        """The fitted network, or one made of what has been put in place of its arrays."""
        network: Network | None = self.__dict__.get("_network")
        if network is None or not network.consists_of(self.coefs_, self.intercepts_):
            network = Network.from_arrays(self.coefs_, self.intercepts_)
        return network

    def _fitted_copies(self, parameters: NDArray[Any] | None = None) -> dict[str, Any]:
        """Copies of the weights as they are, or as ``parameters`` has them, by attribute."""
        network = self._network
        if parameters is not None:
            network = Network(network.units, parameters)
        network = network.copy()
        return {
            "_network": network,
            "coefs_": list(network.coefs),
            "intercepts_": list(network.intercepts),
        }

    def __getstate__(self) -> dict[str, Any]:
        # The weights once; the optimizer's state only where partial_fit would go on from it.
        state = dict(super().__getstate__())
        network = state.get("_network")
        if network is not None:
            if network.consists_of(state.get("coefs_", ()), state.get("intercepts_", ())):
                del state["coefs_"], state["intercepts_"]
            else:
                del state["_network"]
        if self.solver == "lbfgs" or self.early_stopping:
            state.pop("_optimizer", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_network" in state:
            self._adopt(state["_network"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _check_training_weights(
    weights: NDArray[Any] | None, sample_weight: NDArray[Any] | None
) -> None:
    """ValueError where one cannot train with these weights: the samples', or times the classes'."""
    if weights is not None:
        own = weights is sample_weight
        check_size(weights, "sample_weight" if own else "sample_weight times class_weight")


class _Snapshot:
    """What an estimator knew before a fit, to return to should the fit fail.

    Arrays are not copied, as fit does not write into those of an earlier one; the lists that
    it appends to are cut to their length again.
    """

    def __init__(self, estimator: BaseMLP) -> None:
        self._estimator = estimator
        self._attributes = dict(estimator.__dict__)
        self._lengths = [
            (attribute, len(attribute))
            for attribute in self._attributes.values()
            if isinstance(attribute, list)
        ]

    def restore(self) -> None:
        """Undo all that has been set since."""
        self._estimator.__dict__.clear()
        self._estimator.__dict__.update(self._attributes)
        for attribute, length in self._lengths:
            del attribute[length:]
