"""What bad data cost every method: fields with and without impurities, clean and damaged, seen by all of them.

Each damage is done to the same clean fields of `friedel.benchmark.confounders`, so that its cost is told apart from
what the field itself costs. Damages are given in units of the root mean square of a clean map. An impurity in a part
that was never recorded is nobody's loss.

    python benchmarks/bad_data.py --seeds 2 --jobs 2

`cost` is the share of the impurities that are found in the clean field and not in the damaged one, less those that are
found in the damaged one alone; `added` are false points of the damaged field less those of the clean one, and
`added_empty` the points of a damaged field without impurities less those of the clean one, per field.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from friedel._util.work import Work, process_pool
from friedel.benchmark.confounders import confounded
from friedel.benchmark.confounders.fields import Confounded
from friedel.pipeline import detect
from friedel.scoring.matching import match

RESULT = Path(__file__).parent / "results" / "bad_data.csv"
#: What `friedel.detect` is called with.
METHODS: dict[str, dict[str, str]] = {
    "friedel, refit none": {"refit": "none"},
    "friedel, refit quick": {"refit": "quick"},
    "friedel, refit full": {"refit": "full"},
    "paper": {"model": "paper"},
    "matched-field": {"method": "matched-field"},
    "omp": {"method": "omp"},
}

Damage = Callable[[np.ndarray, np.random.Generator], None]


def pixels(count: int, height: float) -> Damage:
    """Single values, each in one map."""

    def damage(maps: np.ndarray, random: np.random.Generator) -> None:
        for _ in range(count):
            at = tuple(int(random.integers(n)) for n in maps.shape)
            maps[at] += height * rms(maps)[at[0]] * random.choice([-1.0, 1.0])

    return damage


def spectra(count: int, *, tenfold: bool) -> Damage:
    """Whole spectra: ten times as large, or ten times so, dead or noise of 10 rms by chance."""

    def damage(maps: np.ndarray, random: np.random.Generator) -> None:
        unit = rms(maps)
        for place in random.choice(maps[0].size, count, replace=False):
            at = (slice(None), *np.unravel_index(place, maps[0].shape))
            fate = 0 if tenfold else random.integers(3)
            if fate == 0:
                maps[at] *= 10
            elif fate == 1:
                maps[at] = 0
            else:
                maps[at] += 10 * unit * random.normal(size=len(maps))

    return damage


def lines(count: int, lowest: float, highest: float) -> Damage:
    """Scan lines with an offset, or with noise of that height, at all voltages."""

    def damage(maps: np.ndarray, random: np.random.Generator) -> None:
        unit, width = rms(maps), maps.shape[2]
        for row in random.choice(maps.shape[1], count, replace=False):
            signal = random.normal(size=width) if random.random() < 0.4 else random.choice([-1.0, 1.0])
            maps[:, row] += random.uniform(lowest, highest) * unit[:, None] * signal

    return damage


def zero_half(maps: np.ndarray, _random: np.random.Generator) -> None:
    """The second half was never scanned."""
    maps[:, maps.shape[1] // 2 :] = 0


DAMAGES: dict[str, Damage] = {
    "1 pixel of 300 rms": pixels(1, 300),
    "1 pixel of 1000 rms": pixels(1, 1000),
    "20 pixels of 100 rms": pixels(20, 100),
    "20 spectra × 10": spectra(20, tenfold=True),
    "20 bad spectra": spectra(20, tenfold=False),
    "150 bad spectra": spectra(150, tenfold=False),
    "3 bad lines": lines(3, 5, 30),
    "10 bad lines": lines(10, 5, 30),
    "a line of 30 rms": lines(1, 30, 30),
    "half zeros": zero_half,
}


def rms(maps: np.ndarray) -> np.ndarray:
    """Root mean square of each map about its median, robust, shape (V,)."""
    flat = maps.reshape(len(maps), -1)
    middle = np.median(flat, axis=1, keepdims=True)
    return np.asarray(1.4826 * np.median(np.abs(flat - middle), axis=1))


@dataclass(frozen=True)
class Seen:
    """What one method makes of one field."""

    right: int
    false: int


def look(field: Confounded, stack: xr.Dataset, method: str, rows: int) -> Seen:
    """How many impurities are found in the first rows of a stack, and the false points there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = detect(stack, dispersion=field.band, **METHODS[method])  # type: ignore[arg-type]
    inside = field.positions[:, 0] < rows - 0.5
    # An impurity beyond the last row that was recorded may be found, and need not be.
    optional = field.optional | ~inside
    pairs = match(found.positions, field.positions, 1.0, optional=optional)
    return Seen(len(pairs), len(pairs.false))


def measure(method: str, seed: int) -> list[dict[str, object]]:
    """One row of figures for every damage: one method, one field with impurities and one without."""
    with_impurities, empty = (confounded("none", "moderate", seed, impurities=kind) for kind in (True, False))
    rows = {name: _rows_scanned(name, with_impurities) for name in DAMAGES}
    clean = {part: look(with_impurities, with_impurities.stack, method, part) for part in set(rows.values())}
    clean_empty = {part: look(empty, empty.stack, method, part) for part in set(rows.values())}
    out: list[dict[str, object]] = []
    for name, part in rows.items():
        bad, bad_empty = (
            look(field, damaged(field, name, seed, kind), method, part)
            for kind, field in ((True, with_impurities), (False, empty))
        )
        out.append(
            {
                "method": method,
                "damage": name,
                "seed": seed,
                "clean": clean[part].right,
                "damaged": bad.right,
                "added": bad.false - clean[part].false,
                "added_empty": bad_empty.false - clean_empty[part].false,
            }
        )
    return out


def _rows_scanned(name: str, field: Confounded) -> int:
    rows = field.stack.sizes["y"]
    return rows // 2 if DAMAGES[name] is zero_half else rows


def damaged(field: Confounded, name: str, seed: int, kind: bool) -> xr.Dataset:
    """The stack of a field with one damage; `kind` tells fields with impurities from those without."""
    stack = field.stack.copy(deep=True)
    values = stack["LockinX"].transpose("bias", "y", "x").to_numpy().astype(float)
    DAMAGES[name](values, np.random.default_rng((seed, list(DAMAGES).index(name), kind)))
    stack["LockinX"] = (("bias", "y", "x"), values.astype(np.float32))
    return stack


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per method and damage."""
    sums = rows.groupby(["method", "damage"], sort=False)[["clean", "damaged", "added", "added_empty"]].sum()
    fields = rows.groupby(["method", "damage"], sort=False).size()
    sums["cost"] = (sums["clean"] - sums["damaged"]) / sums["clean"]
    sums["added"] /= fields
    sums["added_empty"] /= fields
    sums.insert(0, "fields", fields)
    return sums.reset_index()


def main() -> None:
    """Measure, sum up, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    calls = [(method, seed) for method in options.methods for seed in range(options.seeds)]
    rows: list[dict[str, object]] = []
    with ExitStack() as stack:
        pool = stack.enter_context(process_pool(options.jobs)) if options.jobs > 1 else None
        for some in Work(pool, ahead=2 * options.jobs).each(measure, calls):
            rows += some
            summary(pd.DataFrame(rows)).to_csv(options.output, index=False, float_format="%.4g")
    print(summary(pd.DataFrame(rows)).to_string())


if __name__ == "__main__":
    main()
