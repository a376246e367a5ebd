"""MLPClassifier."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from cymlp._base import _FLOATS, BaseMLP, _is_stochastic


class MLPClassifier(ClassifierMixin, BaseMLP):
    """DOC"""

    def _checked_data(self, X: Any, y: Any, reset: bool) -> tuple[Any, NDArray[Any]]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=_FLOATS,
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encoded(
        self, y: NDArray[Any], dtype: Any, incremental: bool, classes: Any
    ) -> NDArray[Any]:
        if incremental and self._is_first_partial_fit(classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
            self.classes_ = unique_labels(classes)
        if hasattr(self, "classes_") and (self.warm_start or incremental):
            self._check_classes(unique_labels(y))
        else:
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        return np.ascontiguousarray(self._label_binarizer.transform(y), dtype=bool)

    def _is_first_partial_fit(self, classes: Any) -> bool:
        """Whether partial_fit learns the classes now; ValueError if they are not as they must be."""
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

    def _decoded(self, outputs: NDArray[Any]) -> NDArray[Any]:
        if outputs.shape[1] == 1:
            outputs = outputs.ravel()
        return self._label_binarizer.inverse_transform(outputs)

    def _output_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _validation_score(
        self, truth: NDArray[Any], outputs: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        return float(accuracy_score(truth, self._decoded(outputs), sample_weight=weights))

    @available_if(_is_stochastic)
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
        return self._decoded(self._outputs(X))

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
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Logarithms of the probabilities of the classes.

        They are computed from the output layer's pre-activations, and so are finite also
        where a probability rounds to 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes)
            log(predict_proba(X)).

        Raises
        ------
        NotFittedError, ValueError
            As in predict.
        """
        Z = self._outputs(X, linked=False)
        if self.out_activation_ == "softmax":
            return log_softmax(Z, axis=1)
        return log_expit(np.hstack([-Z, Z]) if Z.shape[1] == 1 else Z)

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
        Z = self._outputs(X, linked=False)
        return Z.ravel() if Z.shape[1] == 1 else Z

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
