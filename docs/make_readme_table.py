"""Write the README's table of figures from benchmarks/results, between its two markers.

    python docs/make_readme_table.py           # write it
    python docs/make_readme_table.py --check   # exit code 1 if it differs

Measured fields come first, then simulated ones. A file that does not exist is left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from friedel.benchmark.titles import METHOD_TITLES

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from results_tables import RESULTS, markdown, names, pooled

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- figures: python docs/make_readme_table.py -->", "<!-- end of figures -->"
METHODS = ("friedel", "friedel+refit", "omp", "matched-field", "paper")
#: The classical methods as they are run on real maps: after the preparation.
PREPARED = {"omp-prepared": "omp", "matched-field-prepared": "matched-field"}
NOT_MEASURED = "–"
SCENES = ("unlike-60", "unlike-120", "noise", "drift", "cu111", "ag111")


def lines(folder: Path = RESULTS) -> list[list[str]]:
    """Return the table: one line per kind of field, F1 of each method at its default threshold.

    A method that no file has a figure of has no column.
    """
    head = ["F1", "fields", *(METHOD_TITLES[name] for name in METHODS)]
    rows = [*measured(folder), *topographs(folder), *simulated(folder), *confounders(folder)]
    kept = [i for i in range(len(head)) if i < 2 or any(row[i] != NOT_MEASURED for row in rows)]
    return [[row[i] for i in kept] for row in (head, *rows)]


def measured(folder: Path) -> list[list[str]]:
    """Real fields, counts pooled over the fields of each kind of input; without F1 the recall alone is told."""
    path = folder / "measured.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path)
    table = table.rename(columns={"variant": "input", "points": "found", "reference": "true"})
    if "method" not in table:
        table["method"] = "friedel"
    table["complete"] = table["f1"].notna() if "f1" in table else True
    right = (table["recall"] * table["true"]).round()
    counts = table.assign(right=right, false=table["found"] - right, missed=table["true"] - right)
    counts = counts.sort_values("complete", ascending=False, kind="stable")
    found = []
    for (complete, kind), part in counts.groupby(["complete", "input"], sort=False):
        scored, true = pooled(part, ["method"]), int(part.groupby("method")["true"].sum().max())
        score = _f1(scored) if complete else _scores(scored, "recall")
        what = f"{true} atoms" if complete else f"{true} known atoms of more: recall"
        found.append(_line(f"**measured**, {kind}, {what}", scored.set_index("method")["fields"], score))
    return found


def topographs(folder: Path) -> list[list[str]]:
    """Simulated topographs as recorded; without waves, the false points per field."""
    path = folder / "raw_scans.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path).replace({"method": {"network": "friedel"}})
    table["per_field"] = table["false"] / table["fields"]
    found = []
    for kind, part in table.groupby("topographs", sort=False):
        empty = kind == "empty"
        label = (
            "simulated topograph, no waves: false points per field"
            if empty
            else f"simulated topograph, {kind}"
        )
        values = part.set_index("method")["per_field" if empty else "F1"].to_dict()
        found.append(_line(label, part.set_index("method")["fields"], values, digits=2 if empty else 3))
    return found


def simulated(folder: Path) -> list[list[str]]:
    """Standard scenes, and false points in fields without an impurity."""
    path = folder / "standard" / "table.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path).set_index(["scene", "method"])
    titles = names()["scene"]
    found = []
    for scene in SCENES:
        if scene in table.index.get_level_values(0):
            part = table.loc[scene]
            found.append(_line(f"simulated, {titles[scene]}", part["fields"], part["f1"].to_dict()))
    if "empty" in table.index.get_level_values(0):
        part = table.loc["empty"]
        label = "simulated, no impurity: false points per field"
        found.append(_line(label, part["fields"], part["false"].to_dict(), digits=2))
    return found


def confounders(folder: Path) -> list[list[str]]:
    """Simulated fields with what confounds real ones, pooled over all confounders of each level."""
    path = folder / "confounders.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path)
    recorded = table["method"].isin(PREPARED.values())
    table = table[table["impurities"].astype(bool) & ~recorded].replace({"method": PREPARED})
    scored = pooled(table, ["level", "method"])
    return [
        _line(f"simulated, {level} confounders", part.set_index("method")["fields"], _f1(part))
        for level, part in scored.groupby("level", sort=False)
    ]


def _f1(part: pd.DataFrame) -> dict[str, float]:
    return _scores(part, "f1")


def _scores(part: pd.DataFrame, score: str) -> dict[str, float]:
    return {str(name): float(value) for name, value in zip(part["method"], part[score], strict=True)}


def _line(label: str, fields: pd.Series[int], values: dict[str, float], digits: int = 3) -> list[str]:
    """A row; `fields` are those of each method, by its name, of which only the shown ones count."""
    shown = fields[fields.index.isin(METHODS)]
    low, high = int(shown.min()), int(shown.max())
    cells = [values.get(name, np.nan) for name in METHODS]
    numbers = [f"{one:.{digits}f}" if np.isfinite(one) else NOT_MEASURED for one in cells]
    return [label, str(high) if low == high else f"{low} to {high}", *numbers]


def with_table(text: str) -> str:
    """Return the README's text with the table renewed.

    Raises
    ------
    ValueError
        If the markers are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{README.name} lacks the markers {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n" + "\n".join(markdown(lines())) + f"\n{END}{after}"


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if the table is stale"
    )
    args = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    new = with_table(text)
    if args.check:
        print("README.md: " + ("current" if new == text else "its table is stale"))
        return int(new != text)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
