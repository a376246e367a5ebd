"""Figures of one style for all benchmarks."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from benchmarks.report import number

COLOURS = {
    "cymlp": "#c1440e",
    "scikit-learn": "#7f7f7f",
    "PyTorch": "#4c72b0",
    "torch.compile": "#8fb0dc",
    "JAX": "#55a868",
    "Keras": "#a7d3b0",
    "NumPy": "#937860",
    "ONNX Runtime": "#8172b3",
    "own kernel": "#c1440e",
    "BLAS": "#7f7f7f",
}
_BAR = 0.16  # inches
_STYLES = ("-", "--", ":", "-.")


def panels(
    n_columns: int, width: float, height: float, *, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side."""
    plt.rcParams.update(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlelocation": "left",
            "axes.titlesize": 10,
            "grid.color": "#e5e5e5",
            "legend.frameon": False,
            "legend.fontsize": 7.5,
        }
    )
    figure, axes = plt.subplots(
        1, n_columns, figsize=(width, height), layout="constrained", sharey=sharey
    )
    return figure, list(np.atleast_1d(axes))


def bars(
    labels: Sequence[str],
    titled: Mapping[str, Mapping[str, Sequence[float | None]]],
    *,
    log_from: float | None = None,
) -> Figure:
    """Draw horizontal bars: a panel for each title, a group for each label, a bar for each name.

    With ``log_from``, the scale is logarithmic and the bars start at that value.
    """
    n_bars = len(next(iter(titled.values())))
    height = 1.0 + _BAR * len(labels) * (n_bars + 1)
    figure, all_axes = panels(len(titled), 9 if len(titled) == 1 else 11, height, sharey=True)
    for axes, (title, values) in zip(all_axes, titled.items(), strict=True):
        _draw_bars(axes, values, log_from or 0.0)
        if log_from is not None:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.axvline(log_from, color="#404040", linewidth=0.8)
        axes.set_title(title)
        axes.margins(x=0.12, y=0.01)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    all_axes[0].set_yticks(range(len(labels)), labels)
    all_axes[0].invert_yaxis()
    figure.legend(
        *all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=n_bars
    )
    return figure


def _draw_bars(axes: Axes, values: Mapping[str, Sequence[float | None]], start: float) -> None:
    """Draw a group of bars for each index of the values, each from ``start`` to its value."""
    thickness = 1 / (len(values) + 1)
    for i, (name, ends) in enumerate(values.items()):
        shift = (i - (len(values) - 1) / 2) * thickness
        places = [(row + shift, end) for row, end in enumerate(ends) if end is not None]
        drawn = axes.barh(
            [place for place, _ in places],
            [end - start for _, end in places],
            left=start,
            height=thickness,
            color=COLOURS[name],
            label=name,
        )
        texts = [number(end) for _, end in places]
        axes.bar_label(drawn, texts, padding=2, fontsize=6.5, color="#404040")


def draw_lines(
    axes: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, log: str = ""
) -> None:
    """Draw lines in one panel; ``log`` names the logarithmic axes, as in "xy".

    The part of a name before the comma sets the colour, the part after it the style.
    """
    styles: dict[str, str] = {}
    for name, (xs, ys) in lines.items():
        library, _, kind = name.partition(", ")
        style = styles.setdefault(kind, _STYLES[len(styles) % len(_STYLES)])
        axes.plot(xs, ys, style, marker="o", color=COLOURS[library], markersize=3.5, label=name)
    for letter in log:
        axes.set(**{f"{letter}scale": "log"})
        axis = {"x": axes.xaxis, "y": axes.yaxis}[letter]
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter(NullFormatter())
    if "x" not in log:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "y" not in log:
        axes.set_ylim(0, None)
    axes.legend()
