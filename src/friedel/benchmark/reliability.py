"""Does a probability mean what it says? Reliability, coverage of σ, false points in empty fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.report import Run, load
from friedel.benchmark.scenes import SCENES
from friedel.scoring.intervals import bootstrap, mean_count, wilson
from friedel.scoring.metrics import match

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Candidates less probable than this count in no figure; a detection does not list them either.
LEAST_PROBABILITY = 0.01


@dataclass(frozen=True)
class Calibration:
    """How honest a method is.

    Parameters
    ----------
    method : str
    bins : pandas.DataFrame
        Reliability diagram: `low`, `high` (probability), `count`, `stated` (mean probability), `observed`
        (share that are impurities), `observed_low`, `observed_high` (Wilson, 95 %).
    expected_calibration_error : float
        Σ share of the candidates × |stated − observed| over the bins, for candidates of at least
        `LEAST_PROBABILITY`; NaN without any.
    coverage : float
        Share of coordinates of accepted pairs within 1σ of the truth; 0.683 is right. NaN if σ is not stated.
    coverage_interval : (float, float)
        95 %, bootstrap over fields.
    false_points : float
        Mean number of accepted points per field without impurities, scaled to 80×80 px; NaN if no such field
        was run.
    false_interval : (float, float)
        95 %, Poisson's or the bootstrap over fields, the wider at each end (`friedel.scoring.intervals.mean_count`).
    """

    method: str
    bins: pd.DataFrame
    expected_calibration_error: float
    coverage: float
    coverage_interval: tuple[float, float]
    false_points: float
    false_interval: tuple[float, float]


def calibrate_runs(runs: Iterable[Run], bins: int = 10) -> Calibration:
    """Work out how honest one method was on its runs.

    Parameters
    ----------
    runs : iterable of Run
        All of one method.
    bins : int
        Bins of equal width in probability.

    Returns
    -------
    Calibration
    """
    runs = list(runs)
    probability, hit, false, tiles, covered, fields = [], [], [], [], [], []
    for run in runs:
        truth = run.truth[["row", "column"]].to_numpy(float)
        optional = run.truth["optional"].to_numpy()
        points = run.points[np.isfinite(run.points["probability"])].sort_values(
            "probability", ascending=False
        )
        place = points[["row", "column"]].to_numpy(float)
        right = _hits(place, truth, run.tolerance_px, optional)
        # Hundreds of candidates that nobody would list, all rightly near 0, would make any error look small.
        known = (right >= 0) & (points["probability"].to_numpy() >= LEAST_PROBABILITY)
        probability.append(points["probability"].to_numpy()[known])
        hit.append(right[known] == 1)
        if len(truth) == 0 and run.scene in SCENES:
            rows, columns = SCENES[run.scene].setting.shape
            false.append(len(run.accepted))
            tiles.append(rows * columns / 6400)
        inside = _coverage(run, truth, optional)
        if len(inside):
            fields.append(float(inside.mean()))
            covered.append(inside)
    p = np.concatenate(probability) if probability else np.zeros(0)
    h = np.concatenate(hit) if hit else np.zeros(0, bool)
    table = reliability(p, h, bins)
    share = table["count"] / max(len(p), 1)
    error = float((share * (table["stated"] - table["observed"]).abs()).sum()) if len(p) else float("nan")
    everything = np.concatenate(covered) if covered else np.zeros(0)
    return Calibration(
        runs[0].method if runs else "",
        table,
        error,
        float(everything.mean()) if len(everything) else float("nan"),
        bootstrap(fields),
        float(np.mean(np.array(false) / tiles)) if false else float("nan"),
        mean_count(false, tiles),
    )


def reliability(probability: np.ndarray, hit: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Reliability diagram: in each bin of the stated probability, how many were right."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(probability, edges[1:-1]), 0, bins - 1)
    rows = []
    for b in range(bins):
        inside = place == b
        count, right = int(inside.sum()), int(hit[inside].sum())
        low, high = wilson(right, count)
        stated = float(probability[inside].mean()) if count else float("nan")
        observed = right / count if count else float("nan")
        rows.append((edges[b], edges[b + 1], count, stated, observed, low, high))
    names = ["low", "high", "count", "stated", "observed", "observed_low", "observed_high"]
    return pd.DataFrame(rows, columns=names)


def write_calibration(folder: str | Path) -> list[Calibration]:
    """Write ``calibration.csv``, ``reliability.csv`` and ``calibration.png`` into a benchmark's folder."""
    folder = Path(folder)
    groups: dict[str, list[Run]] = {}
    for run in load(folder):
        if np.isfinite(run.points["probability"]).any() or (
            len(run.truth) == 0 and np.isfinite(run.threshold)
        ):
            groups.setdefault(run.method, []).append(run)
    results = [calibrate_runs(runs) for runs in groups.values()]
    summary = pd.DataFrame(
        {
            "method": [one.method for one in results],
            "expected_calibration_error": [one.expected_calibration_error for one in results],
            "coverage_1_sigma": [one.coverage for one in results],
            "coverage_low": [one.coverage_interval[0] for one in results],
            "coverage_high": [one.coverage_interval[1] for one in results],
            "false_points_per_80x80": [one.false_points for one in results],
            "false_low": [one.false_interval[0] for one in results],
            "false_high": [one.false_interval[1] for one in results],
        }
    )
    with write_beside(folder / "calibration.csv") as beside:
        summary.to_csv(beside, index=False, float_format="%.5g")
    tables = [one.bins.assign(method=one.method) for one in results]
    if tables:
        with write_beside(folder / "reliability.csv") as beside:
            pd.concat(tables).to_csv(beside, index=False, float_format="%.5g")
        with write_beside(folder / "calibration.png") as beside:
            draw(results, beside)
    return results


