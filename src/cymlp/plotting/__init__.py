"""Figures of fits, weights and predictions, as display objects like scikit-learn's.

Create a display with its ``from_estimator`` or ``from_predictions``, which draw at once, or
directly from data; its method ``plot`` draws it again, as often as you like. What was drawn is in
its attributes: ``figure_``, ``axes_`` and the matplotlib artists. Drawing needs matplotlib, which
the extra ``plot`` installs; importing this module does not.

``ax`` says where to draw: None for a new figure; a single Axes, which the display divides if it
needs several; or an array of Axes, at least as many as the display needs, of which it uses the
first ones.

The colours are those of Okabe and Ito, or run from blue to red, so that colour-blind readers can
tell them apart. Nothing is shown by colour alone.
"""

from cymlp.plotting._history import HistoryDisplay
from cymlp.plotting._image_grid import ImageGridDisplay
from cymlp.plotting._probabilities import ProbabilityDisplay
from cymlp.plotting._weights import WeightsDisplay

# Users see one module, in pickles, reprs and documentation.
for _public in (HistoryDisplay, ImageGridDisplay, ProbabilityDisplay, WeightsDisplay):
    _public.__module__ = __name__
del _public

__all__ = ["HistoryDisplay", "ImageGridDisplay", "ProbabilityDisplay", "WeightsDisplay"]
