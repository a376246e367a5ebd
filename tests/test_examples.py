"""The examples with their small settings."""

import re
import runpy
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("plot_*.py"))
QUICKSTART = FOLDER / "quickstart.py"
# Each needs the package that its name ends with.
LARGER_THAN_MEMORY = {"parquet": "pyarrow", "zarr": "zarr"}

# Bounds of the errors that must be small in every setting.
BOUNDS = {
    "plot_a1_hand_derivatives": {"largest gap of a derivative": 1e-12},
    "plot_c1_boxes": {
        "one box: greatest error": 1e-6,
        "softmax Jacobian: largest gap": 1e-9,
        "log-softmax Jacobian: largest gap": 1e-12,
    },
    "plot_e1_gradient_check": {
        "ratio less 1, one sample, at most": 1e-6,
        "ratio less 1, batch of 10, at most": 1e-6,
        "gap of loop and matrices": 1e-12,
    },
}


@pytest.fixture
def alone(monkeypatch):
    """No arguments, and no windows: figures stay open."""
    monkeypatch.setattr("sys.argv", ["example"])
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.syspath_prepend(FOLDER)
    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
    plt.close("all")
    plt.switch_backend(backend)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example_draws_and_compares(example, alone, capsys):
    """It draws figures and ends with its table, in which cymlp meets every expectation."""
    runpy.run_path(str(example), run_name="__main__")
    assert plt.get_fignums()
    _, _, table = capsys.readouterr().out.partition("| course")
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert rows
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    results = {what: ours for what, _, ours in cells}
    assert not any(re.search(r"\b(nan|inf|no)\b", result) for result in results.values())
    for what, bound in BOUNDS.get(example.stem, {}).items():
        assert float(results[what]) < bound


@pytest.mark.skipif(not QUICKSTART.exists(), reason="the tests run without the source tree")
def test_quickstart_tells_both_ratios(capsys):
    """The ratio with one thread each, and the ratio with each library's default threads."""
    with threadpool_limits(1, user_api="blas"):  # its times are not tested
        runpy.run_path(str(QUICKSTART), run_name="__main__")
    printed = capsys.readouterr().out
    for threads in ("one thread each", "default threads"):
        assert re.search(rf"{threads} +\d+\.\d+ s +\d+\.\d+ s, \d+\.\d times as fast", printed)
    assert "same predictions: True" in printed


@pytest.mark.skipif(not QUICKSTART.exists(), reason="the tests run without the source tree")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("form", LARGER_THAN_MEMORY)
def test_larger_than_memory(form, capsys):
    """It learns from rows that are sorted by class."""
    pytest.importorskip(LARGER_THAN_MEMORY[form])
    runpy.run_path(str(FOLDER / f"larger_than_memory_{form}.py"), run_name="__main__")
    accuracies = [
        float(number) for number in re.findall(r"accuracy.*: (.*)", capsys.readouterr().out)
    ]
    assert len(accuracies) == 2 and min(accuracies) > 0.9
