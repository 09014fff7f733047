"""The Cramér-Rao bound of a pair of identical impurities against their distance.

``python benchmarks/close_pairs.py [-o FOLDER]`` writes ``close_pairs.csv``: for each distance in half wavelengths, the
bound of a position over that of a lone impurity of the same field. The two lie in the middle of an Au(111) field
without others, of the noise of a field of sixty; the mean is over the directions of the pair.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.cramer_rao import position_bound
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField, make_synthetic
from friedel.benchmark.t_matrix_exact import Scatterers

FIELD = Setting(shape=(48, 48), impurities=0, noise=0.8, herringbone=False, margin_nm=0.01)
DISTANCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5, 2.0)
DIRECTIONS = 4


def field(simulated: SyntheticField, points: np.ndarray) -> SyntheticField:
    """The field with identical impurities at these points."""
    n = len(points)
    made = Scatterers(points, np.full(n, 1.9), np.full(n, -0.5), np.full(n, 0.8))
    bias = np.asarray(simulated.setting.bias_mv)
    amplitude = np.array([made.amplitude(v - (bias.min() + bias.max()) / 2) for v in bias])
    return replace(simulated, scatterers=made, amplitude=amplitude, core_px=np.full(n, 0.9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    simulated = make_synthetic(FIELD, 0)
    middle = (np.array(FIELD.shape) - 1) / 2 + 0.21
    half = np.pi / float(np.mean(simulated.k.real))
    alone = float(position_bound(field(simulated, middle[None]), voltages=12)[0])
    rows = []
    for distance in DISTANCES:
        bounds = []
        for angle in np.pi * (np.arange(DIRECTIONS) + 0.3) / DIRECTIONS:
            away = distance * half / 2 * np.array([np.sin(angle), np.cos(angle)])
            pair = np.array([middle - away, middle + away])
            bounds.append(position_bound(field(simulated, pair), voltages=12).mean())
        bound = float(np.mean(bounds))
        rows.append(
            {
                "half_wavelengths": distance,
                "distance_px": distance * half,
                "bound_px": bound,
                "over_lone": bound / alone,
            }
        )
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    with write_beside(args.output / "close_pairs.csv") as beside:
        table.to_csv(beside, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
