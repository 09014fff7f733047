"""What a viewer shows around the layers: the exact bias as text, y upwards, a scale bar in nm."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

import numpy as np

from napari_friedel.layers import info_of, kind_of

_attached: weakref.WeakKeyDictionary[Any, BiasReadout] = weakref.WeakKeyDictionary()


def unwrapped(viewer: Any) -> Any:
    """Give the viewer itself.

    napari hands docks a proxy that wraps layers anew at each access, so that no layer `is` the one seen before.
    """
    return getattr(viewer, "__wrapped__", viewer)


def attach(viewer: Any) -> BiasReadout:
    """Let `viewer` show the bias of our stacks; a second call does nothing."""
    viewer = unwrapped(viewer)
    if viewer not in _attached:
        _attached[viewer] = BiasReadout(viewer)
    return _attached[viewer]


def activate(_context: Any = None) -> None:
    """Attach to the open viewer, if there is one; npe2 calls this when the first command of the plugin runs."""
    import sys

    napari = sys.modules.get("napari")
    viewer = napari.current_viewer() if napari is not None else None
    if viewer is not None:
        attach(viewer)


def stack_index(viewer: Any, layer: Any) -> int:
    """Index along the bias axis of `layer` that the slider shows."""
    point = np.asarray(viewer.dims.point, dtype=float)[-3:]
    if len(point) < 3:
        return 0
    # The bias axis is never rotated into the plane: scale and translation alone decide.
    index = round((point[0] - layer.translate[0]) / layer.scale[0])
    return int(np.clip(index, 0, layer.data.shape[0] - 1))


class BiasReadout:
    """Keeps the text overlay of one viewer at the bias of the stack that is looked at."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._prepared = self._placed = False
        viewer.dims.events.point.connect(self.refresh)
        viewer.dims.events.ndisplay.connect(self.refresh)
        viewer.layers.events.inserted.connect(self.refresh)
        viewer.layers.events.removed.connect(self.refresh)
        viewer.layers.selection.events.active.connect(self.refresh)
        self.refresh()

    def stack_layer(self) -> Any:
        """The stack that is looked at: the active layer, else the topmost visible stack."""
        viewer = self._viewer()
        if viewer is None:
            return None
        active = viewer.layers.selection.active
        if kind_of(active) == "stack":
            return active
        stacks = [layer for layer in viewer.layers if kind_of(layer) == "stack"]
        return next((layer for layer in reversed(stacks) if layer.visible), None)

    def refresh(self, _event: Any = None) -> None:
        """Write the bias, or clear the text where no stack is shown."""
        viewer = self._viewer()
        layer = self.stack_layer()
        if viewer is None:
            return
        if not self._placed and (
            layer is not None or any(kind_of(other) == "table" for other in viewer.layers)
        ):
            self._place(viewer)
        overlay = viewer.canvas.overlays.text
        if layer is None:
            if self._prepared:
                overlay.text = ""
            return
        if not self._prepared:
            self._prepare(viewer)
        bias = info_of(layer)["bias_mv"][stack_index(viewer, layer)]
        overlay.text = f"{bias:+.6g} mV"

    def _prepare(self, viewer: Any) -> None:
        # Once, when the first of our stacks arrives; later changes by the user stand.
        self._prepared = True
        viewer.canvas.overlays.text.visible = True
        viewer.canvas.overlays.text.position = "top_left"
        viewer.canvas.overlays.text.font_size = 14

    def _place(self, viewer: Any) -> None:
        self._placed = True
        viewer.canvas.overlays.scale_bar.visible = True
        # The instrument's y axis points upwards, so that the picture is not a mirror image.
        with contextlib.suppress(AttributeError, ValueError):
            viewer.scene.camera.orientation2d = ("up", "right")
