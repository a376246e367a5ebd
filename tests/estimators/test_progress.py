"""What a fit prints: nothing, scikit-learn's lines, or a progress bar."""

import builtins
import warnings

import numpy as np
import pytest
import sklearn.neural_network

import cymlp
from cymlp._estimators.progress import Progress

rng = np.random.default_rng(0)
X = rng.standard_normal((80, 5))
y = (X[:, 0] > 0).astype(int)


def show(verbose):
    """Show two epochs, with and without a score, and a message."""
    with Progress(verbose, 3) as progress:
        progress.end_epoch(1, 0.123456789)
        progress.end_epoch(2, 0.1, 0.5)
        progress.write("Stopping.")


LINES = "Iteration 1, loss = 0.12345679\nIteration 2, loss = 0.10000000\n" + (
    "Validation score: 0.500000\nStopping.\n"
)


@pytest.mark.parametrize("verbose, printed", [(0, ""), (False, ""), (1, LINES), (10, LINES)])
def test_lines_or_nothing(verbose, printed, capsys):
    show(verbose)
    assert capsys.readouterr() == (printed, "")


def test_a_bar(capsys):
    pytest.importorskip("tqdm")
    show(2)
    out, err = capsys.readouterr()
    assert "Iteration" not in out + err
    assert "Stopping." in out + err
    assert "2/3" in err
    assert "loss=0.1, score=0.5" in err
    assert "epoch" in err


def test_lines_instead_of_a_bar_without_tqdm(capsys, monkeypatch):
    original = builtins.__import__

    def without_tqdm(name, *args, **kwargs):
        if name.partition(".")[0] == "tqdm":
            raise ImportError("no tqdm here")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    show(2)
    assert capsys.readouterr() == (LINES, "")


def test_an_exception_closes_the_bar(capsys):
    pytest.importorskip("tqdm")
    with pytest.raises(RuntimeError), Progress(2, 3) as progress:
        raise RuntimeError
    assert progress._bar.disable


def printed(estimator, capsys):
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    return capsys.readouterr()


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize(
    "params",
    [
        {"max_iter": 3},
        {"max_iter": 3, "early_stopping": True},
        {"tol": 10.0, "n_iter_no_change": 1},
        {"tol": 10.0, "n_iter_no_change": 1, "early_stopping": True},
        {"tol": 10.0, "n_iter_no_change": 1, "solver": "sgd", "learning_rate": "adaptive",
         "learning_rate_init": 1e-5},
    ],
    ids=str,
)  # fmt: skip
def test_a_fit_prints_the_same_as_scikit_learn(name, params, capsys):
    params = {"hidden_layer_sizes": 5, "random_state": 0, "verbose": True, **params}
    ours, theirs = (getattr(module, name)(**params) for module in (cymlp, sklearn.neural_network))
    expected = printed(theirs, capsys).out
    assert "Iteration 1, loss = " in expected
    assert ("Stopping." in expected) == ("tol" in params)
    assert printed(ours, capsys) == (expected, "")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_shows_a_bar_of_its_epochs(solver, capsys):
    pytest.importorskip("tqdm")
    clf = cymlp.MLPClassifier(5, verbose=2, solver=solver, max_iter=4, early_stopping=True)
    out, err = printed(clf, capsys)
    assert "Iteration" not in out + err
    assert "4/4" in err
    assert f"loss={clf.loss_:.6g}" in err
    assert ("score=" in err) == (solver == "adam")
