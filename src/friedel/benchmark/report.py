"""The benchmark's figures of merit: one table with confidence intervals and one picture, from the stored runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.figure import draw
from friedel.benchmark.scenes import NO_CORES, SCENES, half_wavelength
from friedel.benchmark.store import Store
from friedel.scoring.intervals import bootstrap
from friedel.scoring.metrics import Curve, best_cut, evaluate, match, precision_recall

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Impurities this many half wavelengths inside the field have their strongest waves in it, whatever lies outside.
INSIDE = 2.0
TABLE, PICTURE, MARKDOWN = "table.csv", "benchmark.png", "table.md"


@dataclass(frozen=True)
class Run:
    """One finished run with its truth."""

    scene: str
    seed: int
    method: str
    threshold: float
    tolerance_px: float
    points: pd.DataFrame
    truth: pd.DataFrame

    @property
    def accepted(self) -> pd.DataFrame:
        """Candidates at or above the default threshold; none if the method has no threshold."""
        return self.points[self.points["probability"] >= self.threshold]


def load(folder: str | Path) -> list[Run]:
    """Read all finished runs of a benchmark's folder."""
    store = Store(folder)
    return [
        Run(
            str(row["scene"]),
            int(row["seed"]),
            str(row["method"]),
            float(row["threshold"]),
            float(row["tolerance_px"]),
            store.points(row["scene"], row["seed"], row["method"]),
            store.truth(row["scene"], row["seed"]),
        )
        for row in store.runs().to_dict("records")
        if store.has_truth(row["scene"], row["seed"])
    ]


def _score_run(run: Run) -> dict[str, float]:
    """Figures of one field; NaN where a method has no threshold or a field no impurity."""
    truth = run.truth[["row", "column"]].to_numpy(float)
    optional = run.truth["optional"].to_numpy()
    found = run.accepted[["row", "column"]].to_numpy(float)
    scores = evaluate(found, truth, run.tolerance_px, optional=optional)
    curve = curve_of(run)
    pairs = match(found, truth, run.tolerance_px, optional=optional)
    alone = run.truth["isolated"].to_numpy()[pairs.truth]
    limit = run.truth["bound_px"].to_numpy(float)[pairs.truth]
    inside = alone & (_to_border(run, truth[pairs.truth]) > INSIDE)
    blind = not np.isfinite(run.threshold)
    nothing = not (~optional).any()
    nan = float("nan")
    return {
        "f1": nan if blind or nothing else float(np.nan_to_num(scores.f1)),
        "precision": nan if blind else scores.precision,
        "recall": nan if blind or nothing else scores.recall,
        "false": nan if blind else float(scores.false),
        "average_precision": curve.average_precision,
        "rmse": _rms(pairs.distance),
        "bound": _rms(limit),
        "rmse_isolated": _rms(pairs.distance[alone]),
        "bound_isolated": _rms(limit[alone]),
        "isolated_pairs": float(alone.sum()),
        "rmse_inside": _rms(pairs.distance[inside]),
        "bound_inside": _rms(limit[inside]),
    }


def _to_border(run: Run, points: np.ndarray) -> np.ndarray:
    """Distance of points from the field's border, in half wavelengths; NaN for a scene that is not a standard one."""
    if run.scene not in SCENES:
        return np.full(len(points), np.nan)
    setting = SCENES[run.scene].setting
    gap = np.minimum(points + 0.5, np.array(setting.shape) - 0.5 - points).min(axis=1, initial=np.inf)
    return np.asarray(gap / half_wavelength(setting))


def curve_of(run: Run) -> Curve:
    """Precision and recall of a run as its threshold falls."""
    truth = run.truth[["row", "column"]].to_numpy(float)
    points = run.points[["row", "column"]].to_numpy(float)
    optional = run.truth["optional"].to_numpy()
    return precision_recall(points, run.points["score"], truth, run.tolerance_px, optional=optional)


