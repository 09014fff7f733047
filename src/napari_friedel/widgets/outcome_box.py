"""What a fine-tuning has changed: a table, the points before, S while it trains; and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QGridLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_friedel import tuning
from napari_friedel.layers import results, showing
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, ImpuritiesInfo, LayerInfo, known, title_of_layer
from napari_friedel.layers.stack_layers import add_layer, map_layer, stack_of
from napari_friedel.layers.style import point_size
from napari_friedel.widgets.plots import COLOURS
from napari_friedel.widgets.small import hint

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np


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

    def show_model(self, model: Any, counts: tuple[int, int] | None = None) -> None:
        """Fill the table from the header of a fine-tuned model; None empties it.

        Parameters
        ----------
        model : fine-tuned model or None
        counts : (int, int), optional
            Impurities before and after as the Detect dock counts them, in place of the header's.
        """
        while self.cells.count():
            item = self.cells.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.deleteLater()
        self.texts = [] if model is None else tuning.table(model)
        if counts is not None:
            found = ("impurities", str(counts[0]), str(counts[1]))
            self.texts = [found if row[0] == "impurities" else row for row in self.texts]
        self.setVisible(model is not None)
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
    owner = results.owner_of(stack_layer)
    made = map_layer(stack, s, "preview", f"{title_of_layer(stack_layer)} · S while training", owner=owner)
    made[1]["colormap"] = "magma"
    active = viewer.layers.selection.active
    add_layer(viewer, made, below=showing.first_points(viewer))  # the points stay in sight
    if active is not None:
        viewer.layers.selection.active = active


def show_before(viewer: Any, stack_layer: Any, detections: Any) -> None:
    """Small crosses where the parent model sees impurities, to compare with."""
    stack, _ = stack_of(stack_layer)
    positions = detections.positions
    layer = results.find(viewer, stack_layer, "before")
    if layer is not None:
        layer.data = positions
        return
    active = viewer.layers.selection.active
    viewer.add_points(
        positions,
        name=f"{title_of_layer(stack_layer)} · before fine-tuning",
        symbol="cross",
        size=0.8 * point_size(stack),
        face_color=COLOURS["first"],
        border_width=0,
        metadata={KEY: LayerInfo("before", stack, results.owner_of(stack_layer))},
        **placement(stack),
    )
    if active is not None:
        viewer.layers.selection.active = active


def show_outcome(viewer: Any, stack_layer: Any, before: Any, points: Any) -> Generator[None, None, None]:
    """What stands beside the new points: those before, and the maps of S and probability; a layer at each step."""
    found = known(points, ImpuritiesInfo).found
    yield
    if stack_layer in viewer.layers and showing.stands(viewer, points, found):  # not reverted meanwhile
        show_before(viewer, stack_layer, before)
    yield from showing.show_maps(viewer, stack_layer, points)
