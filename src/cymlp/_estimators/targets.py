"""Targets, labels or numbers: encoding, decoding, score, output activation and loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import unique_labels

from cymlp._estimators.input_validation import are_plain_labels
from cymlp._network.arrays import cast_to, slices

# Labels that are encoded at a time: positions are of 8 bytes, classes of 4.
_ROWS_PER_SLICE = 1_000_000

# The best prediction for these losses is not the mean, so R^2 does not measure them.
_NOT_MEASURED_BY_R2 = ("absolute_error", "huber", "quantile")


@dataclass(frozen=True, eq=False)
class Targets(ABC):
    """Converts between a user's y and the targets and outputs of a network.

    Attributes
    ----------
    n_outputs : int or None
        Number of outputs of the network, which y must match; None if there is no network yet.
    """

    n_outputs: int | None

    @property
    @abstractmethod
    def output_activation(self) -> str:
        """Activation of the output layer."""

    @property
    @abstractmethod
    def loss(self) -> dict[str, Any]:
        """The loss and its settings, as fields of TrainingConfig."""

    @property
    def reports_mean_over_outputs(self) -> bool:
        """Whether the reported loss is the mean over the outputs, not the sum."""
        return False

    @property
    def prefers_loss(self) -> bool:
        """Whether early stopping watches the loss, not the score, by default."""
        return False

    @abstractmethod
    def encode(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        """The targets for TrainingData; numbers are converted to ``dtype``.

        Raises
        ------
        ValueError
            If y does not match the outputs, or has values that are not valid.
        """

    @abstractmethod
    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What predict returns for outputs (n_samples, n_outputs); for targets, y."""

    @abstractmethod
    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], sample_weight: NDArray[Any] | None
    ) -> float:
        """The estimator's default score of predictions for y."""

    def count_outputs(self, targets: NDArray[Any]) -> int:
        """Number of outputs of a network for these targets."""
        return int(targets.shape[1])

    def stratifies(self, targets: NDArray[Any]) -> bool:
        """Whether the validation split should be stratified by these targets."""
        return False

    def training_weights(
        self, y: NDArray[Any], weights: NDArray[Any] | None, dtype: Any
    ) -> NDArray[Any] | None:
        """Weights (n_samples,) for training."""
        return weights


@dataclass(frozen=True, eq=False)
class NumberTargets(Targets):
    """Numbers, one or several for each sample.

    Attributes
    ----------
    loss_name : str
        The estimator's parameter.
    loss_parameter : float
        The quantile, or Huber's delta.
    """

    loss_name: str
    loss_parameter: float = 0.0

    @property
    def output_activation(self) -> str:
        return "exp" if self.loss_name == "poisson" else "identity"

    @property
    def loss(self) -> dict[str, Any]:
        return {"loss": self.loss_name, "loss_parameter": self.loss_parameter}

    @property
    def reports_mean_over_outputs(self) -> bool:
        return self.loss_name == "squared_error"

    @property
    def prefers_loss(self) -> bool:
        # For scikit-learn's own losses, R^2 is watched, as in scikit-learn.
        return self.loss_name in _NOT_MEASURED_BY_R2

    def encode(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        if self.loss_name == "poisson" and (y < 0).any():
            raise ValueError(f"loss='poisson' requires y >= 0, but y has the value {y.min()}.")
        targets = np.ascontiguousarray(y.reshape(len(y), -1))
        if self.n_outputs not in (None, targets.shape[1]):
            raise ValueError(
                f"y has {targets.shape[1]} outputs, but the network has been fitted to "
                f"{self.n_outputs}."
            )
        return np.require(cast_to(targets, dtype, "y"), requirements="A")

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], sample_weight: NDArray[Any] | None
    ) -> float:
        from sklearn.metrics import r2_score  # late, to keep import cymlp fast

        if not np.isfinite(predicted).all():
            return np.nan
        return float(r2_score(y, predicted, sample_weight=sample_weight))


