"""Training needs no estimator: the example in its README uses only arrays."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "src" / "cymlp" / "_training" / "README.md"


@pytest.mark.skipif(not README.is_file(), reason="the sources are not there")
def test_the_example_runs_and_learns(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names = {}
    exec(example, names)
    assert len(capsys.readouterr().out.splitlines()) == names["outcome"].n_epochs == 20
    assert names["accuracy"] > 0.9
