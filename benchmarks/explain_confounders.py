"""Where the F1 of a confounded field is lost: one line per field, one column per stage of the pipeline.

    python benchmarks/explain_confounders.py --names p-wave,blur --seeds 2:4

recorded   the network on the maps as recorded
network    the network on the prepared maps, without the refit
best       the same at the threshold that suits the field best: what a threshold alone could gain
refit      after the quick refit
ungated    the same with the posterior probability of every point, whatever the local goodness of fit
default    after the points on lines are demoted: what `detect` gives
2 px       the default within a tolerance of 2 px: false points that are displaced impurities
known      the default against the impurities in pixels that hold data
given      with ``--given``: the share of the impurities that a full refit supports which begins at the true places,
           within 1 px and with Δχ² above `SUPPORTED`; what the maps tell, whoever finds it (half a minute a field)

Without impurities the columns are counts of points. `half` is the half wavelength [px], `ring` the height of the
Friedel ring, `explained` the share of the structure that the fitted waves explain.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from confounders import TOLERANCE_PX, fields

from friedel._util.remarks import Remarks
from friedel.assembly import assemble
from friedel.benchmark.confounders import CONFOUNDERS, HELD_OUT, Confounded, confounded
from friedel.candidates.result import Candidates
from friedel.given_points import refit_points
from friedel.models.registry import load_model
from friedel.prepare.prepared import Prepared
from friedel.prepare.stage import prepare
from friedel.progress import drain
from friedel.refit import candidates as refit_constants, model_selection
from friedel.scoring.matching import match
from friedel.settings import DetectSettings, PrepareSettings
from friedel.stages import Finder, default_refit, find_candidates, refit_candidates

#: Δχ² of an impurity that a fit supports: for its four numbers, among some hundred places where it could be.
SUPPORTED = 20.0


def score(
    field: Confounded, points: np.ndarray, tolerance: float, optional: np.ndarray | None = None
) -> float:
    """F1 of the points, or their number where there are no impurities."""
    if not len(field.positions):
        return float(len(points))
    left_out = field.optional if optional is None else optional
    pairs = match(points, field.positions, tolerance, optional=left_out)
    return 2 * len(pairs) / max(2 * len(pairs) + len(pairs.false) + len(pairs.missed), 1)


def above(table: pd.DataFrame, threshold: float, prepared: Prepared) -> np.ndarray:
    """Positions of the rows above a threshold, in recorded pixels."""
    chosen = table[table["probability"] >= threshold]
    place = prepared.scaling.to_old(chosen[["row", "column"]].to_numpy(float).reshape(-1, 2))
    shape = np.array(prepared.scaling.shape)
    return np.asarray(place[((place >= -0.5) & (place <= shape - 0.5)).all(axis=1)])


def supported(field: Confounded) -> float:
    """Share of the impurities of a field that a full refit from the true places supports."""
    if not len(field.positions):
        return float("nan")
    table = refit_points(field.stack, field.positions, dispersion=field.band, refit="full").table
    kept = table.loc[table["delta_chi2"] > SUPPORTED, ["row", "column"]].to_numpy(float)
    pairs = match(kept, field.positions, TOLERANCE_PX, optional=field.optional)
    return len(pairs) / max(len(pairs) + len(pairs.missed), 1)


def explain(field: Confounded, model: str) -> dict[str, float]:
    """F1 (or points) of one field after each stage."""
    finder = Finder("network", load_model(model, "cpu"))

    def searched(settings: PrepareSettings) -> tuple[Prepared, Candidates]:
        prepared = prepare(field.stack, None, field.band, finder.sampling, settings, Remarks())
        return prepared, drain(find_candidates(prepared, finder))

    raw, found = searched(PrepareSettings(as_recorded=True))
    out = {"recorded": score(field, above(found.table, found.threshold, raw), TOLERANCE_PX)}
    prepared, found = searched(PrepareSettings())
    out["network"] = score(field, above(found.table, found.threshold, prepared), TOLERANCE_PX)
    cuts = np.unique(np.clip(found.table["probability"].to_numpy(float), 0.02, 1))[
        :: max(1, len(found.table) // 60)
    ]
    every = [score(field, above(found.table, cut, prepared), TOLERANCE_PX) for cut in cuts]
    out["best"] = max(every, default=0.0) if len(field.positions) else min(every, default=0.0)
    kind = default_refit(prepared, found)
    fitted = drain(refit_candidates(prepared, found, kind, Remarks()))
    out["refit"] = score(field, above(fitted.candidates.table, found.threshold, prepared), TOLERANCE_PX)
    gated, selection = refit_constants.CANDIDATES, model_selection.SELECTION
    refit_constants.CANDIDATES = replace(gated, min_explained_structure=0.0)
    model_selection.SELECTION = replace(selection, least_explained=-2.0, full_explained=-1.0)
    free = drain(refit_candidates(prepared, found, kind, Remarks()))
    refit_constants.CANDIDATES, model_selection.SELECTION = gated, selection
    out["ungated"] = score(field, above(free.candidates.table, found.threshold, prepared), TOLERANCE_PX)
    result = assemble(field.stack, ((0, raw.scaling.shape[0]), (0, raw.scaling.shape[1])), prepared, fitted,
                      DetectSettings(), Remarks())  # fmt: skip
    points = result.impurities[["row", "column"]].to_numpy(float)
    out["default"] = score(field, points, TOLERANCE_PX)
    out["2 px"] = score(field, points, 2 * TOLERANCE_PX)
    place = np.clip(field.positions.round().astype(int), 0, np.array(prepared.scaling.shape) - 1)
    lost = ~np.isfinite(prepared.recorded).all(axis=0)[tuple(place.T)] if len(place) else np.zeros(0, bool)
    out["known"] = score(field, points, TOLERANCE_PX, field.optional | lost)
    out["half"], out["ring"] = prepared.half_wave_px, prepared.flattened.ring.height
    out["explained"] = float("nan") if fitted.waves is None else fitted.waves.fitted.explained_share
    out["points"] = len(points)
    print("   ", *(step.sentence for step in prepared.flattened.steps))
    print("   ", [check.name for check in result.checks if not check.passed], dict(fitted.about).get("used"))
    return out


def main() -> None:
    """Read the arguments, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = [name for name, one in CONFOUNDERS.items() if one.family != HELD_OUT]
    parser.add_argument("--names", type=lambda t: t.split(","), default=usual)
    parser.add_argument("--seeds", default="2:4", help="first:last+1")
    parser.add_argument("--model", default="friedel")
    parser.add_argument("--given", action="store_true", help="also a full refit from the true places")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for seed in range(*map(int, args.seeds.split(":"))):
        for name, level, impurities in fields(args.names):
            field = confounded(name, level, seed, impurities=impurities)
            print(name, level, "with" if impurities else "without", seed, flush=True)
            row = explain(field, args.model)
            if args.given:
                row["given"] = supported(field)
            print("   ", {key: round(float(value), 3) for key, value in row.items()}, flush=True)
            rows.append({"name": name, "level": level, "with": impurities, "seed": seed, **row})
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
