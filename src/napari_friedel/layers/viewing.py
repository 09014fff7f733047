"""What a viewer shows around the layers: exact bias, position in nm, contrast, order, units, scale bar, y upwards."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

import numpy as np

from friedel.stack import DIMS
from napari_friedel.endings import is_closed
from napari_friedel.layers import linking, results
from napari_friedel.layers.adopt import adopt, belongs
from napari_friedel.layers.bias_text import bias_text
from napari_friedel.layers.edits import show_rejected
from napari_friedel.layers.geometry import contrast
from napari_friedel.layers.info import ImpuritiesInfo, StackInfo, info_of, kind_of, known
from napari_friedel.layers.saving import prefer_writers
from napari_friedel.layers.versions import (
    camera,
    canvas_widget,
    check_napari,
    fit_to_view,
    name_sliders,
    scale_bar,
    text_overlay,
)
from napari_friedel.turns import in_application, next_turn

_attached: weakref.WeakKeyDictionary[Any, Keeper] = weakref.WeakKeyDictionary()
#: Layers that lie over the maps, lowest first.
OVERLAYS = ("Labels", "Shapes", "Vectors", "Tracks", "Points")


def unwrapped(viewer: Any) -> Any:
    """Give the viewer itself.

    napari hands docks a proxy that wraps layers anew at each access, so that no layer `is` the one seen before.
    """
    return getattr(viewer, "__wrapped__", viewer)


def attach(viewer: Any) -> Keeper:
    """Let `viewer` show the bias of our stacks; a second call does nothing.

    Every dock, sample and reader comes through here first.

    Raises
    ------
    OldNapariError
        If napari is older than the oldest that is tested.
    """
    viewer = unwrapped(viewer)
    if viewer not in _attached:
        check_napari()
        _attached[viewer] = Keeper(viewer)
    return _attached[viewer]


def activate(_context: Any = None) -> None:
    """Attach to the open viewer, if there is one; npe2 calls this when the first command of the plugin runs."""
    import sys

    napari = sys.modules.get("napari")
    if napari is not None and (viewer := napari.current_viewer()) is not None:
        attach(viewer)


def _let_rest(viewer: Any) -> None:
    if in_application():  # the reader decides without Qt
        from napari_friedel.layers.resting import rest

        rest(canvas_widget(viewer))


def stack_index(viewer: Any, layer: Any) -> int:
    """Index along the bias axis of `layer` that the slider shows."""
    point = np.asarray(viewer.dims.point, dtype=float)[-3:]
    if layer is None or len(point) < 3:
        return 0
    # The bias axis is never rotated into the plane: scale and translation alone decide.
    index = round((point[0] - layer.translate[0]) / layer.scale[0])
    return int(np.clip(index, 0, layer.data.shape[0] - 1))


class Keeper:
    """Keeps one viewer as a microscopist expects it while layers come, go and move."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._prepared = self._placed = self._fitted = self._waiting = self._settling = False
        self._points = False  # the mouse has not been over the canvas
        self._limits: weakref.WeakKeyDictionary[Any, tuple[float, float]] = weakref.WeakKeyDictionary()
        self._adapted: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()
        self._news: list[Any] = []
        for emitter in (
            viewer.dims.events.point,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            viewer.layers.events.removed,
            viewer.layers.selection.events.active,
        ):
            emitter.connect(self.refresh)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.selection.events.active.connect(self._active)
        viewer.cursor.events.position.connect(self._pointed)
        results.EVENTS.changed.connect(self._result_changed)
        self.refresh()

    # --- layers come ----------------------------------------------------------------------------------------------

    def _inserted(self, event: Any) -> None:
        self.refresh()
        layer = getattr(event, "value", None)
        viewer = self._viewer()
        if layer is not None and viewer is not None:
            _let_rest(viewer)
            self._news.append(layer)
            if stacks := [x for x in viewer.layers if kind_of(x) == "stack"]:
                linking.give_units(layer, stacks)  # before napari draws, and warns of units that differ
        if self._waiting or self._settling:
            return
        self._waiting = True
        # napari is still at work on this layer; what follows changes the list.
        if in_application():
            next_turn(self.settle)

    def settle(self) -> None:
        """Put new layers in order: slider in range, overlays above, units, what belongs together."""
        self._waiting = False
        viewer = self._viewer()
        if viewer is None or self._settling or is_closed(viewer):
            return
        news, self._news = [x for x in self._news if x in viewer.layers], []
        stacks = [x for x in viewer.layers if kind_of(x) == "stack"]
        if not stacks:
            return
        self._settling = True
        try:
            for layer in news:
                if kind_of(layer) == "stack":
                    linking.follow(viewer, layer)
                linking.give_units(layer, stacks)  # a stack may have come after it
                if kind_of(layer) == "table":
                    owner = next((x for x in reversed(stacks) if belongs(layer, x)), None)
                    if owner is not None:
                        viewer.layers.selection.active = adopt(viewer, owner, layer)
            linking.order(viewer, OVERLAYS)
            if any(kind_of(layer) == "stack" for layer in news):
                self._into_view(viewer, next(x for x in reversed(news) if kind_of(x) == "stack"))
            active = viewer.layers.selection.active
            if active is None or (active in news and not active.visible):
                viewer.layers.selection.active = self.shown_stack() or stacks[-1]
        finally:
            self._settling = False
        self.refresh()

    def _into_view(self, viewer: Any, layer: Any) -> None:
        """The slider and the camera show the new stack; a hidden layer is not the active one."""
        info = known(layer, StackInfo)
        low, high = info.bias_mv[0], info.bias_mv[-1]
        if viewer.dims.ndim >= 3:
            axis = viewer.dims.ndim - 3
            if not low <= viewer.dims.point[axis] <= high:
                viewer.dims.set_point(axis, float(info.bias_mv[len(info.bias_mv) // 2]))
        centre = np.asarray(camera(viewer).center, dtype=float)[-2:]
        box = np.asarray(layer.extent.world, dtype=float)[:, -2:]
        if ((centre < box[0]) | (centre > box[1])).any():
            fit_to_view(viewer)
        elif not self._fitted and in_application():
            # napari has fitted the first layer before its controls took their room from the canvas.
            next_turn(self._fit_again)
        self._fitted = True
        active = viewer.layers.selection.active
        if active is None or not active.visible:
            viewer.layers.selection.active = layer

    def _fit_again(self) -> None:
        viewer = self._viewer()
        if viewer is not None and viewer.layers and not is_closed(viewer):
            fit_to_view(viewer)

    # --- what is shown --------------------------------------------------------------------------------------------

    def stack_layer(self) -> Any:
        """The current stack: the active layer, else the one of the active result, else the topmost."""
        viewer = self._viewer()
        if viewer is None:
            return None
        active = viewer.layers.selection.active
        if kind_of(active) == "stack":
            return active
        stacks = [layer for layer in viewer.layers if kind_of(layer) == "stack"]
        info = info_of(active)
        if info is not None and info.owner is not None:
            found = next((x for x in stacks if x.unique_id == info.owner), None)
            if found is not None:
                return found
        return self.shown_stack()

    def shown_stack(self) -> Any:
        """The topmost stack that is visible, or None."""
        viewer = self._viewer()
        layers = () if viewer is None else reversed(viewer.layers)
        return next((layer for layer in layers if kind_of(layer) == "stack" and layer.visible), None)

    def _active(self, _event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None:
            prefer_writers(viewer.layers.selection.active)

    def refresh(self, _event: Any = None) -> None:
        """Write the bias, or clear the text where no stack is shown; adapt the contrast."""
        viewer = self._viewer()
        if viewer is None:
            return
        if not self._placed and any(kind_of(layer) in ("stack", "table") for layer in viewer.layers):
            self._place(viewer)
        for layer in viewer.layers:
            if kind_of(layer) == "stack":
                name_sliders(viewer, DIMS)
                if layer.visible:
                    self._adapt(viewer, layer)
        self._write()

    def _pointed(self, _event: Any = None) -> None:
        self._points = True
        self._write()

    def _write(self, _event: Any = None) -> None:
        viewer, layer = self._viewer(), self.stack_layer()
        if viewer is None:
            return
        overlay = text_overlay(viewer)
        if layer is None:
            if self._prepared and overlay.text:
                overlay.text = ""
            return
        if not self._prepared:
            self._prepare(viewer)
        lines = []
        if viewer.dims.ndim - 3 not in viewer.dims.displayed:
            bias = known(layer, StackInfo).bias_mv
            lines.append(bias_text(bias, stack_index(viewer, layer)))
        known_place = self._points and viewer.dims.ndim >= 2
        y, x = np.asarray(viewer.cursor.position, dtype=float)[-2:] if known_place else (np.nan, np.nan)
        low, high = np.asarray(layer.extent.world, dtype=float)[:, -2:]
        if low[0] <= y <= high[0] and low[1] <= x <= high[1] and getattr(viewer, "mouse_over_canvas", True):
            lines.append(f"tip x {x:.2f} nm, y {y:.2f} nm")
        text = "\n".join(lines)
        if overlay.text != text:
            overlay.text = text

    def _adapt(self, viewer: Any, layer: Any) -> None:
        """Robust limits of the shown map, until the user sets some by hand."""
        last = self._limits.get(layer)
        if last is not None and not np.allclose(layer.contrast_limits, last):
            return  # the user's own limits stand
        if last is None and not np.allclose(layer.contrast_limits, contrast(layer.data)):
            self._limits[layer] = (np.nan, np.nan)
            return
        shown = (stack_index(viewer, layer), id(layer.data))
        if last is not None and self._adapted.get(layer) == shown:  # a layer has come or gone
            return
        limits = contrast(np.asarray(layer.data[shown[0]]))
        self._adapted[layer] = shown
        if last != limits:
            layer.contrast_limits = limits
            self._limits[layer] = limits

    def _result_changed(self, layer: Any) -> None:
        viewer = self._viewer()
        info = info_of(layer)
        if (
            viewer is not None
            and isinstance(info, ImpuritiesInfo)
            and info.current
            and layer in viewer.layers
        ):
            show_rejected(viewer, layer)

    def _prepare(self, viewer: Any) -> None:
        # Once, when the first of our stacks arrives; later changes by the user stand.
        self._prepared = True
        text_overlay(viewer).visible = True
        text_overlay(viewer).position = "top_left"
        text_overlay(viewer).font_size = 12

    def _place(self, viewer: Any) -> None:
        self._placed = True
        scale_bar(viewer).visible = True
        # The instrument's y axis points upwards, so that the picture is not a mirror image.
        with contextlib.suppress(AttributeError, ValueError):
            camera(viewer).orientation2d = ("up", "right")
