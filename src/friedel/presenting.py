"""How a result shows itself: in a console, a notebook, a figure, a file.

The methods hand themselves to rooms above (`friedel.report`, `friedel.io`), which are loaded when one is called.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.errors import FriedelError

if TYPE_CHECKING:
    import os

    import numpy as np
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

#: Impurities that a console shows, and a notebook.
ROWS, ROWS_HTML = 5, 12


class Presented:
    """The part of `friedel.detections.Detections` that shows it."""

    if TYPE_CHECKING:
        table: pd.DataFrame
        threshold: float
        s: np.ndarray
        area: tuple[tuple[int, int], tuple[int, int]]
        provenance: dict[str, Any]

        @property
        def impurities(self) -> pd.DataFrame:
            """Candidates at or above the threshold."""

    def _title(self) -> str:
        count, made = len(self.impurities), self.provenance
        by = made.get("model") or made.get("method") or "unknown method"
        return f"{count} {'impurity' if count == 1 else 'impurities'} of {len(self.table)} candidates ({by})"

    def _facts(self) -> list[tuple[str, str]]:
        (r0, r1), (c0, c1) = self.area
        made = self.provenance
        facts = [
            ("threshold", f"{self.threshold:.2g}"),
            ("area", f"rows {r0} to {r1}, columns {c0} to {c1}"),
            ("channel", str(made.get("channel", "unknown"))),
        ]
        if warnings := made.get("warnings"):
            facts.append(("warnings", f"{len(warnings)}, the first: {warnings[0]}"))
        return facts

    def __repr__(self) -> str:
        """At most ten lines: count, threshold, area, channel, warnings, the best impurities."""
        lines = [f"Detections: {self._title()}"]
        told = "; ".join(f"{name} {value}" for name, value in self._facts()[:3])
        lines.append(f"  {told}")
        lines += [f"  {name} {_cut(value)}" for name, value in self._facts()[3:]]
        shown = self._shown(ROWS)
        if len(shown):
            lines += [
                "  " + line
                for line in shown.to_string(index=False, float_format="{:.4g}".format).splitlines()
            ]
        if (more := len(self.impurities) - len(shown)) > 0:
            lines.append(f"  ... and {more} more in .impurities")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        facts = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in self._facts()
        )
        more = len(self.impurities) - ROWS_HTML
        body = self._shown(ROWS_HTML).to_html(index=False, float_format="{:.4g}".format, border=0)
        tail = f"<p>… and {more} more in <code>.impurities</code></p>" if more > 0 else ""
        return f"<b>{escape(self._title())}</b><table>{facts}</table>{body}{tail}"

    def _shown(self, count: int) -> pd.DataFrame:
        names = ["row", "column", "x_nm", "y_nm", "probability", "sigma_nm"]
        return self.impurities[[name for name in names if name in self.table]].head(count)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the impurities as CSV with units and provenance, as `friedel.write_points` does.

        Parameters
        ----------
        path : path
            Replaced in one step.
        """
        from friedel.io.points import write_points

        write_points(self, path)  # type: ignore[arg-type]

    def plot(self, stack: xr.Dataset) -> Figure:
        """Draw the map nearest to the middle bias and S, with the impurities.

        Parameters
        ----------
        stack : xarray.Dataset
            The stack that was searched.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        FriedelError
            If the stack is smaller than the area that was searched.
        """
        from friedel.report.figures import overview

        self._check_stack(stack)
        return overview(stack, self)  # type: ignore[arg-type]

    def report(self, stack: xr.Dataset, path: str | os.PathLike[str], *, name: str = "") -> None:
        """Write one HTML file: maps, points, spectra, density, provenance.

        Parameters
        ----------
        stack : xarray.Dataset
            The stack that was searched.
        path : path
            Replaced in one step.
        name : str
            Title; the stack's source if empty.
        """
        from friedel.report.html import write_report

        self._check_stack(stack)
        title = name or Path(str(stack.attrs.get("source", ""))).name or "detection"
        write_report(stack, self, Path(path), name=title)  # type: ignore[arg-type]

    def _check_stack(self, stack: xr.Dataset) -> None:
        (_, rows), (_, columns) = self.area
        if stack.sizes.get("y", 0) < rows or stack.sizes.get("x", 0) < columns:
            raise FriedelError(
                f"This stack has {stack.sizes.get('y', 0)}×{stack.sizes.get('x', 0)} pixels; the detection was made on "
                f"one of at least {rows}×{columns}."
            )


def _cut(text: str, length: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