def summarise(folder: str | Path) -> pd.DataFrame:
    """One row per (scene, method): means over the fields with 95 % bootstrap intervals over the fields.

    Columns: `f1` (default threshold), `f1_best` (one cut for all fields of the scene, chosen with the truth),
    `average_precision`, `rmse` and `bound` [px], both also for isolated impurities and for those of them that lie
    `INSIDE` half wavelengths inside, `over_bound` (the median of their ratio), `false` (points per field), `seconds`,
    `cpu_seconds` (median), `memory_mb`; ``_low`` and ``_high`` are the interval's ends.
    """
    costs = Store(folder).runs().set_index(["scene", "seed", "method"])
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in load(folder):
        groups.setdefault((run.scene, run.method), []).append(run)
    rows = []
    for (name, method), runs in groups.items():
        fields = pd.DataFrame([_score_run(run) for run in runs])
        curves = [curve_of(run) for run in runs]
        empty = fields["average_precision"].isna().all()
        cut, _ = (float("nan"), None) if empty else best_cut(curves)
        fields["f1_best"] = [float("nan") if empty else _f1_at(curve, cut) for curve in curves]
        row: dict[str, object] = {"scene": name, "method": method, "fields": len(runs), "best_cut": cut}
        for figure in ("f1", "f1_best", "average_precision", "precision", "recall", "false"):
            row[figure] = float(fields[figure].mean())
            row[f"{figure}_low"], row[f"{figure}_high"] = bootstrap(fields[figure])
        # Squares add up over fields; a field without a pair is left out.
        kinds = ("", "_isolated", "_inside")
        for figure in (f"{what}{kind}" for what in ("rmse", "bound") for kind in kinds):
            row[figure] = _rms(fields[figure].to_numpy())
        for figure, kind in (("over_bound", "isolated"), ("over_bound_inside", "inside")):
            ratio = fields[f"rmse_{kind}"] / fields[f"bound_{kind}"]
            row[figure] = float(ratio.median())
            row[f"{figure}_low"], row[f"{figure}_high"] = bootstrap(ratio, np.median)
        cost = costs.loc[[(name, run.seed, method) for run in runs]]
        for figure in ("seconds", "cpu_seconds"):
            row[figure] = float(cost[figure].median())
        row["memory_mb"] = float(cost["memory_mb"].max())
        rows.append(row)
    table = pd.DataFrame(rows)
    if len(table):
        order = {name: i for i, name in enumerate(SCENES)}
        table = table.sort_values("scene", key=lambda s: s.map(lambda n: order.get(n, 99)), kind="stable")
    return table.reset_index(drop=True)


def write_report(folder: str | Path) -> pd.DataFrame:
    """Write ``table.csv``, ``table.md`` and ``benchmark.png`` into the benchmark's folder; return the table."""
    folder = Path(folder)
    table = summarise(folder)
    with write_beside(folder / TABLE) as beside:
        table.to_csv(beside, index=False, float_format="%.5g")
    with write_beside(folder / MARKDOWN) as beside:
        beside.write_text(markdown(table), encoding="utf-8")
    if len(table):
        with write_beside(folder / PICTURE) as beside:
            draw(table, beside)
    return table


def markdown(table: pd.DataFrame) -> str:
    """Return the table for people, in Markdown."""
    lines = [
        "| scene | fields | method | F1, default threshold | F1, best cut | AP | RMSE [px] | RMSE/bound, isolated | "
        "isolated, inside | false per field | processor s | MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        scene = SCENES[row["scene"]].title if row["scene"] in SCENES else row["scene"]
        cells = [
            scene,
            str(row["fields"]),
            row["method"],
            _cell(row, "f1"),
            _cell(row, "f1_best"),
            _cell(row, "average_precision"),
        ]
        cells += [_plain(row["rmse"]), _cell(row, "over_bound", 2)]
        cells += [_cell(row, "over_bound_inside", 2), _plain(row["false"], 2)]
        cells += [_plain(row["cpu_seconds"], 2), _plain(row["memory_mb"], 0)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def waves_alone(table: pd.DataFrame) -> pd.DataFrame:
    """By how much F1 falls when cores are replaced: one row per (scene, method)."""
    bare = table[table["scene"].str.endswith(NO_CORES)].copy()
    bare["scene"] = bare["scene"].str.removesuffix(NO_CORES)
    both = bare.merge(table, on=["scene", "method"], suffixes=("_waves", ""))
    both["fall"] = both["f1"] - both["f1_waves"]
    return both[["scene", "method", "f1", "f1_waves", "fall"]]


def _f1_at(curve: Curve, cut: float) -> float:
    taken = np.flatnonzero(curve.threshold >= cut)
    return float(curve.f1[taken[-1]]) if len(taken) else 0.0


def _rms(values: np.ndarray) -> float:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")


def _plain(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def _cell(row: Mapping[Any, Any], name: str, digits: int = 3) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if not np.isfinite(value):
        return "–"
    interval = f" ({low:.{digits}f}–{high:.{digits}f})" if np.isfinite(low) else ""
    return f"{value:.{digits}f}{interval}"
