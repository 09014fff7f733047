"""Which part of a map is searched: a rectangle of a Shapes layer, snapped to pixels; and the tiles drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, LayerInfo, info_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from friedel.stack import Area

#: Side of the field the paper's network saw [px].
PAPER_FIELD = 80


def new_area_layer(viewer: Any, stack: xr.Dataset, side: int = PAPER_FIELD) -> Any:
    """Add a Shapes layer with one rectangle in the middle of the map, ready to be dragged."""
    rows, columns = stack.sizes["y"], stack.sizes["x"]
    height, width = (max(1, min(side, n, n * 3 // 4)) for n in (rows, columns))
    top, left = (rows - height) // 2, (columns - width) // 2
    corners = (
        np.array([[top, left], [top, left + width], [top + height, left + width], [top + height, left]]) - 0.5
    )
    layer = viewer.add_shapes(
        [corners],
        shape_type="rectangle",
        name="area",
        edge_color="#ffb000",
        face_color="transparent",
        edge_width=max(rows, columns) / 160,
        metadata={KEY: LayerInfo("area", stack)},
        **placement(stack),
    )
    layer.mode = "select"
    return layer


def area_from_shapes(layer: Any, stack: xr.Dataset, snap: int | None = None) -> Area:
    """Pixels of `stack` under a rectangle.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Its selected shape counts, else its last one.
    stack : xarray.Dataset
    snap : int, optional
        Force this many rows and columns around the rectangle's centre (fewer where the map is smaller).

    Returns
    -------
    ((row_start, row_stop), (column_start, column_stop))

    Raises
    ------
    StackError
        If there is no shape, or it lies outside the map.
    """
    if not len(layer.data):
        raise StackError(f"{layer.name!r} holds no rectangle: draw one on the map.")
    selected = sorted(layer.selected_data)
    corners = np.asarray(layer.data[selected[-1] if selected else -1], dtype=float)
    world = np.array([layer.data_to_world(corner) for corner in corners])[:, -2:]
    pixels = world_to_pixel(stack, world)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    ranges = []
    for axis, size in enumerate((stack.sizes["y"], stack.sizes["x"])):
        # Pixel i covers i - 1/2 to i + 1/2.
        start, stop = round(low[axis] + 0.5), round(high[axis] + 0.5)
        if snap:
            middle = (low[axis] + high[axis] + 1) / 2
            length = min(snap, size)
            start = int(np.clip(round(middle - length / 2), 0, size - length))
            stop = start + length
        start, stop = max(start, 0), min(stop, size)
        if stop - start < 1:
            raise StackError(f"The rectangle of {layer.name!r} lies outside the map: drag it onto the map.")
        ranges.append((start, stop))
    return ranges[0], ranges[1]


def world_to_pixel(stack: xr.Dataset, world: Any) -> np.ndarray:
    """Pixel coordinates (row, column) of world positions (y, x) [nm], shape (n, 2)."""
    place = placement(stack)
    linear = place["rotate"] @ np.diag(place["scale"])
    return np.linalg.solve(linear, (np.asarray(world, dtype=float) - place["translate"]).T).T


def excluded_pixels(layer: Any, stack: xr.Dataset) -> np.ndarray:
    """Pixels of `stack` that lie under shapes of any form, or under labels; bool, shape (rows, columns).

    Parameters
    ----------
    layer : napari.layers.Shapes or napari.layers.Labels
    stack : xarray.Dataset
    """
    shape = (stack.sizes["y"], stack.sizes["x"])
    rows, columns = np.indices(shape)
    if type(layer).__name__ == "Labels":
        place = placement(stack)
        pixels = np.stack([rows.ravel(), columns.ravel()], axis=1).astype(float)
        world = (pixels * place["scale"]) @ place["rotate"].T + place["translate"]
        corner = np.asarray(layer.world_to_data(np.zeros(layer.ndim)), dtype=float)[-2:]
        unit = np.eye(2)
        steps = []
        for axis in range(2):
            point = np.zeros(layer.ndim)
            point[-2:] = unit[axis]
            steps.append(np.asarray(layer.world_to_data(point), dtype=float)[-2:] - corner)
        index = np.rint(world @ np.array(steps) + corner).astype(int)
        volume = np.asarray(layer.data)
        labels = np.asarray((volume != 0).any(axis=tuple(range(volume.ndim - 2))))
        inside = ((index >= 0) & (index < labels.shape)).all(axis=1)
        found = np.zeros(len(index), dtype=bool)
        found[inside] = labels[tuple(index[inside].T)]
        return found.reshape(shape)
    from skimage.measure import grid_points_in_poly

    mask = np.zeros(shape, dtype=bool)
    for outline in _outlines(layer):
        world = np.array([layer.data_to_world(corner) for corner in outline])[:, -2:]
        mask |= grid_points_in_poly(shape, world_to_pixel(stack, world))
    return mask


def _outlines(layer: Any) -> list[np.ndarray]:
    """Corner points of every shape; an ellipse becomes a polygon."""
    found = []
    for corners, kind in zip(layer.data, layer.shape_type, strict=True):
        points = np.asarray(corners, dtype=float)
        if kind == "ellipse":
            centre = points.mean(axis=0)
            a, b = (points[1] - points[0]) / 2, (points[3] - points[0]) / 2
            angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
            points = centre + np.cos(angle) * a + np.sin(angle) * b
        if kind not in ("line", "path"):
            found.append(points)
    return found


def without(stack: xr.Dataset, mask: np.ndarray) -> xr.Dataset:
    """The stack with the masked pixels as if they had not been acquired (NaN in every channel)."""
    keep = xr.DataArray(~mask, dims=("y", "x"))
    changed = {
        name: stack[name].where(keep) for name in stack.data_vars if stack[name].dims[-2:] == ("y", "x")
    }
    for name in changed:
        changed[name].attrs = dict(stack[name].attrs)
    return stack.assign(changed).assign_attrs(stack.attrs)


def show_tiles(viewer: Any, stack: xr.Dataset, tiles: Sequence[Any] | None, owner: Any) -> Any:
    """Draw the tiles' outlines (edges in pixels) in place of the last ones; None or an empty list removes them."""
    layer = next(
        (x for x in viewer.layers if kind_of(x) == "tiles" and getattr(info_of(x), "owner", None) == owner),
        None,
    )
    if not tiles:
        if layer is not None:
            viewer.layers.remove(layer)
        return None
    outlines = [np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]]) for (r0, r1), (c0, c1) in tiles]
    if layer is not None:
        viewer.layers.remove(layer)  # Shapes are slow to change, quick to make
    active = viewer.layers.selection.active
    layer = viewer.add_shapes(
        outlines,
        shape_type="rectangle",
        name="tiles",
        edge_color="#56b4e9",
        face_color="transparent",
        edge_width=max(stack.sizes["y"], stack.sizes["x"]) / 400,
        opacity=0.8,
        metadata={KEY: LayerInfo("tiles", stack, owner)},
        **placement(stack),
    )
    if active is not None:
        viewer.layers.selection.active = active
    return layer
