"""Calibrate the model selection of the refit: simulated fields, a table, and the weights of the logistic regression.

    python benchmarks/refit_verdict.py quick|full [--report-only] [--part I/N] [-o benchmarks/results]

Fields of the standard scenes' kinds with other seeds go through the network and the refit; every candidate that was
fitted becomes a row of ``verdict-KIND.csv`` (what is there already is not done again; delete it after a change of the
network or the refit). A logistic regression on the features of `friedel.refit.model_selection` is fitted to all rows,
and judged on the fields that it was not fitted to (``after``). ``module`` judges by the weights that the module holds.
Last comes the share of the errors of right candidates, on each axis, that lie within one σ.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from friedel._util.atomic_write import write_beside
from friedel.refit.model_selection import SELECTION, features

#: Number of the first field; those of the standard scenes are 0 to 9, of the empty ones 0 to 99.
FIRST_SEED = 3000
FIELDS = {
    "like-60": 6, "unlike-60": 8, "unlike-120": 2, "noise": 4, "drift": 4, "cu111": 2, "ag111": 6, "empty": 20,
}  # fmt: skip
#: A quick refit is cheap: so many times as many.
TIMES = {"quick": 4, "full": 1}


def rows(scene: str, seed: int, kind: str) -> pd.DataFrame:
    """Every candidate of one field that was fitted: what the network and the fit say, and the truth."""
    from friedel._util.remarks import Remarks
    from friedel.benchmark.scenes import SCENES
    from friedel.models.registry import load_model
    from friedel.pipeline import Finder, find_candidates
    from friedel.prepare import PrepareSettings, prepare
    from friedel.progress import drain
    from friedel.refit.candidates import new_candidates, prior_sigma
    from friedel.refit.driver import iter_refit
    from friedel.refit.refit_input import RefitInput
    from friedel.refit.schedules import SCHEDULES
    from friedel.scoring.matching import match

    one, model = SCENES[scene], load_model("friedel", "cpu")
    simulated = one.field(FIRST_SEED + seed)
    finder = Finder("network", model)
    field = prepare(
        simulated.stack, None, simulated.dispersion, finder.sampling, PrepareSettings(), Remarks()
    )
    found = drain(find_candidates(field, finder))
    table = found.table[found.table["probability"] >= SELECTION.min_probability]
    probability = table["probability"].to_numpy(float)
    given = RefitInput(
        maps=field.maps,
        k=simulated.dispersion.complex_k(field.energy_mev) * field.scaling.pixel_nm,
        mask=field.fit_mask,
        points=table[["row", "column"]].to_numpy(float),
        sigma=prior_sigma(table, field.mask.shape, SCHEDULES[kind]),
        doubtful=probability < model.threshold,
        pixel_nm=field.scaling.pixel_nm,
    )
    fitted = drain(iter_refit(given, SCHEDULES[kind]))
    extra = new_candidates(fitted, replace(found, table=table))
    probability = np.append(probability, extra["probability"])
    place = field.scaling.to_old(fitted.positions)
    sigma = fitted.sigma * float(np.mean(field.scaling.step))
    truth, optional = simulated.truth()
    matched = match(place, truth, one.tolerance_px, optional=optional)
    label = np.zeros(len(place))
    label[matched.found] = 1
    label[matched.ignored] = np.nan
    size = np.array(simulated.setting.shape)
    label[((place < -0.5) | (place > size - 0.5)).any(axis=1)] = np.nan  # no impurity of this field
    out = pd.DataFrame(
        {"scene": scene, "seed": seed, "probability": probability, "delta_chi2": fitted.delta_chi2}
    )
    out["right"], out["missed"] = label, len(matched.missed)
    out["row_over_sigma"] = out["column_over_sigma"] = np.nan
    error = (place[matched.found] - truth[matched.truth]) / sigma[matched.found, None]
    out.loc[matched.found, ["row_over_sigma", "column_over_sigma"]] = error
    return out


def fit(columns: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights by maximum likelihood with a weak prior, shape (4,)."""

    def loss(weights: np.ndarray) -> float:
        score = columns @ weights
        return float(np.logaddexp(0, np.where(right > 0.5, -score, score)).sum() + 0.02 * (weights**2).sum())

    return np.asarray(minimize(loss, np.array([0.0, 1.0, 0.0, 0.0])).x)


