"""The benchmark's picture: 1 − F1 of every method in every scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from friedel.benchmark.scenes import NO_CORES, SCENES
from friedel.benchmark.titles import METHOD_TITLES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, which colour-blind readers tell apart, and a dark red: as many as there are methods.
_COLOURS = (
    "#999999", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#000000", "#882255"
)  # fmt: skip
_SPACING = 0.11
#: Names of methods that fit into a line of the legend.
_IN_A_LINE = 6


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw 1 − F1 of every method in every scene on a logarithmic axis, which tells methods near F1 = 1 apart.

    Filled points: default threshold. Open points: best cut. Left: the fields. Right: the same without cores.

    Parameters
    ----------
    table : DataFrame
        What `summarise` returns.
    path : path
        The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = table[table["f1_best"].notna() | table["f1"].notna()]
    bare = shown["scene"].str.endswith(NO_CORES)
    parts = [
        (title, part)
        for title, part in (("dI/dV maps", shown[~bare]), ("waves alone", shown[bare]))
        if len(part)
    ]
    scenes = list(dict.fromkeys(shown["scene"].str.removesuffix(NO_CORES)))
    methods = list(dict.fromkeys(table["method"]))
    floor = error_floor(shown)
    figure = Figure(figsize=(10, 1.8 + 0.62 * len(scenes)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, max(len(parts), 1), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, part) in zip(panels, parts, strict=False):
        for index, method in enumerate(methods):
            shift = (index - (len(methods) - 1) / 2) * _SPACING
            own = part[part["method"] == method]
            at = np.array([scenes.index(name.removesuffix(NO_CORES)) for name in own["scene"]]) + shift
            colour = _COLOURS[index % len(_COLOURS)]
            _draw_method(axes, own, at, floor, colour, METHOD_TITLES.get(method, method))
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log")
        axes.set_xlim(0.7 * floor, 1.2)
        ticks = [one for one in (1e-3, 1e-2, 1e-1, 1.0) if one > 1.4 * floor]
        axes.set_xticks([floor, *ticks], ["0", *(f"{one:g}" for one in ticks)])
        axes.minorticks_off()
        axes.grid(axis="x", alpha=0.3)
        for row in range(1, len(scenes)):
            axes.axhline(row - 0.5, color="0.9", linewidth=0.8)
    panels[0].set_yticks(
        range(len(scenes)), [SCENES[n].title if n in SCENES else n for n in scenes], fontsize=8
    )
    panels[0].set_ylim(len(scenes) - 0.5, -0.5)
    figure.supxlabel("1 − F1, better to the left (filled: default threshold; open: best cut)", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    lines = -(-len(labels) // _IN_A_LINE)
    columns = max(1, -(-len(labels) // lines))
    figure.legend(handles, labels, fontsize=8, ncols=columns, loc="outside upper center", frameon=False)
    figure.savefig(path, dpi=150, format="png")


def error_floor(table: pd.DataFrame) -> float:
    """Where the logarithmic axis shows 1 − F1 = 0: at half of the smallest error that occurs."""
    errors = 1 - table[["f1", "f1_best"]].to_numpy(dtype=float)
    positive = errors[np.isfinite(errors) & (errors > 1e-9)]
    return float(positive.min() / 2) if len(positive) else 1e-3


def _draw_method(
    axes: Axes, own: pd.DataFrame, at: np.ndarray, floor: float, colour: str, label: str
) -> None:
    """Draw the points of one method, with the interval over the fields."""
    for figure_name, fill in (("f1_best", "none"), ("f1", colour)):
        error = (1 - own[figure_name]).clip(lower=floor)
        # The interval of F1 from low to high is that of the error from high to low.
        low = error - (1 - own[f"{figure_name}_high"].fillna(own[figure_name])).clip(lower=floor)
        high = (1 - own[f"{figure_name}_low"].fillna(own[figure_name])).clip(lower=floor) - error
        axes.errorbar(
            error,
            at,
            xerr=[low.clip(lower=0), high.clip(lower=0)],
            fmt="o",
            ms=4.5,
            mfc=fill,
            color=colour,
            elinewidth=1,
            label=label if figure_name == "f1" else None,
        )
