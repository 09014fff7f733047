"""Print what the tests reach of each package: `python .ci/coverage_table.py FILE`, from `coverage json -o FILE`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path, PurePath

ROOTS = ("friedel", "napari_friedel")
COUNTS = ("num_statements", "num_branches", "covered_lines", "covered_branches")


def package_of(file: str) -> str:
    """``friedel.io`` of ``…/friedel/io/nanonis/grid.py``, and ``friedel`` of ``…/friedel/stack.py``."""
    folders = PurePath(file.replace("\\", "/")).parts[:-1]
    start = max(i for i, folder in enumerate(folders) if folder in ROOTS)
    return ".".join(folders[start : start + 2])


def table(report: dict) -> list[str]:
    """Lines of a Markdown table, a row per package and one for all of them."""
    packages: dict[str, Counter[str]] = {}
    for file, entry in report["files"].items():
        summary = {name: entry["summary"].get(name, 0) for name in COUNTS}
        for name in (package_of(file), "all"):
            packages.setdefault(name, Counter()).update(summary)
    everything = packages.pop("all", Counter())
    rows = [*sorted(packages.items()), ("all", everything)]
    return ["| package | statements | branches | covered [%] |", "|---|---:|---:|---:|", *map(_row, rows)]


def _row(entry: tuple[str, Counter[str]]) -> str:
    name, counts = entry
    statements, branches, *covered = (counts[one] for one in COUNTS)
    share = f"{100 * sum(covered) / (statements + branches):.1f}" if statements + branches else "–"
    return f"| {name} | {statements} | {branches} | {share} |"


if __name__ == "__main__":
    print("\n".join(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
