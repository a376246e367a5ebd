"""
E: gradients, checked and timed
===============================

Montreal's network has one hidden layer of ReLU, and a loss with four penalties: L1 and L2, each
with its own coefficient for both layers. This example checks its gradients against finite
differences. Then it computes the gradient of a mini-batch sample by sample and with matrices, which
must agree, and times both.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, FULL, compare, load_images, penalties, uniform_by_fan_in
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from cymlp import MLPClassifier

images = load_images("fashion-mnist")
X, y = np.r_[images.X_train, images.X_test], np.r_[images.y_train, images.y_test]
X, _, y, _ = train_test_split(X, y, train_size=0.7, random_state=0)
X = StandardScaler().fit_transform(X)
rng = np.random.RandomState(0)


def network(n):
    layers = [uniform_by_fan_in(X.shape[1], 64, rng), uniform_by_fan_in(64, 10, rng)]
    coefs, intercepts = zip(*layers, strict=True)
    four = penalties([2e-3, 1e-3], [3e-3, 4e-3], n)
    return MLPClassifier.from_weights(coefs, intercepts, classes=np.arange(10), **four)


# %%
# Finite differences
# ------------------
# These are central differences in float64, for up to 100 entries of each array. They are drawn
# among those whose derivative is more than 5 % of the array's largest, because for smaller ones
# rounding dominates the difference.


def ratios(n):
    """Finite differences divided by derivatives, for each array, with the first n samples."""
    clf, inputs, step = network(n), X[:n].astype(np.float64), 1e-5
    _, coef_grads, intercept_grads, X_grad = clf.loss_gradient(inputs, y[:n])
    found = []
    arrays, gradients = [*clf.coefs_, *clf.intercepts_, inputs], [*coef_grads, *intercept_grads]
    for array, gradient in zip(arrays, [*gradients, X_grad], strict=True):
        large = np.flatnonzero(np.abs(gradient) > 0.05 * np.abs(gradient).max())
        found.append([])
        for i in rng.permutation(large)[:100]:
            losses, flat = [], array.reshape(-1)
            middle = flat[i]
            for flat[i] in (middle + step, middle - step):
                losses.append(clf.loss_gradient(inputs, y[:n])[0])
            flat[i] = middle
            found[-1].append((losses[0] - losses[1]) / (2 * step) / gradient.flat[i])
    return found


checks = {n: ratios(n) for n in (1, 10)}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (n, found) in zip(axes, checks.items(), strict=True):
    for place, of_array in enumerate(found):
        gaps = np.maximum(np.abs(np.array(of_array) - 1), 1e-12)
        ax.semilogy(place + np.linspace(-0.3, 0.3, len(gaps)), gaps, ".", color="#0072B2")
    ax.axhline(0.01, color="#D55E00", linestyle="--", label="the course's bound")
    ax.set(
        title=f"{n} sample{'s' * (n > 1)}",
        xticks=range(5),
        xticklabels=["W1", "W2", "b1", "b2", "x"],
    )
    ax.legend()
axes[0].set_ylabel("|ratio - 1|")
plt.show()

# %%
# Sample by sample, and with matrices
# -----------------------------------

clf, batch, labels = network(20).set_params(alpha=0.0), X[:20].astype(np.float64), y[:20]


def gradient(rows):
    _, coef_grads, intercept_grads, _ = clf.loss_gradient(batch[rows], labels[rows])
    return np.concatenate([G.ravel() for G in coef_grads + intercept_grads])


def by_samples():
    return np.mean([gradient([i]) for i in range(20)], axis=0)


def as_matrices():
    return gradient(slice(None))


def median_seconds(function):
    starts = [perf_counter()]
    for _ in range(20):
        function()
        starts.append(perf_counter())
    return np.median(np.diff(starts))


gap = np.abs(by_samples() - as_matrices()).max()
slower = median_seconds(by_samples) / median_seconds(as_matrices)

# %%
# A whole epoch
# -------------
# Batches of 20 and of 1, with the penalties of the course's training.


def epoch_seconds(n, n_epochs, **params):
    clf = MLPClassifier(
        (64,), init=uniform_by_fan_in, batch_size=n, learning_rate_init=0.005 * n,
        max_iter=n_epochs, random_state=0, **{**DESCENT, **params},
    )  # fmt: skip
    return np.median(clf.fit(X, y).history_["seconds"])


with_penalties = epoch_seconds(20, 7, **penalties([1e-4] * 2, [1e-4] * 2, 20))
without = epoch_seconds(20, 7)
one_by_one = epoch_seconds(1, 3, **penalties([1e-4] * 2, [1e-4] * 2, 1))


def worst(found):
    return f"{max(abs(ratio - 1) for of_array in found for ratio in of_array):.1e}"


def times(seconds):
    ratios = f" ({147.65 / seconds:.0f} and {12.96 / seconds:.0f} times)" if FULL else ""
    return f"{seconds:.4f} s{ratios}"


compare(
    ("ratio less 1, one sample, at most", ".01", worst(checks[1])),
    ("ratio less 1, batch of 10, at most", ".01", worst(checks[10])),
    ("gap of loop and matrices", "equal", f"{gap:.1e}"),
    ("a batch of 20: loop over matrices", "", f"{slower:.1f} times"),
    ("epoch, loop over samples", "147.65 s", ""),
    ("epoch, matrices, batch 20", "12.96 s", times(with_penalties)),
    ("the same without penalties", "", times(without)),
    ("epoch, batch 1", "", times(one_by_one)),
)
