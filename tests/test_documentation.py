"""The examples in the pages of the documentation."""

import doctest
import re
import warnings
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

import cymlp
from cymlp import datasets, onnx, plotting, schedules
from idx import small_mnist

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if page.relative_to(DOCS).parts[0] not in ("_build", "gallery", "generated")
)
WITH_EXAMPLES = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]
NEEDED = {
    "data": ["PIL"],
    "keras": ["keras"],
    "learning": ["pandas", "sklearn.callback"],
    "onnx": ["onnx.helper", "onnxruntime", "skl2onnx"],
    "pytorch": ["torch"],
    "quickstart": ["matplotlib"],
    "saving": ["safetensors", "skops"],
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_is_tested_python_or_shell(page):
    """All code is tested, except shell commands and Sphinx directives."""
    blocks = re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    for language, code in blocks:
        assert language in ("python", "bash", "diff") or language.startswith("{")
        assert language != "python" or code.startswith(">>> ")


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_of_page(page, tmp_path, monkeypatch):
    """The output is what the page says; warnings that few epochs do not converge are ignored."""
    for module in NEEDED.get(page.stem, ()):
        pytest.importorskip(module)
    small_mnist(tmp_path / "fashion-mnist", 255)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.skipif(not DOCS.exists(), reason="the tests run without the source tree")
def test_reference_has_every_public_name():
    """It has the ``__all__`` of every module, except names that are not separate objects."""
    modules = (cymlp, datasets, onnx, plotting, schedules)
    names = {f"{module.__name__}.{name}" for module in modules for name in module.__all__}
    public = {name.removeprefix("cymlp.") for name in names}
    public -= {"__version__", "schedules", "plotting", "datasets", "onnx"}
    reference = (DOCS / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([\w.]+)$", reference, re.M)
    assert sorted(listed) == sorted(public)
