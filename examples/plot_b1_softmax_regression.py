"""
B: softmax regression, full-batch descent
=========================================

The first network in Uppsala has no hidden layer: 784-10, ``hidden_layer_sizes=()``. All images form
one batch, so an epoch is one update. The initial weights are normal with standard deviation 0.01,
the intercepts 0. (The course read its images from PNG files, with one folder for each class;
:func:`cymlp.datasets.load_image_folder` does that.)
"""

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
from courses import DESCENT, FULL, compare, load_images, small_normal

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay, WeightsDisplay
from cymlp.schedules import CosineDecay

images = load_images("mnist")
X_train, y_train = images.X_train / 255, images.y_train
X_test, y_test = images.X_test / 255, images.y_test


def fitted(**params):
    """A fitted softmax regression; its history has both sets of images."""
    clf = MLPClassifier((), init=small_normal, random_state=0, record_train_score=True, **params)
    return clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)


# %%
# Three learning rates
# --------------------
# The course ran 3000 iterations and more; here the lower rates run fewer, to save time.

n_iterations = {0.01: 1000, 0.02: 1000, 0.03: 3000} if FULL else {0.01: 400, 0.02: 400, 0.03: 400}
runs = {
    rate: fitted(**DESCENT, batch_size=len(X_train), learning_rate_init=rate, max_iter=n)
    for rate, n in n_iterations.items()
}

fig, axes = plt.subplots(2, 3, figsize=(10, 6), sharex="col", sharey="row", layout="constrained")
for (rate, clf), column in zip(runs.items(), axes.T, strict=True):
    HistoryDisplay.from_estimator(clf, ax=column)
    column[0].set_title(f"rate {rate}")
    column[1].set_xlabel("Iteration")
for ax in axes.flat:
    ax.label_outer()
plt.show()

# %%
# What the ten outputs look for
# -----------------------------

WeightsDisplay.from_estimator(runs[0.03], n_cols=5)
plt.show()

# %%
# The same network in a few epochs
# --------------------------------
# Adam on mini-batches, with a learning rate that falls to 0 along half a cosine, needs far fewer
# passes over the images.

n_epochs = 5 if FULL else 40
quick = fitted(
    solver="adam", batch_size=200 if FULL else 50, max_iter=n_epochs,
    learning_rate_init=0.005 if FULL else 0.02, learning_rate=CosineDecay(),
)  # fmt: skip

# %%


def row(what, course, clf):
    scores = f"{100 * clf.score(X_train, y_train):.2f} %, {100 * clf.score(X_test, y_test):.2f} %"
    return f"train and test accuracy, {what}", course, scores


seconds = {clf: clf.history_["seconds"].sum() for clf in (runs[0.03], quick)}
compare(
    *(
        row(f"rate {rate}, {n} iterations", "about 90 %" if rate == 0.03 else "", runs[rate])
        for rate, n in n_iterations.items()
    ),
    row(f"Adam, {n_epochs} epochs", "", quick),
    (f"seconds, {n_iterations[0.03]} iterations", "", f"{seconds[runs[0.03]]:.2f}"),
    (f"seconds, Adam, {n_epochs} epochs", "", f"{seconds[quick]:.2f}"),
)