@dataclass(frozen=True, eq=False)
class LabelTargets(Targets):
    """Labels: binary, multiclass or multilabel.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        In ascending order.
    y_type : {"binary", "multiclass", "multilabel-indicator"}
    y_is_sparse : bool
        Whether y was a sparse indicator matrix, as predictions then are.
    label_smoothing, class_weight
        The estimator's parameters.
    """

    classes: NDArray[Any]
    y_type: str
    y_is_sparse: bool = False
    label_smoothing: float = 0.0
    class_weight: Any = None

    @property
    def is_multiclass(self) -> bool:
        """Whether each sample has one of several classes, with an output for each class."""
        return self.y_type == "multiclass"

    @property
    def is_multilabel(self) -> bool:
        """Whether each sample has any number of labels, with an output for each label."""
        return self.y_type.startswith("multilabel")

    @property
    def output_activation(self) -> str:
        return "softmax" if self.is_multiclass else "logistic"

    @property
    def loss(self) -> dict[str, Any]:
        return {"loss": "log_loss", "label_smoothing": self.label_smoothing}

    def encode(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        if self.n_outputs is not None:
            self._check_labels(y)
        if self.is_multiclass:
            numbers = np.empty(len(y), np.intc)
            for part in slices(len(y), _ROWS_PER_SLICE):
                numbers[part] = np.searchsorted(self.classes, y[part])
            return numbers
        if not self.is_multilabel:
            is_second: NDArray[np.bool_] = (y == self.classes[-1]) & (len(self.classes) == 2)
            return is_second[:, np.newaxis]
        return np.ascontiguousarray(self.binarizer().transform(y), dtype=bool)

    def _check_labels(self, y: NDArray[Any]) -> None:
        """ValueError unless y has the shape and only the classes that the network was fitted to."""
        if self.is_multilabel != (y.ndim == 2) or (
            self.is_multilabel and y.shape[1] != self.n_outputs
        ):
            raise ValueError(
                f"y of shape {y.shape} does not fit the {self.n_outputs} outputs that the network "
                "has been fitted to."
            )
        unknown = np.setdiff1d(distinct_labels(y), self.classes)
        if len(unknown):
            raise ValueError(f"y has classes {unknown} that are not in classes_ {self.classes}.")

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        if self.is_multiclass:
            numbers = outputs if outputs.ndim == 1 else outputs.argmax(axis=1)
            labels: NDArray[Any] = self.classes.take(numbers)
        else:
            labels = self.binarizer().inverse_transform(
                outputs.ravel() if outputs.shape[1] == 1 else outputs
            )
        return labels

    def binarizer(self) -> Any:
        """scikit-learn's LabelBinarizer, as if it had been fitted to such labels."""
        from sklearn.preprocessing import LabelBinarizer  # late, to keep import cymlp fast

        binarizer = LabelBinarizer()
        binarizer.classes_ = np.arange(len(self.classes)) if self.is_multilabel else self.classes
        binarizer.y_type_ = self.y_type
        binarizer.sparse_input_ = self.y_is_sparse
        return binarizer

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], sample_weight: NDArray[Any] | None
    ) -> float:
        from sklearn.metrics import accuracy_score  # late, to keep import cymlp fast

        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def count_outputs(self, targets: NDArray[Any]) -> int:
        return len(self.classes) if targets.ndim == 1 else int(targets.shape[1])

    def stratifies(self, targets: NDArray[Any]) -> bool:
        return bool(targets.dtype == bool and targets.shape[1] == 1)

    def training_weights(
        self, y: NDArray[Any], weights: NDArray[Any] | None, dtype: Any
    ) -> NDArray[Any] | None:
        """The sample weights times the class weights.

        Raises
        ------
        ValueError
            If the class weights are not valid for y.
        """
        if self.class_weight is None:
            return weights
        try:
            factors = _class_factors(self.class_weight, y, self.classes)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"class_weight={self.class_weight!r} does not fit y: {error}"
            ) from error
        if not (np.isfinite(factors).all() and (factors >= 0).all() and factors.any()):
            raise ValueError(
                "class_weight must have finite weights, not negative and not 0 for all samples, "
                f"got {self.class_weight!r}."
            )
        factors = factors.astype(dtype)
        return factors if weights is None else weights * factors


def distinct_labels(y: Any) -> NDArray[Any]:
    """scikit-learn's unique_labels, without its half millisecond of checks if y is plain labels."""
    labels: NDArray[Any] = np.unique(y) if are_plain_labels(y) else unique_labels(y)
    return labels


def are_known_labels(y: Any, classes: NDArray[Any]) -> bool:
    """Whether a quick check shows that all labels in y are among these, in ascending order."""
    if not (are_plain_labels(y) and are_plain_labels(classes) and len(classes)):
        return False
    return bool((classes.take(classes.searchsorted(y), mode="clip") == y).all())


def describe_labels(y: Any) -> tuple[NDArray[Any], str, bool]:
    """``classes``, ``y_type`` and ``y_is_sparse`` of these labels.

    They are what LabelBinarizer learns from y, without its half millisecond of checks if y is plain
    labels.
    """
    if are_plain_labels(y):
        classes = np.unique(y)
        return classes, "binary" if len(classes) <= 2 else "multiclass", False
    from sklearn.preprocessing import LabelBinarizer  # late, to keep import cymlp fast

    binarizer = LabelBinarizer().fit(y)
    return binarizer.classes_, binarizer.y_type_, binarizer.sparse_input_


def _class_factors(class_weight: Any, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """The class weight (n_samples,) of each sample; if multilabel, the product over its labels.

    Raises
    ------
    ValueError, TypeError
        If the class weights do not match y.
    """
    from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

    multilabel = y.ndim == 2
    if isinstance(class_weight, list) and not multilabel:
        raise ValueError("a list is only for multilabel y.")
    known = [0, 1] if multilabel else classes.tolist()
    for weights in class_weight if isinstance(class_weight, list) else [class_weight]:
        # As in scikit-learn, an unknown class is an error only if another class has no weight.
        if isinstance(weights, dict) and not weights.keys() >= set(known):
            unknown = [label for label in weights if label not in known]
            if unknown:
                raise ValueError(f"it has weights for {unknown}, but the classes are {known}.")
    factors: NDArray[Any]
    if multilabel:
        factors = compute_sample_weight(class_weight, y)
    else:
        by_class = compute_class_weight(class_weight, classes=classes, y=y)
        factors = by_class[np.searchsorted(classes, y)]
    return factors
