"""cymlp beside scikit-learn: the same fit of handwritten digits, its time and its numbers.

Run it with ``python examples/quickstart.py``. The digits come with scikit-learn.
"""

import time

from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from cymlp import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)


def fit(classifier):
    """A fitted pipeline and the seconds it took."""
    pipeline = make_pipeline(MinMaxScaler(), classifier)
    start = time.perf_counter()
    pipeline.fit(X_train, y_train)
    return pipeline, time.perf_counter() - start


print("Digits of 8 x 8 pixels, network 64-100-10, Adam, 60 epochs at most\n")
settings = {"hidden_layer_sizes": (100,), "max_iter": 60, "tol": 1e-2, "random_state": 0}
ours, _ = fit(MLPClassifier(**settings, verbose=True))
predicted = ours.predict(X_test)
print(f"\nTest accuracy of cymlp: {ours.score(X_test, y_test):.4f}")
print("\nConfusion matrix (rows: the digit shown, columns: the digit predicted)")
print(confusion_matrix(y_test, predicted))
