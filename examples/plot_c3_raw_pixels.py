"""
C: raw pixels and scaled pixels
===============================

The course's network in NumPy, 784-32-32-10 with logistic units, learns from raw pixels, 0 to 255:
one image at a time, in their given order, for three epochs at a learning rate of 0.003. It ends at
72.6 %. Sums over hundreds of such large pixels saturate nearly all units of the first layer before
it learns anything, so the slope of their logistic is almost 0. With pixels from 0 to 1, no unit is
saturated at first, and on MNIST the same network does far better even at the same rate. The few
digits of the small setting need the higher rate.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, FULL, compare, load_images
from scipy.special import expit

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay

images = load_images("mnist")
n_epochs = 3 if FULL else 15


def untrained(seed, rate):
    """A network with normal weights of variance 1 / max(fan_in, fan_out), and intercepts of 0."""
    rng = np.random.default_rng(seed)
    layers = list(pairwise([images.X_train.shape[1], 32, 32, 10]))
    coefs = [rng.normal(0, max(layer) ** -0.5, layer).astype(np.float32) for layer in layers]
    intercepts = [np.zeros(fan_out, dtype=np.float32) for _, fan_out in layers]
    return MLPClassifier.from_weights(
        coefs, intercepts, classes=np.arange(10), activation="logistic", **DESCENT, batch_size=1,
        learning_rate_init=rate, max_iter=n_epochs, shuffle=False, warm_start=True,
    )  # fmt: skip


# %%
# Five seeds of each
# ------------------
# With ``warm_start``, the fit starts from the given weights, so their figures can be measured
# before they learn.


def five_fits(divisor, rate):
    """Five fitted networks, and three medians of before they learned.

    These are the test loss, the test accuracy, and the share of saturated first-layer units.
    """
    X_train, X_test = images.X_train / divisor, images.X_test / divisor
    fits, before = [], []
    for seed in range(5):
        clf = untrained(seed, rate)
        loss = clf.loss_gradient(X_test, images.y_test)[0]
        h = expit(X_test @ clf.coefs_[0])
        before.append((loss, clf.score(X_test, images.y_test), (h * (1 - h) < 0.01).mean()))
        fits.append(clf.fit(X_train, images.y_train, X_val=X_test, y_val=images.y_test))
    return fits, np.median(before, axis=0)


raw, (raw_loss, raw_score, raw_saturated) = five_fits(1, 0.003)
same_rate, (_, _, saturated) = five_fits(255, 0.003)
scaled, _ = five_fits(255, 0.1)

# %%
# Mean and standard deviation over the seeds, on the test images:

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for fits, style in (
    (raw, {"label": "raw,", "color": "#D55E00", "linestyle": "--", "marker": "s"}),
    (scaled, {"label": "scaled,", "color": "#0072B2", "linestyle": "-", "marker": "o"}),
):
    HistoryDisplay.from_estimator(
        fits, quantities=["val_loss", "val_score"], ax=axes, markersize=4, **style
    )
axes[0].set_ylabel("Test loss")
axes[1].set_ylabel("Test accuracy")
plt.show()

# %%

shown = n_epochs // 3 * np.arange(1, 4)
after = "after epochs " + " ".join(map(str, shown))


def medians(fits, name, spec):
    """The medians over the fits, after each of the epochs shown."""
    values = np.median([clf.history_[name] for clf in fits], axis=0)
    return " ".join(format(value, spec) for value in values[shown - 1])


last = [clf.history_["val_score"][-1] for clf in raw]
seconds = np.median([clf.history_["seconds"] for clf in raw])
compare(
    ("raw pixels, test accuracy before", "8.8 %", f"{raw_score:.1%}"),
    (after, "66.5 66.0 72.6 %", medians(raw, "val_score", ".1%")),
    ("least and greatest of five seeds at last", "", f"{min(last):.1%} {max(last):.1%}"),
    ("raw pixels, test loss before", "2.37", f"{raw_loss:.2f}"),
    (after, ".96 .96 .84", medians(raw, "val_loss", ".2f")),
    ("scaled, same rate, test accuracy " + after, "", medians(same_rate, "val_score", ".1%")),
    ("scaled, rate 0.1, test accuracy " + after, "", medians(scaled, "val_score", ".1%")),
    ("scaled, rate 0.1, test loss " + after, "", medians(scaled, "val_loss", ".2f")),
    ("units saturated before, raw and scaled", "", f"{raw_saturated:.1%} {saturated:.1%}"),
    ("seconds an epoch", "", f"{seconds:.3f}"),
)
