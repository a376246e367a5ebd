"""The benchmark harness, not the times. It is in the checkout, but not in the package."""

import re
import sys
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the tests run without the source tree", allow_module_level=True)
sys.path.append(str(ROOT))
race = import_module("benchmarks.race")
report = import_module("benchmarks.report")
saving = import_module("benchmarks.saving")
streaming = import_module("benchmarks.streaming")
partial_fit = import_module("benchmarks.partial_fit")
trainers = import_module("benchmarks.trainers")
worker = import_module("benchmarks.worker")
workloads = import_module("benchmarks.workloads")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS = 300
MADE = [
    workload
    for workload in workloads.WORKLOADS
    if workload.data not in ("mnist", "fashion-mnist") and workloads.is_present(workload.data)
]
WITH_DTYPE = [
    pytest.param(workload, dtype, id=f"{workload.data} {dtype}")
    for workload in MADE
    for dtype in workload.dtypes
]


def shortened(workload):
    return replace(workload, rows=ROWS, epochs=min(workload.epochs, 5))


def of_data(data):
    """The first workload that uses this data set."""
    return next(w for w in MADE if w.data == data)


@pytest.mark.parametrize(("workload", "dtype"), WITH_DTYPE)
def test_data_of_workload(workload, dtype):
    """The data have the table's rows and features, the dtype, and all classes."""
    X, y = workloads.load(shortened(workload), dtype)
    n_inputs, *_, n_outputs = workload.units
    assert X.shape == (ROWS, n_inputs)
    assert y.shape == (ROWS,)
    if workload.grid:
        assert set(X.dtypes.astype(str)) == {"float64", "int64"}
    else:
        assert X.dtype == dtype
        assert sparse.issparse(X) == (workload.is_sparse)
    if workload.output == "identity":
        assert y.dtype == dtype
    else:
        assert set(y) == set(range(max(2, n_outputs)))


def test_text_is_as_sparse_as_text():
    """0.3 % of 20,000 columns are stored: a few columns in most rows, most in few rows."""
    workload = of_data("sparse text")
    X, _ = workloads.load(workload, "float32")
    assert X.shape == (workload.rows, 20_000)
    assert 0.002 < X.nnz / np.prod(X.shape) < 0.004
    in_rows = np.sort(np.diff(X.tocsc().indptr))
    assert in_rows[-1] > workload.rows / 2
    assert np.median(in_rows) < workload.rows / 100


@pytest.mark.parametrize(("workload", "dtype"), WITH_DTYPE)
def test_scikit_learn_and_cymlp_reach_the_same_loss(workload, dtype):
    """The loss falls, and both reach the same value from the other contenders' weights."""
    workload = shortened(workload)
    X, y = workloads.load(workload, dtype)
    weights = race.initial_weights(workload, dtype)
    losses = []
    for trainer in (trainers.ScikitLearn(), trainers.Cymlp()):
        trainer.load(workload, dtype, weights)
        losses.append(workloads.mean_loss(workload, trainer.after_one_round(), X, y))
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0] < workloads.mean_loss(workload, weights, X, y)


