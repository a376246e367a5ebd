"""The examples, in their small setting."""

import runpy
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
from sklearn.exceptions import ConvergenceWarning

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("plot_*.py"))


@pytest.fixture
def alone(monkeypatch):
    """No arguments, and no windows: figures stay open."""
    monkeypatch.setattr("sys.argv", ["example"])
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.syspath_prepend(EXAMPLES[0].parent)
    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
    plt.close("all")
    plt.switch_backend(backend)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example_draws_and_compares(example, alone, capsys):
    """It ends in pictures and in its table, of which no cell is empty or not a number."""
    runpy.run_path(str(example), run_name="__main__")
    assert plt.get_fignums()
    _, _, table = capsys.readouterr().out.partition("| course")
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert rows
    assert not any("nan" in row for row in rows)
