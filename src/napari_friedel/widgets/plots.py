"""Curves and small pictures in docks: the one module that draws.

pyqtgraph, loaded when the first plot is shown; zoom and pan by mouse, right click to export. Colours follow napari's
theme and stay apart for colour-blind eyes (Okabe & Ito).
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFileDialog, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from friedel.errors import StackError
from napari_friedel.widgets.listener import Listener
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    viewer : ViewerModel, optional
        Its theme is followed.
    height : int
        Least height [screen px].
    """

    def __init__(self, x: str, y: str, *, viewer: Any = None, height: int = 180) -> None:
        super().__init__()
        import pyqtgraph as pg

        self._pg = pg
        self.axes = pg.PlotWidget()
        self.axes.setMinimumHeight(height)
        self.axes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        # pyqtgraph lets the lower ends of the letters, and half of the topmost number, hang out of its axes.
        self.axes.getPlotItem().layout.setContentsMargins(1, 6, 1, 5)
        self._items: dict[str, Any] = {}
        self._legend: Any = None
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.axes)
        rows.addWidget(ExportButton(self), 0, Qt.AlignmentFlag.AlignRight)
        self._labels = {"bottom": x, "left": y}
        self._curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._picture: tuple[np.ndarray, tuple[float, float, float, float]] | None = None
        self.set_dark(viewer is None or is_dark(viewer))
        if viewer is not None:
            self._viewer = weakref.ref(viewer)
            Listener(self).on(viewer.events.theme, self._follow_theme)

    def _follow_theme(self, _event: Any = None) -> None:
        if (viewer := self._viewer()) is not None:
            self.set_dark(is_dark(viewer))

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
        self._ink, self._paper = ink, paper
        if self._legend is not None:
            self._legend.setLabelTextColor(ink)
            for _, label in self._legend.items:  # pyqtgraph colours the names of later curves only
                label.setText(label.text, color=ink)
            self._legend.setBrush(paper + "c0")

    def label(self, side: str, text: str) -> None:
        """Name an axis (``bottom`` or ``left``), with its unit."""
        if self._labels.get(side) != text:
            self._labels[side] = text
            self.axes.getAxis(side).setLabel(text, color=self._ink)

    def title(self) -> str:
        """What the plot shows, for a file's name."""
        return f"{self._labels['left']} against {self._labels['bottom']}"

    def write(self, path: str) -> None:
        """Write the plot as .svg or .png, or its numbers as .csv.

        Raises
        ------
        StackError
            If nothing is drawn.
        """
        from pyqtgraph import exporters

        if path.lower().endswith(".svg"):
            self._draw_svg(path)
        elif path.lower().endswith(".png"):
            exporters.ImageExporter(self.axes.getPlotItem()).export(path)
        else:
            Path(path).write_text(self.csv(), encoding="utf-8")

    def _draw_svg(self, path: str) -> None:
        """Draw with matplotlib: pyqtgraph's own SVG export raises for a plot that was never shown."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.add_subplot()
        if self._picture is not None:
            axes.imshow(self._picture[0], origin="lower", extent=self._picture[1], aspect="auto")
        for name, (x, y) in self._curves.items():
            axes.plot(x, y, label=name)
        axes.set_xlabel(self._labels["bottom"])
        axes.set_ylabel(self._labels["left"])
        figure.savefig(path)

    def csv(self) -> str:
        """The numbers that are drawn: x and y of each curve, or the picture with its axes' edges.

        Raises
        ------
        StackError
            If nothing is drawn.
        """
        lines = []
        if self._picture is not None:
            values, extent = self._picture
            lines.append(f"# edges: left, right, bottom, top = {', '.join(f'{v:.9g}' for v in extent)}")
            lines += [",".join(f"{v:.7g}" for v in row) for row in values]
        drawn = {name: xy for name, xy in self._curves.items() if len(xy[0]) and np.isfinite(xy[1]).any()}
        if drawn:
            bottom, left = self._labels["bottom"], self._labels["left"]
            lines.append(",".join(f'"{name}: {text}"' for name in drawn for text in (bottom, left)))
            longest = max(len(x) for x, _ in drawn.values())
            for i in range(longest):
                cells = [f"{xy[i]:.9g}" if i < len(xy) else "" for pair in drawn.values() for xy in pair]
                lines.append(",".join(cells))
        if not lines:
            raise StackError("Nothing is drawn yet.")
        return "\n".join(lines) + "\n"

    def legend(self) -> None:
        """Show the names of the curves."""
        if self._legend is None:
            # Curves that run below the names shine through only a little.
            self._legend = self.axes.addLegend(
                offset=(-8, 4), labelTextColor=self._ink, brush=self._paper + "c0", verSpacing=-6
            )

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
        self._curves[name] = (np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        item.setSymbol("o" if len(x) == 1 else None)  # a line through one point is invisible
        item.setSymbolBrush(colour)
        item.setSymbolPen(None)
        item.setData(np.asarray(x, dtype=float), np.asarray(y, dtype=float))

    def band(self, name: str, x: Any, low: Any, high: Any, colour: str) -> None:
        """Shade what lies between two curves; empty arrays hide it."""
        edges = (f"{name}: low", f"{name}: high")
        for edge, values in zip(edges, (low, high), strict=True):
            self.curve(edge, x, values, colour, width=0.5)
            if self._legend is not None:
                self._legend.removeItem(edge)
        if name not in self._items:
            brush = self._pg.mkBrush(*self._pg.mkColor(colour).getRgb()[:3], 60)
            item = self._pg.FillBetweenItem(*(self._items[edge] for edge in edges), brush=brush)
            self._items[name] = item
            self.axes.addItem(item)

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
        self._picture = (np.asarray(values, dtype=float), extent)
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


class ExportButton(QToolButton):
    """Writes a plot as SVG, PNG or CSV."""

    def __init__(self, plot: Plot) -> None:
        super().__init__()
        self._plot = plot
        self.setText("Export…")
        self.setAutoRaise(True)
        self.setToolTip("Save this plot: SVG or PNG for a figure, CSV for its numbers")
        self.clicked.connect(self._ask)

    def _ask(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, f"Export {self._plot.title()}", "", "Drawing (*.svg);;Picture (*.png);;Numbers (*.csv)"
        )
        if not path:
            return
        try:
            self._plot.write(path)
        except (StackError, OSError) as error:
            self.setToolTip(sentence(error))


def edges(centres: Any) -> tuple[float, float]:
    """Outer edges of even bins, from their centres: a picture's pixels are centred on its axis values."""
    values = np.asarray(centres, dtype=float)
    half = (values[-1] - values[0]) / (2 * (len(values) - 1)) if len(values) > 1 else 0.5
    return float(values[0] - half), float(values[-1] + half)


def is_dark(viewer: Any) -> bool:
    """Whether the viewer's theme is dark."""
    return "light" not in str(getattr(viewer, "theme", "dark"))
