"""Warnings about a fit, which point to the line that calls fit."""

import sys
import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from cymlp._training.report import Ending, Outcome


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line outside cymlp and scikit-learn's decorators of fit."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    """Whether a module belongs to cymlp or to scikit-learn's callbacks."""
    return f"{module}.".startswith(("cymlp.", "sklearn.callback."))


def warn_about_outcome(estimator: Any, outcome: Outcome) -> None:
    """Warn, as scikit-learn does, if training was interrupted or did not converge."""
    if outcome.ending is Ending.INTERRUPTED:
        warn("Training interrupted by user.")
    elif outcome.ending is Ending.EPOCHS:
        warn(
            f"Stochastic Optimizer: Maximum iterations ({int(estimator.max_iter)}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
        )
    elif outcome.ending is Ending.FAILED:
        n_iter, max_iter = outcome.n_epochs, estimator.max_iter
        message = f"lbfgs failed to converge after {n_iter} iteration(s) {outcome.message}\n"
        if n_iter == max_iter:
            message += (
                "\nIncrease the number of iterations to improve the convergence "
                f"(max_iter={max_iter})."
            )
        message += (
            "\nYou might also want to scale the data as shown in:\n"
            "    https://scikit-learn.org/stable/modules/preprocessing.html"
        )
        warn(message, ConvergenceWarning)


def warn_if_clipped(batch_size: int | str, n_samples: int) -> None:
    """Warn if the batch size is larger than the number of samples."""
    if not isinstance(batch_size, str) and batch_size > n_samples:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")


def warn_if_cut_short(estimator: Any) -> None:
    """UserWarning if a fit stopped without progress and left out most of its schedule.

    That is, if it stopped in the first half of max_iter, and its last factor is more than twice
    the one that the schedule would have ended with, had max_iter been the number of epochs run.
    Only cymlp's own schedules are checked.
    """
    schedule, n_iter, max_iter = estimator.learning_rate, estimator.n_iter_, estimator.max_iter
    if isinstance(schedule, str):
        return
    from cymlp.schedules import Schedule  # late: most fits do not need it

    if (
        not isinstance(schedule, Schedule)
        or estimator._no_improvement_count <= estimator.n_iter_no_change
        or not 0 < 2 * n_iter < max_iter
    ):
        return
    n_updates = estimator._optimizer.n_updates
    factor = schedule(n_updates - 1, n_updates * max_iter // n_iter)
    if schedule(n_updates - 1, n_updates) < factor / 2:
        warn(
            f"The fit stopped after epoch {n_iter} of max_iter={max_iter}, with the learning rate "
            f"at {factor:.1%} of learning_rate_init. {schedule!r} spans max_iter epochs, so most "
            "of it was left out. Set n_iter_no_change=np.inf to run all of it, or a smaller "
            "max_iter."
        )


def warn_about_unused(estimator: Any, validates: bool) -> None:
    """UserWarning for each parameter that is set, but has no effect because of the others.

    Only for parameters that scikit-learn's MLP does not have: it does not warn about its own.

    Parameters
    ----------
    estimator : estimator
    validates : bool
        Whether there are validation data; True to skip this check, as in partial_fit.
    """
    loss = getattr(estimator, "loss", None)
    reasons = {
        "scoring": (
            "without validation data: set early_stopping=True, or give fit X_val and y_val",
            estimator.scoring is not None and not validates,
        ),
        "quantile": (
            "without loss='quantile'",
            loss != "quantile" and getattr(estimator, "quantile", None) is not None,
        ),
        "delta": ("without loss='huber'", loss != "huber" and getattr(estimator, "delta", 1) != 1),
    }
    for name, (reason, is_unused) in reasons.items():
        if is_unused:
            warn(f"{name}={getattr(estimator, name)!r} does nothing {reason}.")
