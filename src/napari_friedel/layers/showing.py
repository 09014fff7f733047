"""Put a detection into the viewer: its Points layer, and the maps of S and probability below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.stack import crop
from napari_friedel.layers import edits, results
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, ImpuritiesInfo, info_of, known, title_of_layer
from napari_friedel.layers.stack_layers import add_layer, map_layer, stack_of
from napari_friedel.layers.style import point_size, ring_style

if TYPE_CHECKING:
    from collections.abc import Generator

    import xarray as xr

    from friedel.detections import Detections


def show(viewer: Any, stack_layer: Any, detections: Detections, *, maps: bool = True) -> Any:
    """Put a detection on the map, in place of the last one of the same model on the same stack.

    Parameters
    ----------
    viewer : ViewerModel
    stack_layer : napari.layers.Image
        The stack that was searched.
    detections : friedel.detections.Detections
    maps : bool
        Whether S and probability are shown, too.

    Returns
    -------
    napari.layers.Points
    """
    layer = show_points(viewer, stack_layer, detections)
    if maps:
        for _ in show_maps(viewer, stack_layer, layer):
            pass
    return layer


def show_points(viewer: Any, stack_layer: Any, detections: Detections) -> Any:
    """The part of `show` that a user waits for: the Points layer, which is returned."""
    stack, channel = stack_of(stack_layer)
    title, owner = title_of_layer(stack_layer), results.owner_of(stack_layer)
    label = results.label_of(detections)
    others = results.every(viewer, stack_layer, "impurities")
    layer = next((x for x in others if known(x, ImpuritiesInfo).label == label), None)
    if layer is None:
        name = f"{title} · impurities" + (f" ({label})" if others else "")
        layer = _new_points(viewer, stack, name, ImpuritiesInfo("impurities", stack, owner, label=label))
    results.fill(layer, stack, channel, detections)
    results.make_current(viewer, stack_layer, layer)
    return layer


def stands(viewer: Any, points: Any, found: Detections) -> bool:
    """Whether the layer `points` still shows the detection `found`, and the docks show it."""
    info = info_of(points)
    shown = isinstance(info, ImpuritiesInfo) and info.detections is found and info.current
    return shown and points in viewer.layers


def show_maps(viewer: Any, stack_layer: Any, points: Any) -> Generator[None, None, None]:
    """The maps of S and probability of the result `points`, one at each step; none once another result stands there."""
    found = known(points, ImpuritiesInfo).found
    stack, _ = stack_of(stack_layer)
    title, owner = title_of_layer(stack_layer), results.owner_of(stack_layer)
    part = crop(stack, found.area)
    for kind, label, values in (("s", "S", found.s), ("probability", "probability", found.probability)):
        yield
        if stack_layer not in viewer.layers or not stands(viewer, points, found):
            return
        active = viewer.layers.selection.active
        made = map_layer(part, values, kind, f"{title} · {label}", owner=owner)
        show_map(viewer, stack_layer, part, made)
        if active is not None:  # the user works on it; a hidden map is no one's choice
            viewer.layers.selection.active = active


def show_map(viewer: Any, stack_layer: Any, part: xr.Dataset, made: Any) -> Any:
    """Show a map of a result, hidden at first, in place of the last one of its kind; returns its layer."""
    kind, values = made[1]["metadata"][KEY].kind, made[0]
    layer = results.find(viewer, stack_layer, kind)
    if layer is None:
        made[1]["visible"] = False
        if kind == "probability":
            made[1]["contrast_limits"] = (0.0, 1.0)
        return add_layer(viewer, made, below=first_points(viewer))
    layer.data = values
    place = placement(part)
    # Each lets napari lay out the scene anew, which takes its time.
    for key in ("rotate", "scale", "translate"):
        if not np.allclose(getattr(layer, key), place[key]):
            setattr(layer, key, place[key])
    if kind == "s":
        layer.contrast_limits = made[1]["contrast_limits"]
    layer.metadata[KEY] = made[1]["metadata"][KEY]
    return layer


def first_points(viewer: Any) -> Any:
    """The lowest Points layer, below which an image is put so that the points stay in sight; None without points."""
    return next((layer for layer in viewer.layers if type(layer).__name__ == "Points"), None)


def _new_points(viewer: Any, stack: xr.Dataset, name: str, info: ImpuritiesInfo) -> Any:
    layer = viewer.add_points(
        np.zeros((0, 2)),
        name=name,
        features=results.blank(0),
        metadata={KEY: info},
        **ring_style(point_size(stack)),
        **placement(stack),
    )
    layer.feature_defaults = results.blank(1)
    layer.events.data.connect(edits.on_data)
    return layer
