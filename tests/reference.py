"""A multi-layer perceptron in plain NumPy: what the engine is compared with.

It is written from the formulas, one sample set at a time, with nothing in common with the
engine but its conventions.
"""

from itertools import pairwise

import numpy as np

ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "logistic": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


LINKS = {
    "identity": lambda z: z,
    "exp": np.exp,
    "logistic": ACTIVATIONS["logistic"][0],
    "softmax": softmax,
}


def _t_log_t(t):
    return np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0)


# Loss of each sample from its output and its target. The squared error is summed over the
# outputs: this is what the gradient belongs to; the loss that is reported is the mean.
LOSSES = {
    "identity": lambda p, t: 0.5 * ((p - t) ** 2).sum(axis=1),
    "exp": lambda p, t: (_t_log_t(t) - t * np.log(p) - t + p).sum(axis=1),
    "logistic": lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(axis=1),
    "softmax": lambda p, t: -(t * np.log(p)).sum(axis=1),
}


class ReferenceNetwork:
    """Weights and intercepts as lists of arrays, with the textbook's formulas over them."""

    def __init__(self, units, activation, output, rng, scale=0.5):
        self.activation, self.output = activation, output
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

    def forward(self, X):
        """Pre-activations and outputs of every layer."""
        f = ACTIVATIONS[self.activation][0]
        pre, post = [], [X]
        for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            pre.append(post[-1] @ W + b)
            post.append(LINKS[self.output](pre[-1]) if i + 1 == len(self.W) else f(pre[-1]))
        return pre, post

    def loss(self, X, T, w, alpha):
        """Mean loss with its penalty; the squared error summed over the outputs."""
        losses = LOSSES[self.output](self.forward(X)[1][-1], T)
        penalty = 0.5 * alpha * sum((W**2).sum() for W in self.W)
        return (w @ losses + penalty) / w.sum()

    def gradient(self, X, T, w, alpha):
        """The gradient of the loss by backpropagation, flat."""
        df = ACTIVATIONS[self.activation][1]
        pre, post = self.forward(X)
        D = w[:, None] * (post[-1] - T)
        dW, db = [], []
        for i in reversed(range(len(self.W))):
            dW.insert(0, (post[i].T @ D + alpha * self.W[i]) / w.sum())
            db.insert(0, D.sum(axis=0) / w.sum())
            if i > 0:
                D = (D @ self.W[i].T) * df(pre[i - 1])
        return np.concatenate([a.ravel() for a in dW + db])


class ReferenceUpdate:
    """SGD, momentum, Nesterov and Adam as their papers have them, on a flat vector."""

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
    """Random targets that suit an output, (n, k)."""
    if output == "softmax":
        return np.eye(k)[rng.integers(k, size=n)]
    if output == "logistic":
        return rng.integers(2, size=(n, k)).astype(float)
    if output == "exp":
        return rng.poisson(2.0, size=(n, k)).astype(float)
    return rng.standard_normal((n, k))
