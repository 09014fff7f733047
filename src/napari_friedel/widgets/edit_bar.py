"""Buttons for walking through impurities and correcting them by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QGridLayout, QWidget

from napari_friedel.layers import edits, navigate
from napari_friedel.layers.info import ImpuritiesInfo, known
from napari_friedel.widgets.small import button

if TYPE_CHECKING:
    from collections.abc import Callable


class EditBar(QWidget):
    """Previous, next, accept, reject, undo, redo, forget, for one layer of impurities."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.layer: Any = None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        self.previous = button("◀ Previous", "Select the previous impurity and centre it (key [)")
        self.next = button("Next ▶", "Select the next impurity and centre it (key ])")
        self.accept = button("Accept", "The selected points count whatever the threshold (key Y)")
        self.reject = button("Reject", "Take the selected points away; later runs respect it (key X)")
        self.undo = button("Undo", "Take the last correction back (Ctrl+Z)")
        self.redo = button("Redo", "Make it once more (Ctrl+Shift+Z)")
        self.forget = button("Forget edits", "Bring back rejected points and remove those added by hand")
        rows = ((self.previous, self.next, self.accept, self.reject), (self.undo, self.redo, self.forget))
        for i, row in enumerate(rows):
            for j, widget in enumerate(row):
                grid.addWidget(widget, i, j, 1, 2 if widget is self.forget else 1)
        self._connect(self.previous, lambda layer: navigate.step(viewer, layer, -1))
        self._connect(self.next, lambda layer: navigate.step(viewer, layer, 1))
        self._connect(self.accept, lambda layer: navigate.accept(viewer, layer))
        self._connect(self.reject, lambda layer: navigate.reject(viewer, layer))
        self._connect(self.undo, edits.undo)
        self._connect(self.redo, edits.redo)
        self._connect(self.forget, edits.forget_edits)

    def _connect(self, widget: Any, action: Callable[[Any], Any]) -> None:
        def run(*_: Any) -> None:
            if self.layer is not None:
                self._viewer.layers.selection.active = self.layer
                action(self.layer)

        widget.clicked.connect(run)

    def refresh(self) -> None:
        """Offer what can be done."""
        if self.layer is None:
            return
        info = known(self.layer, ImpuritiesInfo)
        self.undo.setEnabled(bool(info.past))
        self.redo.setEnabled(bool(info.future))
        self.forget.setEnabled(edits.edit_count(self.layer) > 0)
