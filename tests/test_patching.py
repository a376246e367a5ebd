"""cymlp in scikit-learn's place, in this process and by python -m cymlp."""

import os
import pickle
import subprocess
import sys
import textwrap
import zipfile

import pytest
import sklearn.neural_network
from sklearn.base import clone
from sklearn.utils import all_estimators

import cymlp
from cymlp.__main__ import main
from small import PARAMS, X, y

THEIRS = sklearn.neural_network.MLPClassifier
NAMES = ("MLPClassifier", "MLPRegressor")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def patched():
    cymlp.patch_sklearn()
    yield
    cymlp.unpatch_sklearn()


class TestPatch:
    def test_the_classes_are_exchanged_and_restored(self):
        """However often each function is called."""
        before = vars(sklearn.neural_network).copy()
        for _ in range(2):
            cymlp.patch_sklearn()
            for name in NAMES:
                assert getattr(sklearn.neural_network, name) is getattr(cymlp, name)
        for _ in range(2):
            cymlp.unpatch_sklearn()
            assert vars(sklearn.neural_network) == before

    def test_another_patch_is_left_alone(self, patched, monkeypatch):
        class Other:
            pass

        monkeypatch.setattr(sklearn.neural_network, "MLPRegressor", Other)
        cymlp.unpatch_sklearn()
        assert sklearn.neural_network.MLPRegressor is Other
        assert sklearn.neural_network.MLPClassifier is THEIRS

    def test_all_estimators(self, patched):
        found = dict(all_estimators())
        assert [found[name] for name in NAMES] == [cymlp.MLPClassifier, cymlp.MLPRegressor]

    def test_estimators_from_before(self):
        """They stay scikit-learn's: fit, clones, and pickles, whether made or loaded now."""
        estimator = THEIRS(**PARAMS).fit(X, y)
        pickled = pickle.dumps(estimator)
        cymlp.patch_sklearn()
        try:
            assert pickle.dumps(estimator) == pickled
            for other in (pickle.loads(pickled), clone(estimator).fit(X, y), estimator.fit(X, y)):
                assert type(other) is THEIRS
                assert (other.predict(X) == estimator.predict(X)).all()
            ours = cymlp.MLPClassifier.from_sklearn(estimator)
            assert type(ours.to_sklearn()) is THEIRS
        finally:
            cymlp.unpatch_sklearn()

    def test_estimators_made_now(self, patched):
        """They stay cymlp's, also when they are loaded without the patch."""
        estimator = sklearn.neural_network.MLPClassifier(**PARAMS).fit(X, y)
        pickled = pickle.dumps(clone(estimator))
        cymlp.unpatch_sklearn()
        assert type(pickle.loads(pickled)) is type(clone(estimator)) is cymlp.MLPClassifier
        assert not isinstance(estimator, sklearn.neural_network.MLPClassifier)


PROGRAM = """
    import sys
    from sklearn.neural_network import MLPClassifier
    print(MLPClassifier.__module__, __name__, sys.argv[1:], sys.path[0])
"""


def run(*arguments, cwd, **environment):
    """The completed process of ``python -m cymlp``."""
    source = os.path.dirname(os.path.dirname(cymlp.__file__))
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "cymlp", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=120,
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | environment,
    )  # fmt: skip


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


class TestCommand:
    @pytest.mark.parametrize(
        "form", ["script", "package", *(slow(form) for form in ("folder", "zip", "module"))]
    )
    def test_forms(self, form, tmp_path):
        """Arguments and the first entry of sys.path are as they would be without cymlp."""
        folder = tmp_path / "programs"
        script = write(folder / "__main__.py", PROGRAM)
        here, there = tmp_path, folder
        match form:
            case "script":
                command = [script.relative_to(tmp_path)]
            case "folder":
                command = [folder]
            case "zip":
                command = [there := tmp_path / "program.zip"]
                with zipfile.ZipFile(there, "w") as archive:
                    archive.write(script, "__main__.py")
            case "module":
                command, here = ["-m", script.rename(folder / "program.py").stem], folder
            case "package":
                command, there = ["-m", "programs"], tmp_path
        done = run(*command, "a", "-m", "--help", cwd=here)
        assert done.stderr == ""
        assert done.stdout == f"cymlp __main__ ['a', '-m', '--help'] {there}\n"

    def test_safe_path(self, tmp_path):
        """Then the script's folder is not in sys.path, as in Python."""
        script = write(tmp_path / "program.py", PROGRAM)
        done = run(script, cwd=tmp_path, PYTHONSAFEPATH="1")
        assert done.stdout.startswith("cymlp __main__ [] ")
        assert not done.stdout.endswith(f" {tmp_path}\n")

    def test_a_package_is_patched_before_it_is_imported(self, tmp_path):
        write(tmp_path / "tool" / "__init__.py", "from sklearn.neural_network import MLPClassifier")
        write(tmp_path / "tool" / "run.py", "import tool; print(tool.MLPClassifier.__module__)")
        assert run("-m", "tool.run", cwd=tmp_path).stdout == "cymlp\n"

    def test_processes_started_by_the_program(self, tmp_path):
        """They find the program's classes, and it finds those that they send back."""
        code = """
            import multiprocessing
            class Result:
                pass
            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(type(pool.apply_async(Result).get(60)) is Result)
        """
        done = run(write(tmp_path / "program.py", code), cwd=tmp_path)
        assert done.stdout == "True\n", done.stderr

    @pytest.mark.parametrize(
        "arguments, code, status, printed",
        [
            (["program.py"], "import sys; sys.exit(7)", 7, ""),
            (["-m", "program"], "import nothing", 1, "No module named 'nothing'\n"),
            slow(["-m", "program"], "import sys; sys.exit(7)", 7, ""),
            slow(["program.py"], "import nothing", 1, "No module named 'nothing'\n"),
        ],
    )
    def test_how_it_ends(self, arguments, code, status, printed, tmp_path):
        """Exit codes and tracebacks are the program's."""
        write(tmp_path / "program.py", code)
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == status
        assert done.stderr.endswith(printed)
        assert ("program.py" in done.stderr) == bool(printed)

    @pytest.mark.parametrize(
        "arguments, printed",
        [
            ([], "usage: python -m cymlp"),
            (["-m"], "usage: python -m cymlp"),
            (["-x", "program.py"], "usage: python -m cymlp"),
            (["nothing.py"], "cannot open 'nothing.py': No such file or directory"),
            (["-m", "nothing"], "there is no module 'nothing'"),
            (["-m", "os.nothing"], "there is no module 'os.nothing'"),
        ],
        ids=" ".join,
    )
    def test_bad_command_lines(self, arguments, printed, capsys, monkeypatch, patched):
        monkeypatch.setattr(sys, "argv", [])
        with pytest.raises(SystemExit) as ending:
            main(arguments)
        assert ending.value.code == 2
        captured = capsys.readouterr()
        assert printed in captured.err
        assert captured.out == ""

    def test_a_parent_package_that_fails(self, tmp_path):
        """Its own error is shown."""
        write(tmp_path / "tool" / "__init__.py", "import no_such_module")
        done = run("-m", "tool.run", cwd=tmp_path)
        assert done.returncode == 1
        assert "No module named 'no_such_module'" in done.stderr

    def test_help(self, capsys):
        main(["--help"])
        assert capsys.readouterr().out.startswith("usage: python -m cymlp [-h] (script | -m")
