"""ONNX Runtime."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def run():
    """A function that checks a model and returns its outputs by name; X is an array or a dict."""
    checker = pytest.importorskip("onnx.checker")
    runtime = pytest.importorskip("onnxruntime")

    def outputs(model, X):
        checker.check_model(model, full_check=True)
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        inputs = X if isinstance(X, dict) else {"X": X}
        results = session.run(names, inputs)
        return dict(zip(names, results, strict=True))

    return outputs


@pytest.fixture(scope="session")
def X_new():
    """Samples that no estimator was fitted to, many of them, some of them far out."""
    return np.random.default_rng(1).standard_normal((500, 5)) * 3
