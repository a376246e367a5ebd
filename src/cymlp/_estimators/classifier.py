"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import type_of_target

from cymlp._estimators.base import BaseMLP
from cymlp._estimators.callbacks import only_if, with_callbacks
from cymlp._estimators.input_validation import are_plain_labels
from cymlp._estimators.parameters import is_stochastic
from cymlp._estimators.targets import (
    LabelTargets,
    are_known_labels,
    describe_labels,
    distinct_labels,
)


@dataclass(eq=False, repr=False, match_args=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier.

    A drop-in replacement for scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`
    with a compiled engine: the same parameters, the same fitted attributes and, from the
    same ``random_state``, the same numbers up to rounding. It minimises the log loss.

    Parameters
    ----------
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
        Whether "sgd" and "adam" hold out samples, stop when the accuracy on them (or the score
        that ``scoring`` names) no longer improves, and keep the best weights. If fit is given
        X_val, it takes the place of the samples held out.
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
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes, as in scikit-learn: a dict {label: weight}, or for multilabel
        problems a list with one dict for each column. "balanced" gives each class the weight
        n_samples / (n_classes * count of the class). They multiply sample_weight in training,
        but not in validation.
    label_smoothing : float, default=0.0
        Fraction of each target, in [0, 1), that is spread evenly over the classes, as in Keras.
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
        Score on the validation data, as in HistGradientBoosting. None means accuracy, "loss" the
        negative loss. Otherwise the name of a scikit-learn scorer, or a function
        (estimator, X, y) -> float, which is also passed sample_weight if there are weights.
    record_train_score : bool, default=False
        Whether to record the accuracy on the training samples in ``history_``. It is computed from
        the forward passes of the updates, dropout included, and weighted like the loss. Not with
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
    classes_ : ndarray of shape (n_classes,)
        Class labels, in the order of the outputs.
    loss_ : float
        Loss of the last epoch: the mean over its mini-batches, penalty included.
    best_loss_ : float or None
        Lowest loss of any epoch; None with early_stopping. Not with "lbfgs".
    loss_curve_ : list of float
        Loss of each epoch. Not with "lbfgs".
    history_ : dict of ndarray of shape (n_records,)
        Records of each epoch, for pandas.DataFrame or pyplot.plot: "loss"; "seconds", the time
        taken; "n_updates" so far and "learning_rate" of the last update (not with "lbfgs"). With
        validation data, "val_loss", without penalties and dropout, and "val_score", the accuracy or
        the score that ``scoring`` names (the accuracy if that is "loss"). With record_train_score,
        "train_score". NaN where a quantity was not recorded.
    validation_scores_ : list of float or None
        Accuracy, or the score that ``scoring`` names, on the validation samples after each epoch.
        None without early_stopping.
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
        Activation of the output layer: "softmax", or "logistic" for two classes
        and for multilabel problems.

    See Also
    --------
    MLPRegressor : Multi-layer perceptron regressor.

    Notes
    -----
    An array X of bools, integers, or floats of 16, 32 or 64 bits is read in place, in any memory
    layout: fit and predict make no copy, and convert one mini-batch at a time to the type of the
    computations. A mini-batch whose sample weights sum to 0 is skipped. Ctrl-C ends a fit with a
    warning and keeps the weights reached so far.

    X may be row-sliceable: a numpy.memmap, a zarr, h5py or Dask array, or anything else with a
    ``shape`` of two numbers, a NumPy ``dtype`` and slices of rows ``X[a:b]`` that are arrays or CSR
    matrices. If it has more rows than ``shuffle_buffer``, it is read window by window, the next one
    by a thread; else it is read as a whole. "sgd" and "adam" shuffle it as CorgiPile does: blocks
    of rows, about 128 to a window, are permuted, and then the rows of each window. early_stopping
    holds out a run of rows of each block, without stratification. An error in reading ends a fit,
    and the estimator stays as it was.

    With scikit-learn 1.9 or later, ``set_callbacks`` takes callbacks of ``sklearn.callback`` and
    functions ``f(estimator, epoch)``. The functions are called after each epoch and may return
    True to stop the fit.

    References
    ----------
    G. E. Hinton, "Connectionist learning procedures", Artificial Intelligence 40, 1989.

    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.

    D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", 2014, arXiv:1412.6980.

    L. Xu et al., "In-database machine learning with CorgiPile: stochastic gradient descent without
    full data shuffle", SIGMOD 2022.

    Examples
    --------
    >>> from cymlp import MLPClassifier
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> clf = MLPClassifier(tol=1e-2, random_state=0).fit(X_train, y_train)
    >>> clf.predict(X_test[:5])
    array([2, 8, 2, 6, 6])
    >>> clf.score(X_test, y_test) > 0.95
    True
    """

    hidden_layer_sizes: Any = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    class_weight: Any = None
    label_smoothing: float = 0.0

    _is_valid_y = staticmethod(are_plain_labels)

    def _fitted_targets(self) -> LabelTargets:
        return self._targets(self.n_outputs_)

    def _targets(self, n_outputs: int | None) -> LabelTargets:
        return LabelTargets(
            n_outputs,
            self.classes_,
            self._y_type,
            self._y_is_sparse,
            self.label_smoothing,
            self.class_weight,
        )

    def _new_targets(self, y: NDArray[Any], incremental: bool, classes: Any) -> LabelTargets:
        if incremental and self._is_first_partial_fit(classes):
            multilabel = type_of_target(y).startswith("multilabel")
            _, self._y_type, self._y_is_sparse = describe_labels(y if multilabel else classes)
            self.classes_ = distinct_labels(classes)
        if hasattr(self, "classes_") and (self.warm_start or incremental):
            if self.warm_start or not are_known_labels(y, self.classes_):
                self._check_classes(distinct_labels(y))
        else:
            self.classes_, self._y_type, self._y_is_sparse = describe_labels(y)
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y). "
                "In place of y you can use a large enough sample of the full training set target "
                "to properly estimate the class frequency distributions. Pass the resulting "
                "weights as the class_weight parameter."
            )
        return self._targets(None)

    def _is_first_partial_fit(self, classes: Any) -> bool:
        """Whether this call of partial_fit sets the classes; ValueError if they do not match."""
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if known is None or classes is None:
            return known is None
        if not (np.array_equal(known, classes) or np.array_equal(known, distinct_labels(classes))):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                f"was: {known!r}"
            )
        return False

    def _check_classes(self, classes: NDArray[Any]) -> None:
        """ValueError unless the network was made for the classes of y."""
        if self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if not set(classes) <= set(self.classes_):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    @classmethod
    def from_weights(
        cls,
        coefs: Sequence[ArrayLike],
        intercepts: Sequence[ArrayLike],
        *,
        classes: ArrayLike,
        multilabel: bool = False,
        **params: Any,
    ) -> Self:
        """A fitted classifier with the given weights.

        It can predict, and be trained further by partial_fit, or by fit with warm_start=True.

        Parameters
        ----------
        coefs : list of array-like of shape (fan_in, fan_out)
            The weights of each layer, in the order of ``coefs_``. They are copied, as float32 if
            all arrays are float32, else as float64, unless ``dtype`` is given.
        intercepts : list of array-like of shape (fan_out,)
            The intercepts of each layer.
        classes : array-like of shape (n_classes,)
            The labels, in ascending order as in ``classes_``. The last layer has one output per
            class, to which the softmax is applied. For two classes it may have a single output,
            the log-odds of the second class.
        multilabel : bool, default=False
            Whether a sample may have any number of labels, each output being the log-odds of one
            label. predict then returns an indicator matrix, and ``classes`` must be its column
            numbers, from 0, as in scikit-learn's multilabel models. The weights alone do not show
            whether a model is multilabel or multiclass.
        **params : dict
            Parameters of the estimator. ``hidden_layer_sizes`` is taken from the weights.

        Returns
        -------
        clf : MLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is not valid; the shapes of the arrays do not match, or a value is not
            finite; the classes are not sorted, not unique or not as many as the outputs; or
            multilabel classes are not numbered from 0.

        Notes
        -----
        If the features have names, set ``feature_names_in_`` of the new estimator.

        Examples
        --------
        >>> from cymlp import MLPClassifier
        >>> clf = MLPClassifier.from_weights(
        ...     [[[1.0, -1.0]], [[2.0], [0.0]]], [[0.0, 0.0], [-1.0]], classes=["no", "yes"]
        ... )
        >>> clf.predict([[3.0], [0.2]])
        array(['yes', 'no'], dtype='<U3')
        """
        labels = np.asarray(classes)
        if labels.ndim != 1 or len(labels) < 2 or not (labels[1:] > labels[:-1]).all():
            raise ValueError(
                f"classes must be two or more different labels in ascending order, got {classes!r}."
            )
        n_outputs = np.size(intercepts[-1]) if len(intercepts) else 0
        if multilabel and not np.array_equal(labels, np.arange(n_outputs)):
            raise ValueError(
                "With multilabel=True there must be two outputs or more, and classes must be their "
                f"numbers from 0 on. Got classes {classes!r} for {n_outputs} outputs."
            )
        classifier = cls(**params)
        _, classifier._y_type, classifier._y_is_sparse = describe_labels(
            np.eye(2, n_outputs, dtype=int) if multilabel else labels
        )
        classifier.classes_ = labels
        if n_outputs != len(labels) and not (n_outputs == 1 and len(labels) == 2):
            raise ValueError(
                f"The last layer has {n_outputs} outputs for {len(labels)} classes: {labels}."
            )
        if n_outputs == 2 and not multilabel:
            classifier._y_type = "multiclass"
        return classifier._set_weights(coefs, intercepts, "hidden_layer_sizes" in params)

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
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            The class labels, or the indicator matrix of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation samples, whose loss and score are recorded in ``history_``. early_stopping
            uses them instead of holding out samples. They may be row-sliceable.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Labels of the validation samples.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

        Returns
        -------
        self : MLPClassifier
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
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Update the network by one pass over the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            The class labels, or the indicator matrix of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        classes : array-like of shape (n_classes,), default=None
            All classes that may occur in any call; y need not contain all of them. Required in
            the first call, optional in later ones.

        Returns
        -------
        self : MLPClassifier
            The updated estimator.

        Raises
        ------
        ValueError
            If the data or a parameter are not valid, the classes are missing or differ from
            those of earlier calls, early_stopping is True, or training diverged. The estimator
            then stays as it was.
        AttributeError
            If the solver is "lbfgs", which has no partial_fit.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the class labels of the samples in X.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The predicted classes; for multilabel problems an indicator matrix.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        ValueError
            If X is not valid or does not have as many features as in fit.
        """
        return self._predict(X, lambda outputs: self._fitted_targets().decode(outputs))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            The probability of each class, or for multilabel problems of each label, in the order
            of ``classes_``.

        Raises
        ------
        NotFittedError, ValueError
            As in predict.
        """
        is_binary = getattr(self, "n_outputs_", None) == 1
        return self._predict(X, _both_class_probabilities if is_binary else None)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes)
            log(predict_proba(X)), -inf where a probability is 0.

        Raises
        ------
        NotFittedError, ValueError
            As in predict.
        """
        y_prob = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            np.log(y_prob, out=y_prob)
        return y_prob

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """The output layer's pre-activations: log-odds, or the inputs of the softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix, row-sliceable} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For binary problems, the log-odds of ``classes_[1]``; otherwise one column for each
            class or label.

        Raises
        ------
        NotFittedError, ValueError
            As in predict.
        """
        Z = self._predict(X, apply_output_activation=False)
        if len(self.classes_) == 2 and self.out_activation_ == "softmax":
            Z = Z[:, 1:] - Z[:, :1]
        return Z.ravel() if Z.shape[1] == 1 else Z

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _both_class_probabilities(probability: NDArray[Any]) -> NDArray[Any]:
    """Probabilities (n, 2) of both classes from those of the second (n, 1)."""
    return np.hstack([1 - probability, probability])
