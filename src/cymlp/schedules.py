"""Learning rate schedules, for the estimators' parameter ``learning_rate``.

The learning rate of an update of the weights is ``learning_rate_init`` times the factor
``schedule(step, total)``. ``step`` is the number of the update, 0, 1, ... from the beginning of
the fit; ``total`` is the maximum number of updates in the fit, max_iter epochs of mini-batches.
``partial_fit`` may go beyond it.

Parameters whose names end in ``steps`` are an int, the number of updates, or a float, the
fraction of ``total``, rounded to whole updates: 1 is one update, 1.0 is all of them.

Your own schedule can be any function of ``step`` and ``total``, two ints, that returns a finite
number of at least 0. Fit calls it once for each update, whereas the schedules of this module
compute many factors in one call. A function can be pickled, alone or with its estimator, only if
it is defined at the top level of a module; a lambda cannot.

>>> from cymlp import MLPClassifier
>>> def halved_ten_times(step, total):
...     return 0.5 ** (10 * step // total)
>>> halved_ten_times(250, 1000)
0.25
>>> clf = MLPClassifier(solver="sgd", learning_rate=halved_ten_times)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from cymlp._constraints import (
    BOOLEAN,
    NONE,
    Allowed,
    check_parameter,
    choice,
    interval,
)

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearDecay",
    "OneCycle",
    "Schedule",
    "StepDecay",
]


def _number(kind: type, low: float, high: float = np.inf, closed: str = "left") -> Allowed:
    """Like ``interval``, but bools are not allowed."""
    numbers = interval(kind, low, high, closed)
    return replace(
        numbers,
        contains=lambda value: not isinstance(value, bool) and numbers.contains(value),
    )


_STEPS = [_number(Integral, 1), _number(Real, 0.0, 1.0, closed="right")]
_STEPS_OR_NONE = [*_STEPS, NONE]
_WARMUP_STEPS = [_number(Integral, 0), _number(Real, 0.0, 1.0)]
_SHARE = [_number(Real, 0.0, 1.0, closed="both")]
_NOT_NEGATIVE = [_number(Real, 0.0)]
_POSITIVE = [_number(Real, 0.0, closed="neither")]
_AT_LEAST_1 = [_number(Real, 1.0)]


class Schedule(ABC):
    """Base class of the schedules of this module.

    They are immutable, can be pickled, and are compared and hashed by their parameters. Bad
    parameters immediately raise an error that is both a ValueError and a TypeError.
    """

    @overload
    def __call__(self, step: int, total: int) -> float: ...

    @overload
    def __call__(self, step: NDArray[np.integer[Any]], total: int) -> NDArray[np.float64]: ...

    def __call__(
        self, step: int | NDArray[np.integer[Any]], total: int
    ) -> float | NDArray[np.float64]:
        """The factor by which learning_rate_init is multiplied.

        Parameters
        ----------
        step : int or ndarray of int
            Number of the update, from 0, or an array of such numbers.
        total : int
            Maximum number of updates in the fit, at least 1.

        Returns
        -------
        factor : float or ndarray of float64
            At least 0. An array with the shape of ``step`` if ``step`` is an array.
        """
        steps = np.asarray(step, dtype=np.float64)
        # NumPy may round scalars and arrays differently, hence at least one dimension.
        # Overflow gives inf or nan, for which a fit raises an error.
        with np.errstate(over="ignore", invalid="ignore"):
            factors = self._factors(np.atleast_1d(steps), total)
        return factors if steps.ndim else float(factors[0])

    @abstractmethod
    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        """The factors of these updates."""


@dataclass(frozen=True)
class LinearDecay(Schedule):
    """Linear decay from 1 to ``end_factor``, and constant after that.

    The factor is 1 - (1 - end_factor) * min(step / decay_steps, 1), PyTorch's ``LinearLR``
    with start_factor=1.

    Parameters
    ----------
    end_factor : float, default=0.0
        The final factor, in [0, 1].
    decay_steps : int, float or None, default=None
        Length of the decay in updates: at least 1, or a fraction of all in (0, 1]; None means all.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import LinearDecay
    >>> LinearDecay(end_factor=0.2)(np.arange(6), 4)
    array([1. , 0.8, 0.6, 0.4, 0.2, 0.2])
    """

    end_factor: float = 0.0
    decay_steps: int | float | None = None

    def __post_init__(self) -> None:
        _check(self, end_factor=_SHARE, decay_steps=_STEPS_OR_NONE)

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        progress = _progress(step, 0, _n_updates(self.decay_steps, total))
        return _linear(1.0, self.end_factor, progress)


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """Decay in inverse proportion to time.

    The factor is 1 / (1 + decay_rate * step / decay_steps), Keras' ``InverseTimeDecay``.

    Parameters
    ----------
    decay_rate : float
        Speed of the decay, at least 0: after decay_steps updates the factor is
        1 / (1 + decay_rate).
    decay_steps : int, float or None, default=None
        Number of updates: at least 1, or a fraction of all in (0, 1]; None means all.
    staircase : bool, default=False
        Whether to round step / decay_steps down, so that the factor changes only every
        decay_steps updates.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import InverseTimeDecay
    >>> InverseTimeDecay(decay_rate=3, decay_steps=3)(np.arange(4), 100)
    array([1.        , 0.5       , 0.33333333, 0.25      ])
    """

    decay_rate: float
    decay_steps: int | float | None = None
    staircase: bool = False

    def __post_init__(self) -> None:
        _check(self, decay_rate=_NOT_NEGATIVE, decay_steps=_STEPS_OR_NONE, staircase=BOOLEAN)

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        return 1.0 / (
            1.0 + self.decay_rate * _periods_elapsed(step, self.decay_steps, total, self.staircase)
        )


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """Exponential decay, by the same ratio in each update.

    The factor is decay_rate ** (step / decay_steps), Keras' ``ExponentialDecay``; with
    decay_steps=1 PyTorch's ``ExponentialLR``.

    Parameters
    ----------
    decay_rate : float
        The factor after decay_steps updates, above 0. If above 1, the learning rate grows.
    decay_steps : int, float or None, default=None
        Number of updates: at least 1, or a fraction of all in (0, 1]; None means all.
    staircase : bool, default=False
        Whether to round step / decay_steps down, so that the factor changes only every
        decay_steps updates.

    See Also
    --------
    StepDecay : The same with staircase=True, in PyTorch's terms.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import ExponentialDecay
    >>> ExponentialDecay(decay_rate=0.25, decay_steps=2)(np.arange(5), 100)
    array([1.    , 0.5   , 0.25  , 0.125 , 0.0625])
    """

    decay_rate: float
    decay_steps: int | float | None = None
    staircase: bool = False

    def __post_init__(self) -> None:
        _check(self, decay_rate=_POSITIVE, decay_steps=_STEPS_OR_NONE, staircase=BOOLEAN)

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        return self.decay_rate ** _periods_elapsed(step, self.decay_steps, total, self.staircase)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Decay in steps: every ``decay_steps`` updates, the learning rate is multiplied by ``factor``.

    The factor is factor ** floor(step / decay_steps), PyTorch's ``StepLR``.

    Parameters
    ----------
    decay_steps : int or float
        Updates between two changes: at least 1, or a fraction of all in (0, 1].
    factor : float, default=0.1
        The ratio of each change, above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import StepDecay
    >>> StepDecay(decay_steps=2, factor=0.5)(np.arange(5), 100)
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """

    decay_steps: int | float
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check(self, decay_steps=_STEPS, factor=_POSITIVE)

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        return self.factor ** _periods_elapsed(step, self.decay_steps, total, staircase=True)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Cosine decay, once or with warm restarts (SGDR), after an optional linear warm-up.

    During the warm-up the factor is (step + 1) / (warmup_steps + 1), so that the first update is
    not lost to a factor of 0 and the maximum, 1, is not reached twice. After it the factor is
    alpha + (1 - alpha) * height * (1 + cos(pi * progress)) / 2. Without restarts, the height is 1,
    and the progress goes from 0 to 1 over the rest of the fit and stays there. With restarts,
    the progress repeatedly goes from 0 to 1: period 0 lasts first_decay_steps updates, period i
    is t_mul ** i times as long, and its height is m_mul ** i.

    This corresponds to Keras' ``CosineDecay``, except that the warm-up begins at
    1 / (warmup_steps + 1), and ``CosineDecayRestarts``, and to PyTorch's ``CosineAnnealingLR`` and
    ``CosineAnnealingWarmRestarts``, which have no warm-up.

    Parameters
    ----------
    alpha : float, default=0.0
        The minimum factor, in [0, 1].
    warmup_steps : int or float, default=0
        Updates of the warm-up: at least 0, or a fraction of all in [0, 1); 0 means none.
    first_decay_steps : int, float or None, default=None
        Updates until the first restart: at least 1, or a fraction of all in (0, 1]; None means
        no restarts.
    t_mul : float, default=2.0
        Ratio of each period's length to that of the previous one, at least 1.
    m_mul : float, default=1.0
        Ratio of each period's height to that of the previous one, above 0.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import CosineDecay
    >>> CosineDecay(warmup_steps=1)(np.arange(6), 5)
    array([0.5       , 1.        , 0.85355339, 0.5       , 0.14644661,
           0.        ])
    >>> CosineDecay(first_decay_steps=2, t_mul=1, m_mul=0.5)(np.arange(6), 100)
    array([1.   , 0.5  , 0.5  , 0.25 , 0.25 , 0.125])
    """

    alpha: float = 0.0
    warmup_steps: int | float = 0
    first_decay_steps: int | float | None = None
    t_mul: float = 2.0
    m_mul: float = 1.0

    def __post_init__(self) -> None:
        _check(
            self,
            alpha=_SHARE,
            warmup_steps=_WARMUP_STEPS,
            first_decay_steps=_STEPS_OR_NONE,
            t_mul=_AT_LEAST_1,
            m_mul=_POSITIVE,
        )

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        warmup = _n_updates(self.warmup_steps, total, least=0)
        if self.first_decay_steps is None:
            period, progress = np.zeros_like(step), _progress(step, warmup, total)
        else:
            after = np.maximum(step - warmup, 0.0)
            period, progress = _period(
                after / _n_updates(self.first_decay_steps, total), self.t_mul
            )
        top = self.alpha + (1.0 - self.alpha) * self.m_mul**period
        return np.where(
            step < warmup, (step + 1.0) / (warmup + 1.0), _cosine(top, self.alpha, progress)
        )


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rise to learning_rate_init, then decay to almost 0 at the end of the fit.

    The factor goes from 1 / div_factor in update 0 to 1 in update pct_start * total - 1, and
    from there to 1 / (div_factor * final_div_factor) in update total - 1, where it stays. This
    is PyTorch's ``OneCycleLR`` with learning_rate_init as max_lr; the momentum is not changed.

    Parameters
    ----------
    pct_start : float, default=0.3
        Fraction of the updates in which the factor rises, in [0, 1].
    anneal_strategy : {"cos", "linear"}, default="cos"
        Shape of the rise and the decay: half a cosine or a straight line.
    div_factor : float, default=25.0
        The maximum factor, 1, divided by the initial one; above 0.
    final_div_factor : float, default=1e4
        The initial factor divided by the final one; above 0.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence: Very fast training of neural networks using large
    learning rates", 2017, arXiv:1708.07120.

    Examples
    --------
    >>> import numpy as np
    >>> from cymlp.schedules import OneCycle
    >>> cycle = OneCycle(pct_start=0.5, anneal_strategy="linear", div_factor=5, final_div_factor=2)
    >>> cycle(np.arange(7), 6)
    array([0.2, 0.6, 1. , 0.7, 0.4, 0.1, 0.1])
    """

    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        _check(
            self,
            pct_start=_SHARE,
            anneal_strategy=[choice("cos", "linear")],
            div_factor=_POSITIVE,
            final_div_factor=_POSITIVE,
        )

    def _factors(self, step: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        annealed = _cosine if self.anneal_strategy == "cos" else _linear
        peak, first = self.pct_start * total - 1.0, 1.0 / self.div_factor
        up = annealed(first, 1.0, _progress(step, 0.0, peak))
        down = annealed(1.0, first / self.final_div_factor, _progress(step, peak, total - 1.0))
        return np.where(step <= peak, up, down)


def _check(schedule: Schedule, **allowed: list[Allowed]) -> None:
    """Check the parameters of a schedule; InvalidParameterError if a value is not allowed."""
    for name, kinds in allowed.items():
        check_parameter(schedule, name, kinds)


def _n_updates(steps: int | float | None, total: int, least: int = 1) -> int:
    """The number of updates given by a parameter whose name ends in "steps"."""
    if steps is None:
        return total
    if isinstance(steps, Integral):
        return int(steps)
    return max(round(float(steps) * total), least)


def _periods_elapsed(
    step: NDArray[np.float64], steps: int | float | None, total: int, staircase: bool
) -> NDArray[np.float64]:
    """How many periods of ``steps`` updates have passed; whole ones only, for a staircase."""
    times = step / _n_updates(steps, total)
    return np.floor(times) if staircase else times


def _period(times: NDArray[np.float64], t_mul: float) -> tuple[NDArray[np.float64], ...]:
    """The current period and the fraction of it completed, after ``times`` lengths of period 0.

    Each period is ``t_mul`` times as long as the previous one.
    """
    margin = 1e-9  # in periods, so that rounding does not delay a restart
    if t_mul == 1:
        period = np.floor(times + margin)
        return period, np.maximum(times - period, 0.0)
    # Period i begins after (t_mul**i - 1) / (t_mul - 1) times.
    power = 1.0 + (t_mul - 1.0) * times
    period = np.floor(np.log(power) / np.log(t_mul) + margin)
    return period, np.maximum((power / t_mul**period - 1.0) / (t_mul - 1.0), 0.0)


def _progress(step: NDArray[np.float64], first: float, last: float) -> NDArray[np.float64]:
    """0 up to ``first``, rising to 1 at ``last`` and after it; 1 if ``last`` <= ``first``."""
    if last <= first:
        return np.ones_like(step)
    return np.clip((step - first) / (last - first), 0.0, 1.0)


def _linear(
    start: float | NDArray[np.float64], end: float, progress: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation from ``start`` to ``end``, exact at both ends."""
    return (1.0 - progress) * start + progress * end


def _cosine(
    start: float | NDArray[np.float64], end: float, progress: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Half a cosine from ``start`` to ``end``, exact at both ends."""
    return _linear(start, end, 0.5 - 0.5 * np.cos(np.pi * progress))
