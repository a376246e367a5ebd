"""The learning rates of the next updates, computed from a schedule."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def learning_rate_factors(
    schedule: Callable[[int, int], float], first: int, n_steps: int, total: int
) -> NDArray[np.float64]:
    """The schedule's factors for the updates first, ..., first + n_steps - 1.

    Parameters
    ----------
    schedule : Schedule or callable
    first, n_steps, total : int

    Returns
    -------
    factors : ndarray of shape (n_steps,)

    Raises
    ------
    ValueError
        If a factor is not a finite number of at least 0.
    """
    from cymlp.schedules import Schedule  # late, to keep import cymlp fast

    if isinstance(schedule, Schedule):
        values: Any = schedule(np.arange(first, first + n_steps), total)
        factors: NDArray[np.float64] = values
    else:
        values = [schedule(step, total) for step in range(first, first + n_steps)]
        factors = np.array([_as_number(value) for value in values], dtype=np.float64)
    good = np.isfinite(factors) & (factors >= 0.0)
    if not good.all():
        worst = int(np.argmin(good))
        raise ValueError(
            f"A schedule of the learning rate must give a finite number, at least 0. "
            f"{schedule!r} gave {values[worst]!r} at step {first + worst} of {total}."
        )
    return factors


def _as_number(value: Any) -> float:
    """A real number of Python or NumPy, or in a 0-d array, as a float; anything else as nan."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype.kind in "iuf" else np.nan
