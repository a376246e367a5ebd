"""
E: two circles
==============

How the number of hidden units, the number of epochs and the weight decay change the decision
boundary, on Montreal's two circles. The course's network has two softmax outputs for the two
classes; cymlp uses one logistic output, which is the same model.
"""

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, compare, penalties, uniform_by_fan_in
from sklearn.datasets import make_circles
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split

from cymlp import MLPClassifier

X, y = make_circles(1600, noise=0.1, factor=0.5, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
batch_size = 16


def fitted(seed, n_hidden=128, n_epochs=30, decay=0.0):
    """A fitted network; the penalty is decay |W|^2, over both layers."""
    params = DESCENT | penalties([0, 0], [decay, decay], batch_size)
    clf = MLPClassifier(
        (n_hidden,), init=uniform_by_fan_in, batch_size=batch_size, learning_rate_init=0.5,
        max_iter=n_epochs, random_state=seed, **params,
    )  # fmt: skip
    return clf.fit(X_train, y_train)


# %%
# Nine decision boundaries
# ------------------------
# Each is that of the run with the median test score among nine seeds, because a network of three
# units sometimes gets stuck. 100 test points of each class are drawn.

rows = [
    ("n_hidden", "hidden units", (3, 20, 128)),
    ("n_epochs", "epochs", (2, 10, 30)),
    ("decay", "decay", (1e-4, 1e-3, 3e-3)),
]
results = []
fig, axes = plt.subplots(3, 3, figsize=(9, 9), layout="constrained")
for row_axes, (name, words, values) in zip(axes, rows, strict=True):
    for ax, value in zip(row_axes, values, strict=True):
        runs = [fitted(seed, **{name: value}) for seed in range(9)]
        clf = sorted(runs, key=lambda run: run.score(X_test, y_test))[4]
        DecisionBoundaryDisplay.from_estimator(
            clf, X, ax=ax, response_method="predict_proba", plot_method="contourf", levels=10,
            cmap="RdBu", alpha=0.7, vmin=0, vmax=1, grid_resolution=80, eps=0.2,
        )  # fmt: skip
        for label, marker, color in ((0, "o", "#D55E00"), (1, "^", "#0072B2")):
            points = X_test[y_test == label][:100]
            ax.plot(*points.T, marker, color=color, markersize=4, markeredgecolor="white")
        train, test = clf.score(X_train, y_train), clf.score(X_test, y_test)
        norm = np.sqrt(sum((W**2).sum() for W in clf.coefs_))
        ax.set(title=f"{words}: {value:g} (test {test:.3f})", xticks=[], yticks=[])
        results.append((f"{words} {value:g}: train, test, norm of W", train, test, norm))
plt.show()

# %%
# The course drew the boundaries, but gave no figures. The test scores are for 800 noisy points,
# with which the circles overlap a little.

compare(*((what, "", f"{tr:.4f}, {te:.4f}, {norm:.1f}") for what, tr, te, norm in results))
