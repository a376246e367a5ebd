"""The package as a whole: names, versions, documentation, types and build."""

import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import sklearn.neural_network

import cymlp
from cymlp import MLPClassifier, MLPRegressor, _engine, datasets, onnx, schedules

ROOT = Path(__file__).resolve().parents[1]

needs_source = pytest.mark.skipif(
    not (ROOT / "setup.py").exists(), reason="the tests run without the source tree"
)


def test_version():
    assert cymlp.__version__ == importlib.metadata.version("cymlp")


def test_public_names():
    assert sorted(cymlp.__all__) == [
        "MLPClassifier", "MLPRegressor", "__version__", "datasets", "fold_scaler", "load", "onnx",
        "patch_sklearn", "plotting", "schedules", "show_versions", "unpatch_sklearn",
    ]  # fmt: skip
    public = {name for name in vars(cymlp) if not name.startswith("_")}
    assert public <= set(cymlp.__all__) | {"annotations"}


def test_show_versions(capsys):
    cymlp.show_versions()
    printed = capsys.readouterr().out
    for text in (cymlp.__version__, np.__version__, sklearn.__version__, _engine.BUILD, "BLAS"):
        assert text in printed


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_signature_is_scikit_learns(Estimator):
    theirs = getattr(sklearn.neural_network, Estimator.__name__)
    ours = inspect.signature(Estimator.__init__).parameters
    wanted = inspect.signature(theirs.__init__).parameters
    if Estimator is MLPClassifier:
        assert list(ours)[:3] == ["self", "hidden_layer_sizes", "activation"]
    elif "loss" in wanted:
        assert list(ours)[:4] == list(wanted)[:4]
    for name, parameter in wanted.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_every_parameter_and_attribute_is_documented(Estimator, digits):
    documentation = inspect.getdoc(Estimator)
    estimator = Estimator(max_iter=1)
    for name in estimator.get_params():
        assert f"{name} : " in documentation or f"{name}, " in documentation, name
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        estimator.fit(*digits)
    for name in vars(estimator):
        if name.endswith("_") and not name.startswith("_"):
            assert f"{name} : " in documentation, name


def modules_for_this_cpu():
    """All modules except the engine's builds for instruction sets that this CPU lacks."""
    sets = _engine.cpu.instruction_sets()
    foreign = tuple(end for name, end in _engine._SUFFIXES.items() if name not in sets)
    names = [module.name for module in pkgutil.walk_packages(cymlp.__path__, "cymlp.")]
    return [name for name in names if not (foreign and name.endswith(foreign))]


# What modules, or their examples, need.
NEEDED = {
    "cymlp.plotting": "matplotlib", "cymlp.onnx": "onnx.helper", "cymlp.onnx._skl2onnx": "skl2onnx",
}  # fmt: skip


