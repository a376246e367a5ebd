"""python -m cymlp: run a program with cymlp's estimators in the place of scikit-learn's."""

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import get_importer
from types import ModuleType
from typing import Any, NoReturn

from cymlp._patching import patch_sklearn

_USAGE = """\
usage: python -m cymlp [-h] (script | -m module) [argument ...]

Run a Python program with cymlp.MLPClassifier and cymlp.MLPRegressor in the place of those in
sklearn.neural_network, as after cymlp.patch_sklearn().

  script      a file, or a folder or zip file that contains __main__.py
  -m module   a module or package, as for python -m
  argument    passed to the program
  -h, --help  show this help and exit
"""


def main(arguments: list[str]) -> None:
    """Run the program that these arguments of the command line name."""
    match arguments:
        case ["-h" | "--help", *_]:
            print(_USAGE, end="")
        case ["-m", module, *_]:
            _run_module(module, arguments[1:])
        case [script, *_] if not script.startswith("-"):
            _run_script(script, arguments)
        case _:
            _exit_with(_USAGE.rstrip())


def _run_script(script: str, arguments: list[str]) -> None:
    """Run a file, a folder or a zip file; the first argument is its name."""
    path = Path(script)
    try:
        if not path.is_dir():
            path.open("rb").close()
    except OSError as error:
        _exit_with(f"python -m cymlp: cannot open {script!r}: {error.strerror}")
    if not sys.flags.safe_path:
        # As Python does, in the place of the current folder; runpy adds folders and zip files.
        sys.path[0:1] = [str(path.resolve().parent)] if get_importer(script) is None else []
    _prepare(arguments)
    runpy.run_path(script, run_name="__main__")


def _run_module(module: str, arguments: list[str]) -> None:
    """Run a module or package; the first argument is its name, which runpy replaces by its path."""
    _prepare(arguments)  # already now, as find_spec imports the packages that contain the module
    try:
        spec = find_spec(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # an import in one of them failed
            raise
        spec = None
    if spec is None:
        _exit_with(f"python -m cymlp: there is no module {module!r}")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _prepare(arguments: list[str]) -> None:
    """Patch scikit-learn, and set what the program expects of the interpreter."""
    sys.argv[:] = arguments
    # multiprocessing, which cymlp has imported, took this module for the program's.
    sys.modules["__mp_main__"] = _ProgramModule("__mp_main__")
    patch_sklearn()


class _ProgramModule(ModuleType):
    """The program's module, which runpy puts in the place of this one while it runs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["__main__"], name)


def _exit_with(message: str) -> NoReturn:
    """Print why the command line is not valid, and exit with the status that says so."""
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
