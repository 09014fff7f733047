"""The colour scale of the rings, drawn beside the numbers: napari has no colour bar for points."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_friedel.layers.style import BY_LOG_ODDS, BY_ORIGIN, COLORMAP, LOG_ODDS, ORIGIN_COLOURS, scale_of

TICKS = (0.5, 0.9, 0.99, 0.999, 0.9999)


class ScaleLegend(QWidget):
    """A colour bar with ticks, or coloured words for kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.by = BY_LOG_ODDS
        self.ends = LOG_ODDS
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("What the colour of a ring means")

    def sizeHint(self) -> QSize:
        """One line of ticks below a bar."""
        return QSize(200, 30)

    def show_scale(self, by: str, features: Any) -> None:
        """Follow another choice."""
        self.by = by
        self.ends = LOG_ODDS if by in (BY_LOG_ODDS, BY_ORIGIN) else scale_of(features, by)[1:]
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw it in the theme's ink."""
        painter = QPainter(self)
        painter.setPen(self.palette().text().color())
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.85, 6.5))
        painter.setFont(font)
        if self.by == BY_ORIGIN:
            self._words(painter)
        else:
            self._bar(painter)
        painter.end()

    def _words(self, painter: QPainter) -> None:
        x = 2
        for name, colour in ORIGIN_COLOURS.items():
            painter.setPen(QColor(colour))
            painter.drawText(x, 12, f"◯ {name}")
            x += painter.fontMetrics().horizontalAdvance(f"◯ {name}  ")

    def _bar(self, painter: QPainter) -> None:
        from napari.utils.colormaps import ensure_colormap

        width = max(self.width() - 12, 20)
        gradient = QLinearGradient(6, 0, 6 + width, 0)
        for place in np.linspace(0, 1, 12):
            r, g, b, _ = ensure_colormap(COLORMAP).map(np.array([place]))[0]
            gradient.setColorAt(float(place), QColor.fromRgbF(float(r), float(g), float(b)))
        painter.fillRect(QRectF(6, 2, width, 8), gradient)
        low, high = self.ends
        if self.by == BY_LOG_ODDS:
            marks = [(np.log(p / (1 - p)), f"{p:g}") for p in TICKS]
        else:
            marks = [(value, f"{value:.3g}") for value in np.linspace(low, high, 4)]
        for value, text in marks:
            x = 6 + width * (value - low) / (high - low)
            half = painter.fontMetrics().horizontalAdvance(text) / 2
            left = float(np.clip(x - half, 0, self.width() - 2 * half))
            painter.drawText(QRectF(left, 12, 2 * half + 2, 16), int(Qt.AlignmentFlag.AlignLeft.value), text)
