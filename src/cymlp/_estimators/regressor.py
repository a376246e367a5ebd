"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from cymlp._estimators.base import BaseMLP
from cymlp._estimators.callbacks import only_if, with_callbacks
from cymlp._estimators.input_validation import are_finite_numbers
from cymlp._estimators.parameters import is_stochastic
from cymlp._estimators.targets import NumberTargets


@dataclass(eq=False, repr=False, match_args=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor.

    A drop-in replacement for scikit-learn's :class:`~sklearn.neural_network.MLPRegressor`
    with a compiled engine: the same parameters, the same fitted attributes and, from the
    same ``random_state``, the same numbers to rounding.

    Parameters
    ----------
    loss : str, default="squared_error"
        What is minimised: "squared_error" is half the squared error; "poisson" half the Poisson
        deviance, which takes the exponential as output activation and needs y >= 0;
        "absolute_error" predicts the median; "huber" is half the squared error up to ``delta``
        and linear beyond; "quantile" predicts the ``quantile``. Of several outputs the squared
        error is the mean, as in scikit-learn, all others are the sum.
    hidden_layer_sizes : int, array-like of int or str, default=(100,)
        Units of each hidden layer, each at least 1; ``()`` makes a linear model. A string such
        as "256-128" stands for (256, 128), for searches that cannot draw tuples.
    activation : str or list of str, default="relu"
        Activation of the hidden layers, or of each: scikit-learn's "identity", "logistic",
        "tanh" and "relu" (z, 1 / (1 + exp(-z)), tanh(z) and max(0, z)), or PyTorch's and
        Keras's "leaky_relu" (0.01 z below 0), "elu" (exp(z) - 1 below 0), "selu" (elu scaled
        as by Klambauer et al.), "gelu" (z Phi(z), exact), "silu" (z / (1 + exp(-z))), "mish"
        (z tanh(log(1 + exp(z)))) and "softplus" (log(1 + exp(z))).
    solver : {"lbfgs", "sgd", "adam"}, default="adam"
        "adam" and "sgd" update the weights after each mini-batch, "lbfgs" (SciPy's) after
        each pass over all samples. "lbfgs" often does best on small data.
    alpha : float or list of float, default=0.0001
        Penalty, at least 0, of all layers of weights or of each: alpha / 2 times the sum of
        the squared weights, over the number of samples (the sum of their weights) of the
        batch. See also ``l1_ratio``.
    batch_size : int or "auto", default="auto"
        Samples in a mini-batch, at least 1; "auto" is min(200, n_samples). Not used by
        "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        Schedule of "sgd": constant; learning_rate_init / (t + 1)^power_t after t samples,
        epoch by epoch; or divided by 5 whenever progress stops, down to 1e-6. Or, for "sgd" and
        "adam", a schedule of :mod:`cymlp.schedules` or any function (step, total) -> factor:
        update number ``step``, from 0, of at most ``total`` takes learning_rate_init * factor.
    learning_rate_init : float, default=0.001
        Learning rate of "sgd" and "adam", above 0.
    power_t : float, default=0.5
        Exponent of "invscaling", at least 0.
    max_iter : int, default=200
        Most epochs ("sgd", "adam") or iterations ("lbfgs"), at least 1.
    shuffle : bool, default=True
        Whether "sgd" and "adam" visit the samples in a new random order each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the validation split and the order of the samples. With
        the same int, scikit-learn's MLP draws the same numbers.
    tol : float, default=1e-4
        Improvement of the loss or of the validation score, at least 0, below which an epoch
        counts as one without progress. For "lbfgs" the gradient's tolerance.
    verbose : bool or int, default=False
        Whether to print the loss, and the validation score if there is one, after each epoch; 2
        shows them on one bar of tqdm instead, where that is installed.
    warm_start : bool, default=False
        Whether fit goes on from the weights of the previous fit.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether the momentum of "sgd" is Nesterov's.
    early_stopping : bool, default=False
        Whether "sgd" and "adam" hold out samples, stop when what ``scoring`` names no longer
        improves on them, and keep the weights that were best. With X_val in fit, those samples
        are watched instead.
    validation_fraction : float, default=0.1
        Share of the samples held out by early_stopping, in [0, 1).
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay of the first and second moments of "adam", in [0, 1).
    epsilon : float, default=1e-8
        Numerical stability of "adam", above 0.
    n_iter_no_change : int or inf, default=10
        Epochs without progress that are tolerated, at least 1; the next one stops the fit.
    max_fun : int, default=15000
        Most evaluations of the loss by "lbfgs", at least 1.
    quantile : float, default=None
        Which quantile loss="quantile" is to predict, in [0, 1]; as in HistGradientBoosting.
    delta : float, default=1.0
        Size of the residual, above 0, up to which loss="huber" is quadratic; as in Keras.
    l1_ratio : float or list of float, default=0.0
        Share of L1 in the penalty, in [0, 1], of all layers of weights or of each, as in
        scikit-learn's SGDClassifier: ``alpha * (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|^2)``. It is
        applied after each update of "sgd" and "adam" as a soft threshold in proportion to the
        update's own step, which makes weights exactly 0.
    weight_decay : float, default=0.0
        Decay of the weights, at least 0, decoupled from the gradient (AdamW): each update of
        "sgd" and "adam" takes learning rate * weight_decay of them away. As in PyTorch and
        Keras, but for intercepts, which are left alone.
    dropout : float or list of float, default=0.0
        Rate, in [0, 1), at which "sgd" and "adam" leave units out of all hidden layers, or of
        each, while they train; those kept are divided by 1 - dropout (Keras's Dropout).
    clip_norm : float, default=None
        Length, above 0, to which "sgd" and "adam" shorten the gradient of all weights and
        intercepts, penalty included, where it is longer (Keras's global_clipnorm). None for
        never.
    init : str or callable, default="glorot_uniform"
        Initial weights: "glorot_uniform" is scikit-learn's rule, for intercepts too;
        "glorot_normal", "he_uniform", "he_normal" and "lecun_normal" are Keras's, with intercepts
        0. Or a function (fan_in, fan_out, rng) that returns W (fan_in, fan_out) and b (fan_out,),
        with ``rng`` a RandomState.
    scoring : str or callable, default=None
        The score on validation data: None for R^2, or for the negative loss where ``loss`` is
        "absolute_error", "huber" or "quantile", of which R^2 is no measure; "loss" for the negative
        loss; or what scikit-learn's ``scoring`` may be: the name of a scorer or a function
        (estimator, X, y) -> float, which is given sample_weight where there are weights. As in
        HistGradientBoosting.
    record_train_score : bool, default=False
        Whether ``history_`` has the R^2 on the training samples too, computed from the forward
        passes of the updates, dropout included, and weighted as the loss is. Not with
        "lbfgs".
    record_every : int, default=None
        Mini-batches, at least 1, between two records in ``history_``; None for one record
        each epoch. Not with "lbfgs".
    n_jobs : int, default=None
        Threads of `fit` and `predict`. None chooses them by the size of a step, up to the CPUs
        that the process may use; within joblib's workers, up to their share. -1 means all
        CPUs, -2 all but one. The same number gives the same bits; another agrees to rounding, and
        so does None beside other fits, with which it shares the CPUs.

    Attributes
    ----------
    loss_ : float
        The loss of the last epoch: the mean over its mini-batches, penalty included.
    best_loss_ : float or None
        The least loss of an epoch; None with early_stopping. Not with "lbfgs".
    loss_curve_ : list of float
        The loss of each epoch. Not with "lbfgs".
    history_ : dict of ndarray of shape (n_records,)
        What has been recorded of each epoch, for pandas.DataFrame or pyplot.plot: "loss", "seconds"
        that it took, "n_updates" so far and the "learning_rate" of the last (not with "lbfgs");
        with validation data "val_loss", without penalties and dropout, and "val_score", which is
        R^2 or the scorer that ``scoring`` names (R^2 too where early stopping watches the loss);
        with record_train_score "train_score". NaN where a quantity was not recorded.
    validation_scores_ : list of float or None
        What ``scoring`` stands for on the validation samples after each epoch, with
        early_stopping.
    best_validation_score_ : float or None
        The best of them.
    best_iteration_ : int or None
        The epoch of the last fit, from 1, that had it and whose weights were kept; None without
        early_stopping, or where no epoch was better than an earlier fit's. Not with "lbfgs".
    t_ : int
        Samples seen by "sgd" or "adam".
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer, of X's dtype (float32 or float64). Arrays may be written into
        or replaced; predict and partial_fit go on from them.
    intercepts_ : list of ndarray of shape (fan_out,)
        Intercepts of each layer; as for ``coefs_``.
    n_features_in_ : int
        Number of features of X in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.
    n_iter_ : int
        Epochs or iterations of the last fit.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        Activation of the output layer: "identity", or "exp" for Poisson.

    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier, whose Notes and References hold here too.

    Examples
    --------
    >>> from cymlp import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
    >>> reg = MLPRegressor(solver="lbfgs", random_state=1, max_iter=500)
    >>> reg.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    loss: str = "squared_error"
    hidden_layer_sizes: Any = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    quantile: float | None = None
    delta: float = 1.0

    _is_valid_y = staticmethod(are_finite_numbers)

    def _fitted_targets(self) -> NumberTargets:
        return self._targets(self.n_outputs_)

    def _new_targets(self, y: NDArray[Any], incremental: bool, classes: Any) -> NumberTargets:
        return self._targets(None)

    def _targets(self, n_outputs: int | None) -> NumberTargets:
        if self.loss == "quantile" and self.quantile is None:
            raise ValueError("loss='quantile' requires quantile, a float from 0 to 1, got None.")
        parameters = {"huber": self.delta, "quantile": self.quantile}
        return NumberTargets(n_outputs, self.loss, float(parameters.get(self.loss) or 0.0))

    @classmethod
    def from_weights(
        cls, coefs: Sequence[ArrayLike], intercepts: Sequence[ArrayLike], **params: Any
    ) -> Self:
        """A fitted regressor with the given weights.

        It predicts, and goes on from them with partial_fit, or with fit and warm_start=True.

        Parameters
        ----------
        coefs : list of array-like of shape (fan_in, fan_out)
            The weights of each layer, in the order of ``coefs_``. float32 if all arrays are,
            else float64; copied.
        intercepts : list of array-like of shape (fan_out,)
            The intercepts of each layer.
        **params : dict
            Parameters of the estimator. ``hidden_layer_sizes`` follows from the weights.

        Returns
        -------
        reg : MLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is not valid, or the arrays do not fit together or are not finite.

        Examples
        --------
        >>> from cymlp import MLPRegressor
        >>> reg = MLPRegressor.from_weights([[[2.0]], [[3.0]]], [[1.0], [0.5]])
        >>> reg.predict([[1.0], [-1.0]])
        array([9.5, 0.5])
        """
        return cls(**params)._set_weights(coefs, intercepts, "hidden_layer_sizes" in params)

    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data. float32 and float64 are used as they are, and in place; all else
            becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Samples on which ``history_`` has loss and score. With early_stopping they take the
            place of the samples that would be held out.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their target values.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : MLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or if training diverged. The estimator
            then stays as it was before.
        """
        raw_data = X, y, sample_weight
        task = self._begin_fit(raw_data, X_val)
        self._fit(raw_data, task, (X_val, y_val, sample_weight_val))
        return self._end_fit(task)

    @only_if(is_stochastic)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Update the network by one pass over the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.

        Returns
        -------
        self : MLPRegressor
            The updated estimator.

        Raises
        ------
        ValueError
            If the data or a parameter are not valid, early_stopping is True, or training
            diverged. The estimator then stays as it was before.
        AttributeError
            If the solver is "lbfgs", which has no partial_fit.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the targets of the samples in X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted values.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        ValueError
            If X is not valid or has another number of features than in fit.
        """
        outputs = self._predict(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
