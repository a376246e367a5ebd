"""
B: ReLU networks of three and of four layers
============================================

Uppsala's networks have 100 ReLU units in each hidden layer: 784-100-10, and 784-100-100-100-10,
which with the same settings was "wildly varying". Here both run with the course's settings, and
with settings of our own, with which no seed fails.
"""

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np
from courses import DESCENT, FULL, compare, load_images, small_normal

from cymlp import MLPClassifier
from cymlp.plotting import HistoryDisplay
from cymlp.schedules import OneCycle

images = load_images("mnist")
X_train, y_train = images.X_train / 255, images.y_train
X_test, y_test = images.X_test / 255, images.y_test
n_seeds, n_few = (10, 4) if FULL else (3, 3)

COURSE = {
    "init": small_normal, "batch_size": 1500 if FULL else 50,
    "learning_rate_init": 0.8 if FULL else 0.4, "max_iter": 50 if FULL else 80,
}  # fmt: skip
OURS = {
    "init": "he_normal", "batch_size": 150 if FULL else 25,
    "learning_rate_init": 1.0 if FULL else 0.3, "max_iter": 15 if FULL else 20,
    "learning_rate": OneCycle(), "dropout": 0.1,
}  # fmt: skip


def fitted(n_hidden, settings, n_seeds):
    """A fitted network for each seed; their histories have both sets of images."""
    params = {**DESCENT, **settings, "record_train_score": True}
    runs = [MLPClassifier((100,) * n_hidden, **params, random_state=i) for i in range(n_seeds)]
    return [run.fit(X_train, y_train, X_val=X_test, y_val=y_test) for run in runs]


# %%
# Three layers
# ------------
# The mean of all seeds, in a band of one standard deviation.

three = fitted(1, COURSE, n_seeds)
HistoryDisplay.from_estimator(three)
plt.show()

# %%
# Our settings
# ------------
# These have initial weights that suit ReLU (``init="he_normal"``), a tenth of the batch size, a
# learning rate that rises and falls again (``OneCycle``), a little dropout, and fewer epochs. With
# dropout, the training curves are those of a thinned network; the test curves are those of the
# whole network.

three_ours = fitted(1, OURS, n_seeds)
HistoryDisplay.from_estimator(three_ours)
plt.show()

# %%
# Four layers
# -----------
# The course's initial weights are so small that hardly anything of the input reaches the output:
# its runs are stuck at first, and later fall back time and again. With our settings, no seed does.

four, four_ours = fitted(3, COURSE, n_few), fitted(3, OURS, n_seeds)

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
panels = [(left, four, "the course's settings", "#D55E00"), (right, four_ours, "ours", "#0072B2")]
for ax, runs, title, color in panels:
    ax.set_prop_cycle(linestyle=["-", "--", "-.", ":"])
    for run in runs:
        curve = run.history_["val_score"]
        ax.plot(range(1, len(curve) + 1), curve, color=color, linewidth=1.2)
    ax.set(title=f"{title}, {len(runs)} seeds", xlabel="Epoch", ylabel="Test accuracy")
plt.show()

# %%


def scores(runs):
    last = [100 * run.history_["val_score"][-1] for run in runs]
    return f"{np.median(last):.2f} % ({min(last):.2f} to {max(last):.2f})"


def seconds(runs):
    return f"{np.median([run.history_['seconds'].sum() for run in runs]):.2f}"


compare(
    ("three layers, test accuracy: median (range)", "97.75 %, one run", scores(three)),
    ("three layers, ours", "", scores(three_ours)),
    ("four layers", "about 93 %, varying", scores(four)),
    ("four layers, ours", "", scores(four_ours)),
    ("three layers, seconds of a run", "", seconds(three)),
    ("three layers, ours, seconds of a run", "", seconds(three_ours)),
    ("four layers, seconds of a run", "", seconds(four)),
    ("four layers, ours, seconds of a run", "", seconds(four_ours)),
)
