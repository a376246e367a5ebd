"""The rows that a fit holds out, and how predictions for them are scored."""

import copy
from typing import Any

import numpy as np

from cymlp._network.row_source import RowSource
from cymlp._training.data import (
    Rows,
    TrainingData,
    split_blocks_for_validation,
    split_for_validation,
)
from cymlp._training.validation import ValidationSet


def hold_out(
    data: TrainingData,
    scored_data: TrainingData,
    fraction: float,
    stratify: bool,
    random_state: np.random.RandomState,
) -> tuple[Rows, Rows]:
    """The rows of ``data`` to train on, and those of ``scored_data`` that are held out.

    Rows that are read by slices are not stratified.
    """
    if isinstance(data.X, RowSource):
        return split_blocks_for_validation(data, scored_data, fraction, random_state)
    rows, others = split_for_validation(data, fraction, stratify, random_state)
    return rows, Rows(scored_data, others.indices)


def validation_set(estimator: Any, rows: Rows | None) -> ValidationSet | None:
    """The held-out rows with the score that the parameter ``scoring`` names."""
    if rows is None:
        return None
    targets, scoring = estimator._fitted_targets(), estimator.scoring
    y, weights = targets.decode(rows.select(rows.data.targets)), rows.select(rows.data.weights)
    watches_loss = scoring == "loss" or (scoring is None and targets.prefers_loss)
    if scoring in (None, "loss"):
        return ValidationSet(
            rows,
            lambda predicted: targets.score(y, predicted, weights),
            targets.decode,
            watches_loss,
        )
    from sklearn.metrics import check_scoring  # late, to keep import cymlp fast

    scorer = check_scoring(estimator, scoring)
    X = rows.select(rows.data.X)
    weight = {} if weights is None else {"sample_weight": weights}
    # A copy without feature names, as X no longer has any; it shares the network.
    fitted = copy.copy(estimator)
    fitted.__dict__.pop("feature_names_in_", None)
    fitted.dtype = estimator._network.parameters.dtype.name  # whatever X's
    return ValidationSet(rows, lambda _: float(scorer(fitted, X, y, **weight)), None, watches_loss)
