"""Saved models: whether they predict the same, their sizes, and the time to load them.

Every kind of estimator is written to a file in every form whose library is installed.
"""

import pickle
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

import cymlp
from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import call_seconds, interleaved
from cymlp import MLPClassifier, MLPRegressor, _engine

DTYPES = ("float32", "float64")
_FEATURES = 50
_ROWS = 1000


def _cases() -> dict[str, tuple[Any, Callable[[NDArray[Any]], NDArray[Any]]]]:
    """For each kind of estimator, one that is not fitted, and a function that makes y from X."""
    words = np.array(["no", "maybe", "yes"])
    cases: dict[str, tuple[Any, Callable[[NDArray[Any]], NDArray[Any]]]] = {
        "binary": (MLPClassifier(), lambda X: X[:, 0] > 0),
        "multiclass, str": (MLPClassifier(), lambda X: words[np.digitize(X[:, 0], [-0.5, 0.5])]),
        "multilabel": (MLPClassifier(), lambda X: (X[:, :3] > 0).astype(int)),
        "regression": (MLPRegressor(), lambda X: X[:, 0]),
        "regression, 3 outputs": (MLPRegressor(), lambda X: X[:, :3]),
        "Poisson": (MLPRegressor("poisson"), lambda X: np.floor(np.exp(X[:, 0]))),
        "quantile": (MLPRegressor("quantile", quantile=0.9), lambda X: X[:, 0]),
    }
    for activation in _engine.ACTIVATIONS:
        cases[f"regression, {activation}"] = MLPRegressor(activation=activation), lambda X: X[:, 0]
    large = MLPClassifier(hidden_layer_sizes=(1024, 1024))
    cases["large, 50-1024-1024-3"] = large, lambda X: np.digitize(X[:, 0], [-0.5, 0.5])
    return cases


def _dump_skops(estimator: Any, path: Path) -> None:
    import skops.io

    skops.io.dump(estimator, path)


def _load_skops(path: Path) -> Any:
    import skops.io

    return skops.io.load(path, trusted=["cymlp.MLPClassifier", "cymlp.MLPRegressor"])


def _dump_onnx(estimator: Any, path: Path) -> None:
    from cymlp.onnx import to_onnx

    path.write_bytes(to_onnx(estimator).SerializeToString())


def _load_onnx(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path)


# For each form, the modules it needs, and functions that write a file and load it.
_FORMS: dict[str, tuple[tuple[str, ...], Callable[[Any, Path], Any], Callable[[Path], Any]]] = {
    "pickle": (
        (),
        lambda estimator, path: path.write_bytes(pickle.dumps(estimator)),
        lambda path: pickle.loads(path.read_bytes()),
    ),
    "joblib, mmap": ((), joblib.dump, lambda path: joblib.load(path, mmap_mode="r")),
    "skops": (("skops",), _dump_skops, _load_skops),
    "safetensors": ((), lambda estimator, path: estimator.save(path), cymlp.load),
    "ONNX": (("onnx", "onnxruntime", "cymlp.onnx"), _dump_onnx, _load_onnx),
}


def _present_forms() -> list[str]:
    return [name for name, (needed, _, _) in _FORMS.items() if all(map(find_spec, needed))]


def _outputs(model: Any, X: NDArray[Any]) -> NDArray[Any]:
    """The probabilities or the predicted numbers, by an estimator or an ONNX Runtime session."""
    if hasattr(model, "run"):
        outputs: NDArray[Any] = model.run(None, {"X": X})[-1]
        return outputs
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return predict(X)


def _agreement(form: str, model: Any, estimator: Any, X: NDArray[Any]) -> str:
    """How a loaded model's predictions differ from the estimator's."""
    outputs, expected = _outputs(model, X), _outputs(estimator, X)
    if form == "ONNX":
        difference = np.abs(outputs.reshape(expected.shape) - expected).max()
        return f"to {difference / np.abs(expected).max():.0e}"
    same = np.array_equal(outputs, expected) and np.array_equal(
        model.predict(X), estimator.predict(X)
    )
    return "bits" if same and outputs.dtype == expected.dtype else "no"


def measure(options: Options) -> Results:
    """Save and load the selected estimators in every form whose library is installed."""
    forms = _present_forms()
    packages = {needed.partition(".")[0] for form in forms for needed in _FORMS[form][0]}
    results = new_results(options, {"cymlp", "joblib", "sklearn", *packages})
    results |= {"forms": forms, "cases": []}
    rng = np.random.default_rng(0)
    X = rng.standard_normal((options.rows(_ROWS), _FEATURES))
    for name, (estimator, make_y) in _cases().items():
        for dtype in options.dtypes:
            if options.takes(name):
                progress(f"{name}, {dtype}")
                case = _case(estimator, X.astype(dtype), make_y(X), forms, options.rounds)
                results["cases"].append({"name": name, "dtype": dtype, **case})
    results["errors"] = [
        f"{case['name']}, {case['dtype']}: {form} does not predict the same"
        for case in results["cases"]
        for form, agreement in case["predictions"].items()
        if agreement == "no"
    ]
    return results


def _case(
    estimator: Any, X: NDArray[Any], y: NDArray[Any], forms: list[str], rounds: int
) -> dict[str, Any]:
    """For each form: how the predictions agree, bytes, and seconds to load."""
    estimator.set_params(max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        paths = {form: Path(folder, form) for form in forms}
        for form, path in paths.items():
            _FORMS[form][1](estimator, path)
        return {
            "predictions": {
                form: _agreement(form, _FORMS[form][2](path), estimator, X)
                for form, path in paths.items()
            },
            "bytes": {form: path.stat().st_size for form, path in paths.items()},
            "seconds": interleaved(
                {form: _timer(form, path) for form, path in paths.items()}, rounds
            ),
        }


def _timer(form: str, path: Path) -> Callable[[], float]:
    return lambda: call_seconds(lambda: _FORMS[form][2](path))


def tables(results: Results) -> str:
    """Tables of how predictions agree, of sizes, and of times."""
    forms = results["forms"]
    columns = {
        "predictions equal": lambda case, form: case["predictions"][form],
        "size, kB": lambda case, form: number(case["bytes"][form] / 1000),
        "load, ms": lambda case, form: number(1000 * median(case["seconds"][form])),
    }
    texts = []
    for title, cell in columns.items():
        rows = [
            [case["name"], case["dtype"], *(cell(case, form) for form in forms)]
            for case in results["cases"]
        ]
        texts.append(f"{title}:\n\n{table(['estimator', 'dtype', *forms], rows)}")
    return "\n".join(texts)


def figures(results: Results) -> dict[str, Any]:
    """None; the tables say all."""
    return {}
