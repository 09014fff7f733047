"""How often the checks of a result fail where its points are wrong, and where they are right.

Every confounder, with and without impurities, at both levels, and Ag(111), Au(111) and Cu(111) taken for each other.
The limits of `friedel.prepare.checks` are set on the even seeds; the odd ones test them. A field is bad if the
precision of its points is below 0.8 (for a field without impurities: if there are two points or more), and good if it
is above 0.9 (if there is none).

    python benchmarks/checks.py --seeds 2 -o benchmarks/results/checks.csv
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from friedel.benchmark.confounders import CONFOUNDERS, LEVELS, confounded
from friedel.benchmark.scenes import SCENES
from friedel.errors import FriedelError, FriedelWarning
from friedel.pipeline import detect
from friedel.scoring.matching import match

#: Standard scenes whose waves are told to be those of another material.
WRONG = (("ag111", "au111"), ("ag111", "cu111"), ("unlike-60", "ag111"), ("unlike-60", "cu111"))
#: Standard scenes: the good fields.
GOOD = ("like-60", "unlike-60", "unlike-120", "noise", "isolated", "drift", "ag111", "empty")


@dataclass(frozen=True)
class Case:
    """A field, its truth and the band that is told."""

    name: str
    seed: int
    stack: object
    positions: np.ndarray
    optional: np.ndarray
    band: object
    tolerance_px: float


def scene_case(scene: str, told: str | None, seed: int) -> Case:
    """A standard scene, with its own band or called another material."""
    twin, tolerance = SCENES[scene].twin(seed), SCENES[scene].tolerance_px
    truth, optional = twin.truth()
    name = f"{scene} called {told}" if told else f"scene {scene}"
    return Case(name, seed, twin.stack, truth, optional, told or twin.dispersion, tolerance)


def confounded_case(name: str, level: str, impurities: bool, seed: int) -> Case:
    """A confounded field."""
    one = confounded(name, level, seed, impurities=impurities)
    label = f"{name} {level}{'' if impurities else ' empty'}"
    return Case(label, seed, one.stack, one.positions, one.optional, one.band, 1.0)


def draws(first: int, seeds: int) -> list[Callable[[], Case]]:
    """All fields of these seeds in a random, fixed order, so that a part of them stands for all."""
    out: list[Callable[[], Case]] = []
    for seed in range(first, first + seeds):
        out += [partial(scene_case, scene, None, seed) for scene in GOOD]
        out += [partial(scene_case, scene, told, seed) for scene, told in WRONG]
        for name, what in CONFOUNDERS.items():
            for level in LEVELS:
                made = [True] * (not what.alone) + [False] * bool(what.without or what.alone)
                out += [partial(confounded_case, name, level, impurities, seed) for impurities in made]
    order = np.random.default_rng(0).permutation(len(out))
    return [out[index] for index in order]


def measure(case: Case) -> dict[str, object]:
    """One row: points, precision, and every check's value."""
    row: dict[str, object] = {"name": case.name, "seed": case.seed}
    try:
        found = detect(case.stack, dispersion=case.band)
    except FriedelError as error:
        return {**row, "refused": str(error)[:60]}
    pairs = match(found.positions, case.positions, case.tolerance_px, optional=case.optional)
    counted = len(pairs) + len(pairs.false)
    row |= {
        "points": len(found),
        "right": len(pairs),
        "false": len(pairs.false),
        "missed": len(pairs.missed),
        "precision": len(pairs) / counted if counted else np.nan,
        "impurities": len(case.positions),
        "failed": " ".join(check.name for check in found.failed),
    }
    return row | {check.name: round(float(check.value), 4) for check in found.checks}


def summary(rows: pd.DataFrame) -> str:
    """Shares of bad and good fields with a failed check, for even and odd seeds."""
    lines = []
    for parity, name in ((0, "even seeds (limits set)"), (1, "odd seeds (test)")):
        some = rows[(rows["seed"] % 2 == parity) & rows["points"].notna()]
        empty = some["impurities"] == 0
        bad = np.where(empty, some["false"] >= 2, some["precision"] < 0.8)
        good = np.where(empty, some["points"] == 0, some["precision"] > 0.9)
        failed = some["failed"].fillna("") != ""
        wrong = some["name"].str.contains("called")
        silent = some[wrong & ~failed]
        lines.append(
            f"{name}: of {int(bad.sum())} bad fields {100 * failed[bad].mean():.0f} % have a failed check, of "
            f"{int(good.sum())} good ones {100 * failed[good].mean():.0f} %; wrong materials that pass: {len(silent)}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/checks.csv"))
    parser.add_argument("--most", type=int, default=-1, help="stop after so many fields, drawn at random")
    options = parser.parse_args()
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        for number, make in enumerate(draws(options.first, options.seeds)):
            if number == options.most:
                break
            rows.append(measure(make()))
            pd.DataFrame(rows).to_csv(options.output, index=False)
    text = summary(pd.DataFrame(rows))
    options.output.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
