"""Initial weights: scikit-learn's rule, Keras's rules by name, or a user's function."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Initializer = Callable[[int, int, np.random.RandomState], tuple[Any, Any]]

# Variance of the weights for each rule, from fan_in and fan_out.
_VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
}
INITIALIZERS = ("glorot_uniform", *_VARIANCES)

# Standard deviation of the standard normal distribution truncated at -2 and 2.
_TRUNCATED_DEVIATION = 0.87962566103423978


def initializer(init: str | Initializer, activation: str | tuple[str, ...]) -> Initializer:
    """The function (fan_in, fan_out, rng) -> (W, b) that ``init`` names, or ``init``, checked.

    Parameters
    ----------
    init : str or callable
    activation : str or tuple of str
        Activation of all hidden layers, or one for each. The bound of "glorot_uniform" depends on
        the first, as in scikit-learn.
    """
    if callable(init):
        return lambda fan_in, fan_out, rng: _checked(init(fan_in, fan_out, rng), (fan_in, fan_out))
    if init == "glorot_uniform":
        first = activation if isinstance(activation, str) else "".join(activation[:1])
        factor = 2.0 if first == "logistic" else 6.0
        return lambda fan_in, fan_out, rng: _glorot_uniform(fan_in, fan_out, rng, factor)
    variance = _VARIANCES[init]
    draw = _uniform if init.endswith("uniform") else _truncated_normal
    return lambda fan_in, fan_out, rng: (
        draw((fan_in, fan_out), np.sqrt(variance(fan_in, fan_out)), rng),
        np.zeros(fan_out),
    )


def _glorot_uniform(
    fan_in: int, fan_out: int, rng: np.random.RandomState, factor: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """W and b uniform in [-k, k], k = sqrt(factor / (fan_in + fan_out)), as scikit-learn draws."""
    bound = np.sqrt(factor / (fan_in + fan_out))
    W = rng.uniform(-bound, bound, (fan_in, fan_out))
    return W, rng.uniform(-bound, bound, fan_out)


def _uniform(
    shape: tuple[int, int], deviation: float, rng: np.random.RandomState
) -> NDArray[np.float64]:
    bound = np.sqrt(3) * deviation
    return rng.uniform(-bound, bound, shape)


def _truncated_normal(
    shape: tuple[int, int], deviation: float, rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Normal numbers truncated at two deviations, with standard deviation ``deviation``."""
    from scipy.special import ndtr, ndtri  # late, to keep import cymlp fast

    numbers: NDArray[np.float64] = ndtri(rng.uniform(ndtr(-2), ndtr(2), shape))
    return numbers * (deviation / _TRUNCATED_DEVIATION)


def _checked(
    layer: tuple[Any, Any], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """W and b of a layer as returned by a user's function, checked.

    Raises
    ------
    ValueError
        If they are not two arrays of finite numbers with the layer's shapes.
    """
    try:
        W, b = (np.asarray(array, dtype=np.float64) for array in layer)
    except (TypeError, ValueError) as error:
        raise ValueError(f"init must return the arrays W and b, got {layer!r}.") from error
    if W.shape != shape or b.shape != shape[1:]:
        raise ValueError(
            f"init must return W of shape {shape} and b of shape {shape[1:]}, got shapes "
            f"{W.shape} and {b.shape}."
        )
    if not (np.isfinite(W).all() and np.isfinite(b).all()):
        raise ValueError("init must return finite numbers, got NaN or infinity.")
    return W, b
