"""The curve of a training: figures of the steps, averaged over a number of them, as a table."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from friedel._util.atomic_write import write_beside

if TYPE_CHECKING:
    from pathlib import Path

#: A row is the mean of so many steps.
EVERY = 50


class Curve:
    """Figures over the steps of a training.

    Parameters
    ----------
    rows : list of dict
        Rows so far; new ones are appended to this list, which a checkpoint may hold.
    """

    def __init__(self, rows: list[dict[str, float]]) -> None:
        self.rows = rows
        self._recent: list[dict[str, float]] = []

    def add(self, step: int, seconds: float, figures: dict[str, float]) -> None:
        """Take the figures of one step, the number `step`, at the end of which `seconds` have been trained."""
        self._recent.append(figures)
        if step % EVERY == 0:
            means = {name: sum(one[name] for one in self._recent) / len(self._recent) for name in figures}
            self.rows.append({"step": step, "minutes": seconds / 60, **means})
            self._recent = []

    def write(self, path: Path) -> None:
        """Write all rows as CSV; nothing if there are none."""
        if self.rows:
            with write_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(self.rows[0]))
                writer.writeheader()
                writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
