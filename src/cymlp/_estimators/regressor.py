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
    same ``random_state``, the same numbers up to rounding.

    Parameters
    ----------
    loss : str, default="squared_error"
        The loss to minimise. "squared_error" is half the squared error. "poisson" is half the
        Poisson deviance; its output activation is the exponential, and it needs y >= 0.
        "absolute_error" predicts the median. "huber" is half the squared error up to ``delta``
        and linear beyond. "quantile" predicts the ``quantile``. With several outputs, the squared
        error is averaged over them, as in scikit-learn; the other losses are summed.
    hidden_layer_sizes : int, array-like of int or str, default=(100,)
        Number of units in each hidden layer, at least 1; ``()`` gives a linear model. A string
        such as "256-128" means (256, 128), for searches that cannot sample tuples.
    activation : str or list of str, default="relu"
        Activation of all hidden layers, or a list with one for each: scikit-learn's "identity",
        "logistic", "tanh" and "relu" (z, 1 / (1 + exp(-z)), tanh(z) and max(0, z)), or PyTorch's
        and Keras's "leaky_relu" (0.01 z below 0), "elu" (exp(z) - 1 below 0), "selu" (elu scaled
        as by Klambauer et al.), "gelu" (z Phi(z), exact), "silu" (z / (1 + exp(-z))), "mish"
        (z tanh(log(1 + exp(z)))) and "softplus" (log(1 + exp(z))).
    solver : {"lbfgs", "sgd", "adam"}, default="adam"
        "adam" and "sgd" update the weights after each mini-batch, "lbfgs" (SciPy's) after
        each pass over all samples. "lbfgs" often works best on small data.
    alpha : float or list of float, default=0.0001
        Strength of the penalty, at least 0, for all layers of weights, or a list with one for
        each. The penalty is alpha / 2 times the sum of the squared weights, divided by the
        number of samples in the batch (or the sum of their weights). See also ``l1_ratio``.
    batch_size : int or "auto", default="auto"
        Samples in a mini-batch, at least 1; "auto" is min(200, n_samples). Not used by
        "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"} or callable, default="constant"
        Learning rate schedule. For "sgd": "constant"; "invscaling", which sets it after each
        epoch to learning_rate_init / (t + 1)^power_t, where t is the number of samples seen; or
        "adaptive", which divides it by 5 whenever progress stops, down to 1e-6. For "sgd" and
        "adam": a schedule of :mod:`cymlp.schedules` or any function (step, total) -> factor. The
        learning rate of update ``step`` (from 0) of at most ``total`` is then
        learning_rate_init * factor.
    learning_rate_init : float, default=0.001
        Initial learning rate of "sgd" and "adam", above 0.
    power_t : float, default=0.5
        Exponent of "invscaling", at least 0.
    max_iter : int, default=200
        Maximum number of epochs ("sgd", "adam") or iterations ("lbfgs"), at least 1.
    shuffle : bool, default=True
        Whether "sgd" and "adam" shuffle the samples in each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the validation split and the order of the samples. With
        the same int, scikit-learn's MLP draws the same numbers.
    tol : float, default=1e-4
        Tolerance, at least 0. An epoch counts as one without progress if the loss or the
        validation score improves by less. For "lbfgs", the tolerance for the gradient.
    verbose : bool or int, default=False
        Whether to print the loss, and the validation score if there is one, after each epoch. 2
        shows them in a tqdm progress bar instead, if tqdm is installed.
    warm_start : bool, default=False
        Whether fit continues from the weights of the previous fit.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.
    early_stopping : bool, default=False
        Whether "sgd" and "adam" hold out samples, stop when the score on them (see ``scoring``)
        no longer improves, and keep the best weights. If fit is given X_val, it takes the place
        of the samples held out.
    validation_fraction : float, default=0.1
        Fraction of the samples that early_stopping holds out, in [0, 1).
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of the first and second moments in "adam", in [0, 1).
    epsilon : float, default=1e-8
        Constant for numerical stability in "adam", above 0.
    n_iter_no_change : int or inf, default=10
        Number of epochs without progress to tolerate, at least 1; the next one stops the fit.
    max_fun : int, default=15000
        Maximum number of loss evaluations by "lbfgs", at least 1.
    quantile : float, default=None
        The quantile, in [0, 1], that loss="quantile" predicts; as in HistGradientBoosting.
    delta : float, default=1.0
        The residual, above 0, up to which loss="huber" is quadratic; as in Keras.
    l1_ratio : float or list of float, default=0.0
        Fraction of L1 in the penalty, in [0, 1], for all layers of weights, or a list with one
        for each. As in scikit-learn's SGDClassifier, the penalty is
        ``alpha * (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|^2)``. "sgd" and "adam" apply the L1 part
        after each update, as a soft threshold proportional to the size of the step, which makes
        weights exactly 0.
    weight_decay : float, default=0.0
        Weight decay, at least 0, decoupled from the gradient (AdamW): each update of "sgd" and
        "adam" shrinks the weights by the fraction learning rate * weight_decay. As in PyTorch
        and Keras, except that intercepts do not decay.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all hidden layers, or a list with one for each. "sgd" and
        "adam" drop units at this rate during training and divide the outputs of the others by
        1 - dropout, like Keras's Dropout.
    clip_norm : float, default=None
        Maximum norm, above 0, of the gradient of all weights and intercepts together, penalty
        included. "sgd" and "adam" scale longer gradients down to it, like Keras's
        global_clipnorm. None means no clipping.
    init : str or callable, default="glorot_uniform"
        How to draw the initial weights. "glorot_uniform" is scikit-learn's rule, for intercepts
        too; "glorot_normal", "he_uniform", "he_normal" and "lecun_normal" are Keras's, with
        intercepts of 0. A function (fan_in, fan_out, rng), where ``rng`` is a RandomState, returns
        W (fan_in, fan_out) and b (fan_out,).
    scoring : str or callable, default=None
        Score on the validation data, as in HistGradientBoosting. None means R^2, but the negative
        loss if ``loss`` is "absolute_error", "huber" or "quantile", which R^2 does not measure.
        "loss" means the negative loss. Otherwise the name of a scikit-learn scorer, or a function
        (estimator, X, y) -> float, which is also passed sample_weight if there are weights.
    record_train_score : bool, default=False
        Whether to record R^2 on the training samples in ``history_``. It is computed from the
        forward passes of the updates, dropout included, and weighted like the loss. Not with
        "lbfgs".
    record_every : int, default=None
        Number of mini-batches, at least 1, between two records in ``history_``. None means one
        record per epoch. Not with "lbfgs".
    n_jobs : int, default=None
        Number of threads of `fit` and `predict`. None chooses it by the size of a training step,
        up to the CPUs that the process may use; in a joblib worker, up to the worker's share. -1
        means all CPUs, -2 all but one. Results are identical for the same number of threads, and
        equal to rounding for others. None may choose fewer threads while other fits are running.
    shuffle_buffer : int, default=None
        Rows in memory at once, at least 1, of an X that is read by slices (see Notes): the order of
        the samples is drawn among these. None means as many as fit 32 MB; there are always enough
        for a mini-batch. If given, arrays in memory are shuffled in this way too.
    dtype : str, default=None
        Type of the weights and of all computations, "float32" or "float64", whatever that of X.
        None means float32 for float32 data and float64 for all other, as in scikit-learn, and
        predictions in the type of NumPy's product of X and the weights.

    Attributes
    ----------
    loss_ : float
        Loss of the last epoch: the mean over its mini-batches, penalty included.
    best_loss_ : float or None
        Lowest loss of any epoch; None with early_stopping. Not with "lbfgs".
    loss_curve_ : list of float
        Loss of each epoch. Not with "lbfgs".
    history_ : dict of ndarray of shape (n_records,)
        Records of each epoch, for pandas.DataFrame or pyplot.plot: "loss"; "seconds", the time
        taken; "n_updates" so far and "learning_rate" of the last update (not with "lbfgs"). With
        validation data, "val_loss", without penalties and dropout, and "val_score", R^2 or the
        score that ``scoring`` names (R^2 if early stopping monitors the loss). With
        record_train_score, "train_score". NaN where a quantity was not recorded.
    validation_scores_ : list of float or None
        The score on the validation samples (see ``scoring``) after each epoch. None without
        early_stopping.
    best_validation_score_ : float or None
        The best of ``validation_scores_``.
    best_iteration_ : int or None
        Epoch of the last fit, counted from 1, that reached ``best_validation_score_`` and whose
        weights were kept. None without early_stopping, or if no epoch was better than those of
        an earlier fit. Not with "lbfgs".
    t_ : int
        Number of samples seen by "sgd" or "adam".
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer, float32 or float64 (see ``dtype``). You may modify or replace the
        arrays; predict and partial_fit then use the new values.
    intercepts_ : list of ndarray of shape (fan_out,)
        Intercepts of each layer. You may change them too.
    n_features_in_ : int
        Number of features of X in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Defined only if X has feature names that are all strings.
    n_iter_ : int
        Number of epochs or iterations of the last fit.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        Activation of the output layer: "identity", or "exp" for Poisson.

    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier. Its Notes and References apply here too.

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

        It can predict, and be trained further by partial_fit, or by fit with warm_start=True.

        Parameters
        ----------
        coefs : list of array-like of shape (fan_in, fan_out)
            The weights of each layer, in the order of ``coefs_``. They are copied, as float32 if
            all arrays are float32, else as float64, unless ``dtype`` is given.
        intercepts : list of array-like of shape (fan_out,)
            The intercepts of each layer.
        **params : dict
            Parameters of the estimator. ``hidden_layer_sizes`` is taken from the weights.

        Returns
        -------
        reg : MLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is not valid, the shapes of the arrays do not match, or a value is not
            finite.

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
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data. Arrays and CSR matrices of numbers are read in place, without a copy.
            Row-sliceable data (see Notes) may be larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation samples, whose loss and score are recorded in ``history_``. early_stopping
            uses them instead of holding out samples. They may be row-sliceable.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Target values of the validation samples.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

        Returns
        -------
        self : MLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or if training diverged. The estimator
            then stays as it was.
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
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
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
            diverged. The estimator then stays as it was.
        AttributeError
            If the solver is "lbfgs", which has no partial_fit.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the targets of the samples in X.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
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
            If X is not valid or does not have as many features as in fit.
        """
        outputs = self._predict(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
