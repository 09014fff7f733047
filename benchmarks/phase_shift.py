"""Errors and coverage of amplitude, phase shift and absorption after a refit, on simulated fields.

``python benchmarks/phase_shift.py [--fields N] [--refit quick|full] [-o FOLDER]`` writes ``phase_shift-KIND.csv``, one
row per scene and quantity: median error, bias, the share of errors within one σ with its 95 % interval, the share of
the maps' variance outside the cores that the fit explains, and the Cramér-Rao bound. An impurity counts if it is
detected within 1 px, lies inside the field and was fitted. The bound is that of the fit's own model at the true
parameters of the noise that it estimates: the linear propagation of the inverse information, without any factor.
``--first 7000`` takes the development seeds, on which `friedel.refit.error_model` was measured.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.scenes import SCENES as STANDARD
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField, make_synthetic
from friedel.pipeline import detect
from friedel.refit.columns import phases
from friedel.scoring.intervals import wilson
from friedel.scoring.matching import match

#: Number of the first field: seeds that nothing was tuned on.
FIRST_SEED = 6000
KINDS = Setting(impurities=25)
#: Standard scenes with other seeds, and scenes of other scatterers.
SCENES: dict[str, Setting] = {
    **{name: STANDARD[name].setting for name in ("isolated", "ag111", "unlike-60", "like-60")},
    "born": replace(KINDS, scatterers="born"),
    "unitary": replace(KINDS, scatterers="unitary"),
    "absorbing": replace(KINDS, scatterers="absorbing"),
}
QUANTITIES = ("amplitude", "phase_rad", "phase_shift_rad", "phase_shift_slope_per_ev", "absorption")


def rows(name: str, seed: int, refit: str) -> pd.DataFrame:
    """Errors of one field's impurities."""
    synthetic = make_synthetic(SCENES[name], (0x28, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = detect(synthetic.stack, dispersion=synthetic.dispersion, refit=refit)
    if found.waves is None:
        return pd.DataFrame()
    truth, optional = synthetic.truth()
    table = found.impurities
    pairs = match(table[["row", "column"]].to_numpy(), truth, 1.0, optional=optional)
    table = table.iloc[pairs.found]
    places = synthetic.scatterers.position
    true = [int(np.hypot(*(places - place).T).argmin()) for place in truth[pairs.truth]]
    exact = _truth(synthetic, found, true)
    bound = _bound(found, table)
    count = len(found.waves.bias_mv)
    shares = [found.waves.explained_variance(int(v)) for v in np.linspace(0, count - 1, 3)]
    parts = []
    for quantity, value in zip(QUANTITIES, exact, strict=True):
        error = table[quantity].to_numpy(float) - value
        if quantity == "phase_rad":
            error = np.angle(np.exp(1j * error))
        if quantity == "phase_shift_rad":
            error = np.angle(np.exp(2j * error)) / 2
        parts.append(
            pd.DataFrame(
                {
                    "scene": name,
                    "seed": seed,
                    "quantity": quantity,
                    "true": value,
                    "error": error,
                    "sigma": table[f"sigma_{quantity}"].to_numpy(float),
                    "bound": bound[quantity],
                    "explained": float(np.mean(shares)),
                }
            )
        )
    return pd.concat(parts)


def _truth(synthetic: SyntheticField, found: object, true: list[int]) -> list[np.ndarray]:
    """True values in the order of `QUANTITIES`."""
    bias = synthetic.setting.bias_mv
    offset = found.provenance["refit"]["phase_shift_bias_mv"] - (min(bias) + max(bias)) / 2  # type: ignore[attr-defined]
    s = synthetic.scatterers.strength(offset)[true]
    z = 1 + 2 * s
    slope = synthetic.scatterers.slope[true]
    return [np.abs(s), np.angle(s), np.angle(z) / 2, slope, 1 - np.abs(z) ** 2]


def _bound(found: object, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """σ of the inverse information alone, by the fitted scatterer at each row."""
    fitted = found.waves.fitted  # type: ignore[attr-defined]
    corner = [axis[0] for axis in found.area]  # type: ignore[attr-defined]
    place = found.waves.scaling.to_new(table[["row", "column"]].to_numpy(float) - corner)  # type: ignore[attr-defined]
    index = [int(np.hypot(*(fitted.positions - one).T).argmin()) for one in place]
    plain = phases(fitted.estimates.coefficients[index], fitted.estimates.information_covariance[index])
    per_ev = table["sigma_phase_shift_slope_per_ev"] / np.maximum(
        phases(fitted.estimates.coefficients[index], fitted.estimates.covariance[index]).sigma[:, 3], 1e-12
    )
    columns = dict(zip(QUANTITIES, plain.sigma.T, strict=True))
    columns["phase_shift_slope_per_ev"] = columns["phase_shift_slope_per_ev"] * per_ev.to_numpy(float)
    return columns


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per scene and quantity, and the pool of all scenes."""
    every = pd.concat([table, table.assign(scene="all")])
    out = []
    for (scene, quantity), group in every.groupby(["scene", "quantity"], sort=False):
        ratio = (group["error"] / group["sigma"]).abs()
        within = int((ratio < 1).sum())
        low, high = wilson(within, len(group))
        out.append(
            {
                "scene": scene,
                "quantity": quantity,
                "count": len(group),
                "median_abs_error": group["error"].abs().median(),
                "bias": group["error"].median(),
                "sigma": group["sigma"].median(),
                "bound": group["bound"].median(),
                "within_one_sigma": within / len(group),
                "low": low,
                "high": high,
                "ratio_at_68_percent": ratio.quantile(0.683),
                "explained": group["explained"].mean(),
            }
        )
    return pd.DataFrame(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--refit", choices=("quick", "full"), default="quick")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--raw", type=Path, help="file for every single error, to measure σ's scales from")
    args = parser.parse_args()
    every = [rows(name, args.first + seed, args.refit) for name in args.scenes for seed in range(args.fields)]
    table = pd.concat(every).dropna()
    if args.raw:
        table.to_csv(args.raw, index=False)
    short = summary(table)
    print(short.to_string(index=False))
    with write_beside(args.output / f"phase_shift-{args.refit}.csv") as beside:
        short.to_csv(beside, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
