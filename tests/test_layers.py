"""The engine's layers: which Cython file may cimport which."""

import re
from pathlib import Path

import pytest

import cymlp

ENGINE = Path(cymlp.__file__).parent / "_engine"
KERNELS = sorted((ENGINE / "kernels").glob("*.pxd"))
# From the ground up.
PAGES = ("run", "passes", "update", "step", "engine")


def cimports(path):
    """Modules of cymlp that a Cython file cimports, without the package's name."""
    text = path.read_text()
    found = re.findall(r"^from cymlp\.(\S+) cimport", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"\bcimport\b.*cymlp|cymlp\S* cimport", text))
    return found


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_kernels_know_kernels_alone(path):
    assert all(module.startswith("_engine.kernels") for module in cimports(path))


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_the_engine_know_those_before_them(name):
    path = ENGINE / f"{name}.{'pyx' if name == 'engine' else 'pxd'}"
    pages = {f"_engine.{page}" for page in PAGES} & set(cimports(path))
    assert pages <= {f"_engine.{page}" for page in PAGES[: PAGES.index(name)]}


@pytest.mark.parametrize(
    "name", ["architecture", "dataset", "signals", "team", "update_rule", "workspace"]
)
def test_what_the_pages_stand_on_knows_none_of_them(name):
    paths = [path for path in (ENGINE / f"{name}.pxd", ENGINE / f"{name}.pyx") if path.exists()]
    known = {module for path in paths for module in cimports(path)}
    assert not known & {f"_engine.{page}" for page in PAGES}