def _columns(table: pd.DataFrame) -> np.ndarray:
    """Features of every row that the fit speaks of, field by field; NaN elsewhere."""
    known = np.isfinite(table["delta_chi2"].to_numpy(float))
    out = np.full((len(table), 4), np.nan)
    for rows_of_one in table[known].groupby(["scene", "seed"], sort=False).groups.values():
        one = table.index.get_indexer(rows_of_one)
        out[one] = features(*table.iloc[one][["probability", "delta_chi2"]].to_numpy(float).T)
    return out


def report(table: pd.DataFrame, kind: str, threshold: float) -> str:
    """Weights, and errors before and after on fields that were left out of the fit."""
    table = table.reset_index(drop=True)
    chosen = (np.isfinite(table["delta_chi2"]) & np.isfinite(table["right"])).to_numpy()
    columns, known = _columns(table)[chosen], table[chosen].copy()
    right = known["right"].to_numpy() > 0.5
    fields = known.groupby(["scene", "seed"]).ngroups
    lines = [
        f"{len(known)} candidates of {fields} fields",
        f"weights {np.array2string(fit(columns, right), precision=2, separator=', ')}",
        "judged on the fields of odd number by a fit to the even ones, and the other way round:",
    ]
    known["after"] = np.nan
    fold = known["seed"].to_numpy(int) % 2
    for half in (0, 1):
        weights = fit(columns[fold != half], right[fold != half])
        known.loc[fold == half, "after"] = expit(columns[fold == half] @ weights)
    known["module"] = expit(columns @ SELECTION.weights(kind))
    for name in ("probability", "after", "module"):
        said = known[name] >= threshold
        brier = float(((known[name] - right) ** 2).mean())
        lines.append(
            f"{name:12} false {int((said & ~right).sum())}, left out {int((~said & right).sum())}, Brier {brier:.4f}"
        )
    counts = known.assign(
        false=(known["after"] >= threshold) & ~right, left_out=(known["after"] < threshold) & right
    )
    errors = known[right][["row_over_sigma", "column_over_sigma"]].abs()
    within = (errors < 1).groupby(known["scene"]).mean().mean(axis=1).rename("within one sigma")
    lines += [counts.groupby("scene")[["false", "left_out"]].sum().join(within.round(2)).to_string()]
    return "\n".join([*lines, f"all within one sigma: {float((errors < 1).to_numpy().mean()):.3f}", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("quick", "full"))
    parser.add_argument(
        "--part", default="0/1", metavar="I/N", help="do only every N-th field, from the I-th on"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--report-only", action="store_true")
    args = parser.parse_args()
    from friedel.models.registry import load_model

    path = args.output / f"verdict-{args.kind}.csv"
    part, parts = (int(x) for x in args.part.split("/"))
    table = pd.DataFrame(columns=["scene", "seed"])
    if path.exists():
        table = pd.read_csv(path).rename(columns={"evidence": "delta_chi2"})
    for scene, count in FIELDS.items():
        for seed in range(0 if args.report_only else count * TIMES[args.kind]):
            if seed % parts != part or ((table["scene"] == scene) & (table["seed"] == seed)).any():
                continue
            new = rows(scene, seed, args.kind)
            table = pd.concat([table, new], ignore_index=True) if len(table) else new
            with write_beside(path) as beside:
                table.to_csv(beside, index=False, float_format="%.6g")
            print(
                f"{scene} {seed}: {int((new['right'] == 1).sum())} of {len(new)} are impurities", flush=True
            )
    text = report(table, args.kind, load_model("friedel", "cpu").threshold)
    print(text)
    with write_beside(args.output / f"verdict-{args.kind}.txt") as beside:
        beside.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
