"""How often the checks of a result fail where its points are wrong, and where they are right.

Confounded fields at both levels, with impurities and without, standard scenes, and Ag(111), Au(111) and
Cu(111) taken for each other, with all voltages and with one. The limits in `friedel.settings.checks` are set on the
even seeds; the odd ones test them. A field is bad if the precision of its points is below 0.8 (without impurities: if
there are two points or more), and good if it is 0.8 or above. The family of confounders that is held out takes no part.

    python benchmarks/checks.py --first 2 --seeds 2      # measure, then count
    python benchmarks/checks.py --count                  # count once more, with the present limits

A run goes on where it stopped: a field that is in the CSV is not measured again.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from friedel._util.work import Work, process_pool
from friedel.benchmark.confounders import CONFOUNDERS, HELD_OUT, LEVELS, confounded
from friedel.benchmark.scenes import SCENES, Scene
from friedel.benchmark.settings import Setting
from friedel.errors import FriedelError, FriedelWarning
from friedel.physics.dispersion import Dispersion
from friedel.pipeline import detect
from friedel.scoring.intervals import wilson
from friedel.scoring.matching import match
from friedel.settings.checks import CHECK_LIMITS, CheckLimits

#: A smaller field of Cu(111) than that of the standard scenes: 96×96 px of 0.3 nm.
COPPER = Scene(
    "cu111-small",
    "Cu(111)",
    Setting("cu111", (96, 96), 0.3, tuple(float(v) for v in range(-100, 101, 10)), herringbone=False),
    1.0,
)
#: Fields by material, and the materials that they are called.
MATERIALS = {"au111": SCENES["unlike-60"], "ag111": SCENES["ag111"], "cu111": COPPER}
#: Standard scenes: the good fields.
GOOD = ("like-60", "unlike-60", "unlike-120", "noise", "isolated", "drift", "ag111", "empty")
#: Each check, the limit of its value, and whether the value must be at least that.
RULES = {
    "ring": ("ring", True),
    "band": ("other_ring", False),
    "wavevector": ("wavevector", False),
    "dispersion": ("dispersion", False),
    "density": ("density", False),
    "dropped": ("dropped", False),
    "explained": ("explained", True),
    "sure": ("sure", True),
    "probabilities": ("expected_false", False),
    "line": ("line", False),
    "double tip": ("ghosts", False),
    "field size": ("field_size", True),
    "sampling": ("sampling", True),
    "voltages": ("voltages_out", False),
    "bad data": ("lost", False),
}


@dataclass(frozen=True)
class Case:
    """A field, its truth and the band that is told."""

    name: str
    seed: int
    stack: xr.Dataset
    positions: np.ndarray
    optional: np.ndarray
    band: Dispersion | str
    tolerance_px: float


def scene_case(scene: Scene, told: str | None, single: bool, seed: int) -> Case:
    """A standard scene, with its own band or called another material; at its middle voltage alone if `single`."""
    simulated = scene.field(seed)
    truth, optional = simulated.truth()
    name = f"{scene.name} called {told}" if told else f"scene {scene.name}"
    stack = simulated.stack
    if single:
        middle = stack.sizes["bias"] // 2
        stack, name = stack.isel(bias=[middle]), f"{name}, one voltage"
    return Case(name, seed, stack, truth, optional, told or simulated.dispersion, scene.tolerance_px)


def confounded_case(name: str, level: str, impurities: bool, seed: int) -> Case:
    """A confounded field."""
    one = confounded(name, level, seed, impurities=impurities)
    label = f"{name} {level}{'' if impurities else ' empty'}"
    return Case(label, seed, one.stack, one.positions, one.optional, one.band, 1.0)


def draws(first: int, seeds: int) -> list[Callable[[], Case]]:
    """The materials, then all other fields in a random, fixed order, so that a part of them stands for all."""
    out: list[Callable[[], Case]] = []
    first_of_all: list[Callable[[], Case]] = []
    for seed in range(first, first + seeds):
        out += [partial(scene_case, SCENES[scene], None, False, seed) for scene in GOOD]
        for own, scene in MATERIALS.items():
            for told in MATERIALS:
                for single in (False, True):
                    if told != own or single:
                        name = None if told == own else told
                        first_of_all += [partial(scene_case, scene, name, single, seed)]
        for name, what in CONFOUNDERS.items():
            if what.family == HELD_OUT:
                continue
            kinds = ([] if what.alone else [True]) + ([False] if what.without or what.alone else [])
            levels = LEVELS if what.moderate != what.strong else LEVELS[:1]
            out += [partial(confounded_case, name, level, some, seed) for some in kinds for level in levels]
    order = np.random.default_rng(0).permutation(len(out))
    return [*first_of_all, *(out[index] for index in order)]


def measure(case: Case) -> dict[str, object]:
    """One row: points, precision, and every check's value."""
    row: dict[str, object] = {"name": case.name, "seed": case.seed, "impurities": len(case.positions)}
    start = time.process_time()
    try:
        found = detect(case.stack, dispersion=case.band)
    except FriedelError as error:
        return {**row, "refused": str(error)[:60]}
    pairs = match(found.positions, case.positions, case.tolerance_px, optional=case.optional)
    counted = len(pairs) + len(pairs.false)
    row |= {
        "seconds": round(time.process_time() - start, 1),
        "points": len(found),
        "right": len(pairs),
        "false": len(pairs.false),
        "missed": len(pairs.missed),
        "precision": round(len(pairs) / counted, 4) if counted else np.nan,
    }
    row |= {check.name: round(float(check.value), 4) for check in found.checks}
    return row | {"noted": "; ".join(check.name for check in found.noted)}


