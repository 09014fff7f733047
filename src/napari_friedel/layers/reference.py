"""A reference map in the world of a stack: overlay, shift, positions, and the rings of agreement on the map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import ndimage

from friedel.errors import StackError
from friedel.stack import channel_names, didv, image_names
from napari_friedel.layers import results
from napari_friedel.layers.areas import world_to_pixel
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import (
    KEY,
    LayerInfo,
    MapInfo,
    frame_of,
    info_of,
    kind_of,
    title_of_layer,
    update,
)
from napari_friedel.layers.stack_layers import LayerData, map_layer, map_of
from napari_friedel.layers.style import point_size

if TYPE_CHECKING:
    import xarray as xr

KINDS = ("matched", "missed", "false")
#: The same in the dock's numbers and on the map; apart for colour-blind eyes (Okabe & Ito).
COLOURS = {"matched": "#00c08b", "missed": "#ffb000", "false": "#ff4fa3"}


def positions_in(stack: xr.Dataset, layer: Any, positions: Any) -> np.ndarray:
    """Pixel coordinates on `stack`, shape (n, 2), of positions given in the data coordinates of another layer."""
    positions = np.asarray(positions, dtype=float).reshape(-1, 2)
    world = np.array([layer.data_to_world(p) for p in positions], dtype=float).reshape(len(positions), -1)
    return world_to_pixel(stack, world[:, -2:]) if len(positions) else np.zeros((0, 2))


def resampled(layer: Any, stack: xr.Dataset, margin: tuple[int, int]) -> np.ndarray:
    """Draw a map layer on the pixels of `stack`, with a margin around them; NaN where it does not reach.

    Exact where the two grids coincide, bilinear elsewhere.
    """
    image, _ = map_of(layer)
    corner = np.array(layer.world_to_data(_pixel_to_world(stack, [-margin[0], -margin[1]])))[-2:]
    row = np.array(layer.world_to_data(_pixel_to_world(stack, [1 - margin[0], -margin[1]])))[-2:] - corner
    column = np.array(layer.world_to_data(_pixel_to_world(stack, [-margin[0], 1 - margin[1]])))[-2:] - corner
    shape = (stack.sizes["y"] + 2 * margin[0], stack.sizes["x"] + 2 * margin[1])
    matrix = np.stack([row, column], axis=1)
    # Rounding of the transform would make a pixel at the edge look as if it lay outside.
    matrix, corner = np.round(matrix, 9), np.round(corner, 6)
    onto: np.ndarray = ndimage.affine_transform(
        image.astype(float), matrix, corner, shape, order=1, cval=np.nan
    )
    return onto


def _pixel_to_world(stack: xr.Dataset, pixel: Any) -> np.ndarray:
    place = placement(stack)
    world: np.ndarray = (
        place["rotate"] @ (np.asarray(pixel, dtype=float) * place["scale"]) + place["translate"]
    )
    return world


def move(layer: Any, stack: xr.Dataset, rows: float, columns: float) -> None:
    """Shift a layer by pixels of `stack`; the sum of all shifts is kept with the layer."""
    place = placement(stack)
    step = place["rotate"] @ (np.array([rows, columns]) * place["scale"])
    layer.translate = np.asarray(layer.translate, dtype=float) + step
    shift = shift_of(layer)
    if not isinstance(info_of(layer), MapInfo):
        layer.metadata[KEY] = MapInfo(kind_of(layer) or "image", frame_of(layer))
    update(layer, shift_px=(shift[0] + rows, shift[1] + columns))


def shift_of(layer: Any) -> tuple[float, float]:
    """By how much a map was moved, in rows and columns of the stack."""
    info = info_of(layer)
    return info.shift_px if isinstance(info, MapInfo) else (0.0, 0.0)


def reset(layer: Any, stack: xr.Dataset) -> None:
    """Put a layer back to where its file says it lies."""
    shift = shift_of(layer)
    move(layer, stack, -shift[0], -shift[1])


def show_positions(viewer: Any, stack_layer: Any, stack: xr.Dataset, positions: np.ndarray) -> Any:
    """Show the reference's positions [px of the stack] as small crosses, in place of the last ones."""
    layer = results.find(viewer, stack_layer, "reference")
    if layer is not None:
        layer.data = positions
        return layer
    active = viewer.layers.selection.active
    layer = viewer.add_points(
        positions,
        name=f"{title_of_layer(stack_layer)} · reference",
        symbol="cross",
        size=0.7 * point_size(stack),
        face_color="white",
        border_width=0,
        metadata={KEY: LayerInfo("reference", stack, results.owner_of(stack_layer))},
        **placement(stack),
    )
    if active is not None:  # the keys that work on the impurities go on working
        viewer.layers.selection.active = active
    return layer


