"""
D: ten classes, full-batch
==========================

Riverside's second network, 784-256-10 with logistic hidden units and softmax, learns the ten digits
from 1000 raw images of each, in 200 steps of gradient descent on all 10,000 at once.
"""

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, FULL, compare, load_images, small_normal

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay, ImageGridDisplay

images = load_images("mnist")
n_each, n_hidden, rate = (1000, 256, 1.7e-5) if FULL else (120, 64, 1.7e-4)
X_test, y_test = images.X_test, images.y_test
firsts = [np.flatnonzero(images.y_train == digit)[:n_each] for digit in range(10)]
rows = np.sort(np.concatenate(firsts))
X_train, y_train = images.X_train[rows], images.y_train[rows]


# %%
# Two hundred steps
# -----------------
# The course added up the gradient over all images, where cymlp takes the mean, so the learning rate
# is multiplied by their number.

clf = MLPClassifier(
    (n_hidden,), activation="logistic", init=small_normal, **DESCENT, batch_size=len(X_train),
    learning_rate_init=rate * len(X_train), max_iter=200, random_state=0,
    record_train_score=True,
)  # fmt: skip
clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
HistoryDisplay.from_estimator(clf)
plt.show()

# %%
# A sensible setting
# ------------------
# This uses the same images with pixels from 0 to 1, ReLU, Adam and mini-batches of 100.

sensible = MLPClassifier((n_hidden,), batch_size=100, max_iter=30, random_state=0)
sensible.fit(X_train / 255, y_train)

# %%
# Right and wrong images
# ----------------------
# For each network, the digits that it recognized, and its ten most frequent mistakes.

for network, X in ((clf, X_test), (sensible, X_test / 255)):
    cells, counts = np.unique(np.c_[y_test, network.predict(X)], axis=0, return_counts=True)
    wrong = [i for i in np.argsort(-counts, kind="stable") if cells[i, 0] != cells[i, 1]][:10]
    both = np.c_[cells[cells[:, 0] == cells[:, 1]][: len(wrong)], cells[wrong]].reshape(-1, 2)
    ImageGridDisplay.from_estimator(network, X, y_test, cells=both.tolist(), n_cols=2)
    plt.show()

# %%
# No overflow
# -----------
# A softmax written as exp(o) / exp(o).sum() overflows if the outputs are large. Here the network
# that learned from small inputs gets inputs that are a thousand times too large:

proba = sensible.predict_proba(X_test * 1000)
safe = np.isfinite(proba).all() and np.allclose(proba.sum(axis=1), 1)
print(f"Rows sum to 1 within {np.abs(proba.sum(axis=1) - 1).max():.1e}.")

# %%
# The course's loss fell more slowly than the setting known here makes it fall. So its code must
# have differed in some way, and the first rows do not compare like with like.

history = clf.history_
compare(
    ("loss, first epoch", "2.316", f"{history['loss'][0]:.3f}"),
    ("loss, last epoch", ".798", f"{history['loss'][-1]:.3f}"),
    ("train accuracy", ".7601", f"{clf.score(X_train, y_train):.4f}"),
    ("test accuracy", ".7615", f"{clf.score(X_test, y_test):.4f}"),
    ("test, Adam and pixels / 255", "", f"{sensible.score(X_test / 255, y_test):.4f}"),
    ("huge inputs: finite, rows sum to 1", "yes", "yes" if safe else "no"),
    ("seconds of 200 epochs", "", f"{history['seconds'].sum():.1f}"),
    ("seconds of the sensible fit", "", f"{sensible.history_['seconds'].sum():.1f}"),
)
