"""What a fine-tuning has changed: a table, the points before, S while it trains; and what to do with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QGridLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_friedel import tuning
from napari_friedel.layers import KEY, add_layer, info_of, map_layer, placement, results, stack_of
from napari_friedel.widgets import hint
from napari_friedel.widgets.plots import COLOURS


class OutcomeBox(QGroupBox):
    """The table of before and after, and the buttons that keep the model or throw it away."""

    def __init__(self) -> None:
        super().__init__("Before and after")
        self.cells = QGridLayout()
        self.cells.setHorizontalSpacing(16)
        self.keep = QPushButton("Keep as…")
        self.keep.setToolTip("Save the model under a name of its own; the detect dock lists it")
        self.revert = QPushButton("Revert to bundled")
        self.revert.setToolTip("Throw the fine-tuned model away and bring the former points back")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.addLayout(self.cells)
        buttons = QHBoxLayout()
        buttons.addWidget(self.keep)
        buttons.addWidget(self.revert)
        rows.addLayout(buttons)
        rows.addWidget(
            hint("A model is never overwritten. Lower entropy alone does not mean better positions.")
        )
        self.texts: list[tuple[str, str, str]] = []
        self.show_model(None)

    def show_model(self, model: Any) -> None:
        """Fill the table from the header of a fine-tuned model; None empties it."""
        while self.cells.count():
            item = self.cells.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.deleteLater()
        self.texts = [] if model is None else tuning.table(model)
        for i, row in enumerate([("", "before", "after"), *self.texts] if self.texts else []):
            for j, text in enumerate(row):
                self.cells.addWidget(QLabel(f"<b>{text}</b>" if i == 0 or j == 2 else text), i, j)
        self.keep.setEnabled(model is not None)
        self.revert.setEnabled(model is not None)


def show_preview(viewer: Any, stack_layer: Any, s: np.ndarray) -> None:
    """Show S of the network in training, in place of the last one."""
    layer = results.find(viewer, stack_layer, "preview")
    if layer is not None:
        layer.data = s
        layer.reset_contrast_limits()
        return
    stack, _ = stack_of(stack_layer)
    info = info_of(stack_layer)
    owner = info.setdefault("id", stack_layer.unique_id)
    made = map_layer(stack, s, "preview", f"{info['title']} · S while training", stack_id=owner)
    made[1]["colormap"] = "magma"
    add_layer(viewer, made)


def show_before(viewer: Any, stack_layer: Any, detections: Any) -> None:
    """Small crosses where the parent model sees impurities, to compare with."""
    stack, _ = stack_of(stack_layer)
    positions = detections.positions
    layer = results.find(viewer, stack_layer, "before")
    if layer is not None:
        layer.data = positions
        return
    info = info_of(stack_layer)
    viewer.add_points(
        positions,
        name=f"{info['title']} · before fine-tuning",
        symbol="cross",
        size=0.8 * results.point_size(stack),
        face_color=COLOURS["first"],
        border_width=0,
        metadata={
            KEY: {"kind": "before", "stack": stack, "stack_id": info.setdefault("id", stack_layer.unique_id)}
        },
        **placement(stack),
    )
