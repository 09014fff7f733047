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
    The command that writes the file; it stands below the table, with a link to the file. A table that
    ``benchmarks/figures.py`` calls stale says there that it is older than the code.
missing
    A sentence for a file that does not exist yet. Without it a missing file stops the build.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from results_tables import RESULTS, Selection, figure3_lines, markdown, names, select

sys.path.insert(0, str(RESULTS.parent))

import figures

#: What stands below a table that its command has not written anew since the code changed.
OLDER = "It is older than the present code"


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
        older = f" {OLDER}." if self.arguments[0] in stale() else ""
        return self._parsed([*lines, "", "{.source}", f"{below}.{older}"])

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        container = nodes.container(classes=["results"])
        self.state.nested_parse(StringList(lines, source="generated"), self.content_offset, container)
        return [container]


@cache
def stale() -> dict[str, str]:
    """Result files of figures that are not current."""
    return figures.stale_files(figures.Places())


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
