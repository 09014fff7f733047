"""Compare the answers of the code before and after each change that was meant to change none.

``python benchmarks/same_answers_commits.py FOLDER`` takes the commits of `PAIRS` out of the repository, lets the code
and the weights of each run the cases of ``same_answers.py``, and writes what differs between them to
``benchmarks/results/same-answers-commits.csv``. A table that lies in FOLDER is not computed again.
Other commits between these changed answers on purpose, so that only neighbours are compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from same_answers import CASES, differences
from scipy.spatial import KDTree

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "same-answers-commits.csv"


@dataclass(frozen=True)
class Pair:
    """Two commits, and what lies between them."""

    before: str
    after: str
    change: str
    #: Whether the code of the refit was touched, so that the full one is compared, too.
    refit: bool


PAIRS = (
    Pair("3a08f0d", "d4e1d97", "the joint fit as data, state and functions", True),
    Pair("3a08f0d", "74a9be5", "modules in the rooms of the pipeline; candidates as a stage", True),
    Pair("aad496f", "d8eedcb", "stages from one frozen dataclass to the next", True),
    Pair("c12cc2e", "c933c01", "short modules and functions, strict types", True),
    Pair("81d1140", "4fe20f4", "the field's words", False),
    Pair("84e8df0", "5822f43", "one binning of voltages", False),
)


def tables(commit: str, folder: Path, *, refit: bool) -> Path:
    """Run the code of a commit where its tables are not there yet."""
    target, tree = folder / commit, folder / f"{commit}-tree"
    wanted = [case for case in CASES if refit or case.method != "friedel+refit"]
    missing = [c.method for c in wanted if any(not (target / file).exists() for file in files(c.method))]
    if missing:
        if not tree.exists():
            subprocess.run(["git", "worktree", "add", "--detach", tree, commit], cwd=HERE, check=True)
        environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        script = [sys.executable, HERE / "same_answers.py", target, "--methods", *missing]
        subprocess.run(script, env=environment, check=True, cwd=folder)
    return target


def files(method: str) -> list[str]:
    """Names of the tables of a method."""
    return [f"{case.method}_{name}.csv.xz" for case in CASES if case.method == method for name in case.scenes]


def compare(pair: Pair, before: Path, after: Path) -> list[dict[str, object]]:
    """Rows of the result: one per method and scene of which both commits have a table."""
    rows: list[dict[str, object]] = []
    for file in sorted(before.glob("*.csv.xz")):
        method, _, scene = file.name.removesuffix(".csv.xz").rpartition("_")
        if not (after / file.name).exists() or (method == "friedel+refit" and not pair.refit):
            continue
        old, new = pd.read_csv(file), pd.read_csv(after / file.name)
        row = {"before": pair.before, "after": pair.after, "change": pair.change}
        row |= {"method": method, "scene": scene, "points_before": len(old), "points_after": len(new)}
        rows.append(row | largest(old, new) | {"differs": "; ".join(differences(old, new))})
    return rows


def largest(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, float]:
    """Largest move [px] and largest change of a probability of a point to the nearest one of its field."""
    moved, change = 0.0, 0.0
    for seed in set(old["field"]) & set(new["field"]):
        one, two = old[old["field"] == seed], new[new["field"] == seed]
        far, at = KDTree(two[["row", "column"]]).query(one[["row", "column"]])
        moved = max(moved, float(far.max()))
        other = np.abs(two["probability"].to_numpy()[at] - one["probability"].to_numpy())
        change = max(change, float(np.nanmax(other, initial=0)))
    return {"moved_px": moved, "probability_change": change}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for pair in PAIRS:
        before, after = (tables(name, folder, refit=pair.refit) for name in (pair.before, pair.after))
        rows += compare(pair, before, after)
        pd.DataFrame(rows).to_csv(RESULT, index=False, float_format="%.3g")
        print(
            pair.change, [row for row in rows if row["differs"] and row["change"] == pair.change], flush=True
        )
    return 1 if any(row["differs"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
