"""Figure 3 of arXiv 2006.15898 on a synthetic field: peaks of S and reference positions on the bound-state map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel._util.moved import renamed
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField, make_synthetic
from friedel.pipeline import iter_detect
from friedel.progress import Progress
from friedel.reference import Agreement, agreement, bound_state_positions
from friedel.scoring.metrics import evaluate

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np

#: The synthetic field that stands for the paper's sample; its random streams are used nowhere else.
SAMPLE = 2006_15898_3


def paper_field(seed: int = 0, impurities: int = 40) -> SyntheticField:
    """80×80 px, 375 Å, −230 to +20 mV in 126 maps, with multiple scattering and all that real data have."""
    return make_synthetic(Setting(impurities=impurities), (SAMPLE, seed))


def figure3_files(folder: str | Path, model: str) -> tuple[Path, Path]:
    """Table and picture that `iter_figure3` writes."""
    short = Path(model).stem
    return Path(folder) / f"fig3-{short}.csv", Path(folder) / f"fig3-{short}.png"


def iter_figure3(
    folder: str | Path, *, model: str = "paper", seed: int = 0
) -> Generator[Progress, None, tuple[Agreement, str]]:
    """Remake the figure.

    Parameters
    ----------
    folder : path
        Gets ``fig3-MODEL.png`` and ``fig3-MODEL.csv``, in place of earlier ones.
    model : str
        A model's name or file, or ``matched-field``.
    seed : int
        Which synthetic field.

    Returns
    -------
    agreement : Agreement
        With the positions that expectation-maximisation finds in the reference map.
    text : str
        Figures, against that reference and against the truth.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    yield Progress(0.0, "simulating the sample")
    field = paper_field(seed)
    yield Progress(0.4, "reference positions")
    reference = bound_state_positions(field.stack["bound_state"].to_numpy(), pixel_nm=field.setting.pixel_nm)
    yield Progress(0.6, "peaks of S")
    options: dict[str, Any] = {"model": model, "tiles": "paper"}
    if model in ("matched-field", "omp"):
        options = {"method": model}
    found = yield from iter_detect(field.stack, dispersion=field.dispersion, **options)
    points = found.impurities
    agreed = agreement(points, reference, 1.0, field.setting.shape)
    truth, optional = field.truth()
    scores = evaluate(found.positions, truth, 1.0, field.setting.shape, optional=optional)
    table, picture = figure3_files(folder, model)
    with write_beside(table) as beside:
        _table(points, reference, agreed, truth).to_csv(beside, index=False, float_format="%.5g")
    with write_beside(picture) as beside:
        _draw(field, found.s, reference, agreed, beside)
    # The paper's share counts reference points with a peak near, not one to one.
    share = evaluate(points[["row", "column"]], reference[["row", "column"]], 1.0, field.setting.shape)
    text = (
        f"{model}, against the {len(reference)} positions found in the reference map: paper's share "
        f"{share.paper_share:.2f} (as many random points: {share.chance_recall:.2f}), precision "
        f"{agreed.precision:.2f}, recall {agreed.recall:.2f}, F1 {agreed.f1:.2f}\n"
        f"{model}, against the truth: precision {scores.precision:.2f}, recall {scores.recall:.2f}, F1 {scores.f1:.2f}"
    )
    return agreed, text


def _table(
    points: pd.DataFrame, reference: pd.DataFrame, agreed: Agreement, truth: np.ndarray
) -> pd.DataFrame:
    kinds = {
        "found": points[["row", "column"]].to_numpy(float),
        "reference": reference[["row", "column"]].to_numpy(float),
        "truth": truth,
    }
    matched = {"found": set(agreed.matched["found"]), "reference": set(agreed.matched["reference"])}
    rows = [
        (kind, row, column, i in matched[kind] if kind in matched else None)
        for kind, places in kinds.items()
        for i, (row, column) in enumerate(places)
    ]
    return pd.DataFrame(rows, columns=["kind", "row", "column", "matched"])


def _draw(
    field: SyntheticField, s: np.ndarray, reference: pd.DataFrame, agreed: Agreement, path: Path
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    middle = field.stack["LockinX"].isel(bias=field.stack.sizes["bias"] // 2)
    axes[0].imshow(middle, origin="lower", cmap="gray")
    axes[0].set_title(f"dI/dV at {float(middle['bias']):.0f} mV")
    axes[1].imshow(s, origin="lower", cmap="magma")
    axes[1].set_title("S")
    axes[2].imshow(field.stack["bound_state"], origin="lower", cmap="gray")
    axes[2].set_title(f"bound-state map: F1 {agreed.f1:.2f} within 1 px")
    both = agreed.matched
    axes[2].plot(
        reference["column"], reference["row"], "o", mfc="none", color="#56B4E9", ms=8, label="reference"
    )
    axes[2].plot(both["column"], both["row"], "x", color="#009E73", ms=6, label="peak of S, matched")
    axes[2].plot(agreed.false[:, 1], agreed.false[:, 0], "x", color="#D55E00", ms=6, label="peak of S, other")
    axes[2].legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    for one in axes:
        rows, columns = field.setting.shape
        one.set(xlabel="column [px]", ylabel="row [px]", xlim=(-1.5, columns + 0.5), ylim=(-1.5, rows + 0.5))
    figure.savefig(path, dpi=150, format="png")


#: Names of version 0.1.
__getattr__ = renamed(__name__, {"paper_twin": "paper_field"})
