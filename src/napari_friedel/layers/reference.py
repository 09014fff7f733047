"""A reference map in the world of a stack: overlay, shift, positions, and the rings of agreement on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from napari_friedel.layers import KEY, info_of, kind_of, map_of, placement, results
from napari_friedel.layers.areas import world_to_pixel
from napari_friedel.widgets.plots import COLOURS

KINDS = ("matched", "missed", "false")


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
    return ndimage.affine_transform(image.astype(float), matrix, corner, shape, order=1, cval=np.nan)


def _pixel_to_world(stack: xr.Dataset, pixel: Any) -> np.ndarray:
    place = placement(stack)
    return place["rotate"] @ (np.asarray(pixel, dtype=float) * place["scale"]) + place["translate"]


def move(layer: Any, stack: xr.Dataset, rows: float, columns: float) -> None:
    """Shift a layer by pixels of `stack`; the sum of all shifts is kept with the layer."""
    place = placement(stack)
    step = place["rotate"] @ (np.array([rows, columns]) * place["scale"])
    layer.translate = np.asarray(layer.translate, dtype=float) + step
    info = layer.metadata.setdefault(KEY, {})
    shift = info.get("shift_px", (0.0, 0.0))
    info["shift_px"] = (shift[0] + rows, shift[1] + columns)


def reset(layer: Any, stack: xr.Dataset) -> None:
    """Put a layer back to where its file says it lies."""
    shift = info_of(layer).get("shift_px", (0.0, 0.0))
    move(layer, stack, -shift[0], -shift[1])


def show_positions(viewer: Any, stack_layer: Any, stack: xr.Dataset, positions: np.ndarray) -> Any:
    """Show the reference's positions [px of the stack] as small crosses, in place of the last ones."""
    layer = results.find(viewer, stack_layer, "reference")
    if layer is not None:
        layer.data = positions
        return layer
    return viewer.add_points(
        positions,
        name=f"{info_of(stack_layer).get('title', 'stack')} · reference",
        symbol="cross",
        size=0.7 * results.point_size(stack),
        face_color="white",
        border_width=0,
        metadata={KEY: {"kind": "reference", "stack": stack, "stack_id": _owner(stack_layer)}},
        **placement(stack),
    )


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
            name=f"{info_of(stack_layer).get('title', 'stack')} · agreement",
            symbol="disc",
            size=1.9 * results.point_size(stack),
            face_color="transparent",
            border_width=0.14,
            metadata={KEY: {"kind": "agreement", "stack": stack, "stack_id": _owner(stack_layer)}},
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
    info_of(layer)["tolerance_px"] = agreement.tolerance_px
    return layer


def _owner(stack_layer: Any) -> Any:
    return info_of(stack_layer).setdefault("id", stack_layer.unique_id)


def is_map(layer: Any) -> bool:
    """Whether a layer can be a reference map: a single image, but none of our results."""
    if type(layer).__name__ != "Image" or layer.rgb:
        return False
    return kind_of(layer) in ("image", "topograph", "reference_map", "") and layer.data.ndim == 2


def likely(viewer: Any) -> Any:
    """The layer most likely to be the bound-state map, by its name; None if there is none."""
    words = ("bound", "onset", "reference")
    for layer in viewer.layers:
        if is_map(layer) and any(word in layer.name.lower() for word in words):
            return layer
    return None
