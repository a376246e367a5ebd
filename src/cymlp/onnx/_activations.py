"""Activations and output activations, composed from ONNX operators.

The operators are those that ONNX Runtime computes in float64 too: on CPUs its Elu, Selu,
LeakyRelu, Softplus, Erf and Gelu are for float32 only. Its Sigmoid is not used either, as it has no
right digits where z is far below 0. Whatever the size of z, nothing cancels, and what overflows
gives the limit.
"""

import math

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from cymlp.onnx._graph import Tensor

_LEAK = 0.01
# Of G. Klambauer et al., "Self-normalizing neural networks" (2017).
_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_BELOW = 1.7580993408473768599402175208123
# Phi(-x) = e^(-x^2 / 2) p(t), t = 1 / (1 + x / scale), Phi the normal distribution's. The
# polynomial p is right to 1e-12 up to x = 11, where e^(-x^2 / 2) leaves nothing of it.
_PHI_SCALE = 2.5 * math.sqrt(2)
_PHI_COEFFICIENTS: list[float] = (
    Chebyshev.interpolate(
        lambda t: 0.5 * erfcx(2.5 * (1 / t - 1)), 14, domain=[1 / (1 + 8 / 2.5), 1]
    )
    .convert(kind=Polynomial)
    .coef.tolist()
)


def _exp(z: Tensor) -> Tensor:
    return z.graph.node("Exp", z)


def _min(z: Tensor, most: float) -> Tensor:
    return z.graph.node("Min", z, most)


def _identity(z: Tensor) -> Tensor:
    return z


def _logistic(z: Tensor) -> Tensor:
    """1 / (1 + e^-z); e^-z may overflow to inf, which gives 0 as it should."""
    return 1 / (1 + _exp(-z))


def _tanh(z: Tensor) -> Tensor:
    return z.graph.node("Tanh", z)


def _relu(z: Tensor) -> Tensor:
    return z.graph.node("Relu", z)


def _leaky_relu(z: Tensor) -> Tensor:
    return z.graph.node("Max", z, _LEAK * z)


def _expm1_below(z: Tensor) -> Tensor:
    """e^z - 1 where z is below 0, else 0: 2 t / (1 - t), t = tanh(z / 2)."""
    t = _tanh(0.5 * _min(z, 0))
    return 2 * t / (1 - t)


def _elu(z: Tensor) -> Tensor:
    return _relu(z) + _expm1_below(z)


def _selu(z: Tensor) -> Tensor:
    return _SELU_SCALE * _relu(z) + _SELU_BELOW * _expm1_below(z)


def _gelu(z: Tensor) -> Tensor:
    """z Phi(z)."""
    if z.graph.dtype == np.float32:
        # The form that ONNX Runtime replaces by its Gelu.
        return 0.5 * (z * (1 + z.graph.node("Erf", z / math.sqrt(2))))
    # max(z, 0) - |z| Phi(-|z|), and p(t) by Horner's rule.
    size = abs(z)
    t = 1 / (1 + size / _PHI_SCALE)
    first, *others = reversed(_PHI_COEFFICIENTS)
    p: Tensor | float = first
    for coefficient in others:
        p = p * t + coefficient
    return _relu(z) - size * _exp(-0.5 * size * size) * p


def _silu(z: Tensor) -> Tensor:
    return z * _logistic(z)


def _mish(z: Tensor) -> Tensor:
    """z tanh(log(1 + e^z)) = z n / (n + 2), n = e^z (e^z + 2); from 40 on, n / (n + 2) is 1."""
    power = _exp(_min(z, 40))
    n = power * (power + 2)
    return z * (n / (n + 2))


def _softplus(z: Tensor) -> Tensor:
    """log(1 + e^z) = max(z, 0) + log(1 + u), u = e^-|z|.

    As v = 1 + u is rounded, log(1 + u) is u log(v) / (v - 1), and u itself where v is 1.
    """
    graph, u = z.graph, _exp(-abs(z))
    v = 1 + u
    rounded = v - 1
    is_tiny = graph.node("Equal", rounded, 0)
    slope = graph.node("Log", v) / graph.node("Where", is_tiny, 1, rounded)
    return _relu(z) + u * graph.node("Where", is_tiny, 1, slope)


def _softmax(z: Tensor) -> Tensor:
    return z.graph.node("Softmax", z, axis=1)


ACTIVATIONS = {
    "identity": _identity,
    "logistic": _logistic,
    "tanh": _tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
}
OUTPUT_ACTIVATIONS = {
    "identity": _identity,
    "exp": _exp,
    "logistic": _logistic,
    "softmax": _softmax,
}
