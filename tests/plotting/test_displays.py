"""What all displays have in common."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from cymlp import plotting
from cymlp.plotting import ImageGridDisplay, ProbabilityDisplay, WeightsDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_new_figure_one_axes_or_an_array(draw, clf):
    display = draw(clf)
    n_axes = display.axes_.size
    assert n_axes > 1
    assert all(ax.figure is display.figure_ for ax in display.axes_.ravel())

    figure, (_, right) = plt.subplots(1, 2)
    inside = draw(clf, ax=right)
    assert inside.figure_ is figure
    assert inside.axes_.shape == display.axes_.shape

    figure, axes = plt.subplots(n_axes)
    given = draw(clf, ax=axes)
    assert given.figure_ is figure
    assert given.axes_.ravel().tolist() == axes.tolist()


def test_plot_again(draw, clf):
    display = draw(clf)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


def test_estimator_must_be_fitted(draw, network):
    with pytest.raises(NotFittedError):
        draw(network())


def test_pipelines_and_searches(draw, network, digits):
    pipeline = make_pipeline(MinMaxScaler(), network(max_iter=1))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-3]}, cv=2)
    assert draw(search.fit(*digits)).figure_ is not None


@pytest.mark.parametrize(
    "draw", [name for name in plotting.__all__ if name != "HistoryDisplay"], indirect=True
)
def test_parameters_of_images(draw, clf):
    display = draw(clf, image_shape=(4, 16), n_cols=1, cmap="viridis")
    assert {image.get_array().shape[0] for image in display.im_} == {4}
    assert {image.get_cmap().name for image in display.im_} == {"viridis"}
    rows = {ax.get_subplotspec().rowspan.start for ax in display.axes_.ravel()}
    assert len(rows) == len(display.axes_)
    with pytest.raises(ValueError, match="does not fit 64 features"):
        draw(clf, image_shape=(8, 9))
    with pytest.raises(ValueError, match="n_cols must be at least 1"):
        draw(clf, n_cols=0)


def test_tables(draw, network, table):
    """ImageGridDisplay cannot draw tables, and its error names displays that can."""
    clf = network(max_iter=2).fit(*table)
    if draw.name == "ImageGridDisplay":
        with pytest.raises(
            ValueError, match=r"image_shape.* 3 features .* for images; for a table"
        ):
            draw(clf, table)
    else:
        assert draw(clf, table).figure_ is not None


def test_dollar_signs_in_names_are_not_formulas():
    """matplotlib would try to parse the text between them as a formula."""
    names = [r"a$\b$", "c"]
    WeightsDisplay(np.eye(2), feature_names=names).plot()
    ProbabilityDisplay([[1.0, 0.0]], classes=names).plot()
    ImageGridDisplay.from_predictions(names[:1], names[1:], [[0.0]])


def test_public_names_are_in_one_module():
    for name in plotting.__all__:
        display = getattr(plotting, name)
        assert display.__module__ == "cymlp.plotting"
        assert pickle.loads(pickle.dumps(display)) is display


def printed_by(program):
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


def test_without_matplotlib():
    program = """if True:
        import sys
        sys.modules["matplotlib"] = None
        from cymlp.plotting import HistoryDisplay
        try:
            HistoryDisplay({"loss": [2.0, 1.0]}).plot()
        except ImportError as error:
            print(error)
    """
    assert 'pip install "matplotlib>=3.8"' in printed_by(program)


def test_import_does_not_import_matplotlib():
    program = "import sys, cymlp.plotting; print('matplotlib' in sys.modules)"
    assert printed_by(program) == "False"