def is_installed(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def test_examples_in_docstrings():
    """The doctests of all modules."""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    tried = set()
    for name in modules_for_this_cpu():
        needed = [module for start, module in NEEDED.items() if name.startswith(start)]
        if not all(map(is_installed, needed)):
            continue
        results = doctest.testmod(importlib.import_module(name), optionflags=flags)
        assert results.failed == 0, name
        if results.attempted:
            tried.add(name)
    results = doctest.testmod(cymlp, optionflags=flags)
    assert results.failed == 0
    assert results.attempted > 0
    assert "cymlp.schedules" in tried


def test_it_is_typed():
    """Every compiled module has a stub; stubtest checks that the stubs are right."""
    folder = Path(cymlp.__file__).parent
    assert (folder / "py.typed").exists()
    for source in ("architecture", "cpu", "dataset", "engine", "team", "testing", "update_rule"):
        assert (folder / "_engine" / f"{source}.pyi").exists()


def test_wheels_lack_the_modules_for_tests():
    files = [
        file.name
        for file in importlib.metadata.files("cymlp") or ()
        if file.suffix in (".so", ".pyd")
    ]
    if not files:
        pytest.skip("an editable install has no modules of its own")
    assert not [name for name in files if name.startswith("testing")]


@pytest.mark.parametrize(
    "name, error, match",
    [("nothing", AttributeError, "no attribute"), ("testing", ImportError, "not part of wheels")],
)
def test_missing_engine_attributes(name, error, match, monkeypatch):
    monkeypatch.setattr(_engine, "BUILD", "none")
    monkeypatch.setitem(_engine._SUFFIXES, "none", "_of_no_build")
    with pytest.raises(error, match=match):
        _engine.__getattr__(name)


@pytest.mark.parametrize("owner", [MLPClassifier, MLPRegressor, schedules, datasets, onnx])
def test_signatures_can_be_read(owner):
    """help() shows annotations as written, not NumPy's expanded types."""
    for name, function in inspect.getmembers(owner, callable):
        if not name.startswith("_") and (inspect.isclass(owner) or name in owner.__all__):
            signature = str(inspect.signature(function))
            assert len(signature) < 400, name
            assert "numpy._typing" not in signature, name


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_html_links_to_no_missing_page(Estimator, digits):
    """cymlp's pages are not published, and scikit-learn's describe its own estimators."""
    estimator = Estimator(max_iter=1)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        pages = [estimator._repr_html_(), estimator.fit(*digits)._repr_html_()]
    for page in pages:
        body = re.sub("<(style|script).*?</\\1>", "", page, flags=re.S)
        assert Estimator.__name__ in body
        assert "href=" not in body
        assert "http" not in body
        assert f"Documentation for {Estimator.__name__}" not in body


USERS_FILE = """
import numpy as np
from cymlp import MLPClassifier, MLPRegressor, schedules

X, y = np.zeros((4, 2), dtype=np.float32), [0, 1, 0, 1]
clf = MLPClassifier(
    (8, 4), ["relu", "tanh"], alpha=[0.1, 0.2, 0.3], learning_rate=schedules.CosineDecay(),
    n_iter_no_change=np.inf, class_weight={0: 2.0}, random_state=np.random.RandomState(0),
)
MLPRegressor("huber", learning_rate=lambda step, total: 1 - step / total)


def watch(estimator: MLPClassifier, epoch: int) -> bool:
    return bool(estimator.history_["loss"][-1] < 0.1)


reveal_type(clf.set_callbacks(watch).fit(X, y, X_val=X, y_val=y))
reveal_type(MLPRegressor().fit(X, y))
reveal_type(clf.partial_fit(X, y, classes=[0, 1]))
reveal_type(MLPRegressor().partial_fit(X, np.ones(4)))
reveal_type(clf.predict(X))
reveal_type(clf.predict_proba(X))
reveal_type(MLPClassifier.from_weights(clf.coefs_, clf.intercepts_, classes=clf.classes_))
reveal_type(MLPRegressor.from_weights([X], [np.zeros(2)]))
reveal_type(MLPRegressor.load("model.safetensors"))
reveal_type(schedules.CosineDecay()(1, 10))
reveal_type(schedules.CosineDecay()(np.arange(3), 10))
clf.fit(X, y, eval_set=None)
"""


def test_types_of_a_users_file(tmp_path):
    """mypy accepts it; scikit-learn's missing types are ignored."""
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(USERS_FILE)
    options = ["--strict", "--ignore-missing-imports", "--hide-error-context", "--no-pretty"]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    revealed = re.findall(r'Revealed type is "(?:builtins\.)?([\w.]+)', result.stdout)
    classifier, regressor = (
        "cymlp._estimators.classifier.MLPClassifier",
        "cymlp._estimators.regressor.MLPRegressor",
    )
    assert revealed == [
        classifier, regressor, classifier, regressor, "numpy.ndarray", "numpy.ndarray",
        classifier, regressor, regressor, "float", "numpy.ndarray",
    ], result.stdout  # fmt: skip
    errors = re.findall("error: (.*)", result.stdout)
    assert len(errors) == 1, errors
    assert 'Unexpected keyword argument "eval_set" for "fit"' in errors[0]


def test_warnings_point_to_the_caller(digits):
    with pytest.warns(sklearn.exceptions.ConvergenceWarning) as caught:
        MLPClassifier(max_iter=1).fit(*digits)
        MLPClassifier(max_iter=1, solver="lbfgs").fit(*digits)
    assert {warning.filename for warning in caught} == {__file__}


def test_subnormal_numbers_survive_the_import():
    """Flags such as -ffast-math would flush them to zero for the whole process."""
    program = "import cymlp, numpy as np; print(float(np.float32(1e-40) * np.float32(0.5)) > 0)"
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "True"


def _build_in_new_process(instruction_set):
    program = "import cymlp; print(cymlp._engine.BUILD, cymlp._engine.engine.__name__)"
    environment = {**os.environ, "CYMLP_INSTRUCTION_SET": instruction_set}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize("instruction_set", _engine.cpu.instruction_sets())
def test_instruction_set_can_be_chosen(instruction_set):
    if not _engine._is_built(instruction_set):
        pytest.skip(f"the compiler did not know {instruction_set}")
    result = _build_in_new_process(instruction_set)
    assert result.returncode == 0, result.stderr
    suffix = "" if instruction_set == "baseline" else instruction_set[-3:].replace("-", "_")
    assert result.stdout.split() == [instruction_set, f"cymlp._engine.engine{suffix}"]


def test_builds_are_by_the_limited_api_where_there_is_a_gil():
    """The tests run what the wheel has; free-threaded Pythons have no limited API yet."""
    version = sysconfig.get_config_var("SOABI") or "cp3"
    for module in (_engine.cpu, _engine.engine, _engine.team):
        limited = version not in Path(module.__file__).name
        assert limited != bool(sysconfig.get_config_var("Py_GIL_DISABLED")), module.__file__


def test_unknown_instruction_set():
    result = _build_in_new_process("x86-64-v5")
    assert result.returncode != 0
    assert "CYMLP_INSTRUCTION_SET is 'x86-64-v5'; this CPU and this build have" in result.stderr


def test_import_starts_nothing():
    """No search for BLAS and no callback machinery before they are needed."""
    program = "import cymlp._engine.threads as t; print(t._blas._libraries)"
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "None"


def test_onnx_is_optional():
    """Importing cymlp.onnx needs neither onnx nor skl2onnx; the error says what to install."""
    program = (
        "import sys; sys.modules.update({'onnx': None, 'skl2onnx': None}); import cymlp; "
        "cymlp.onnx.to_onnx(cymlp.MLPRegressor())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 'ImportError: to_onnx needs onnx: pip install "cymlp[onnx]"' in result.stderr


# In place of Cython's own, which is slower than everything else in this file.
QUICK_CYTHONIZE = """
def cythonize(modules, *args, **kwargs):
    return list(modules)
"""


def run_setup(folder, *arguments, **environment):
    """Run setup.py in a new copy of what it needs, with QUICK_CYTHONIZE."""
    folder.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.so", "*.egg-info")
    )
    (folder / "Cython").mkdir()  # found first, as it is next to setup.py
    (folder / "Cython" / "__init__.py").touch()
    (folder / "Cython" / "Build.py").write_text(QUICK_CYTHONIZE)
    return subprocess.run(
        [sys.executable, "setup.py", *arguments],
        cwd=folder, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


@needs_source
def test_build_without_a_compiler_says_so(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    result = run_setup(tmp_path / "copy", "build_ext", CC="no-such-compiler")
    assert result.returncode != 0
    assert "cymlp is built from source with a C compiler, and none works here" in result.stderr
    assert "Traceback" not in result.stderr
    assert "--only-binary" not in result.stderr  # cymlp is on no package index


@needs_source
def test_source_distributions_of_equal_files_are_equal(tmp_path):
    """Though the files are of different times."""
    pytest.importorskip("setuptools", minversion="77")
    archives = []
    for name in ("first", "second"):
        result = run_setup(tmp_path / name, "-q", "sdist", SOURCE_DATE_EPOCH="1700000000")
        assert result.returncode == 0, result.stderr
        (path,) = (tmp_path / name / "dist").iterdir()
        archives.append(path.read_bytes())
    assert archives[0] == archives[1]


@needs_source
def test_readme_prints_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    for command in (
        "pip install . && python examples/quickstart.py",
        'pip install ".[test]" && pytest',
    ):
        assert command in readme
