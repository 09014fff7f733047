"""Check that a change of the code does not change the answers.

``python benchmarks/same_answers.py FOLDER`` writes the tables of fixed scenes and methods to FOLDER.
``python benchmarks/same_answers.py FOLDER --against BEFORE`` compares them with those of an earlier run: the same
points, positions within 10⁻³ px, probabilities within 10⁻³. The exit code is 1 where they differ.
Tables of a reference run are in ``benchmarks/results/same-answers``.

The code that runs is the one that is imported: ``PYTHONPATH=OTHER/src`` runs that of another checkout.
``same_answers_commits.py`` compares commits by it.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from friedel.physics.dispersion import resolve

#: Largest differences of a position [px] and of a probability.
POSITION_PX, PROBABILITY = 1e-3, 1e-3


def _module(name: str) -> Any:
    """Give a module of the benchmark; it had another package at the commits that are compared."""
    try:
        return import_module(f"friedel.benchmark.{name}")
    except ModuleNotFoundError:
        return import_module(f"friedel.evaluation.{name}")


@dataclass(frozen=True)
class Case:
    """One method on the first fields of some scenes.

    Parameters
    ----------
    method : str
        A name of `friedel.benchmark.methods.METHODS`.
    scenes : tuple of str
    fields : int
        Seeds 0 to ``fields − 1`` of each scene.
    """

    method: str
    scenes: tuple[str, ...]
    fields: int = 3


SMALL = ("unlike-60", "noise", "isolated", "drift", "ag111", "empty")
CASES = (
    Case("friedel", SMALL),
    Case("friedel-network", SMALL),
    Case("paper", ("noise", "ag111", "empty")),
    Case("matched-field", SMALL),
    Case("log", SMALL),
    Case("omp", ("noise", "isolated", "ag111", "empty")),
    Case("omp-each", ("ag111",)),
    Case("friedel+refit", ("isolated", "ag111")),
)


@cache
def _field(name: str, seed: int) -> Any:
    one = _module("scenes").scene(name)
    # The name of the synthetic field before it was called so.
    return (one.field if hasattr(one, "field") else one.twin)(seed)


def run(case: Case, folder: Path) -> None:
    """Write one table per scene."""
    find = _module("methods").method(case.method)
    for name in case.scenes:
        start, tables = time.perf_counter(), []
        band = resolve(_module("scenes").scene(name).setting.material)
        if band is None:
            raise ValueError(f"The scene {name!r} has no surface band.")
        for seed in range(case.fields):
            stack = _field(name, seed).stack
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = find(stack, band)
            tables.append(
                pd.DataFrame(
                    {
                        "field": seed,
                        "row": found.positions[:, 0],
                        "column": found.positions[:, 1],
                        "probability": found.probability,
                        "sigma_px": found.sigma_px,
                    }
                )
            )
        file = folder / f"{case.method}_{name}.csv.xz"
        pd.concat(tables).to_csv(file, index=False, float_format="%.6g")
        print(f"{file.name}: {(time.perf_counter() - start) / case.fields:.1f} s per field", flush=True)


def differences(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Sentences that say what differs; none if the tables hold the same points."""
    out: list[str] = []
    for seed in sorted({*before["field"], *after["field"]}):
        old, new = before[before["field"] == seed], after[after["field"] == seed]
        if len(old) != len(new):
            out.append(f"field {seed}: {len(old)} points became {len(new)}")
            continue
        if not len(old):
            continue
        place = ["row", "column"]
        moved, partner = KDTree(new[place].to_numpy()).query(old[place].to_numpy())
        if len(np.unique(partner)) < len(old) or moved.max() > POSITION_PX:
            out.append(f"field {seed}: a point has moved by {moved.max():.2g} px")
        one, two = old["probability"].to_numpy(), new["probability"].to_numpy()[partner]
        if not np.array_equal(np.isnan(one), np.isnan(two)):
            out.append(f"field {seed}: a probability is known in one of the tables only")
        change = np.abs(two - one)
        if np.nanmax(change, initial=0) > PROBABILITY:
            out.append(f"field {seed}: a probability has changed by {np.nanmax(change):.2g}")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path, help="folder of an earlier run")
    parser.add_argument("--methods", nargs="*", help="run these methods only")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for case in CASES:
        if options.methods and case.method not in options.methods:
            continue
        run(case, options.folder)
        if options.against is None:
            continue
        for name in case.scenes:
            file = f"{case.method}_{name}.csv.xz"
            before, after = (pd.read_csv(at / file) for at in (options.against, options.folder))
            for text in differences(before, after):
                print(f"{file}: {text}")
                wrong += 1
    print("The answers differ." if wrong else "The answers are the same." if options.against else "Written.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
