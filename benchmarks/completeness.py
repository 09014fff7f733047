"""Is the detectable amplitude right? Impurities of it, of half and of twice of it are planted in simulated fields.

``python benchmarks/completeness.py [--fields N] [--refit quick|full] [-o FOLDER]`` writes ``completeness-KIND.csv``,
one row per scene and multiple of the told amplitude: how many impurities were planted, the share that the detection
finds within 1.5 px, and its 95 % interval. A field is detected, its completeness map is taken, and it is simulated anew
with three more impurities, at least 3 px from any other and 12 px from each other, each of a random phase among those
of scatterers that create no electrons. ``--first 0`` takes the development seeds.
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
from friedel.scoring.intervals import wilson

#: First field of those that nothing was measured on.
FIRST_SEED = 100
#: Multiples of the told amplitude, and the largest amplitude that is planted.
TIMES, LARGEST = (0.5, 1.0, 2.0), 0.8
PLANTED, TO_OTHERS_PX, APART_PX, BORDER_PX, FOUND_PX = 3, 3.0, 12.0, 4.0, 1.5
SMALL = Setting(
    shape=(56, 56),
    bias_mv=tuple(float(v) for v in range(-230, 21, 10)),
    impurities=20,
    noise=0.36,
    margin_nm=6.0,
)
SCENES: dict[str, Setting] = {
    "heterogeneous": SMALL,
    "identical": replace(SMALL, unlike=False, herringbone=False),
    "noise": replace(SMALL, impurities=12, noise=0.9),
    "ag111": replace(STANDARD["ag111"].setting, impurities=15, shape=(60, 60), margin_nm=6.0),
}


def places(field: SyntheticField, random: np.random.Generator) -> np.ndarray:
    """Where impurities are planted, (`PLANTED`, 2) [px]."""
    chosen: list[np.ndarray] = []
    while len(chosen) < PLANTED:
        place = random.uniform(BORDER_PX, np.array(field.setting.shape) - 1 - BORDER_PX)
        others = np.hypot(*(field.scatterers.position - place).T).min() >= TO_OTHERS_PX
        if others and all(np.hypot(*(one - place)) >= APART_PX for one in chosen):
            chosen.append(place)
    return np.array(chosen)


def planted(place: np.ndarray, amplitude: float, random: np.random.Generator) -> tuple[float, ...]:
    """An entry of `Setting.planted` of this |s|: its phase is random among those with |1 + 2 s| ≤ 1."""
    phase = np.pi + random.uniform(-1, 1) * np.arccos(amplitude)
    z = 1 + 2 * amplitude * np.exp(1j * phase)
    return (*place, float(np.angle(z) / 2), float(random.uniform(-1, 1)), float(abs(z)))


def rows(name: str, seed: int, refit: str) -> list[dict[str, object]]:
    """One row per planted impurity."""
    setting, random = SCENES[name], np.random.default_rng((0x28C, seed))
    field = make_synthetic(setting, (0x28C, seed))
    found = detect(field.stack, dispersion=field.dispersion, refit=refit)
    if found.waves is None:
        return []
    told, where = found.completeness().amplitude, places(field, random)
    out: list[dict[str, object]] = []
    for shift in range(PLANTED):  # every place has every multiple once
        times = np.roll(TIMES, shift)
        least = np.array([told[tuple(place.round().astype(int))] for place in where])
        amplitude = np.minimum(times * least, LARGEST)
        more = tuple(planted(p, a, random) for p, a in zip(where, amplitude, strict=True) if np.isfinite(a))
        again = make_synthetic(replace(setting, planted=more), (0x28C, seed))
        points = detect(again.stack, dispersion=again.dispersion, refit=refit).positions
        for place, factor, value in zip(where, times, amplitude, strict=True):
            if np.isfinite(value):
                nearest = np.hypot(*(points - place).T).min(initial=np.inf)
                row = {"scene": name, "seed": seed, "times": factor, "amplitude": value}
                out.append(row | {"found": nearest < FOUND_PX})
    return out


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Share found, per scene and multiple, and of all scenes."""
    every = pd.concat([table, table.assign(scene="all")])
    out = []
    for (scene, times), group in every.groupby(["scene", "times"], sort=False):
        found = int(group["found"].sum())
        low, high = wilson(found, len(group))
        row = {"scene": scene, "times": times, "count": len(group), "amplitude": group["amplitude"].median()}
        out.append(row | {"found": found / len(group), "low": low, "high": high})
    order = [*SCENES, "all"]
    table = pd.DataFrame(out)
    return table.sort_values(["scene", "times"], key=lambda c: c.map(order.index) if c.name == "scene" else c)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=6)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--refit", choices=("quick", "full"), default="quick")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    every: list[dict[str, object]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in SCENES:
            for seed in range(args.first, args.first + args.fields):
                every += rows(name, seed, args.refit)
    short = summary(pd.DataFrame(every))
    print(short.to_string(index=False))
    with write_beside(args.output / f"completeness-{args.refit}.csv") as beside:
        short.to_csv(beside, index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
