"""Compare cymlp with scikit-learn: the time and the numbers of a fit to handwritten digits.

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
from threadpoolctl import threadpool_limits

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

# The fits take turns, so that other work on the machine affects all of them alike. Each library
# runs with one thread (for scikit-learn, of BLAS) and with its default number of threads.
times = {(threads, name): [] for threads in (1, None) for name in ("scikit-learn", "cymlp")}
fitted = {}
for _ in range(3):
    for (threads, name), seconds in times.items():
        time.sleep(0.1)  # let idle threads of the previous fit go to sleep
        with threadpool_limits(threads, user_api="blas"):
            if name == "cymlp":
                fitted[name], elapsed = fit(MLPClassifier, n_jobs=threads)
            else:
                fitted[name], elapsed = fit(SklearnMLPClassifier)
        seconds.append(elapsed)

print("\nThe same fit, median of 3   scikit-learn      cymlp")
for setting, threads in (("one thread each", 1), ("default threads", None)):
    theirs = np.median(times[threads, "scikit-learn"])
    ours = np.median(times[threads, "cymlp"])
    print(f"    {setting:20}  {theirs:12.3f} s  {ours:7.3f} s, {theirs / ours:.1f} times as fast")
probabilities = [pipeline.predict_proba(X_test) for pipeline in fitted.values()]
same = np.array_equal(*(pipeline.predict(X_test) for pipeline in fitted.values()))
print(f"    same predictions: {same}")
print(f"    largest difference of a probability: {np.abs(np.subtract(*probabilities)).max():.1e}")
print("""
With one thread each, only the code is compared. By default, scikit-learn's BLAS spreads matrix
products over all CPUs. For products this small, that can cost more than it saves, especially on a
busy machine. cymlp uses only as many threads as are worthwhile.""")
