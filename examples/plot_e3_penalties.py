"""
E: four penalties on Fashion-MNIST
==================================

Montreal's network, 784-64-10 with ReLU, learns from all 70,000 images, standardised and split
70/15/15, in 30 epochs with batches of 32, a learning rate of 0.1 / (1 + 4 epoch / epochs), and L1
and L2 penalties on both layers. ``partial_fit`` trains one epoch at a time, so that three curves
can be drawn: for training, validation and test images. The schedule continues from one call to the
next.
"""

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, compare, load_images, penalties, uniform_by_fan_in
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from cymlp import MLPClassifier
from cymlp.plotting import WeightsDisplay
from cymlp.schedules import InverseTimeDecay

images = load_images("fashion-mnist")
n_epochs, batch_size = 30, 32
X, y = np.r_[images.X_train, images.X_test], np.r_[images.y_train, images.y_test]
X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=0.7, random_state=0)
X_val, X_test, y_val, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=0)
scaler = StandardScaler().fit(X_train)
sets = {
    "train": (scaler.transform(X_train), y_train),
    "validation": (scaler.transform(X_val), y_val),
    "test": (scaler.transform(X_test), y_test),
}


def course_network(l1, l2):
    """The course's network; l1 and l2 have a coefficient for each layer."""
    params = DESCENT | penalties(l1, l2, batch_size)
    return MLPClassifier(
        (64,), init=uniform_by_fan_in, batch_size=batch_size, learning_rate_init=0.1,
        max_iter=n_epochs,
        learning_rate=InverseTimeDecay(4 / n_epochs, decay_steps=1 / n_epochs, staircase=True),
        # With an int, the order of the samples would be the same in each epoch.
        random_state=np.random.RandomState(0), **params,
    )  # fmt: skip


# %%
# All penalties are 1e-4
# ----------------------

clf = course_network([1e-4, 1e-4], [1e-4, 1e-4])
curves = {name: ([], []) for name in sets}
for _ in range(n_epochs):
    clf.partial_fit(*sets["train"], classes=np.arange(10))
    for name, (X, y) in sets.items():
        proba = clf.predict_proba(X)
        curves[name][0].append(np.mean(clf.classes_[proba.argmax(axis=1)] != y))
        curves[name][1].append(log_loss(y, proba))

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
styles = [("#0072B2", "--"), ("#D55E00", "-"), ("black", ":")]
for (name, both), (color, style) in zip(curves.items(), styles, strict=True):
    for ax, curve, quantity in zip(axes, both, ("Error", "Loss"), strict=True):
        ax.plot(range(1, n_epochs + 1), curve, style, color=color, label=name)
        ax.set(xlabel="Epoch", ylabel=quantity)
        ax.legend()
plt.show()

# %%
# What L1 does
# ------------
# The first layer without an L1 penalty, and with one of 1e-3, ten times that above: many weights
# are exactly 0, and drawn in white.

networks = {l1: course_network([l1, 1e-4], [1e-4, 1e-4]).fit(*sets["train"]) for l1 in (0.0, 1e-3)}
fig = plt.figure(figsize=(9, 4.6), layout="constrained")
for part, (l1, network) in zip(fig.subfigures(2, 1), networks.items(), strict=True):
    WeightsDisplay.from_estimator(network, units=range(8), ax=part.subplots(1, 8))
    part.suptitle(f"L1 of the first layer: {l1:g}")
plt.show()


def zeros(network):
    return f"{np.mean(network.coefs_[0] == 0):.1%}"


def error(network):
    return f"{1 - network.score(*sets['test']):.4f}"


# %%
# The course drew its curves, but gave no figures.

rates = clf.history_["learning_rate"]
compare(
    ("train error, 30 epochs", "", f"{curves['train'][0][-1]:.4f}"),
    ("validation error", "", f"{curves['validation'][0][-1]:.4f}"),
    ("test error", "", f"{curves['test'][0][-1]:.4f}"),
    ("train, test loss", "", f"{curves['train'][1][-1]:.4f}, {curves['test'][1][-1]:.4f}"),
    ("rate, first and last epoch", "0.1, 0.02055", f"{rates[0]:.4g}, {rates[-1]:.4g}"),
    ("W1 exactly 0, L1 = 0, 1e-4, 1e-3", "", ", ".join(
        zeros(network) for network in (networks[0.0], clf, networks[1e-3])
    )),
    ("test error, L1 = 0, 1e-3", "", ", ".join(map(error, networks.values()))),
    ("seconds an epoch", "", f"{np.median(clf.history_['seconds']):.4f}"),
)  # fmt: skip