def measured(make: Callable[[], Case], have: set[tuple[str, int]]) -> dict[str, object] | None:
    """The row of a field; None if it is there already."""
    case = make()
    if (case.name, case.seed) in have:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        return measure(case)


def failures(rows: pd.DataFrame, limits: CheckLimits) -> pd.DataFrame:
    """Whether each check of each row fails with these limits.

    A value that could not be measured does not, nor does one that the result was corrected for (`noted`).
    """
    out = pd.DataFrame(index=rows.index)
    noted = rows["noted"].fillna("").str.split("; ")
    for name, (limit, least) in RULES.items():
        if name in rows:
            value = rows[name].to_numpy(float)
            bound = float(getattr(limits, limit))
            corrected = np.array([name in names for names in noted], dtype=bool)
            out[name] = (value < bound if least else value > bound) & ~corrected
    return out


def summary(rows: pd.DataFrame, limits: CheckLimits = CHECK_LIMITS) -> str:
    """Markdown: shares of bad and good fields with a failed check, for even and odd seeds, and each check alone."""
    rows = rows[rows["points"].notna()].reset_index(drop=True)
    by_check = failures(rows, limits)
    failed = by_check.any(axis=1)
    empty = rows["impurities"] == 0
    wrong = rows["name"].str.contains("called").to_numpy()
    bad = np.where(empty, rows["false"] >= 2, rows["precision"] < 0.8).astype(bool)
    groups = {
        "precision < 0.8": bad,
        "material called by another's name": wrong,
        "precision ≥ 0.8, rightly called": ~empty & ~wrong & (rows["precision"] >= 0.8),
        "impurities, but no point": ~empty & rows["precision"].isna(),
        "no impurity, at most one point": empty & ~bad,
    }
    lines = ["| fields | even seeds (limits set) | odd seeds (test) |", "|---|---|---|"]
    for title, which in groups.items():
        cells = [share(failed[which & (rows["seed"] % 2 == parity)]) for parity in (0, 1)]
        lines.append(f"| {title} | {cells[0]} | {cells[1]} |")
    lines += [
        "",
        "| check | limit | fails at precision < 0.8 | fails at precision ≥ 0.8 |",
        "|---|---|---|---|",
    ]
    for name in by_check:
        limit, least = RULES[name]
        sign = "at least" if least else "at most"
        cells = [
            share(by_check[name][groups[title]])
            for title in ("precision < 0.8", "precision ≥ 0.8, rightly called")
        ]
        lines.append(f"| {name} | {sign} {getattr(limits, limit):g} | {cells[0]} | {cells[1]} |")
    for title, which in (
        ("bad fields that pass", bad & ~failed),
        ("wrong materials that pass", wrong & ~failed),
    ):
        names = ", ".join(f"{one['name']} ({one['seed']})" for _, one in rows[which].iterrows())
        lines += ["", f"{title.capitalize()}: {names or 'none'}."]
    return "\n".join(lines) + "\n"


def share(failed: pd.Series) -> str:
    """``12 of 14 (86 %, 60 to 96 %)``: how many of these fields have a failed check, with Wilson's interval."""
    count, whole = int(failed.sum()), len(failed)
    if not whole:
        return "none"
    low, high = wilson(count, whole)
    return f"{count} of {whole} ({100 * count / whole:.0f} %, {100 * low:.0f} to {100 * high:.0f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "checks.csv")
    parser.add_argument("--most", type=int, help="stop after so many fields, drawn at random")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--count", action="store_true", help="measure nothing")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=VALUE", help="try another limit"
    )
    options = parser.parse_args()
    rows = pd.read_csv(options.output).to_dict("records") if options.output.exists() else []
    have = {(row["name"], row["seed"]) for row in rows}
    fields = [] if options.count else draws(options.first, options.seeds)[: options.most]
    with ExitStack() as stack:
        pool = stack.enter_context(process_pool(options.jobs)) if options.jobs > 1 else None
        for row in Work(pool, ahead=2 * options.jobs).each(measured, [(make, have) for make in fields]):
            if row:
                rows.append(row)
                pd.DataFrame(rows).to_csv(options.output, index=False)
    tried = dict(text.split("=") for text in options.limit)
    limits = replace(CHECK_LIMITS, **{name: float(value) for name, value in tried.items()})
    text = summary(pd.DataFrame(rows), limits)
    if not tried:
        options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
