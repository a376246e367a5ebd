"""The engine's layers: which Cython file may cimport which."""

import re
from pathlib import Path

import pytest

import cymlp

ENGINE = Path(cymlp.__file__).parent / "_engine"
# From the lowest up.
PAGES = ("run", "passes", "update", "step", "engine")

pytestmark = pytest.mark.skipif(
    not (ENGINE / "engine.pyx").exists(), reason="an installed cymlp has no Cython files"
)


def cimports(*paths):
    """Modules of cymlp that Cython files cimport, without the package's name."""
    text = "".join(path.read_text() for path in paths)
    found = re.findall(r"^from cymlp\.(\S+) cimport", text, re.MULTILINE)
    # There are no other forms of cimport.
    assert len(found) == len(re.findall(r"\bcimport\b.*cymlp|cymlp\S* cimport", text))
    return set(found)


def test_kernels_cimport_only_kernels():
    for path in (ENGINE / "kernels").glob("*.pxd"):
        known = cimports(path)
        assert all(module.startswith("_engine.kernels") for module in known), (path.name, known)


@pytest.mark.parametrize("name", PAGES)
def test_files_of_the_engine_cimport_only_earlier_ones(name):
    path = ENGINE / f"{name}.{'pyx' if name == 'engine' else 'pxd'}"
    before = PAGES[: PAGES.index(name)]
    after = {f"_engine.{page}" for page in PAGES if page not in before}
    assert not cimports(path) & after


@pytest.mark.parametrize(
    "name", ["architecture", "dataset", "signals", "team", "update_rule", "workspace"]
)
def test_lower_files_cimport_none_of_them(name):
    paths = [path for path in (ENGINE / f"{name}.pxd", ENGINE / f"{name}.pyx") if path.exists()]
    assert not cimports(*paths) & {f"_engine.{page}" for page in PAGES}
