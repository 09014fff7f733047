"""Curves and small pictures in docks: the one module that draws.

pyqtgraph, loaded when the first plot is shown; zoom and pan by mouse, right click to export. Colours follow napari's
theme and stay apart for colour-blind eyes (Okabe & Ito).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

#: Colours by meaning, the same in curves and on the map.
COLOURS = {
    "first": "#56b4e9",
    "second": "#e69f00",
    "third": "#009e73",
    "average": "#999999",
    "matched": "#00c08b",
    "missed": "#ffb000",
    "false": "#ff4fa3",
    "ring": "#35e0ff",
}


class Plot(QWidget):
    """Axes for curves, points or one picture.

    Parameters
    ----------
    x, y : str
        Axis labels, with units.
    dark : bool
        Whether the theme is dark.
    height : int
        Least height [screen px].
    """

    def __init__(self, x: str, y: str, *, dark: bool = True, height: int = 180) -> None:
        super().__init__()
        import pyqtgraph as pg

        self._pg = pg
        self.axes = pg.PlotWidget()
        self.axes.setMinimumHeight(height)
        self.axes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self._items: dict[str, Any] = {}
        self._legend: Any = None
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.axes)
        self._labels = {"bottom": x, "left": y}
        self.set_dark(dark)

    def sizeHint(self) -> QSize:
        """Fit into a narrow dock; pyqtgraph would ask for 640 pixels."""
        return QSize(300, self.axes.minimumHeight())

    def set_dark(self, dark: bool) -> None:
        """Follow the theme."""
        ink, paper = ("#d0d4da", "#1c1f24") if dark else ("#30343a", "#ffffff")
        self.axes.setBackground(paper)
        for side, text in self._labels.items():
            axis = self.axes.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(ink)
            axis.setTextPen(ink)
            axis.setLabel(text, color=ink)
        self._ink = ink

    def legend(self) -> None:
        """Show the names of the curves."""
        if self._legend is None:
            self._legend = self.axes.addLegend(offset=(-8, 4), labelTextColor=self._ink)

    def curve(
        self, name: str, x: Any, y: Any, colour: str, *, dashed: bool = False, width: float = 1.6
    ) -> None:
        """Draw or redraw the curve `name`; empty arrays hide it."""
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        pen = self._pg.mkPen(colour, width=width, style=style)
        item = self._items.get(name)
        if item is None:
            item = self._items[name] = self.axes.plot([], [], name=name, connect="finite")
        item.setPen(pen)
        item.setData(np.asarray(x, dtype=float), np.asarray(y, dtype=float))

    def vertical(self, name: str, x: float | None, colour: str) -> None:
        """Draw or move a vertical line; None hides it."""
        item = self._items.get(name)
        if item is None:
            item = self._items[name] = self._pg.InfiniteLine(angle=90, pen=self._pg.mkPen(colour, width=1))
            self.axes.addItem(item, ignoreBounds=True)
        item.setVisible(x is not None)
        if x is not None:
            item.setValue(x)

    def picture(
        self, values: np.ndarray, extent: tuple[float, float, float, float], colormap: str = "magma"
    ) -> None:
        """Show a picture behind the curves.

        Parameters
        ----------
        values : array, shape (rows, columns)
        extent : (left, right, bottom, top)
            Its edges in axis units; row 0 lies at the bottom.
        colormap : str
        """
        item = self._items.get("picture")
        if item is None:
            item = self._items["picture"] = self._pg.ImageItem(axisOrder="row-major")
            item.setZValue(-10)
            self.axes.addItem(item)
        item.setLookupTable(self._pg.colormap.get(colormap).getLookupTable(nPts=256))
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, (2, 99.7)) if finite.size else (0.0, 1.0)
        # Pixels that were not acquired (NaN) stay transparent.
        item.setImage(np.asarray(values, dtype=float), levels=(low, max(high, low + 1e-12)), autoLevels=False)
        left, right, bottom, top = extent
        item.setRect(self._pg.QtCore.QRectF(left, bottom, right - left, top - bottom))

    def ring(self, name: str, radius: float | None, colour: str = COLOURS["ring"]) -> None:
        """Draw a circle about the origin; None hides it."""
        angle = np.linspace(0, 2 * np.pi, 181)
        r = np.nan if radius is None or not np.isfinite(radius) else radius
        self.curve(name, r * np.cos(angle), r * np.sin(angle), colour, width=1.2)

    def square(self) -> None:
        """Lock the aspect ratio, for pictures with the same unit on both axes."""
        self.axes.setAspectLocked(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.axes.minimumHeight())

    def clear(self, names: Sequence[str] = ()) -> None:
        """Remove the named items, or all."""
        for name in list(names or self._items):
            item = self._items.pop(name, None)
            if item is not None:
                self.axes.removeItem(item)


def edges(centres: Any) -> tuple[float, float]:
    """Outer edges of even bins, from their centres: a picture's pixels are centred on its axis values."""
    values = np.asarray(centres, dtype=float)
    half = (values[-1] - values[0]) / (2 * (len(values) - 1)) if len(values) > 1 else 0.5
    return float(values[0] - half), float(values[-1] + half)


def is_dark(viewer: Any) -> bool:
    """Whether the viewer's theme is dark."""
    return "light" not in str(getattr(viewer, "theme", "dark"))
