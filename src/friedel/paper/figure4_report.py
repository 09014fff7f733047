"""What the trainings of Figure 4 say: four curves with their spread, and an answer to each of the paper's claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.atomic_write import write_beside
from friedel.paper.figure4 import CURVES
from friedel.paper.paired_test import describe, paired_test

if TYPE_CHECKING:
    import pandas as pd

#: Figures that are shown and tested, with their names for people.
FIGURES = {"share": "paper's share", "precision": "precision", "f1": "F1"}
#: A training's result is the mean over this last part of its epochs.
LAST = 0.2
#: Claim, better curve, worse curve.
CLAIMS = (
    ("Noise in training helps (without the regulariser)", "L0, noise", "L0"),
    ("Noise in training helps (with the regulariser)", "L0+reg, noise", "L0+reg"),
    ("The regulariser helps (without noise)", "L0+reg", "L0"),
    ("The regulariser helps (with noise)", "L0+reg, noise", "L0, noise"),
    ("Both together are better than neither", "L0+reg, noise", "L0"),
)


def final_figures(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of each training's last epochs: one row a (curve, training)."""
    first = table["epoch"].max() * (1 - LAST)
    late = table[table["epoch"] > first]
    result: pd.DataFrame = late.groupby(["curve", "training"], as_index=False)[
        [*FIGURES, "recall", "chance", "peaks"]
    ].mean()
    return result


def claims(table: pd.DataFrame) -> list[str]:
    """One sentence a claim and figure, from paired tests over the trainings."""
    final = final_figures(table).set_index(["curve", "training"])
    trainings = sorted(table["training"].unique())
    lines = []
    for claim, better, worse in CLAIMS:
        for figure, name in FIGURES.items():
            first, second = (
                [final[figure].get((curve, n), np.nan) for n in trainings] for curve in (better, worse)
            )
            lines.append(describe(f"{claim}, {name}", paired_test(first, second)))
    above = final["share"] - final["chance"]
    for curve in CURVES:
        values = above[curve].to_numpy()
        text = f"{curve}: the share is more than as many random points reach"
        lines.append(describe(text, paired_test(values, np.zeros(len(values)))))
    return lines


def write_figure4(folder: str | Path, table: pd.DataFrame) -> list[str]:
    """Write ``fig4.csv`` (all epochs), ``fig4.png`` and ``fig4.txt`` (claims); return the claims."""
    folder = Path(folder)
    with write_beside(folder / "fig4.csv") as beside:
        table.to_csv(beside, index=False, float_format="%.5g")
    lines = claims(table)
    with write_beside(folder / "fig4.txt") as beside:
        beside.write_text("\n".join([*lines, ""]), encoding="utf-8")
    with write_beside(folder / "fig4.png") as beside:
        _draw(table, beside)
    return lines


def _draw(table: pd.DataFrame, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    colours = dict(zip(CURVES, ["#999999", "#56B4E9", "#E69F00", "#D55E00"], strict=True))
    for axes, (name, title) in zip(
        figure.subplots(1, len(FIGURES), sharex=True), FIGURES.items(), strict=True
    ):
        for curve, part in table.groupby("curve"):
            epochs = part.groupby("epoch")[name]
            mean, spread = epochs.mean(), epochs.std().fillna(0)
            colour = colours.get(str(curve), "k")
            axes.plot(mean.index, mean, color=colour, label=str(curve))
            axes.fill_between(mean.index, mean - spread, mean + spread, color=colour, alpha=0.2, lw=0)
            if name == "share":
                chance = part.groupby("epoch")["chance"].mean()
                axes.plot(chance.index, chance, color=colour, ls=":", lw=1)
        axes.set(title=title, xlabel="epoch", ylim=(0, 1))
        axes.grid(alpha=0.3)
        if name == "share":
            axes.legend(fontsize=8, title="dotted: as many random points", title_fontsize=7)
    figure.savefig(path, dpi=150, format="png")