def test_loss_is_the_estimators():
    """A fit with tiny updates reports the loss of the initial weights."""
    for data in ("covertype-shaped", "HIGGS-shaped", "regression", "sparse text"):
        workload = shortened(of_data(data))
        X, y = workloads.load(workload, "float64")
        trainer = trainers.Cymlp()
        trainer.load(replace(workload, learning_rate=1e-30), "float64", [])
        weights = trainer.after_one_round()
        penalty = workloads.ALPHA / 2 * sum((W**2).sum() for W, _ in weights)
        loss = workloads.mean_loss(workload, weights, X, y)
        # scikit-learn counts the penalty once for each batch, over the batch's rows
        n_batches = -(-ROWS // workload.batch_size)
        mean_penalty = n_batches * penalty / ROWS
        np.testing.assert_allclose(trainer.fitted.loss_, loss + mean_penalty, rtol=1e-6)


@pytest.mark.parametrize("name", ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"])
def test_workers_do_without_openblas_settings(name, monkeypatch):
    """A setting in the parent process, made after importing benchmarks, is not passed on."""
    monkeypatch.setenv(name, "1")
    with worker.Worker(partial(import_module, "os")) as os_there:
        assert os_there.call("getenv", name) is None


def test_reported_kernels_are_not_taken_from_the_setting(monkeypatch):
    """The setting names a CPU without AVX2, whose kernels OpenBLAS calls Katmai."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    with worker.Worker(trainers.Cymlp) as there:
        kernels = there.call("kernels")
    assert re.match(r"its own, for [\w-]+; ", kernels)
    assert "Katmai" not in kernels


def case(workload, speed, seconds=1.0):
    """An invented case in which cymlp is ``speed`` times as fast as scikit-learn."""
    return {
        "workload": workload.name,
        "rows": workload.rows,
        "gemm_flops": workload.gemm_flops,
        "peak_flops": [1e11],
        "losses": {},
        "seconds": {"scikit-learn": [speed * seconds], "cymlp": [seconds]},
    }


@pytest.fixture
def results():
    """Images at 2x and 8x, batch 1 at 32x, a table at 4x; a search at 4x in float64 only."""
    images = [w for w in workloads.WORKLOADS if w.is_images]
    (one,) = (w for w in images if w.batch_size == 1)
    others = [w for w in images if w.batch_size > 1]
    shared = [case(others[0], 2.0), case(one, 32.0), case(others[1], 8.0)]
    shared.append(case(of_data("regression"), 4.0))
    searches = [case(w, 4.0) for w in workloads.WORKLOADS if w.grid]
    empty = report.new_results(report.Options(rounds=1, dtypes=race.DTYPES), [])
    empty["kernels"] = {"scikit-learn": "some", "cymlp": "others"}
    return empty | {"float32": shared, "float64": shared + searches}


def cells(text, first):
    """The other cells of the rows whose first cell is ``first``."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [row[1:] for row in rows if row[0].startswith(first)]


def test_means_with_and_without_batch_1(results):
    """The speeds are 2, 32 (batch 1), 8 and 4, and in float64 also 4."""
    text = race.summary(results)
    assert cells(text, "all rows") == [["6.7x", "-", "6.1x", "-"]]
    assert cells(text, "without batch 1") == [["4.0x", "-", "4.0x", "-"]]
    assert cells(text, "of those, images") == [["4.0x", "-", "4.0x", "-"]]
    assert cells(text, "of those, other data") == [["4.0x", "-", "4.0x", "-"]]


def test_batch_1_is_marked(results):
    """It is marked in every table, and a note explains the mark."""
    for text in (race.summary(results), race.tables(results)):
        marked = [line for line in text.splitlines() if line.startswith("| ") and "†" in line]
        assert all("batch 1," in line or "without batch 1" in line for line in marked)
        assert any("batch 1," in line for line in marked)
        assert "\n† " in text


def test_summary_has_every_workload_once(results):
    """The search, which is only in float64, comes after the float32 workloads."""
    rows = cells(race.summary(results), ("mnist", "fashion", "digits", "regression", "pandas"))
    assert len(rows) == len(results["float64"])


def test_tables_name_the_kernels(results):
    assert cells(race.tables(results), "scikit-learn") == [["some"]]


@pytest.mark.skipif(
    not (report.RESULTS / "race.json").exists(), reason="the sdist has no saved results"
)
def test_saved_results_can_be_shown():
    """Also results in an older format."""
    results = report.read_results("race")
    assert race.tables(results)
    assert race.summary(results)
    assert report.circumstances(results)


def test_saved_models():
    options = report.Options(rounds=1, dtypes=("float32",), only="multilabel", rows_limit=60)
    results = saving.measure(options)
    [case] = results["cases"]
    predictions = dict(case["predictions"])
    assert predictions.pop("ONNX", "to ").startswith("to ")
    assert set(predictions.values()) == {"bits"}
    assert saving.tables(results).count("| multilabel | float32 |") == 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="it is Linux that tells")
def test_streaming():
    options = report.Options(rounds=1, dtypes=("uint8",), only="memmap", rows_limit=500)
    results = streaming.measure(options)
    [case] = results["epochs"].values()
    assert case["shape"][0] == 500
    assert "| memmap | 500 x " in streaming.tables(results)


@pytest.mark.parametrize("only", ["28-50-2, float32, Adam, alpha=0", "float64, SGD"])
def test_partial_fit(only):
    """Dense and sparse rows; the last chunk is a short one."""
    options = report.Options(rounds=1, dtypes=("float32", "float64"), only=only, rows_limit=450)
    results = partial_fit.measure(options)
    assert len(results["cases"]) == (1 if "32" in only else 3)
    for case in results["cases"]:
        assert case["chunks"] == 3
        assert f"| {case['name']} | 3 | " in partial_fit.tables(results)
