"""_fitted: finding the part of an estimator that has an attribute."""

import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from cymlp.plotting._fitted import fitted_part, path_to_part

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_path_to_part(network, digits):
    inner = make_pipeline(PCA(8), network(max_iter=1))
    search = GridSearchCV(inner, {"pca__n_components": [8]}, cv=2).fit(*digits)
    outer = make_pipeline("passthrough", search).fit(*digits)
    path = path_to_part(outer, "coefs_")
    search = outer.steps[-1][1]
    pipeline = search.best_estimator_
    assert path == [outer, search, pipeline, pipeline.steps[-1][1]]
    assert fitted_part(outer, "coefs_") is path[-1]
    assert path_to_part(path[-1], "coefs_") == [path[-1]]


def test_no_such_part(network, digits):
    with pytest.raises(NotFittedError):
        fitted_part(make_pipeline(network()), "coefs_")
    with pytest.raises(ValueError, match="PCA has no coefs_"):
        fitted_part(make_pipeline(PCA(8)).fit(*digits), "coefs_")
