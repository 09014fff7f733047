"""Layers that belong together: one unit, one order, and one movement."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_friedel.layers.info import info_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_followed: weakref.WeakSet[Any] = weakref.WeakSet()


def give_units(layer: Any, stacks: Sequence[Any]) -> None:
    """Shapes, points and labels drawn over a stack lie in nm, too.

    napari makes them in the scale of what is shown, but calls the unit "pixel", and the scale bar loses its nm. A
    plain image keeps its pixels: nothing is known about their size.
    """
    if type(layer).__name__ == "Image" or info_of(layer) is not None:
        return
    if any(str(unit) != "pixel" for unit in layer.units):
        return
    if np.allclose(layer.scale, 1) and np.allclose(layer.translate, 0) and len(layer.data):
        return  # positions counted in pixels
    units = tuple(stacks[-1].units)
    if layer.ndim <= len(units):
        with contextlib.suppress(ValueError):
            layer.units = units[-layer.ndim :]


def order(viewer: Any, overlays: Sequence[str]) -> None:
    """Put what is drawn over maps above all images; the order within stays."""
    wanted = sorted(
        viewer.layers,
        key=lambda x: overlays.index(type(x).__name__) + 1 if type(x).__name__ in overlays else 0,
    )
    if list(viewer.layers) == wanted:
        return
    # An image that the user has put above the points stays where it is unless it is one of ours.
    for position, layer in enumerate(wanted):
        here = viewer.layers.index(layer)
        if here != position:
            viewer.layers.move(here, position)


def follow(viewer: Any, stack_layer: Any) -> None:
    """Let results, areas and images of a stack move with it when the user moves it by hand."""
    if stack_layer in _followed:
        return
    _followed.add(stack_layer)
    viewer_ref, layer_ref = weakref.ref(viewer), weakref.ref(stack_layer)
    last = {"translate": np.array(stack_layer.translate, dtype=float)[-2:]}

    def moved(_event: Any = None) -> None:
        here, layer = viewer_ref(), layer_ref()
        if here is None or layer is None:
            return
        now = np.array(layer.translate, dtype=float)[-2:]
        step, last["translate"] = now - last["translate"], now
        if layer.metadata.get("friedel moves"):  # the plugin places all of them itself
            return
        for other in companions(here, layer):
            if np.abs(step).max() > 0:
                translate = np.array(other.translate, dtype=float)
                translate[-2:] += step
                other.translate = translate
            linear = np.asarray(layer.affine.affine_matrix, dtype=float)
            matrix = np.eye(other.ndim + 1)
            keep = [-3, -2, -1]
            matrix[np.ix_(keep, keep)] = linear[np.ix_(keep, keep)]
            if not np.allclose(matrix, other.affine.affine_matrix):
                other.affine = matrix

    stack_layer.events.translate.connect(moved)
    stack_layer.events.affine.connect(moved)


def companions(viewer: Any, stack_layer: Any) -> list[Any]:
    """Layers that lie on a stack: its results, and its images where no other layer shows the same stack."""
    info = info_of(stack_layer)
    found = []
    for layer in viewer.layers:
        other = info_of(layer)
        if other is None or layer is stack_layer or kind_of(layer) == "stack":
            continue
        own = other.owner == stack_layer.unique_id
        same = other.owner is None and info is not None and other.stack is info.stack
        if own or same:
            found.append(layer)
    return found
