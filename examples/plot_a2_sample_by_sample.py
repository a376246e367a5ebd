"""
A: MNIST, sample by sample
==========================

The course's network, 784-300-10 with logistic hidden units, learns by gradient descent from one
sample at a time. Batches of 1 are the slowest choice in NumPy: 600 samples a second. The course's
own function draws the initial weights: normal with variance 2 / (fan_in + fan_out), intercepts
uniform. ``verbose=2`` shows a progress bar, as the course did; ``n_jobs=-1`` uses all CPUs, which
cymlp would not do by default for such small steps.
"""

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, FULL, compare, load_images

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay

images = load_images("mnist")
n_train, n_hidden, n_epochs = (55_000, 300, 5) if FULL else (1_000, 30, 20)
X_train, y_train = images.X_train[:n_train] / 255, images.y_train[:n_train]
X_test, y_test = images.X_test / 255, images.y_test


def xavier_normal(fan_in, fan_out, rng):
    W = rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))
    return W, rng.uniform(0, 1, fan_out)


def fitted(**params):
    """The course's network, fitted; its history has both sets of images."""
    clf = MLPClassifier(
        (n_hidden,), activation="logistic", init=xavier_normal, **DESCENT, batch_size=1,
        learning_rate_init=0.01, max_iter=n_epochs, random_state=0, record_train_score=True,
        n_jobs=-1,
    )  # fmt: skip
    clf.set_params(**params)
    return clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)


# %%
# The course's run
# ----------------

clf = fitted(verbose=2)
HistoryDisplay.from_estimator(clf)
plt.show()

# %%
# Four random initialisations: mean and standard deviation
# --------------------------------------------------------

HistoryDisplay.from_estimator([clf, *(fitted(random_state=seed) for seed in (1, 2, 3))])
plt.show()

# %%
# Four learning rates
# -------------------

fig, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharey="row", layout="constrained")
for column, rate in zip(axes.T, (0.001, 0.003, 0.01, 0.03), strict=True):
    run = clf if rate == 0.01 else fitted(learning_rate_init=rate)
    HistoryDisplay.from_estimator(run, ax=column)
    column[0].set_title(f"rate {rate}")
for ax in axes.flat:
    ax.label_outer()
plt.show()

# %%
# The final choice: mini-batches
# ------------------------------
# The course chose batches of 64 and a learning rate of 0.003. Its report does not say whether it
# added up the gradient over a batch; this example assumes so. As cymlp takes the mean, the rate is
# multiplied by 64. The number of epochs is not known either; here it is doubled.

final = fitted(batch_size=64, learning_rate_init=0.003 * 64, max_iter=2 * n_epochs)

# %%

history, seconds = clf.history_, clf.history_["seconds"]
times = f" ({92 / np.median(seconds):.0f} times)" if FULL else ""
compare(
    (f"test accuracy, {n_epochs} epochs", ".943", f"{history['val_score'][-1]:.4f}"),
    ("train accuracy", ".930", f"{history['train_score'][-1]:.4f}"),
    ("test loss", ".207", f"{history['val_loss'][-1]:.4f}"),
    ("train loss", ".240", f"{history['loss'][-1]:.4f}"),
    ("final choice, test accuracy", ".95", f"{final.history_['val_score'][-1]:.4f}"),
    ("final choice, test loss", ".19", f"{final.history_['val_loss'][-1]:.4f}"),
    ("seconds an epoch", "92", f"{np.median(seconds):.4f}{times}"),
    ("seconds an epoch, batches of 64", "", f"{np.median(final.history_['seconds']):.4f}"),
)
