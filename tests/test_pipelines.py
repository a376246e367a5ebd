"""cymlp's estimators in scikit-learn's pipelines, searches and ensembles."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cymlp import MLPClassifier, MLPRegressor
from cymlp.schedules import CosineDecay, LinearDecay
from problems import N_VAL, N, parts

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def few_digits(digits):
    X, y = digits
    return X[:600], y[:600]


def classifier(**params):
    return MLPClassifier(
        **{"hidden_layer_sizes": 20, "max_iter": 60, "random_state": 0, "learning_rate_init": 0.01}
        | params
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search(few_digits, backend):
    from joblib import parallel_backend

    X, y = few_digits
    grid = {"hidden_layer_sizes": [(5,), (20,), (10, 10)], "alpha": [1e-4, 1.0]}
    scores = []
    for Estimator in (MLPClassifier, SklearnMLPClassifier):
        search = GridSearchCV(
            Estimator(max_iter=5, random_state=0, learning_rate_init=0.01), grid, n_jobs=2, cv=3
        )
        with parallel_backend(backend), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(X, y)
        scores.append(search.cv_results_["mean_test_score"])
    assert_allclose(scores[0], scores[1])


def test_search_for_schedules_and_sizes(few_digits):
    """Schedules and strings of sizes can be searched like any other value."""
    X, y = few_digits
    grid = {
        "learning_rate": ["constant", LinearDecay(), CosineDecay(warmup_steps=0.2)],
        "hidden_layer_sizes": ["6-5", (6, 5)],
    }
    search = GridSearchCV(classifier(max_iter=5), grid, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert_array_equal(scores[:3], scores[3:])  # the names of parameters are sorted
    assert len(set(scores)) > 1
    assert search.best_params_["learning_rate"] in grid["learning_rate"]
    best = search.best_estimator_
    assert clone(best).learning_rate == best.learning_rate
    direct = cross_val_score(classifier(max_iter=5, **search.best_params_), X, y, cv=2)
    assert_allclose(search.best_score_, direct.mean())


def test_random_search(few_digits):
    X, y = few_digits
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), classifier()),
        {"mlpclassifier__alpha": np.logspace(-5, 0, 20)},
        n_iter=3,
        random_state=0,
    ).fit(X, y)
    assert search.best_score_ > 0.8


def test_cross_validation(few_digits):
    X, y = few_digits
    assert cross_val_score(classifier(), X, y, cv=3).min() > 0.8
    probabilities = cross_val_predict(classifier(), X, y, cv=3, method="predict_proba")
    assert roc_auc_score(y, probabilities, multi_class="ovr") > 0.98


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(few_digits, method):
    X, y = few_digits
    calibrated = CalibratedClassifierCV(classifier(), method=method, cv=3).fit(X[:400], y[:400])
    assert calibrated.score(X[400:], y[400:]) > 0.8
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    "ensemble",
    [
        StackingClassifier([("mlp", classifier()), ("linear", LogisticRegression(max_iter=500))]),
        VotingClassifier([("a", classifier()), ("b", classifier(random_state=1))], voting="soft"),
        BaggingClassifier(classifier(), n_estimators=3, random_state=0),
        OneVsRestClassifier(classifier()),
    ],
    ids=lambda ensemble: type(ensemble).__name__,
)
def test_ensembles(few_digits, ensemble):
    X, y = few_digits
    assert ensemble.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.8


def test_classifier_chain(few_digits):
    X, y = few_digits
    Y = np.c_[y % 2, y > 4]
    assert ClassifierChain(classifier()).fit(X[:400], Y[:400]).score(X[400:], Y[400:]) > 0.7


def test_regressors():
    X, y = make_regression(400, 10, n_targets=2, noise=1, random_state=0)
    mlp = MLPRegressor(hidden_layer_sizes=20, solver="lbfgs", random_state=0)
    target = TransformedTargetRegressor(mlp, transformer=StandardScaler()).fit(X[:300], y[:300, 0])
    assert target.score(X[300:], y[300:, 0]) > 0.95
    each = MultiOutputRegressor(make_pipeline(StandardScaler(), mlp)).fit(X[:300], y[:300])
    assert each.score(X[300:], y[300:]) > 0.9


def test_pandas_columns():
    """A DataFrame from a ColumnTransformer is accepted; its names are kept and checked."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, 300),
            "income": rng.lognormal(10, 1, 300),
            "town": rng.choice(["Oslo", "Lima", "Pune"], 300),
        }
    )
    y = pd.Series(np.where((frame.age > 50) ^ (frame.town == "Oslo"), "yes", "no"), name="buys")
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["age", "income"]), ("town", OneHotEncoder(), ["town"])],
        sparse_threshold=0,
    ).set_output(transform="default")
    pipeline = make_pipeline(columns, classifier(max_iter=100)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.9

    numbers = frame[["age", "income"]]
    estimator = classifier().fit(numbers, y)
    assert list(estimator.feature_names_in_) == ["age", "income"]
    assert_array_equal(estimator.classes_, ["no", "yes"])
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(numbers[["income", "age"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        estimator.predict(numbers.to_numpy())


def test_sample_weight_is_routed(few_digits):
    X, y = few_digits
    weights = np.where(y < 5, 1.0, 1e-9)
    with config_context(enable_metadata_routing=True):
        estimator = classifier().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, estimator).fit(X, y, sample_weight=weights)
    assert np.mean(pipeline.predict(X) < 5) > 0.9


def test_permutation_importance(few_digits):
    X, y = few_digits
    estimator = classifier().fit(X, y)
    importances = permutation_importance(estimator, X[:100], y[:100], n_repeats=2, random_state=0)
    assert importances.importances_mean[0] == 0  # the corner pixel is always white


class TestValidationData:
    """Validation data reach fit through meta-estimators, by metadata routing."""

    def test_pipeline_transforms_them(self, few_digits):
        X, y, X_val, y_val = parts(10 * few_digits[0], few_digits[1])
        params = {"early_stopping": True, "max_iter": 4}
        with config_context(enable_metadata_routing=True):
            estimator = classifier(**params).set_fit_request(X_val=True, y_val=True)
            pipeline = make_pipeline(StandardScaler(), estimator, transform_input=["X_val"])
            pipeline.fit(X, y, X_val=X_val, y_val=y_val)
        scaler = StandardScaler().fit(X)
        direct = classifier(**params).fit(
            scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val
        )
        assert_array_equal(pipeline[-1].history_["val_loss"], direct.history_["val_loss"])
        assert_array_equal(pipeline.predict(X_val), direct.predict(scaler.transform(X_val)))

    def test_pipeline_without_routing_uses_step_prefixes(self, few_digits):
        X, y, X_val, y_val = parts(*few_digits)
        pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), classifier())
        pipeline.fit(X, y, mlpclassifier__X_val=X_val, mlpclassifier__y_val=y_val)
        direct = classifier().fit(X, y, X_val=X_val, y_val=y_val)
        assert_array_equal(pipeline[-1].history_["val_loss"], direct.history_["val_loss"])

    def test_grid_search(self, few_digits):
        X, y, X_val, y_val = parts(*few_digits)
        names = ("X_val", "y_val", "sample_weight_val")
        data_val = dict(zip(names, (X_val, y_val, np.linspace(1, 2, N_VAL)), strict=True))
        split = PredefinedSplit(np.r_[np.full(200, -1), np.zeros(N - 200)])
        grid = {"hidden_layer_sizes": [3, 12]}
        with config_context(enable_metadata_routing=True):
            estimator = classifier(early_stopping=True)
            estimator.set_fit_request(**dict.fromkeys(names, True))
            search = GridSearchCV(estimator, grid, cv=split).fit(X, y, **data_val)
        best = search.best_estimator_
        direct = classifier(early_stopping=True, hidden_layer_sizes=best.hidden_layer_sizes)
        direct.fit(X, y, **data_val)
        assert_array_equal(best.validation_scores_, direct.validation_scores_)
        direct.fit(X[:200], y[:200], **data_val)
        assert_allclose(search.best_score_, direct.score(X[200:], y[200:]))

    def test_routing_requires_a_request(self, few_digits):
        X, y, X_val, y_val = parts(*few_digits)
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(classifier(), {"alpha": [0.1]}, cv=2)
            with pytest.raises(ValueError, match="set_fit_request"):
                search.fit(X, y, X_val=X_val, y_val=y_val)
