r"""
A: a network small enough to differentiate by hand
==================================================

The first exercise in Amsterdam: two inputs, three logistic hidden units, two softmax outputs,
all weights given. Students computed by hand its prediction for one sample, and the derivative of
the loss with respect to every parameter. Here :meth:`~cymlp.MLPClassifier.from_weights` makes the
network from its weights, and :meth:`~cymlp.MLPClassifier.loss_gradient` returns all derivatives.
"""

import matplotlib.pyplot as plt
import numpy as np
from courses import compare

from cymlp import MLPClassifier, MLPRegressor

W, b = np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]), np.zeros(3)
V, c = np.array([[1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]]), np.zeros(2)
x, target = np.array([1.0, -1.0]), 0

clf = MLPClassifier.from_weights(
    [W, V], [b, c], classes=[0, 1], activation="logistic", alpha=0.0,
    solver="sgd", momentum=0.0, learning_rate_init=0.5,
)  # fmt: skip

# %%
# By hand
# -------
# Forwards: :math:`k = xW + b`, :math:`h = 1 / (1 + e^{-k})`, :math:`o = hV + c`, and :math:`y` is
# the softmax of :math:`o`. Backwards: the Jacobian of the softmax is :math:`\partial y_i / \partial
# o_j = y_i (\delta_{ij} - y_j)`, that of the loss :math:`-\log y_t` is :math:`-\delta_{it} / y_t`;
# their product is :math:`y - e_t`, and the chain rule does the rest.


def by_hand(W, b, V, c):
    """The derivatives of the loss with respect to W, V, b, c and x."""
    h = 1 / (1 + np.exp(-(x @ W + b)))
    y = np.exp(h @ V + c) / np.exp(h @ V + c).sum()
    softmax_jacobian = np.diag(y) - np.outer(y, y)
    do = softmax_jacobian @ (-np.eye(2)[target] / y[target])
    dk = (V @ do) * h * (1 - h)
    return [np.outer(x, dk), np.outer(h, do), dk, do, W @ dk]


def by_cymlp(clf):
    _, coef_grads, intercept_grads, x_grad = clf.loss_gradient([x], [target])
    return [*coef_grads, *intercept_grads, x_grad[0]]


def gap(clf):
    """The largest difference between a derivative by hand and by cymlp."""
    (W, V), (b, c) = clf.coefs_, clf.intercepts_
    pairs = zip(by_hand(W, b, V, c), by_cymlp(clf), strict=True)
    return max(np.abs(hand - ours).max() for hand, ours in pairs)


y = clf.predict_proba([x])[0]
_, v_grad, _, c_grad, _ = by_cymlp(clf)
print(f"y = {y}\ndV =\n{v_grad}\ndc = {c_grad}")

# %%
# Two regressors show what lies between the input and the probabilities: one with the same weights,
# which has no softmax, and one that ends after the hidden layer.

whole = MLPRegressor.from_weights([W, V], [b, c], activation="logistic")
half = MLPRegressor.from_weights([W, np.eye(3)], [b, np.zeros(3)], activation="logistic")
h, o = half.predict([x])[0], whole.predict([x])[0]
print(f"h = {h}\no = {o}")

# %%
# All derivatives before the output layer are 0 here, because both outputs give each hidden unit the
# same weight. One update breaks the tie. The loss falls with every update, and the derivatives
# still agree with those by hand.

losses, gaps, lengths = [], [], []
for _ in range(30):
    losses.append(clf.loss_gradient([x], [target])[0])
    gaps.append(gap(clf))
    lengths.append([np.linalg.norm(gradient) for gradient in by_cymlp(clf)[:4]])
    clf.partial_fit([x], [target])

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.plot(losses)
left.set(xlabel="update", ylabel="loss")
for curve, name, style in zip(np.transpose(lengths), "WVbc", ["-", "--", "-.", ":"], strict=True):
    right.plot(curve, style, label=name)
right.set(xlabel="update", ylabel="length of the derivative")
right.legend()
plt.show()

# %%
compare(
    ("hidden units h", "0.88079708", f"{h[0]:.8f}"),
    ("outputs o", "-0.88079708, -0.88079708", f"{o[0]:.8f}, {o[1]:.8f}"),
    ("probabilities y", "0.5, 0.5", f"{y[0]:.12g}, {y[1]:.12g}"),
    ("loss", "0.69314718", f"{losses[0]:.8f}"),
    ("largest gap of a derivative", "0", f"{max(gaps):.1e}"),
    ("loss falls with every update", "yes", "yes" if (np.diff(losses) < 0).all() else "no"),
)