def show_agreement(viewer: Any, stack_layer: Any, stack: xr.Dataset, agreement: Any) -> Any:
    """Ring matched, missed and false points in three colours, in place of the last rings."""
    matched = agreement.matched[["row", "column"]].to_numpy(dtype=float).reshape(-1, 2)
    groups = (
        matched,
        np.asarray(agreement.missed).reshape(-1, 2),
        np.asarray(agreement.false).reshape(-1, 2),
    )
    positions = np.concatenate(groups)
    kinds = np.repeat(KINDS, [len(group) for group in groups])
    features = pd.DataFrame({"kind": kinds, "row": positions[:, 0], "column": positions[:, 1]})
    colours = np.array([COLOURS[kind] for kind in kinds]) if len(kinds) else "white"
    layer = results.find(viewer, stack_layer, "agreement")
    if layer is None:
        active = viewer.layers.selection.active
        layer = viewer.add_points(
            np.zeros((0, 2)),
            name=f"{title_of_layer(stack_layer)} · agreement",
            symbol="disc",
            size=1.9 * point_size(stack),
            face_color="transparent",
            border_width=0.14,
            metadata={KEY: LayerInfo("agreement", stack, results.owner_of(stack_layer))},
            **placement(stack),
        )
        if active is not None:
            viewer.layers.selection.active = active
    layer.selected_data = set()
    layer.data = positions
    layer.features = features
    layer.face_color = "transparent"
    if len(positions):
        layer.border_color = colours
    return layer


def map_of_file(stack: Any, path: str) -> LayerData:
    """The bound-state map of an opened file: an image named so, the only voltage, or the first image.

    Raises
    ------
    StackError
        If it is a whole stack.
    """
    images = image_names(stack)
    chosen = next((name for name in images if "bound" in name.lower()), None)
    if chosen is None and stack.sizes["bias"] == 1:
        data = didv(stack, channel_names(stack)[0]).isel(bias=0).to_numpy()
    elif chosen is not None or images:
        data = stack[chosen or images[0]].to_numpy()
    else:
        raise StackError(f"{path}: this is a whole stack; open the map at the band onset by itself.")
    return map_layer(stack, data, "reference_map", f"{Path(path).stem} · map")


def is_map(layer: Any) -> bool:
    """Whether a layer can be a reference map: a single image, but none of our results."""
    if type(layer).__name__ != "Image" or layer.rgb:
        return False
    return kind_of(layer) in ("image", "topograph", "reference_map", "") and layer.data.ndim == 2


def likely(viewer: Any, stack_layer: Any = None) -> Any:
    """The layer most likely to be the bound-state map of a stack, or None.

    Its name must say so; of several the one of the same file wins, and one that does not overlap is never taken.
    """
    words = ("bound", "onset", "reference")
    named = [x for x in viewer.layers if is_map(x) and any(word in x.name.lower() for word in words)]
    if stack_layer is not None:
        here = frame_of(stack_layer)
        same = [x for x in named if frame_of(x) is here and here is not None]
        named = same or [x for x in named if overlap(x, stack_layer) > 0]
    return named[0] if named else None


def owner_of(viewer: Any, layer: Any, stack_layer: Any) -> Any:
    """The other open stack with which a map was taken, or None if it is this stack's, or of no stack that is open."""
    frame = frame_of(layer)
    if frame is None or frame is frame_of(stack_layer):
        return None
    stacks = (x for x in viewer.layers if kind_of(x) == "stack" and x is not stack_layer)
    return next((x for x in stacks if frame_of(x) is frame), None)


def overlap(layer: Any, stack_layer: Any) -> float:
    """Share of the stack's bounding box in the world that another layer's covers."""
    low, high = np.asarray(layer.extent.world, dtype=float)[:, -2:]
    stack_low, stack_high = np.asarray(stack_layer.extent.world, dtype=float)[:, -2:]
    common = np.clip(np.minimum(high, stack_high) - np.maximum(low, stack_low), 0, None)
    return float(np.prod(common) / max(float(np.prod(stack_high - stack_low)), 1e-30))


def bring_up(viewer: Any, layer: Any, opacity: float = 0.6) -> None:
    """Show a map over all stacks and below all points, so that both can be seen."""
    first = next((i for i, other in enumerate(viewer.layers) if type(other).__name__ == "Points"), None)
    here, target = viewer.layers.index(layer), len(viewer.layers) if first is None else first
    if here + 1 != target:
        viewer.layers.move(here, target)
    layer.visible, layer.opacity = True, opacity
