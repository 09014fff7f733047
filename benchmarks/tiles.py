"""How far a result depends on the tiles: one simulated field, detected with tiles of several sizes.

    python benchmarks/tiles.py

The network's tiles and the refit's are changed one at a time; the refits begin with the same candidates. Each result is
compared with that of the largest tiles: impurities of both that lie within half a pixel of each other, how far apart
they are, in pixels and in the standard deviation σ of their position per axis, and how far apart their probabilities. A
probability near the threshold may fall on either side of it, so points that only one result has are counted by how
probable they are there. The figures are written to ``benchmarks/results/tiles.csv``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

import friedel
from friedel._util.remarks import Remarks
from friedel.candidates import network, tiling
from friedel.candidates.result import Candidates
from friedel.models.registry import load_model
from friedel.physics.dispersion import resolve
from friedel.prepare import prepare
from friedel.prepare.prepared import Prepared
from friedel.progress import drain
from friedel.refit import candidates, schedules
from friedel.scoring.matching import match
from friedel.settings import PrepareSettings
from friedel.stages import Finder, find_candidates, refit_candidates

RESULTS = Path(__file__).parent / "results"


def found_with(prepared: Prepared, finder: Finder, largest: int) -> Candidates:
    """The network's candidates with tiles of up to so many pixels."""
    layout = tiling.layout
    with mock.patch.object(
        network, "layout", lambda model, mode: replace(layout(model, mode), size=largest // 2)
    ):
        return drain(find_candidates(prepared, finder))


def refitted_with(prepared: Prepared, found: Candidates, largest: int) -> Candidates:
    """The candidates after a quick refit with tiles of up to so many pixels."""
    # A field of one tile alone would end without the iteration that those of several tiles end with.
    sized = replace(schedules.SCHEDULES["quick"].in_tiles(), tile_px=largest)
    with mock.patch.dict(candidates.SCHEDULES, quick=sized):
        return drain(refit_candidates(prepared, found, "quick", Remarks())).candidates


def compare(found: Candidates, best: Candidates) -> dict[str, float]:
    """How far two results are apart; pixels, standard deviations and probabilities."""
    a, b = (one.table[one.table["probability"] > 0.5] for one in (found, best))
    places = [one[["row", "column"]].to_numpy(float) for one in (a, b)]
    pairs = match(*places, 0.5)
    mine, other = np.asarray(pairs.found), np.asarray(pairs.truth)
    apart = np.hypot(*(places[0][mine] - places[1][other]).T)
    sigma = b["sigma_px"].to_numpy(float)[other]
    p, q = a["probability"].to_numpy()[mine], b["probability"].to_numpy()[other]
    clear = np.minimum(p, q) > 0.9
    lonely = np.concatenate(
        [np.delete(one["probability"].to_numpy(), at) for one, at in ((a, mine), (b, other))]
    )
    return {
        "pairs": len(mine),
        "apart_median_px": float(np.median(apart)),
        "apart_p95_px": float(np.quantile(apart, 0.95)),
        "apart_largest_px": float(apart.max()),
        "within_0.01_px": float((apart <= 0.01).mean()),
        "apart_over_sigma_median": float(np.median(apart / sigma)),
        "apart_over_sigma_p95": float(np.quantile(apart / sigma, 0.95)),
        "probability_p95": float(np.quantile(np.abs(p - q)[clear], 0.95)),
        "probability_largest": float(np.abs(p - q)[clear].max()),
        "within_0.01": float((np.abs(p - q)[clear] <= 0.01).mean()),
        "only_in_one": len(lonely),
        "only_in_one_above_0.9": int((lonely > 0.9).sum()),
    }


def main() -> None:
    """Detect, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--network", type=int, nargs="+", default=[192, 400])
    parser.add_argument("--refit", type=int, nargs="+", default=[64, 104, 200])
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    bias = np.linspace(-200, 20, 12).round(3)
    size = args.size
    stack = friedel.simulate(
        seed=args.seed, shape=(size, size), bias_mv=bias, impurities=size**2 // 160, noise=0.3
    )
    finder, band = Finder("network", load_model("friedel", device="cpu")), resolve("au111")
    prepared = prepare(stack, None, band, finder.sampling, PrepareSettings(), Remarks())
    seen = {px: found_with(prepared, finder, px) for px in args.network}
    shipped = seen[192] if 192 in seen else found_with(prepared, finder, 192)
    fitted = {px: refitted_with(prepared, shipped, px) for px in args.refit}
    rows = []
    for stage, made in (("network", seen), ("refit", fitted)):
        best = max(made)
        for px in sorted(set(made) - {best}):
            rows.append({"stage": stage, "tile_px": px, "against_px": best, **compare(made[px], made[best])})
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / "tiles.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
