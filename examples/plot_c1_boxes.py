r"""
C: any smooth function, made of boxes
=====================================

Why are hidden units enough? Two steps make a box, and boxes side by side can approximate any
smooth function as closely as you like. The course in New York made a box of height :math:`h` on
:math:`(0, \delta)` from two step units with weights set by hand. Here
:meth:`~cymlp.MLPRegressor.from_weights` makes a network from such weights, and nothing is trained.
A steep logistic unit serves as the step.
"""

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np
from courses import FULL, compare

from cymlp import MLPClassifier, MLPRegressor

STEEP = 1e6  # slope of the logistic, which is 0 or 1 except within about 1e-5 of the step


def boxes(edges, heights):
    """The network that is ``heights[i]`` from ``edges[i]`` to ``edges[i + 1]``, and 0 elsewhere.

    A box is h step(x - left) - h step(x - right); where two boxes meet, they share a unit.
    """
    coefs = [np.full((1, len(edges)), STEEP), np.diff(heights, prepend=0, append=0)[:, np.newaxis]]
    return MLPRegressor.from_weights(coefs, [-STEEP * edges, [0.0]], activation="logistic")


# %%
# One box, and many
# -----------------
# On (0, 1), n boxes are as high as the function at their midpoints. At the edge of a box, half a
# box away, the function differs from that by at most its greatest slope times 1 / 2n. So the error
# falls as 1 / n.


def smooth(x):
    return np.sin(2 * np.pi * x) + x


h, delta = 2.0, 1.0
x = np.linspace(-0.5, 1.5, 20_000 if FULL else 4_000)  # an even number, so that none is on a step
box = boxes(np.array([0, delta]), [h]).predict(x[:, np.newaxis])
box_error = np.abs(box - np.where((x > 0) & (x < delta), h, 0)).max()

inside = x[(x > 0) & (x < 1)]
counts = 2 ** np.arange(2, 11 if FULL else 9)
curves = []
for n in counts:
    edges = np.linspace(0, 1, n + 1)
    net = boxes(edges, smooth((edges[:-1] + edges[1:]) / 2))
    curves.append(net.predict(inside[:, np.newaxis]))
errors = np.abs(np.array(curves) - smooth(inside)).max(axis=1)

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
left.plot(x, box, color="#0072B2")
left.set(title="one box", xlabel="x")
middle.plot(inside, smooth(inside), "--", color="#D55E00", label="function")
middle.plot(inside, curves[2], color="#0072B2", label=f"{counts[2]} boxes")
middle.set(title="a smooth function", xlabel="x")
middle.legend()
right.loglog(counts, errors, "o", color="#0072B2", label="greatest error")
right.loglog(counts, (2 * np.pi + 1) / (2 * counts), "--", color="#D55E00", label="slope / 2n")
right.set(title="its error", xlabel="boxes")
right.legend()
plt.show()

# %%
# In two dimensions
# -----------------
# The units of the first hidden layer are the lines of a grid: x > edge and y > edge. A unit of the
# second layer is the AND of the four sides of its box: left + bottom - right - top is 2 inside the
# box, and at most 1 elsewhere. The output is again the sum of the heights.


def boxes_2d(edges, heights):
    n, m = len(heights), len(edges)
    lines, ands = np.zeros((2, 2 * m)), np.zeros((2 * m, n, n))
    lines[0, :m] = lines[1, m:] = STEEP
    for i in range(n):
        ands[i, i, :], ands[i + 1, i, :] = 100, -100  # left and right
        ands[m + i, :, i], ands[m + i + 1, :, i] = 100, -100  # bottom and top
    coefs = [lines, ands.reshape(2 * m, n * n), np.reshape(heights, (n * n, 1))]
    intercepts = [-STEEP * np.tile(edges, 2), np.full(n * n, -150.0), [0.0]]
    return MLPRegressor.from_weights(coefs, intercepts, activation="logistic")


def bump(x, y):
    return np.exp(-2 * (x**2 + y**2)) * (1 + x)


axis = np.linspace(-1.5, 1.5, 300 if FULL else 150, endpoint=False)
axis += (axis[1] - axis[0]) / 2  # between the lines of the grids
u, v = np.meshgrid(axis, axis, indexing="ij")
points = np.column_stack([u.ravel(), v.ravel()])
surfaces = {"one box": boxes_2d(np.array([-0.5, 0.5]), [[1.0]]).predict(points)}
errors_2d = {}
for n in (10, 50) if FULL else (10, 25):
    edges = np.linspace(-1.5, 1.5, n + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    net = boxes_2d(edges, bump(middles[:, np.newaxis], middles))
    surfaces[f"{n} x {n} boxes"] = net.predict(points)
    errors_2d[n] = np.abs(surfaces[f"{n} x {n} boxes"] - bump(*points.T)).max()
surfaces["the function"] = bump(*points.T)

fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained", sharey=True)
for ax, (name, surface) in zip(axes, surfaces.items(), strict=True):
    picture = surface.reshape(u.shape).T
    image = ax.imshow(picture, origin="lower", extent=(-1.5, 1.5) * 2, vmin=0, vmax=1.2)
    ax.set(title=name, xlabel="x")
axes[0].set_ylabel("y")
fig.colorbar(image, ax=axes)
plt.show()

# %%
# The Jacobians of softmax and log-softmax
# ----------------------------------------
# A classifier without hidden layers, with the identity as its weights, is the softmax alone. By
# hand, its Jacobian is :math:`\partial y_i / \partial z_j = y_i (\delta_{ij} - y_j)`, and that of
# its logarithm :math:`\delta_{ij} - y_j`. The first is checked by finite differences. The second
# is, up to the sign, the derivative of the loss with respect to the input if class i is the true
# one.

softmax = MLPClassifier.from_weights([np.eye(3)], [np.zeros(3)], classes=[0, 1, 2])
z, eps = np.array([0.5, -1.0, 2.0]), 1e-5
y = softmax.predict_proba([z])[0]
ahead, behind = (softmax.predict_proba(z + sign * eps * np.eye(3)) for sign in (1, -1))
softmax_gap = np.abs((ahead - behind).T / (2 * eps) - y[:, np.newaxis] * (np.eye(3) - y)).max()
# The loss is the mean over the three samples, hence the factor of 3.
z_grad = 3 * softmax.loss_gradient(np.tile(z, (3, 1)), [0, 1, 2])[3]
log_softmax_gap = np.abs(-z_grad - (np.eye(3) - y)).max()

# %%

compare(
    ("one box: greatest error", "0", f"{box_error:.1e}"),
    *(
        (f"{n} boxes: greatest error", "any smooth function", f"{error:.4f}")
        for n, error in zip(counts, errors, strict=True)
    ),
    *((f"{n} x {n} boxes: greatest error", "", f"{e:.4f}") for n, e in errors_2d.items()),
    ("softmax Jacobian: largest gap", "0", f"{softmax_gap:.1e}"),
    ("log-softmax Jacobian: largest gap", "0", f"{log_softmax_gap:.1e}"),
)
