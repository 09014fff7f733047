"""Errors and coverage of amplitude, phase shift and absorption after a refit, on simulated fields.

``python benchmarks/phase_shift.py [--fields N] [--refit quick|full] [-o FOLDER]`` writes ``phase_shift-KIND.csv``, one
row per scene and quantity: median error, bias, the share of errors within one σ with its 95 % interval, the share of
the maps' variance outside the cores that the fit explains, and two bounds. An impurity counts if it is detected within
1 px, lies inside the field and was fitted. *Information* is the σ of the fit's own inverse information at the fitted
parameters, without any factor. *Bound* is the Cramér-Rao bound of the exact simulator by finite differences
(`friedel.benchmark.amplitude_bound`), which shares nothing with the fit; it takes a minute per field and is computed
with ``--bound``, of the first field of each scene.

The impurities of a field share the error of its scale. So the interval of a share is that of the bootstrap over fields,
or Wilson's, where that is wider. Scatterers of the scene "p-wave" are no point scatterers; what the fit says of them is
wrong, and "all" does not count them. ``--first 7000`` takes the development seeds, on which
`friedel.refit.error_model` was measured.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.amplitude_bound import amplitude_bound
from friedel.benchmark.scenes import SCENES as STANDARD
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField, make_synthetic
from friedel.pipeline import detect
from friedel.refit.columns import phases
from friedel.refit.flags import PointFlag
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
    "p-wave": replace(KINDS, scatterers="p-wave", herringbone=False),
}
#: Scenes whose scatterers the model does not describe.
OTHER_MODELS = ("p-wave",)
QUANTITIES = ("amplitude", "phase_rad", "phase_shift_rad", "phase_shift_slope_per_ev", "absorption")


def rows(name: str, seed: int, refit: str, with_bound: bool) -> pd.DataFrame:
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
    information = _information(found, table)
    per_ev = float(np.median(_per_ev(found, table))) if len(table) else float("nan")
    wanted = with_bound and name not in OTHER_MODELS
    bound = _bound(synthetic, true, per_ev) if wanted else {q: np.full(len(true), np.nan) for q in QUANTITIES}
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
                    "field": name,
                    "seed": seed,
                    "quantity": quantity,
                    "true": value,
                    "error": error,
                    "sigma": table[f"sigma_{quantity}"].to_numpy(float),
                    "information": information[quantity],
                    "bound": bound[quantity],
                    "unexplained": (table["flags"].to_numpy(int) & int(PointFlag.UNEXPLAINED)) > 0,
                    "not_s_wave": (table["flags"].to_numpy(int) & int(PointFlag.NOT_S_WAVE)) > 0,
                    "explained": float(np.mean(shares)),
                }
            )
        )
    return pd.concat(parts)


def _truth(synthetic: SyntheticField, found: object, true: list[int]) -> list[np.ndarray]:
    """True values in the order of `QUANTITIES`."""
    bias = synthetic.setting.bias_mv
    offset = found.provenance["refit"]["phase_shift_bias_mv"] - (min(bias) + max(bias)) / 2  # type: ignore[attr-defined]
    s = synthetic.scatterers.amplitude(offset)[true]
    z = 1 + 2 * s
    slope = synthetic.scatterers.slope[true]
    return [np.abs(s), np.angle(s), np.angle(z) / 2, slope, 1 - np.abs(z) ** 2]


def _bound(synthetic: SyntheticField, true: list[int], per_ev: float) -> dict[str, np.ndarray]:
    """Cramér-Rao bound from the simulator of the scatterers `true`, by index."""
    exact = amplitude_bound(synthetic)
    at = [int(np.flatnonzero(exact.index == one)[0]) for one in true]
    columns = dict(zip(QUANTITIES, phases(exact.coefficients[at], exact.covariance[at]).sigma.T, strict=True))
    columns["phase_shift_slope_per_ev"] = columns["phase_shift_slope_per_ev"] * per_ev
    return columns


def _information(found: object, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """σ of the inverse information alone, by the fitted scatterer at each row."""
    every, index = found.waves.fitted.estimates, _index(found, table)  # type: ignore[attr-defined]
    plain = phases(every.coefficients[index], every.information_covariance[index])
    columns = dict(zip(QUANTITIES, plain.sigma.T, strict=True))
    columns["phase_shift_slope_per_ev"] = columns["phase_shift_slope_per_ev"] * _per_ev(found, table)
    return columns


def _index(found: object, table: pd.DataFrame) -> list[int]:
    """Which scatterer of the fit each row is."""
    waves, corner = found.waves, [axis[0] for axis in found.area]  # type: ignore[attr-defined]
    place = waves.scaling.to_new(table[["row", "column"]].to_numpy(float) - corner)
    return [int(np.hypot(*(waves.fitted.positions - one).T).argmin()) for one in place]


def _per_ev(found: object, table: pd.DataFrame) -> np.ndarray:
    """de/dE at the middle of the energies [1/eV], at each row."""
    every, index = found.waves.fitted.estimates, _index(found, table)  # type: ignore[attr-defined]
    slope = phases(every.coefficients[index], every.covariance[index]).sigma[:, 3]
    return table["sigma_phase_shift_slope_per_ev"].to_numpy(float) / np.maximum(slope, 1e-12)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per scene and quantity, and the pool of all scenes."""
    points = table[~table["scene"].isin(OTHER_MODELS)]
    every = pd.concat([table, points.assign(scene="all")])
    out = []
    for (scene, quantity), group in every.groupby(["scene", "quantity"], sort=False):
        ratio = (group["error"] / group["sigma"]).abs()
        within = int((ratio < 1).sum())
        low, high = _interval(ratio < 1, group["field"] + group["seed"].astype(str))
        out.append(
            {
                "scene": scene,
                "quantity": quantity,
                "count": len(group),
                "median_abs_error": group["error"].abs().median(),
                "bias": group["error"].median(),
                "sigma": group["sigma"].median(),
                "information": group["information"].median(),
                "bound": group["bound"].median(),
                "within_one_sigma": within / len(group),
                "low": low,
                "high": high,
                "ratio_at_68_percent": ratio.quantile(0.683),
                "explained": group["explained"].mean(),
                "unexplained": group["unexplained"].mean(),
                "not_s_wave": group["not_s_wave"].mean(),
            }
        )
    return pd.DataFrame(out)


def _interval(within: pd.Series, field: pd.Series) -> tuple[float, float]:
    """95 % interval of a share: the bootstrap's over fields or Wilson's, the wider at each end."""
    low, high = wilson(int(within.sum()), len(within))
    counts = within.groupby(field.to_numpy()).agg(["sum", "count"]).to_numpy(float)
    if len(counts) < 3:
        return low, high
    drawn = counts[np.random.default_rng(0).integers(0, len(counts), (4000, len(counts)))].sum(axis=1)
    ends = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return min(low, float(ends[0])), max(high, float(ends[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--refit", choices=("quick", "full"), default="quick")
    help_text = "the simulator's Cramér-Rao bound, too, of the first field of each scene"
    parser.add_argument("--bound", action="store_true", help=help_text)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--raw", type=Path, help="file for every single error, to measure σ's scales from")
    args = parser.parse_args()
    every = [
        rows(name, args.first + seed, args.refit, args.bound and seed == 0)
        for name in args.scenes
        for seed in range(args.fields)
    ]
    table = pd.concat(every).dropna(subset=["error", "sigma"])
    if args.raw:
        table.to_csv(args.raw, index=False)
    short = summary(table)
    print(short.to_string(index=False))
    with write_beside(args.output / f"phase_shift-{args.refit}.csv") as beside:
        short.to_csv(beside, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
