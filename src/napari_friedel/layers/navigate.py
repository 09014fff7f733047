"""From one impurity to the next, with the camera; and the keys that do what the buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_friedel.layers import edits, results
from napari_friedel.layers.info import ImpuritiesInfo, known
from napari_friedel.layers.versions import camera

if TYPE_CHECKING:
    from collections.abc import Callable

#: Key → what it does, in words; bound to the layer of impurities, so that napari's own keys stay free elsewhere.
KEYS = {
    "]": "next impurity",
    "[": "previous impurity",
    "Y": "accept",
    "X": "reject",
    "I": "add at the cursor",
    ".": "threshold up",
    ",": "threshold down",
    "Control-Z": "undo",
    "Control-Shift-Z": "redo",
}
#: Key of the stack and of the impurities.
DETECT_KEY = "Shift-D"
THRESHOLD_STEP = 0.02


def step(viewer: Any, layer: Any, by: int) -> int | None:
    """Select the next impurity that counts (in order of probability) and centre the camera on it.

    Returns
    -------
    int or None
        Index of the point, None if there is no impurity.
    """
    shown = np.flatnonzero(results.counted(layer))
    if not len(shown):
        return None
    probability = np.asarray(layer.features["probability"], dtype=float)[shown]
    order = shown[np.argsort(-np.nan_to_num(probability, nan=2.0), kind="stable")].tolist()
    selected = [i for i in layer.selected_data if i in order]
    here = order.index(max(selected)) if selected else (-1 if by > 0 else 0)
    index = int(order[(here + by) % len(order)])
    layer.selected_data = {index}
    look_at(viewer, layer, index)
    return index


def look_at(viewer: Any, layer: Any, index: int) -> None:
    """Move the camera over a point; the zoom stays."""
    y, x = np.asarray(layer.data_to_world(layer.data[index]), dtype=float)[-2:]
    centre = list(camera(viewer).center)
    centre[-2:] = [float(y), float(x)]
    camera(viewer).center = tuple(centre)


def selected(layer: Any) -> list[int]:
    """Indices of the selected points."""
    return sorted(int(i) for i in layer.selected_data)


def accept(viewer: Any, layer: Any) -> None:
    """Accept the selected points and go on."""
    edits.accept(layer, selected(layer))
    step(viewer, layer, 1)


def reject(viewer: Any, layer: Any) -> None:
    """Reject the selected points and go on."""
    chosen = selected(layer)
    if not chosen:
        return
    after = _following(layer, chosen[-1])
    edits.reject(layer, chosen)
    if after is not None:
        near = np.hypot(*(np.asarray(layer.data, dtype=float) - after).T)
        if len(near):
            layer.selected_data = {int(near.argmin())}
            look_at(viewer, layer, int(near.argmin()))


def _following(layer: Any, index: int) -> np.ndarray | None:
    shown = [i for i in np.flatnonzero(results.counted(layer)) if i != index]
    later = [i for i in shown if i > index] or shown
    return np.asarray(layer.data[later[0]], dtype=float) if later else None


def add_here(viewer: Any, layer: Any) -> None:
    """Add an impurity under the mouse."""
    world = np.asarray(viewer.cursor.position, dtype=float)
    row, column = np.asarray(layer.world_to_data(world[-layer.ndim :]), dtype=float)[-2:]
    stack = known(layer, ImpuritiesInfo).stack
    if stack is not None and -0.5 <= row < stack.sizes["y"] - 0.5 and -0.5 <= column < stack.sizes["x"] - 0.5:
        edits.add(layer, (float(row), float(column)))


def shift_threshold(layer: Any, by: float) -> None:
    """Move the threshold up or down."""
    results.set_threshold(layer, float(np.clip(known(layer, ImpuritiesInfo).threshold + by, 0.0, 1.0)))


def bind(viewer: Any, layer: Any) -> None:
    """Give a layer of impurities its keys."""
    actions: dict[str, Callable[[Any], Any]] = {
        "]": lambda x: step(viewer, x, 1),
        "[": lambda x: step(viewer, x, -1),
        "Y": lambda x: accept(viewer, x),
        "X": lambda x: reject(viewer, x),
        "I": lambda x: add_here(viewer, x),
        ".": lambda x: shift_threshold(x, THRESHOLD_STEP),
        ",": lambda x: shift_threshold(x, -THRESHOLD_STEP),
        "Control-Z": edits.undo,
        "Control-Shift-Z": edits.redo,
    }
    for key, action in actions.items():
        layer.bind_key(key, _one_way(action), overwrite=True)


def _one_way(action: Callable[[Any], Any]) -> Callable[[Any], None]:
    def run(layer: Any) -> None:
        action(layer)

    return run
