"""The form of the compare dock: maps, position, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QPushButton, QSlider, QSpinBox

from napari_friedel.layers import reference
from napari_friedel.layers.info import ImpuritiesInfo, kind_of, known
from napari_friedel.widgets import Dock, JobBar, LayerBox, button, hint
from napari_friedel.widgets.copy_bar import CopyBar

if TYPE_CHECKING:
    from napari_friedel import recipes
    from napari_friedel.jobs import Job

ROWS = ("precision", "recall", "F1", "by chance")


class CompareForm(Dock):
    """What is chosen before a comparison; `ReferenceDock` makes it."""

    job: Job

    def _build_maps(self) -> None:
        rows = self.group("Maps")
        self.stack = LayerBox(self.viewer, lambda x: kind_of(x) == "stack")
        self.map = LayerBox(self.viewer, reference.is_map, none="–")
        self.open = QPushButton("Open a map…")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(60)
        self.opacity.setToolTip(
            "Opacity of the reference map, which lies over the stack and below the points"
        )
        self.stack.setToolTip("The stack whose result is compared")
        self.map.setToolTip("A map of bound states at the band onset, or any map with a pixel size")
        self.open.setToolTip("Open the reference map from a file of its own")
        self.figure = button(
            "Points over the map", "The picture of the paper's Fig. 3: the result's points on this map"
        )
        rows.addRow("Stack", self.stack)
        rows.addRow("Reference", self.map)
        rows.addRow("", self.open)
        rows.addRow("Opacity", self.opacity)
        rows.addRow(self.figure)

    def _build_result(self) -> None:
        rows = self.group("Agreement")
        self.source = LayerBox(self.viewer, self._can_be_reference, none="From the map (EM, BIC)")
        self.number = QSpinBox()
        self.number.setRange(0, 2000)
        self.number.setSpecialValueText("by BIC")
        self.number.setToolTip(
            "Number of impurities in the reference map; by the Bayesian information criterion if 0"
        )
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.1, 20)
        self.tolerance.setSingleStep(0.1)
        self.tolerance.setValue(1.0)
        self.tolerance.setSuffix(" px")
        self.tolerance.setToolTip("Points nearer than this are the same impurity")
        self.source.setToolTip(
            "Where the reference's positions come from: the map, a table, or another result"
        )
        self.bar = JobBar(self.job, "Compare")
        rows.addRow("Positions", self.source)
        rows.addRow("How many", self.number)
        rows.addRow("Within", self.tolerance)
        rows.addRow(self.bar)
        self.copy = CopyBar(self._recipe, self.message.error)
        rows.addRow(self.copy)
        self.counts = QLabel("")
        self.counts.setWordWrap(True)
        self.counts.setTextFormat(Qt.TextFormat.RichText)
        rows.addRow(self.counts)
        self.table = {name: QLabel("–") for name in ROWS}
        for name, label in self.table.items():
            rows.addRow(name, label)
        rows.addRow(
            hint(
                "“By chance”: the recall that as many random points would reach. Not every impurity binds a state, "
                "so a point without a partner need not be wrong."
            )
        )

    def _recipe(self) -> recipes.Recipe:
        raise NotImplementedError

    def _can_be_reference(self, layer: Any) -> bool:
        if kind_of(layer) == "impurities":  # another result: model A against B, today against yesterday
            return not known(layer, ImpuritiesInfo).current
        return kind_of(layer) == "truth" or _is_plain_points(layer)


def _is_plain_points(layer: Any) -> bool:
    return type(layer).__name__ == "Points" and kind_of(layer) in ("", "table")
