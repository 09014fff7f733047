"""Errors and coverage of amplitude, phase shift and absorption after a refit, on simulated fields.

``python benchmarks/phase_shift.py [--fields N] [--refit quick|full] [-o FOLDER]`` writes ``phase_shift-KIND.csv``, one
row per scene and quantity: median error, bias, and the share of errors within one σ. Fields are those of the standard
scenes with other seeds; an impurity counts if it is detected within 1 px and lies inside the field.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.scenes import scene
from friedel.pipeline import detect
from friedel.scoring.matching import match

#: Number of the first field.
FIRST_SEED = 6000
SCENES = ("isolated", "ag111", "unlike-60", "like-60")


def rows(name: str, seed: int, refit: str) -> pd.DataFrame:
    """Errors of one field's impurities."""
    synthetic = scene(name).field(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = detect(synthetic.stack, dispersion=synthetic.dispersion, refit=refit)
    truth, optional = synthetic.truth()
    table = found.impurities
    pairs = match(table[["row", "column"]].to_numpy(), truth, 1.0, optional=optional)
    table = table.iloc[pairs.found]
    places = synthetic.scatterers.position
    true = [int(np.hypot(*(places - place).T).argmin()) for place in truth[pairs.truth]]
    bias = synthetic.setting.bias_mv
    offset = found.provenance["refit"]["phase_shift_bias_mv"] - (min(bias) + max(bias)) / 2
    s = synthetic.scatterers.strength(offset)[true]
    z = 1 + 2 * s
    out = {"scene": name, "seed": seed}
    errors = {
        "amplitude": table["amplitude"].to_numpy() - np.abs(s),
        "phase_rad": np.angle(np.exp(1j * table["phase_rad"].to_numpy()) / (s / np.abs(s))),
        "phase_shift_rad": np.angle(np.exp(2j * table["phase_shift_rad"].to_numpy()) / (z / np.abs(z))) / 2,
        "absorption": table["absorption"].to_numpy() - (1 - np.abs(z) ** 2),
    }
    parts = [
        pd.DataFrame(
            {**out, "quantity": name, "error": error, "sigma": table[f"sigma_{name}"].to_numpy(float)}
        )
        for name, error in errors.items()
    ]
    return pd.concat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=2)
    parser.add_argument("--scenes", nargs="*", default=SCENES)
    parser.add_argument("--refit", choices=("quick", "full"), default="quick")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    every = [rows(name, FIRST_SEED + seed, args.refit) for name in args.scenes for seed in range(args.fields)]
    table = pd.concat(every).dropna()
    table["within"] = table["error"].abs() < table["sigma"]
    table["ratio"] = table["error"].abs() / table["sigma"]
    groups = table.groupby(["scene", "quantity"], sort=False)
    summary = pd.DataFrame(
        {
            "count": groups.size(),
            "median_abs_error": groups["error"].apply(lambda x: x.abs().median()),
            "bias": groups["error"].median(),
            "within_one_sigma": groups["within"].mean(),
            "ratio_at_68_percent": groups["ratio"].quantile(0.68),
        }
    ).reset_index()
    print(summary.to_string(index=False))
    with write_beside(args.output / f"phase_shift-{args.refit}.csv") as beside:
        summary.to_csv(beside, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