def draw(results: list[Calibration], path: Path) -> None:
    """Reliability diagrams side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(results), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, one in zip(figure.subplots(1, len(results), squeeze=False)[0], results, strict=True):
        bins = one.bins[one.bins["count"] > 0]
        below = (bins["observed"] - bins["observed_low"]).clip(lower=0)
        above = (bins["observed_high"] - bins["observed"]).clip(lower=0)
        axes.plot([0, 1], [0, 1], color="0.7", lw=1)
        axes.errorbar(bins["stated"], bins["observed"], yerr=[below, above], fmt="o-", ms=4, lw=1)
        axes.set(
            xlim=(0, 1), ylim=(0, 1.02), aspect="equal", xlabel="stated probability", ylabel="share right"
        )
        axes.set_title(f"{one.method}: error {one.expected_calibration_error:.3f}", fontsize=9)
    figure.savefig(path, dpi=150, format="png")


def _hits(place: np.ndarray, truth: np.ndarray, tolerance: float, optional: np.ndarray) -> np.ndarray:
    """1 for candidates with a partner, 0 without, −1 for those on optional points."""
    pairs = match(place, truth, tolerance, optional=optional)
    hits = np.zeros(len(place), int)
    hits[pairs.found], hits[pairs.ignored] = 1, -1
    return hits


def _coverage(run: Run, truth: np.ndarray, optional: np.ndarray) -> np.ndarray:
    """Whether each coordinate of the accepted pairs lies within 1σ of the truth."""
    taken = run.accepted[np.isfinite(run.accepted["sigma_px"])]
    if not len(taken) or not len(truth):
        return np.zeros(0, bool)
    place = taken[["row", "column"]].to_numpy(float)
    pairs = match(place, truth, run.tolerance_px, optional=optional)
    error = np.abs(place[pairs.found] - truth[pairs.truth])
    result: np.ndarray = (error <= taken["sigma_px"].to_numpy()[pairs.found, None]).ravel()
    return result
