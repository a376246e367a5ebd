"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import type_of_target, unique_labels

from cymlp._estimators.base import BaseMLP
from cymlp._estimators.callbacks import only_if, with_callbacks
from cymlp._estimators.input_validation import are_plain_labels
from cymlp._estimators.parameters import is_stochastic
from cymlp._estimators.targets import LabelTargets, fitted_binarizer


@dataclass(eq=False, repr=False, match_args=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier.

    A drop-in replacement for scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`
    with a compiled engine: the same parameters, the same fitted attributes and, from the
    same ``random_state``, the same numbers to rounding. It minimises the log loss.

    Parameters
    ----------
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
        Whether "sgd" and "adam" hold out samples, stop when the accuracy, or what ``scoring``
        names, no longer improves on them, and keep the weights that were best. With X_val in
        fit, those samples are watched instead.
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
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes, as in scikit-learn: of each label, or of each column's for
        multilabel problems; "balanced" is n_samples / (n_classes * count of the class). They
        multiply sample_weight in training, not in validation.
    label_smoothing : float, default=0.0
        Part of each target, in [0, 1), that is spread evenly over the classes (Keras).
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
        The score on validation data: None for the accuracy, "loss" for the negative loss, or what
        scikit-learn's ``scoring`` may be: the name of a scorer or a function
        (estimator, X, y) -> float, which is given sample_weight where there are weights. As in
        HistGradientBoosting.
    record_train_score : bool, default=False
        Whether ``history_`` has the accuracy on the training samples too, computed from the forward
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
    classes_ : ndarray of shape (n_classes,)
        Class labels, in the order of the outputs.
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
        the accuracy or what ``scoring`` names (the accuracy too where that is "loss"); with
        record_train_score "train_score". NaN where a quantity was not recorded.
    validation_scores_ : list of float or None
        Accuracy, or what ``scoring`` names, on the validation samples after each epoch, with
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
        Activation of the output layer: "softmax", or "logistic" for two classes
        and for multilabel problems.

    See Also
    --------
    MLPRegressor : Multi-layer perceptron regressor.

    Notes
    -----
    float32 data are computed in float32 throughout, float64 data in float64, everything else
    becomes float64. A C-contiguous X is read in place: fit makes no copy. A mini-batch whose
    sample weights sum to 0 is skipped. Ctrl-C ends a fit with a warning and leaves the model
    as far as it got.

    With scikit-learn 1.9 or later ``set_callbacks`` takes functions ``f(estimator, epoch)``, which
    are called after each epoch and stop the fit by returning True, and callbacks of
    ``sklearn.callback``.

    References
    ----------
    G. E. Hinton, "Connectionist learning procedures", Artificial Intelligence 40, 1989.

    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.

    D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", 2014, arXiv:1412.6980.

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
        return LabelTargets(
            self.n_outputs_,
            self.classes_,
            self._label_binarizer,
            self.label_smoothing,
            self.class_weight,
        )

    def _new_targets(self, y: NDArray[Any], incremental: bool, classes: Any) -> LabelTargets:
        if incremental and self._is_first_partial_fit(classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = fitted_binarizer(y if multilabel else classes)
            self.classes_ = unique_labels(classes)
        if hasattr(self, "classes_") and (self.warm_start or incremental):
            self._check_classes(unique_labels(y))
        else:
            self._label_binarizer = fitted_binarizer(y)
            self.classes_ = self._label_binarizer.classes_
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y). "
                "In place of y you can use a large enough sample of the full training set target "
                "to properly estimate the class frequency distributions. Pass the resulting "
                "weights as the class_weight parameter."
            )
        return LabelTargets(
            None, self.classes_, self._label_binarizer, self.label_smoothing, self.class_weight
        )

    def _is_first_partial_fit(self, classes: Any) -> bool:
        """Whether partial_fit learns the classes now; ValueError where they do not fit."""
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if known is None or classes is None:
            return known is None
        if not np.array_equal(known, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                f"was: {known!r}"
            )
        return False

    def _check_classes(self, classes: NDArray[Any]) -> None:
        """ValueError unless the classes of y are those that the network was made for."""
        if self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
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

        It predicts, and goes on from them with partial_fit, or with fit and warm_start=True.

        Parameters
        ----------
        coefs : list of array-like of shape (fan_in, fan_out)
            The weights of each layer, in the order of ``coefs_``. float32 if all arrays are,
            else float64; copied.
        intercepts : list of array-like of shape (fan_out,)
            The intercepts of each layer.
        classes : array-like of shape (n_classes,)
            The labels, in ascending order as in ``classes_``. The last layer has an output for
            each, to which the softmax is applied; or, for two classes, one output, the
            log-odds of the second.
        multilabel : bool, default=False
            Whether each output is the log-odds of a label of its own, any number of which a sample
            may have; predict then returns an indicator matrix, and ``classes`` must be the
            numbers of its columns, from 0 on, as they are in scikit-learn's multilabel models. The
            arrays alone do not tell such a model from one of as many classes.
        **params : dict
            Parameters of the estimator. ``hidden_layer_sizes`` follows from the weights.

        Returns
        -------
        clf : MLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is not valid, the arrays do not fit together or are not finite, or
            the classes are not sorted, not different or not as many as the outputs, or of a
            multilabel classifier not numbered from 0.

        Notes
        -----
        Where the features have names, set ``feature_names_in_`` of the new estimator.

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
        classifier._label_binarizer = fitted_binarizer(
            np.eye(2, n_outputs, dtype=int) if multilabel else labels
        )
        classifier.classes_ = labels
        if n_outputs != len(labels) and not (n_outputs == 1 and len(labels) == 2):
            raise ValueError(
                f"The last layer has {n_outputs} outputs for {len(labels)} classes: {labels}."
            )
        if n_outputs == 2 and not multilabel:
            classifier._label_binarizer.y_type_ = "multiclass"
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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data. float32 and float64 are used as they are, and in place; all else
            becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            The class labels, or the indicator matrix of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Samples on which ``history_`` has loss and score. With early_stopping they take the
            place of the samples that would be held out.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Their labels.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : MLPClassifier
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
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Update the network by one pass over the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            The class labels, or the indicator matrix of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative and not all 0.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come, in the first call; y need not have them all. In
            later calls it may be left out.

        Returns
        -------
        self : MLPClassifier
            The updated estimator.

        Raises
        ------
        ValueError
            If the data or a parameter are not valid, the classes are missing or others than
            before, early_stopping is True, or training diverged. The estimator then stays
            as it was before.
        AttributeError
            If the solver is "lbfgs", which has no partial_fit.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the class labels of the samples in X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The predicted classes; for multilabel problems the indicator matrix.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        ValueError
            If X is not valid or has another number of features than in fit.
        """
        return self._predict(X, lambda outputs: self._fitted_targets().decode(outputs))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            The probability of each class, in the order of ``classes_``; for multilabel
            problems that of each label.

        Raises
        ------
        NotFittedError, ValueError
            As in predict.
        """
        is_binary = getattr(self, "n_outputs_", None) == 1
        return self._predict(X, _both_class_probabilities if is_binary else None)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        """The output layer's pre-activations: log-odds, or softmax's arguments.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For a binary problem the log-odds of ``classes_[1]``; else one column for each
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
