"""The contenders of ``predict``: each computes a network's probabilities, from array to array."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import Contender, torch_linear
from benchmarks.fits import MODULES, fitted
from benchmarks.timing import call_seconds
from benchmarks.workloads import synthetic

FEATURES = 784
_FIT_ROWS = 1_000
_LEAST_SECONDS = 0.2


class Predictor(Contender):
    """A library that computes a classifier's probabilities."""

    def load(self, hidden: tuple[int, ...]) -> NDArray[Any]:
        """Prepare a network with these hidden layers, and return its probabilities of some rows."""
        model = fitted(
            MODULES.get(self.name, MODULES["scikit-learn"]),
            synthetic(_FIT_ROWS, FEATURES),
            hidden_layer_sizes=hidden,
            max_iter=1,
        )
        self.prepare(model)
        return self.predict(synthetic(100, FEATURES)[0])

    @abstractmethod
    def prepare(self, model: Any) -> None:
        """Take over the network of a fitted classifier."""

    @abstractmethod
    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        """The probabilities (n, 10) of the rows of X (n, 784)."""

    def seconds(self, rows: int) -> float:
        """Seconds of a call: the median of many."""
        X, _ = synthetic(rows, FEATURES)
        return call_seconds(lambda: self.predict(X), least=_LEAST_SECONDS)


class ScikitLearn(Predictor):
    """scikit-learn's ``predict_proba``."""

    name = "scikit-learn"
    packages = ("sklearn",)

    def prepare(self, model: Any) -> None:
        self._model = model

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        return self._model.predict_proba(X)


class Cymlp(ScikitLearn):
    """cymlp's ``predict_proba``."""

    name = "cymlp"
    packages = ("cymlp",)


class PlainNumPy(Predictor):
    """The formulas, written by hand."""

    name = "NumPy"
    packages = ("numpy",)

    def prepare(self, model: Any) -> None:
        self._layers = list(zip(model.coefs_, model.intercepts_, strict=True))

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        *hidden, (W, b) = self._layers
        A = X
        for V, c in hidden:
            A = np.maximum(A @ V + c, 0)
        A = A @ W + b
        A = np.exp(A - A.max(axis=1, keepdims=True))
        return A / A.sum(axis=1, keepdims=True)


class OnnxRuntime(Predictor):
    """The model that ``cymlp.onnx`` makes of the network, in a session with default options."""

    name = "ONNX Runtime"
    packages = ("onnx", "onnxruntime")

    def prepare(self, model: Any) -> None:
        from onnxruntime import InferenceSession

        from cymlp import MLPClassifier
        from cymlp.onnx import to_onnx

        network = MLPClassifier.from_weights(
            model.coefs_, model.intercepts_, classes=model.classes_
        )
        self._session = InferenceSession(to_onnx(network).SerializeToString())

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        return self._session.run(["probabilities"], {"X": X})[0]


class PyTorch(Predictor):
    """Eager PyTorch in inference mode."""

    name = "PyTorch"
    packages = ("torch",)

    def prepare(self, model: Any) -> None:
        import torch

        linear = map(torch_linear, model.coefs_, model.intercepts_)
        layers = [layer for each in linear for layer in (each, torch.nn.ReLU())]
        self._network = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1))

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        import torch

        with torch.inference_mode():
            return self._network(torch.from_numpy(X)).numpy()


PREDICTORS: list[type[Predictor]] = [ScikitLearn, PlainNumPy, OnnxRuntime, PyTorch, Cymlp]
