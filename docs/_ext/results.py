"""Tables of figures, read from the files that commands wrote: no page repeats a number by hand.

`{results-table} PATH` shows a part of ``benchmarks/results/PATH``. Options:

columns
    ``name = Title, name = Title .2f``, in the order shown; every column by default.
where
    ``column=pattern``, ``column!=pattern``, separated by semicolons; patterns as in a shell, ``a|b`` for either.
pool
    Columns that name a group: counts are summed over its rows, one row per field, and `f1`, `precision`, `recall`,
    `fields` and `false_per_field` are worked out from the sums.
pivot
    ``row column value``: one line per `row`, one column per `column`, cells from `value`; without those that hold no
    figure at all.
order
    Names of the pivot's columns from left to right.
format
    Format of the cells of a pivot, ``.3f`` by default.
bold
    ``max`` or ``min``: the best cell of each line of a pivot.
made-by
    The command that writes the file; it stands below the table, with a link to the file.
missing
    A sentence for a file that does not exist yet. Without it a missing file stops the build.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList

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


class ResultsTable(Directive):
    """A part of a results file as a table, with the command that made it."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("columns", "where", "pool", "pivot", "order", "format", "bold", "made-by", "missing"),
        directives.unchanged,
    )

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        path = RESULTS / self.arguments[0]
        environment.note_dependency(str(path))
        if not path.exists():
            if "missing" not in self.options:
                raise self.error(f"{path.name} does not exist in benchmarks/results.")
            return self._parsed([self.options["missing"]])
        parts = {key: value for key, value in self.options.items() if key not in ("made-by", "missing")}
        what = Selection(**parts, names=names())
        try:
            lines = markdown(select(pd.read_csv(path), what))
        except (ValueError, KeyError) as problem:
            raise self.error(f"{path.name}: {problem}") from problem
        page = Path(environment.doc2path(environment.docname)).parent
        link = os.path.relpath(path, page).replace(os.sep, "/")
        below = f"{{download}}`{path.name} <{link}>`"
        if "made-by" in self.options:
            below += f", written by `{self.options['made-by']}`"
        return self._parsed([*lines, "", "{.source}", below + "."])

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        container = nodes.container(classes=["results"])
        self.state.nested_parse(StringList(lines, source="generated"), self.content_offset, container)
        return [container]


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


class Figure3Table(ResultsTable):
    """The scores of Figure 3, one line per method."""

    required_arguments = 0
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        return self._parsed(markdown(figure3_lines()))


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("results-table", ResultsTable)
    app.add_directive("fig3-table", Figure3Table)
    return {"version": "1", "parallel_read_safe": True}
