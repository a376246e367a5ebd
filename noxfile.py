"""The parts of CI, which ``.ci/run`` and the workflows run; ``nox --list`` shows them.

The sessions that try what a user installs (quickstart, tests, oldest and those that do not run by
default) each make an environment of their own. The others run in the environment that nox runs
in, which CONTRIBUTING.md says how to set up.
"""

import shutil
import sys
import tarfile
from contextlib import contextmanager
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
PARALLEL = ("-q", "-n", "auto", "--dist", "worksteal")
TEST_TOOLS = nox.project.dependency_groups(PROJECT, "test")
FORMATS = nox.project.dependency_groups(PROJECT, "formats")
ARRAYS = nox.project.dependency_groups(PROJECT, "arrays")
# The tests of what calls NumPy, SciPy or scikit-learn more than in passing.
DEPEND_ON_DEPENDENCIES = [
    *(f"tests/{folder}" for folder in ("datasets", "estimators", "network", "onnx", "training")),
    *(f"tests/engine/test_{name}.py" for name in ("engine", "sparse", "threads")),
    *(
        f"tests/test_{name}.py"
        for name in (
            "memory",
            "package",
            "parity",
            "pipelines",
            "safetensors",
            "schedules",
            "sklearn_checks",
        )
    ),
]
NIGHTLY_WHEELS = "https://pypi.anaconda.org/scientific-python-nightly-wheels/simple"


@nox.session
def quickstart(session):
    """The README's first command, as printed there: install and run."""
    run_readme_command(session, "pip install . && ")


@nox.session
def tests(session):
    """The README's second command, as printed there: install and test."""
    session.install(*TEST_TOOLS, *FORMATS, *ARRAYS)
    run_readme_command(session, 'pip install ".[test]" && ', PYTEST_ADDOPTS=" ".join(PARALLEL))


@nox.session(venv_backend="none")
def checks(session):
    """Everything that needs no test, by pre-commit."""
    build_in_place(session)
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", env=in_place())


@nox.session(venv_backend="none")
def builds(session):
    """The engine's tests with each of its builds, and those of fits by two threads."""
    build_in_place(session)
    # What the session `tests` had to skip, as installed packages lack the kernels' own module.
    only_here = [
        f"tests/engine/{name}" for name in ("kernels", "test_layers.py", "test_regularization.py")
    ]
    run_pytest(session, *only_here)
    print_sets = "from cymlp._engine.cpu import instruction_sets as s; print(*s()[1:])"
    sets = session.run("python", "-c", print_sets, env=in_place(), silent=True)
    # Signals are handled in the same way by all.
    numbers = ("tests/engine", "tests/test_parity.py", "--ignore=tests/engine/test_interrupt.py")
    for instruction_set in sets.split():
        run_pytest(session, *numbers, CYMLP_INSTRUCTION_SET=instruction_set)
    run_pytest(session, "tests/test_parity.py", CYMLP_TEST_THREADS="2")


@nox.session(venv_backend="none")
def docs(session):
    """The pages, with warnings as errors; the gallery's examples are run by the tests."""
    build_in_place(session)
    options = ("-W", "--keep-going", "-q", "-D", "plot_gallery=0")
    session.run("sphinx-build", *options, "docs", "docs/_build/html", env=in_place())


@nox.session(venv_backend="none")
def dist(session):
    """The sdist, and from what is in it, the wheel; both in dist/."""
    shutil.rmtree("dist", ignore_errors=True)
    build = ("python", "-m", "build", "--no-isolation", "--outdir", "dist")
    session.run(*build, "--sdist")
    unpacked = Path(session.create_tmp(), "sdist").resolve()
    shutil.rmtree(unpacked, ignore_errors=True)
    (sdist,) = Path("dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source_tree,) = unpacked.iterdir()
    # What has been compiled from the same sources need not be compiled again.
    if Path("build").exists():
        shutil.copytree("build", source_tree / "build", ignore=shutil.ignore_patterns("*.py*"))
    session.run(*build, "--wheel", source_tree)


@nox.session
def oldest(session):
    """The wheel's tests, from outside the source tree, with the oldest dependencies."""
    dependencies = [
        dependency.replace(">=", "==") + ".*"
        for dependency in PROJECT["project"]["dependencies"]
        # Later Pythons have no wheels of these.
        if sys.version_info < (3, 12) or not dependency.startswith(("numpy", "scipy"))
    ]
    with installed_wheel(session, *FORMATS, *dependencies, "pandas<2.3"):
        session.run("pytest", *PARALLEL, *DEPEND_ON_DEPENDENCIES)


@nox.session(venv_backend="none", default=False)
def coverage(session):
    """The tests once more, with the coverage of the Python files."""
    build_in_place(session)
    run_pytest(session, "--cov", "--cov-report=term:skip-covered")


@nox.session(default=False)
def wheel(session):
    """The wheel's tests, from outside the source tree, with the newest dependencies."""
    with installed_wheel(session, *FORMATS):
        session.run("pytest", *PARALLEL)


@nox.session(default=False)
def nightly(session):
    """The wheel's tests with the nightly builds of NumPy, SciPy and scikit-learn."""
    session.install("--pre", "--extra-index-url", NIGHTLY_WHEELS, "numpy", "scipy", "scikit-learn")
    with installed_wheel(session):
        session.run("pytest", *PARALLEL)


@nox.session(default=False)
def free_threading(session):
    """The wheel's tests without the interpreter's lock, some of them in four threads at once."""
    without_lock = {"PYTHON_GIL": "0"}
    with installed_wheel(session, "pytest-run-parallel>=0.10"):
        session.run("pytest", *PARALLEL, env=without_lock)
        # Those that change neither signals nor variables of modules.
        engine = [f"tests/engine/test_{name}.py" for name in ("engine", "passes", "sparse")]
        in_threads = ("-q", "--parallel-threads=4", "tests/network", *engine)
        session.run("pytest", *in_threads, env=without_lock)


def run_readme_command(session, beginning, **env):
    """Run the README's command line that begins so."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    command = next(line for line in lines if line.startswith(beginning))
    session.run("bash", "-euo", "pipefail", "-c", command, env=env, external=True)


def build_in_place(session):
    """Compile what is not yet compiled, with the kernels' own module, into the source tree."""
    session.run("python", "setup.py", "-q", "build_ext", "--inplace")


def in_place(**variables):
    """Variables of the environment for programs that import cymlp from the source tree."""
    return {"PYTHONPATH": str(ROOT / "src"), **variables}


def run_pytest(session, *arguments, **variables):
    """Run tests of the source tree, with these variables of the environment."""
    # pytest's processes have a CPU each, for which BLAS's threads would only compete.
    variables["OPENBLAS_NUM_THREADS"] = "1"
    session.run("pytest", *PARALLEL, *arguments, env=in_place(**variables))


@contextmanager
def installed_wheel(session, *requirements):
    """Install the wheel in dist/ that suits the interpreter; a copy of the tests is the folder."""
    session.install("--no-index", "--no-deps", "--find-links", "dist", "cymlp")
    session.install("cymlp[test]", *TEST_TOOLS, *requirements)
    outside = Path(session.create_tmp(), "outside")
    shutil.rmtree(outside, ignore_errors=True)
    shutil.copytree("tests", outside / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("pyproject.toml", outside)
    with session.chdir(outside):
        yield
