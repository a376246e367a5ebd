"""cymlp beside scikit-learn: one fit of handwritten digits, its time and its numbers.

Run it with ``python examples/quickstart.py``. The digits come with scikit-learn.
"""

import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from cymlp import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
settings = {"hidden_layer_sizes": (100,), "max_iter": 100, "tol": 5e-3, "random_state": 0}


def fit(Classifier, **more):
    """A fitted pipeline, and the seconds its fit took."""
    pipeline = make_pipeline(MinMaxScaler(), Classifier(**settings, **more))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(X_train, y_train)
    return pipeline, time.perf_counter() - start


print(f"Network 64-100-10 on {len(X_train)} images of digits, Adam, mini-batches of 200\n")
ours, _ = fit(MLPClassifier, verbose=True)

print(f"\nTest accuracy: {ours.score(X_test, y_test):.4f}, confusion matrix (rows: true digit)\n")
print(confusion_matrix(y_test, ours.predict(X_test)))

# Each of them five times in turns, so that what else the machine does hits both alike.
times = {MLPClassifier: [], SklearnMLPClassifier: []}
fitted = {}
for _ in range(5):
    for Classifier, seconds in times.items():
        fitted[Classifier], elapsed = fit(Classifier)
        seconds.append(elapsed)
cymlp_seconds, sklearn_seconds = (np.median(seconds) for seconds in times.values())
ratio = sklearn_seconds / cymlp_seconds
ours, theirs = fitted.values()
probability_gap = np.abs(ours.predict_proba(X_test) - theirs.predict_proba(X_test)).max()

print("\nThe same fit, median of 5")
print(f"    scikit-learn  {sklearn_seconds:.3f} s")
print(f"    cymlp         {cymlp_seconds:.3f} s, {ratio:.1f} times as fast")
print(f"    same predictions: {np.array_equal(ours.predict(X_test), theirs.predict(X_test))}")
print(f"    largest difference of a probability: {probability_gap:.1e}")
