"""scikit-learn's own tests of estimators, and of its MLP, run on cymlp's."""

from pathlib import Path

import pytest
import sklearn.neural_network.tests
from sklearn.utils.estimator_checks import parametrize_with_checks

from cymlp import MLPClassifier, MLPRegressor

pytestmark = [pytest.mark.no_cover, pytest.mark.filterwarnings("ignore")]

# Learning rates that solve the checks' small problems in the given epochs; with L-BFGS, the
# classifier gets a penalty that keeps its probabilities from rounding to 1.
ADAM = {"learning_rate_init": 0.05, "max_iter": 100}
SGD = {"solver": "sgd", "learning_rate_init": 0.01, "max_iter": 200}
LBFGS = {"solver": "lbfgs"}
DEEP = {"hidden_layer_sizes": (10, 5), "activation": "tanh"}
ESTIMATORS = [
    MLPClassifier(**ADAM),
    MLPClassifier(**SGD, **DEEP),
    MLPClassifier(**LBFGS, alpha=0.1),
    MLPRegressor(**SGD, **DEEP),
    MLPRegressor(**LBFGS),
]
MORE = [
    MLPClassifier(**ADAM, **DEEP),
    MLPClassifier(**SGD),
    MLPClassifier(**SGD, momentum=0).set_params(learning_rate_init=0.3),
    MLPClassifier(**LBFGS, **DEEP, alpha=1.0),
    MLPClassifier(**LBFGS, hidden_layer_sizes=()),
    MLPRegressor(**ADAM),
    MLPRegressor(**ADAM, **DEEP),
    MLPRegressor(solver="sgd", max_iter=500),
    MLPRegressor(**LBFGS, **DEEP),
    MLPRegressor(**LBFGS, hidden_layer_sizes=()),
    MLPRegressor(**LBFGS, loss="poisson"),
]


def expected_failures(estimator):
    if getattr(estimator, "loss", None) == "poisson":
        reason = "the check has negative targets in spite of the tag positive_only"
        return {"check_regressor_multioutput": reason}
    return {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(MORE, expected_failed_checks=expected_failures)
def test_estimator_checks_with_more_settings(estimator, check):
    check(estimator)


# scikit-learn's test_mlp.py with cymlp's estimators in place of its own.
_path = Path(sklearn.neural_network.tests.__file__).parent / "test_mlp.py"
if _path.exists():
    _import = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
    _source = _path.read_text(encoding="utf-8")
    assert _source.count(_import) == 1
    _source = _source.replace(_import, "from cymlp import MLPClassifier, MLPRegressor")
    exec(compile(_source, str(_path), "exec"), globals())
    # It calls the private _loss_grad_lbfgs; tests/engine/test_passes.py has the gradient checks.
    del globals()["test_gradient"]


def test_scikit_learns_tests_are_collected():
    assert _path.exists()
    theirs = [name for name in globals() if name.startswith("test_")]
    assert len(theirs) >= 40
    assert globals()["test_alpha"].__globals__["MLPClassifier"] is MLPClassifier
