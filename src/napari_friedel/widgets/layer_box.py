"""A chooser of layers that follows the viewer's layer list."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_friedel.widgets.elided_box import ElidedBox
from napari_friedel.widgets.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable


class LayerBox(ElidedBox):
    """A chooser of layers that follows the viewer's layer list.

    Parameters
    ----------
    viewer : ViewerModel
    accept : callable
        Whether a layer is offered.
    none : str
        Text of an entry for "no layer", or empty for none.
    """

    def __init__(self, viewer: Any, accept: Callable[[Any], bool], none: str = "") -> None:
        super().__init__()
        self._viewer, self._accept, self._none = viewer, accept, none
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._listener = Listener(self)
        self._named: weakref.WeakSet[Any] = weakref.WeakSet()
        for name in ("inserted", "removed", "reordered"):
            self._listener.on(getattr(viewer.layers.events, name), self.refresh)
        self.refresh()

    def refresh(self, _event: Any = None) -> None:
        """Offer what the viewer holds now, newest first, and keep the choice if it is still there."""
        kept = self.layer()
        offered = [layer for layer in reversed(self._viewer.layers) if self._accept(layer)]
        self.blockSignals(True)
        self.clear()
        if self._none:
            self.addItem(self._none, None)
        for layer in offered:
            self.addItem(_short(layer.name), layer)
            self.setItemData(self.count() - 1, layer.name, Qt.ItemDataRole.ToolTipRole)
            if layer not in self._named:  # to connect once more costs as much as the first time
                self._named.add(layer)
                self._listener.on(layer.events.name, self._renamed)
        index = next((i for i in range(self.count()) if kept is not None and self.itemData(i) is kept), -1)
        if index < 0:
            index = 1 if self._none and kept is not None and self.count() > 1 else 0
        self.setCurrentIndex(index)
        self.blockSignals(False)
        if self.layer() is not kept:
            self.currentIndexChanged.emit(self.currentIndex())

    def _renamed(self, _event: Any = None) -> None:
        for i in range(self.count()):
            if (layer := self.itemData(i)) is not None:
                self.setItemText(i, _short(layer.name))

    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.currentData()

    def choose(self, layer: Any) -> None:
        """Choose `layer` if it is offered."""
        if layer is self.layer():
            return
        for i in range(self.count()):
            if self.itemData(i) is layer:
                self.setCurrentIndex(i)


def _short(name: str, length: int = 34) -> str:
    """Leave the middle out of a long name: its end, the channel, matters most."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half].rstrip()}…{name[-half:].lstrip()}"
