"""
B: softmax regression, mini-batches
===================================

The same network, 784-10, learns from mini-batches of 150 and of 1500. Its learning rate falls
linearly to 1 % of the initial one: ``LinearDecay(end_factor=0.01)``. ``record_every=5`` records
cost and accuracy every 5 updates.
"""

import matplotlib.pyplot as plt
from courses import DESCENT, FULL, compare, load_images, small_normal

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay
from cymlp.schedules import LinearDecay

images = load_images("mnist")
X_train, y_train = images.X_train / 255, images.y_train
X_test, y_test = images.X_test / 255, images.y_test
small_batch, large_batch = (150, 1500) if FULL else (15, 150)
n_epochs = 5 if FULL else 20


def fitted(batch_size, rate):
    """The network, fitted; every 5 updates its history has both sets of images."""
    clf = MLPClassifier(
        (), init=small_normal, **DESCENT, batch_size=batch_size, learning_rate_init=rate,
        learning_rate=LinearDecay(end_factor=0.01), max_iter=n_epochs, random_state=0,
        record_train_score=True, record_every=5,
    )  # fmt: skip
    return clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)


# %%
# Two sizes of batches
# --------------------
# The course's number of epochs and initial rate are not known; here the epochs are few, and the
# rate is 0.1. A point of a training curve covers the five mini-batches since the last record, hence
# the noise of small batches.

runs = {batch_size: fitted(batch_size, rate=0.1) for batch_size in (small_batch, large_batch)}


def draw(*panels):
    """Draw each run in its own row: cost, accuracy and learning rate."""
    _, axes = plt.subplots(
        len(panels), 3, figsize=(10, 3 * len(panels)), sharey="col", squeeze=False,
        layout="constrained",
    )  # fmt: skip
    quantities = ["loss", "val_loss", "train_score", "val_score", "learning_rate"]
    for (title, clf), row in zip(panels, axes, strict=True):
        HistoryDisplay.from_estimator(clf, quantities=quantities, ax=row, linewidth=1)
        row[1].set_title(title)
    plt.show()


draw(*((f"batches of {batch_size}", clf) for batch_size, clf in runs.items()))

# %%
# Ten times the rate
# ------------------
# With such a schedule, the initial rate may be high: as the rate falls to almost nothing, so does
# the noise of the updates.

fast = fitted(small_batch, rate=1.0)
draw((f"batches of {small_batch}, rate 1", fast))

# %%


def rows(what, course_train, course_test, clf):
    yield f"train accuracy, {what}", course_train, f"{100 * clf.score(X_train, y_train):.2f} %"
    yield f"test accuracy, {what}", course_test, f"{100 * clf.score(X_test, y_test):.2f} %"
    yield f"seconds, {what}", "", f"{clf.history_['seconds'].sum():.2f}"


compare(
    *rows(f"batches of {small_batch}", "89.3 %", "87.2 %", runs[small_batch]),
    *rows(f"batches of {large_batch}", "", "86.3 %", runs[large_batch]),
    *rows(f"batches of {small_batch}, rate 1", "", "", fast),
)
