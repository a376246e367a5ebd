"""The loss and the score of fits, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from cymlp.plotting._axes import BLUE, VERMILION, grid_cells, make_axes
from cymlp.plotting._fitted import fitted_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

_TRAINING = {"color": BLUE, "linestyle": "--"}
_VALIDATION = {"color": VERMILION, "linestyle": "-"}
# Quantities that share a panel: the panel, the label in its legend, the style.
_SHARED: dict[str, tuple[str, str, dict[str, str]]] = {
    "loss": ("loss", "training", _TRAINING),
    "val_loss": ("loss", "validation", _VALIDATION),
    "train_score": ("score", "training", _TRAINING),
    "val_score": ("score", "validation", _VALIDATION),
}
_WATCHED = ("val_loss", "val_score")  # the quantities that decide which epoch is the best


class HistoryDisplay:
    """The loss and the score of a fit, epoch by epoch.

    "loss" and "val_loss" share a panel, and so do "train_score" and "val_score" unless they are
    known to be different scores; any other quantity has its own. For several runs, the display
    draws the mean and a band of one standard deviation on either side, over as many records as the
    shortest run has. For a single run with early stopping, it marks the epoch whose weights were
    kept, in the panels of the validation loss and score.

    Parameters
    ----------
    history : dict of array-like of shape (n_records,), or list of them
        ``history_`` of one or several estimators, with NaN where a quantity was not recorded. A
        pandas.DataFrame works like a dict.
    best_iteration : int, default=None
        The epoch to mark, counted from 1; None for no mark. Several runs are never marked.
    steps_per_epoch : int, default=None
        The number of updates in an epoch, if the history was recorded with ``record_every``: its
        records are not epochs then, and the best epoch is marked only if x="n_updates".
    score_names : dict of str, default=None
        Which scores "train_score" and "val_score" are, for instance {"val_score": "roc_auc"}.
        Those not named are called "score".

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_panels,)
    figure_ : Figure
    lines_ : dict of Line2D
        The line of each quantity.
    fill_between_ : dict of PolyCollection
        The band of each quantity; empty for a single run.
    best_lines_ : list of Line2D
        The marks of the best epoch, one in each panel with validation data; empty if there is
        no best epoch.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cymlp import MLPClassifier
    >>> from cymlp.plotting import HistoryDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(early_stopping=True, random_state=0).fit(X / 16, y)
    >>> display = HistoryDisplay.from_estimator(clf)
    >>> list(display.lines_)
    ['loss', 'val_loss', 'val_score']
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['Loss', 'Accuracy']

    The mean loss of three runs:

    >>> runs = [MLPClassifier(tol=1e-2, random_state=i).fit(X / 16, y) for i in range(3)]
    >>> display = HistoryDisplay.from_estimator(runs, quantities=["loss"], color="black")
    >>> len(display.axes_)
    1
    """

    axes_: NDArray[Any]
    figure_: Figure | SubFigure
    lines_: dict[str, Line2D]
    fill_between_: dict[str, PolyCollection]
    best_lines_: list[Line2D]

    def __init__(
        self,
        history: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]],
        *,
        best_iteration: int | None = None,
        steps_per_epoch: int | None = None,
        score_names: Mapping[str, str] | None = None,
    ) -> None:
        self.history = history
        self.best_iteration = best_iteration
        self.steps_per_epoch = steps_per_epoch
        self.score_names = score_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        x: str | None = None,
        quantities: Sequence[str] | None = None,
        ax: Axes | ArrayLike | None = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the history of one or several fitted estimators.

        Parameters
        ----------
        estimator : estimator, or list or tuple of them
            Fitted estimators of cymlp, or fitted pipelines or searches that contain them.
        x : {"epoch", "n_updates"}, default=None
            As in `plot`. None means "n_updates" if an estimator has ``record_every``, because its
            records are not epochs then, and "epoch" otherwise.
        quantities, ax, **line_kw
            As in `plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        ValueError
            If an estimator has no ``history_``, if x="epoch" but an estimator has
            ``record_every``, or for a reason given in `plot`.
        """
        many = isinstance(estimator, (list, tuple))
        fitted = [fitted_part(run, "history_") for run in (estimator if many else [estimator])]
        by_updates = any(getattr(run, "record_every", None) is not None for run in fitted)
        if by_updates and x == "epoch":
            raise ValueError('With record_every, records are not epochs; use x="n_updates".')
        histories = [run.history_ for run in fitted]
        best, steps_per_epoch = _best_epoch(fitted[0]) if len(fitted) == 1 else (None, None)
        display = cls(
            histories if many else histories[0], best_iteration=best,
            steps_per_epoch=steps_per_epoch, score_names=_score_names(fitted),
        )  # fmt: skip
        if x is None:
            x = "n_updates" if by_updates else "epoch"
        return display.plot(x=x, quantities=quantities, ax=ax, **line_kw)

    def plot(
        self,
        *,
        x: str = "epoch",
        quantities: Sequence[str] | None = None,
        ax: Axes | ArrayLike | None = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the history.

        Parameters
        ----------
        x : {"epoch", "n_updates"}, default="epoch"
            The horizontal axis: the number of the record (1, 2, ...), or of updates made so far.
        quantities : list of str, default=None
            Names in the history. None means those of "loss", "val_loss", "train_score" and
            "val_score" that were recorded in all runs.
        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes for each panel.
        **line_kw : dict
            Passed to matplotlib's ``plot``. A ``label`` is put in front of the names in the
            legends, to tell apart several displays on the same Axes.

        Returns
        -------
        display : HistoryDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a quantity was not recorded in all runs, or there is nothing to draw; if ``x`` is
            neither of the two; if x="n_updates", but the runs differ in it or lack it; or if
            there is no record number ``best_iteration``.
        """
        runs: list[Any] = [self.history] if _is_mapping(self.history) else list(self.history)
        curves = {name: _curves(runs, name) for name in _names(runs, quantities)}
        positions = _positions(runs, x, len(next(iter(curves.values()))[0]))
        best = self._best_position(x, positions) if len(runs) == 1 else None

        names_of_scores = self.score_names or {}
        titles = {name: names_of_scores.get(name, _SHARED.get(name, (name,))[0]) for name in curves}
        panels = list(dict.fromkeys(titles.values()))
        self.axes_ = make_axes(ax, grid_cells(len(panels), None, len(panels)), (4.2, 3.2))
        self.figure_ = self.axes_[0].figure
        axes_of = {name: self.axes_[panels.index(title)] for name, title in titles.items()}

        from matplotlib import cbook, lines

        style = cbook.normalize_kwargs(line_kw, lines.Line2D)
        prefix = style.pop("label", "")
        self.lines_, self.fill_between_ = {}, {}
        for name, values in curves.items():
            self._draw_curve(axes_of[name], name, positions, values, style, prefix)
            xlabel = "Epoch" if x == "epoch" else "Updates"
            axes_of[name].set(xlabel=xlabel, ylabel=_words(titles[name]))
        self.best_lines_ = []
        if best is not None:
            label = f"{prefix} best epoch ({self.best_iteration})".strip()
            color = style.get("color", "black")
            for axes in dict.fromkeys(axes_of[name] for name in _WATCHED if name in axes_of):
                self.best_lines_.append(axes.axvline(best, label=label, color=color, linestyle=":"))
                axes.legend()
        return self

    def _draw_curve(
        self,
        axes: Axes,
        name: str,
        positions: NDArray[Any],
        values: NDArray[np.float64],
        style: dict[str, Any],
        prefix: str,
    ) -> None:
        """Draw the mean of a quantity (n_runs, n_records), and of several runs the band."""
        from matplotlib import ticker

        _, label, default = _SHARED.get(name, (name, "", {"color": BLUE}))
        # NaN would break the line, and hide a lone number between two of them.
        recorded = ~np.isnan(values).any(axis=0)
        x, values = positions[recorded], values[:, recorded]
        mean, std = values.mean(axis=0), values.std(axis=0)
        (line,) = axes.plot(x, mean, label=f"{prefix} {label}".strip(), **default | style)
        self.lines_[name] = line
        if len(values) > 1:
            self.fill_between_[name] = axes.fill_between(
                x, mean - std, mean + std, color=line.get_color(), alpha=0.2, linewidth=0
            )
        if axes.get_xscale() == "linear":
            axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
        shown = str(line.get_label())
        if shown and not shown.startswith("_"):
            axes.legend()

    def _best_position(self, x: str, positions: NDArray[Any]) -> float | None:
        """Where on the x axis the best epoch ended; None if there is nothing to mark."""
        if self.best_iteration is None:
            return None
        if self.steps_per_epoch is not None:
            return self.best_iteration * self.steps_per_epoch if x == "n_updates" else None
        if not 1 <= self.best_iteration <= len(positions):
            raise ValueError(
                f"best_iteration must be in 1, ..., {len(positions)}, got {self.best_iteration!r}."
            )
        return float(positions[self.best_iteration - 1])


def _best_epoch(estimator: Any) -> tuple[int | None, int | None]:
    """The best epoch in the history, and the updates in an epoch if the records are not epochs."""
    best: int | None = getattr(estimator, "best_iteration_", None)
    if best is None:
        return None, None
    n_epochs = estimator.n_iter_
    if estimator.record_every is None:  # the history may hold earlier fits as well
        return len(estimator.history_["loss"]) - n_epochs + best, None
    if len(estimator.loss_curve_) > n_epochs:
        return None, None  # earlier fits may have had other numbers of samples
    n_samples = estimator.t_ // n_epochs
    batch_size = 200 if estimator.batch_size == "auto" else max(int(estimator.batch_size), 1)
    return best, ceil(n_samples / batch_size)


def _score_names(estimators: list[Any]) -> dict[str, str]:
    """Which scores the histories hold; those on which the estimators disagree are left out."""
    names: dict[str, str] = {}
    for score in ("train_score", "val_score"):
        found = {_score_name(estimator, score) for estimator in estimators}
        if len(found) == 1:
            names[score] = found.pop()
    return names


def _score_name(estimator: Any, score: str) -> str:
    """The name of the score that an estimator records as "train_score" or "val_score"."""
    scoring: str | Callable[..., float] | None = None
    if score == "val_score":
        scoring = getattr(estimator, "scoring", None)
    if scoring in (None, "loss"):
        return "accuracy" if is_classifier(estimator) else "r2"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return "score" if name == "<lambda>" else name


def _words(name: str) -> str:
    """The name of a quantity or a score, as a label."""
    if name == "r2":
        return "R²"
    if name.startswith("neg_"):
        name = name.replace("neg", "negative", 1)
    return name.replace("_", " ").capitalize()


def _is_mapping(history: Any) -> bool:
    """Whether this is one history, a dict or a DataFrame, and not a list of them."""
    return hasattr(history, "keys")


def _names(runs: list[Mapping[str, ArrayLike]], quantities: Sequence[str] | None) -> list[str]:
    """The quantities to draw; raises ValueError unless all runs recorded them."""
    recorded = [
        name
        for name in (runs[0].keys() if runs else ())
        if all(name in run for run in runs) and _has_numbers(_curves(runs, name))
    ]
    if quantities is None:
        names = [name for name in _SHARED if name in recorded]
    elif isinstance(quantities, str):
        raise ValueError(f"quantities must be a list of names, got {quantities!r}.")
    else:
        names = list(quantities)
        for name in names:
            if name not in recorded:
                raise ValueError(f"{name!r} was not recorded in all runs, which have {recorded}.")
    if not names:
        raise ValueError("There is nothing to draw: no loss or score was recorded in all runs.")
    return names


def _curves(runs: list[Mapping[str, ArrayLike]], name: str) -> NDArray[np.float64]:
    """A quantity of all runs (n_runs, n_records), cut to the shortest run."""
    curves = [np.asarray(run[name], dtype=np.float64) for run in runs]
    n_records = min(map(len, curves))
    return np.array([curve[:n_records] for curve in curves])


def _has_numbers(curves: NDArray[np.float64]) -> bool:
    """Whether some record has a number in every run."""
    return not np.isnan(curves).any(axis=0).all()


def _positions(runs: list[Mapping[str, ArrayLike]], x: str, n_records: int) -> NDArray[Any]:
    """The records' positions on the x axis (n_records,)."""
    if x == "epoch":
        return np.arange(1, n_records + 1)
    if x != "n_updates":
        raise ValueError(f"x must be 'epoch' or 'n_updates', got {x!r}.")
    if not all(x in run for run in runs):
        raise ValueError("n_updates was not recorded in all runs.")
    positions = _curves(runs, x)
    first: NDArray[Any] = positions[0]
    if (positions != first).any():
        raise ValueError("n_updates differs between the runs; use x='epoch'.")
    return first
