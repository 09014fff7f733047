"""Parts of results files as lines of a table, for the directives of the pages and for the README.

It needs no package of the documentation: `python benchmarks/figures.py` reads the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from friedel.benchmark.titles import METHOD_TITLES

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


@dataclass(frozen=True)
class Selection:
    """Which part of a table is shown."""

    columns: str = ""
    where: str = ""
    pool: str = ""
    pivot: str = ""
    order: str = ""
    format: str = ".3f"
    bold: str = ""
    names: dict[str, dict[str, str]] = field(default_factory=dict)


def select(table: pd.DataFrame, what: Selection) -> list[list[str]]:
    """Return the chosen part as lines of text, the header first.

    Raises
    ------
    ValueError
        If nothing is left, or a column does not exist: the page would show an empty table.
    """
    table = table[_mask(table, what.where)]
    if table.empty:
        raise ValueError(f"No row fulfils {what.where!r}.")
    if what.pool:
        table = pooled(table, what.pool.split())
    if what.pivot:
        return _pivot(table, what)
    columns = _columns(what.columns) or [(name, name, "") for name in table.columns]
    unknown = [name for name, _, _ in columns if name not in table.columns]
    if unknown:
        raise ValueError(f"The table has no column {', '.join(unknown)}; it has {', '.join(table.columns)}.")
    head = [title for _, title, _ in columns]
    return [
        head,
        *(
            [_cell(row[name], form, what.names.get(name)) for name, _, form in columns]
            for row in table.to_dict("records")
        ),
    ]


def pooled(table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Sum the counts `right`, `false`, `missed` over the fields of each group and score the sums.

    Parameters
    ----------
    table : DataFrame
        One row per field; rows without counts (a run that was given up) are left out.
    groups : list of str
        Columns that name a group.

    Returns
    -------
    DataFrame
        `groups`, the counts, `fields`, `f1`, `precision`, `recall`, `false_per_field`; NaN where nothing was divided.
    """
    counts = ["right", "false", "missed"]
    kept = table.dropna(subset=counts)
    result = kept.groupby(groups, sort=False)[counts].sum().reset_index()
    result["fields"] = kept.groupby(groups, sort=False).size().to_numpy()
    right, false, missed = (result[name].to_numpy(float) for name in counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        result["f1"] = 2 * right / (2 * right + false + missed)
        result["precision"] = right / (right + false)
        result["recall"] = right / (right + missed)
    result["false_per_field"] = false / result["fields"].to_numpy(float)
    return result


def _pivot(table: pd.DataFrame, what: Selection) -> list[list[str]]:
    rows, columns, value = what.pivot.split()
    shown = (
        [name.strip() for name in what.order.split(",")]
        if what.order
        else list(dict.fromkeys(table[columns]))
    )
    cells = {
        (row[rows], row[columns]): row[value] for row in table.to_dict("records") if np.isfinite(row[value])
    }
    shown = [name for name in shown if any(column == name for _, column in cells)]
    lines = [["", *(what.names.get(columns, {}).get(name, name) for name in shown)]]
    for name in (one for one in dict.fromkeys(table[rows]) if any(row == one for row, _ in cells)):
        values = np.array([float(cells.get((name, other), np.nan)) for other in shown])
        texts = [_cell(one, what.format, None) for one in values]
        if what.bold and np.isfinite(values).any():
            best = np.nanmax(values) if what.bold == "max" else np.nanmin(values)
            same = _cell(best, what.format, None)
            texts = [f"**{text}**" if text == same else text for text in texts]
        lines.append([what.names.get(rows, {}).get(name, str(name)), *texts])
    return lines


def _columns(text: str) -> list[tuple[str, str, str]]:
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, title = (word.strip() for word in part.partition("="))
        words = title.rsplit(" ", 1)
        form = words[1] if len(words) == 2 and words[1].startswith((".", "+.")) else ""
        found.append((name, (words[0] if form else title) or name, form))
    return found


def _mask(table: pd.DataFrame, where: str) -> pd.Series[bool]:
    keep = pd.Series(True, index=table.index)
    for part in filter(None, (one.strip() for one in where.split(";"))):
        negative = "!=" in part
        name, _, pattern = part.partition("!=" if negative else "=")
        patterns = pattern.strip().split("|")
        hit = table[name.strip()].astype(str).map(lambda v, p=patterns: any(fnmatchcase(v, one) for one in p))
        keep &= ~hit if negative else hit
    return keep


def _cell(value: Any, form: str, names: dict[str, str] | None) -> str:
    if names and str(value) in names:
        return names[str(value)]
    if isinstance(value, float) and not np.isfinite(value):
        return "–"
    if form:
        return format(float(value), form).replace("-", "−")
    return f"{value:g}" if isinstance(value, float) else str(value)


def names() -> dict[str, dict[str, str]]:
    """Titles for the values of the columns `scene` and `method`."""
    from friedel.benchmark.scenes import SCENES

    scenes = {name: scene.title for name, scene in SCENES.items()}
    return {"scene": scenes, "method": METHOD_TITLES, "field": scenes}


def markdown(lines: list[list[str]]) -> list[str]:
    """Lines of a Markdown table; columns of numbers are aligned to the right."""
    head, *body = lines
    right = [all(_is_number(row[i]) for row in body) for i in range(len(head))]
    rule = ["---:" if number else "---" for number in right]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]


def _is_number(text: str) -> bool:
    text = text.strip("*").replace("−", "-").replace("–", "0")
    try:
        float(text)
    except ValueError:
        return False
    return True


def figure3_lines(folder: Path = RESULTS / "paper") -> list[list[str]]:
    """Scores of the points of the paper's Figure 3, against the reference and against the truth."""
    from friedel.scoring.metrics import evaluate

    lines = [
        ["method", "share", "precision", "recall", "F1", "precision (truth)", "recall (truth)", "F1 (truth)"]
    ]
    for path in sorted(folder.glob("fig3-*.csv")):
        table = pd.read_csv(path)
        places = {kind: part[["row", "column"]].to_numpy(float) for kind, part in table.groupby("kind")}
        # As in the benchmark: within 1 px of the border of the 80×80 field a point is neither right nor wrong.
        inner = (np.abs(places["truth"] - 39.5) <= 39).all(axis=1)
        known = evaluate(places["found"], places["reference"], tolerance=1.0)
        true = evaluate(places["found"], places["truth"], tolerance=1.0, optional=~inner)
        name = path.stem.removeprefix("fig3-")
        figures = (
            known.paper_share,
            known.precision,
            known.recall,
            known.f1,
            true.precision,
            true.recall,
            true.f1,
        )
        lines.append([METHOD_TITLES.get(name, name), *(f"{one:.2f}" for one in figures)])
    return lines
