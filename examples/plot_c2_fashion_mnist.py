"""
C: Fashion-MNIST, as in Keras
=============================

The course's network in Keras is 784-256-128-64-10, with ReLU, a dropout of 0.2 after each hidden
layer, Adam and batches of 32. Training stops when the loss on the validation images has not fallen
for five epochs, and the best weights are kept. As in the course, the validation images are the test
images: they choose the epoch, which flatters the test figures a little.
"""

# sphinx_gallery_thumbnail_number = 2

import importlib.util
import os
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from courses import FULL, compare, load_images

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay, ProbabilityDisplay
from cymlp.schedules import CosineDecay

images = load_images("fashion-mnist")
X_train, X_test = images.X_train / 255, images.X_test / 255
y_train, y_test = images.target_names[images.y_train], images.target_names[images.y_test]


def glorot_uniform(fan_in, fan_out, rng):
    """Keras's initial weights, with intercepts of 0; cymlp's own are random, as scikit-learn's."""
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, (fan_in, fan_out)), np.zeros(fan_out)


def fitted(seed, **params):
    """The course's network, fitted.

    With ``n_iter_no_change=4``, four epochs without progress are tolerated and the fifth stops the
    fit. That is a patience of 5 in Keras.
    """
    clf = MLPClassifier(
        (256, 128, 64), dropout=0.2, init=glorot_uniform, alpha=0.0, batch_size=32, epsilon=1e-7,
        max_iter=50, early_stopping=True, scoring="loss", n_iter_no_change=4, tol=0.0,
        record_train_score=True, random_state=seed,
    )  # fmt: skip
    return clf.set_params(**params).fit(X_train, y_train, X_val=X_test, y_val=y_test)


# %%
# Five seeds, of which the first is drawn
# ---------------------------------------
# The training curves are recorded with dropout, and are therefore worse than without it.

runs = [fitted(seed) for seed in range(5)]
HistoryDisplay.from_estimator(runs[0])
plt.show()

# %%
# Three random test images
# ------------------------
# The labels are the names of the classes, as for any classifier of scikit-learn.

some = np.random.default_rng(0).choice(len(X_test), 3, replace=False)
ProbabilityDisplay.from_estimator(runs[0], X_test[some], y=y_test[some])
plt.show()

# %%
# A schedule
# ----------
# All else being equal, the learning rate falls to 0 along a cosine in 20 epochs. (20 epochs did
# better than 30 on 10,000 training images set aside.)

cosine = fitted(0, learning_rate=CosineDecay(), max_iter=20)

# %%
# Seconds for an epoch
# --------------------
# If Keras is installed, ``--full`` measures it as well: the second of two epochs.


def keras_seconds():
    """Seconds for an epoch of the same network in Keras, with validation; and Keras's backend."""
    backend = next(
        name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name)
    )
    os.environ.setdefault("KERAS_BACKEND", backend)
    import keras

    model = keras.Sequential([keras.Input(X_train.shape[1:])])
    for n_units in (256, 128, 64):
        model.add(keras.layers.Dense(n_units, activation="relu"))
        model.add(keras.layers.Dropout(0.2))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(perf_counter()))
    model.fit(
        X_train, images.y_train, batch_size=32, epochs=2, verbose=0, callbacks=[clock],
        validation_data=(X_test, images.y_test),
    )  # fmt: skip
    return ends[1] - ends[0], keras.backend.backend()


accuracies = [clf.score(X_test, y_test) for clf in runs]
losses = [-clf.best_validation_score_ for clf in runs]
seconds = np.median(np.concatenate([clf.history_["seconds"] for clf in runs]))
rows = [
    ("test accuracy, median of five seeds", "88.62 %", f"{np.median(accuracies):.2%}"),
    ("least and greatest", "", f"{min(accuracies):.2%} {max(accuracies):.2%}"),
    ("test loss, median", ".3194", f"{np.median(losses):.4f}"),
    ("stopped after epochs", "19", " ".join(str(clf.n_iter_) for clf in runs)),
    ("with a cosine schedule, seed 0", "", f"{cosine.score(X_test, y_test):.2%}"),
    ("its test loss", "", f"{-cosine.best_validation_score_:.4f}"),
    ("seconds an epoch", "4 to 5", f"{seconds:.2f}"),
]
if FULL and importlib.util.find_spec("keras"):
    theirs, backend = keras_seconds()
    what = f"seconds an epoch, Keras on {backend}, here"
    rows.append((what, "", f"{theirs:.2f} (cymlp {theirs / seconds:.1f} times as fast)"))
compare(*rows)
