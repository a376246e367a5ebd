"""A multi-layer perceptron in plain NumPy, the reference for the engine.

It is written from the formulas, one set of samples at a time, and shares nothing with the
engine except conventions.
"""

from itertools import pairwise

import numpy as np
from scipy.special import expit, huber, ndtr

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _normal_density(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _mish_derivative(z):
    t = np.tanh(np.logaddexp(0, z))
    return t + z * (1 - t**2) * expit(z)


# f and f' of each activation.
ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "logistic": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (lambda z: np.where(z < 0, 0.01 * z, z), lambda z: np.where(z < 0, 0.01, 1.0)),
    "elu": (
        lambda z: np.maximum(z, 0) + np.expm1(np.minimum(z, 0)),
        lambda z: np.exp(np.minimum(z, 0)),
    ),
    "selu": (
        lambda z: SELU_SCALE * (np.maximum(z, 0) + SELU_ALPHA * np.expm1(np.minimum(z, 0))),
        lambda z: SELU_SCALE * np.where(z < 0, SELU_ALPHA * np.exp(np.minimum(z, 0)), 1.0),
    ),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _normal_density(z)),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "mish": (lambda z: z * np.tanh(np.logaddexp(0, z)), _mish_derivative),
    "softplus": (lambda z: np.logaddexp(0, z), expit),
}
# Activations whose f' cannot be computed from f.
KEEPING_DERIVATIVE = ("gelu", "silu", "mish", "softplus")


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


LINKS = {
    "identity": lambda z: z,
    "exp": np.exp,
    "logistic": ACTIVATIONS["logistic"][0],
    "softmax": softmax,
    "absolute_error": lambda z: z,
    "huber": lambda z: z,
    "quantile": lambda z: z,
}
# The engine's output activation and loss for each name.
OUTPUTS = {
    "identity": ("identity", "squared_error"),
    "exp": ("exp", "poisson"),
    "logistic": ("logistic", "log_loss"),
    "softmax": ("softmax", "log_loss"),
    "absolute_error": ("identity", "absolute_error"),
    "huber": ("identity", "huber"),
    "quantile": ("identity", "quantile"),
}
# The delta of Huber's loss, and the quantile.
LOSS_PARAMETERS = {"huber": 0.7, "quantile": 0.3}


def _t_log_t(t):
    return np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0)


# Loss of each sample, from its output and target. The squared error is summed over the
# outputs, as in the gradient; the reported loss is the mean.
LOSSES = {
    "identity": lambda p, t: 0.5 * ((p - t) ** 2).sum(axis=1),
    "exp": lambda p, t: (_t_log_t(t) - t * np.log(p) - t + p).sum(axis=1),
    "logistic": lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(axis=1),
    "softmax": lambda p, t: -(t * np.log(p)).sum(axis=1),
    "absolute_error": lambda p, t: np.abs(p - t).sum(axis=1),
    "huber": lambda p, t: huber(LOSS_PARAMETERS["huber"], p - t).sum(axis=1),
    "quantile": lambda p, t: np.maximum(
        LOSS_PARAMETERS["quantile"] * (t - p), (1 - LOSS_PARAMETERS["quantile"]) * (p - t)
    ).sum(axis=1),
}


def delta(output, p, t):
    """The loss' gradient with respect to the output layer's pre-activations."""
    if output == "absolute_error":
        return np.sign(p - t)
    if output == "huber":
        return np.clip(p - t, -LOSS_PARAMETERS["huber"], LOSS_PARAMETERS["huber"])
    if output == "quantile":
        return (p > t) - LOSS_PARAMETERS["quantile"]
    return p - t


class ReferenceNetwork:
    """Weights and intercepts as lists of arrays, with the textbook's formulas.

    ``activation`` is one for all hidden layers, or a sequence with one for each. The penalties
    ``alpha`` and ``l1`` are one number, or one for each layer. ``masks`` are the arrays by which
    dropout multiplies the outputs of each hidden layer.
    """

    def __init__(self, units, activation, output, rng, scale=0.5):
        n_hidden = len(units) - 2
        self.activations = [activation] * n_hidden if isinstance(activation, str) else activation
        self.output = output
        pairs = list(pairwise(units))
        self.W = [scale * rng.standard_normal(pair) for pair in pairs]
        self.b = [scale * rng.standard_normal(h) for _, h in pairs]

    @property
    def flat(self):
        return np.concatenate([a.ravel() for a in self.W + self.b])

    @flat.setter
    def flat(self, vector):
        start = 0
        for arrays in (self.W, self.b):
            for i, array in enumerate(arrays):
                arrays[i] = vector[start : start + array.size].reshape(array.shape).copy()
                start += array.size

    def forward(self, X, masks=None):
        """Pre-activations and outputs of every layer."""
        pre, post = [], [X]
        for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            pre.append(post[-1] @ W + b)
            if i + 1 == len(self.W):
                post.append(LINKS[self.output](pre[-1]))
            else:
                A = ACTIVATIONS[self.activations[i]][0](pre[-1])
                post.append(A if masks is None else A * masks[i])
        return pre, post

    def loss(self, X, T, w, alpha, l1=0.0, masks=None):
        """Mean loss with penalties; the squared error is summed over the outputs."""
        losses = LOSSES[self.output](self.forward(X, masks)[1][-1], T)
        squares = 0.5 * np.array([(W**2).sum() for W in self.W])
        sizes = np.array([np.abs(W).sum() for W in self.W])
        return (w @ losses + (alpha * squares).sum() + (l1 * sizes).sum()) / w.sum()

    def gradient(self, X, T, w, alpha, masks=None):
        """The gradient of the loss without the L1 penalty, by backpropagation, as a flat vector."""
        alphas = np.broadcast_to(alpha, len(self.W))
        pre, post = self.forward(X, masks)
        D = w[:, None] * delta(self.output, post[-1], T)
        dW, db = [], []
        for i in reversed(range(len(self.W))):
            dW.insert(0, (post[i].T @ D + alphas[i] * self.W[i]) / w.sum())
            db.insert(0, D.sum(axis=0) / w.sum())
            if i > 0:
                D = (D @ self.W[i].T) * ACTIVATIONS[self.activations[i - 1]][1](pre[i - 1])
                if masks is not None:
                    D = D * masks[i - 1]
        return np.concatenate([a.ravel() for a in dW + db])


class ReferenceUpdate:
    """SGD, momentum, Nesterov and Adam as in their papers, on a flat vector."""

    def __init__(self, rule, rate, momentum=0.9, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.rule, self.rate, self.momentum = rule, rate, momentum
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.t, self.v, self.m = 0, 0.0, 0.0

    def __call__(self, w, g):
        self.t += 1
        if self.rule == "sgd":
            return w - self.rate * g
        if self.rule == "adam":
            self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
            self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
            rate = self.rate * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
            return w - rate * self.m / (np.sqrt(self.v) + self.epsilon)
        self.v = self.momentum * self.v - self.rate * g
        if self.rule == "momentum":
            return w + self.v
        return w + self.momentum * self.v - self.rate * g


def targets_for(output, n, k, rng):
    """Random targets (n, k) that are valid for an output."""
    if output == "softmax":
        return np.eye(k)[rng.integers(k, size=n)]
    if output == "logistic":
        return rng.integers(2, size=(n, k)).astype(float)
    if output == "exp":
        return rng.poisson(2.0, size=(n, k)).astype(float)
    return rng.standard_normal((n, k))
