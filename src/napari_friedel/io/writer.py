"""napari's door to `friedel.io.points` and `friedel.io.maps`: what is shown is written, in nm, with provenance."""

from __future__ import annotations

from typing import Any

import numpy as np

from friedel.errors import StackError
from napari_friedel.layers import saving
from napari_friedel.layers.info import KEY, ImpuritiesInfo, LayerInfo, MapInfo, StackInfo


def write_points(
    path: str = "",
    data: Any = None,  # noqa: ARG001 - napari passes it
    meta: dict[str, Any] | None = None,
) -> list[str]:
    """Write the impurities of a Points layer (those above the threshold, and those made by hand).

    Raises
    ------
    StackError
        If the layer is no result of this plugin: positions without a stack have no place in nm.
    """
    if meta is None:  # napari's command palette calls it so
        return _save_active("points")
    from friedel.io.points import write_points as write
    from napari_friedel.layers.results import export

    info = meta.get("metadata", {}).get(KEY)
    if not isinstance(info, ImpuritiesInfo) or info.detections is None:
        raise StackError(
            f"{meta.get('name', 'This layer')!r} is not a result yet: adopt it in the Detect dock, or save it as "
            "napari's own CSV."
        )
    path = saving.with_suffix(path, (".csv", ".json", ".xyz"))
    write(export(info, meta["features"]), path)
    saving.open_without_asking(path)
    return [path]


def write_map(path: str = "", data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Write a single map (S, probability, topograph) as netCDF or Gwyddion simple field, or a whole stack as netCDF.

    Raises
    ------
    StackError
        If the layer is neither a map nor a stack of this plugin.
    """
    if meta is None:
        return _save_active("map")
    from friedel.io.maps import write_map as write
    from friedel.io.netcdf import write as write_stack
    from friedel.stack import axis_step, pixel_pitch, tip_frame

    info = meta.get("metadata", {}).get(KEY)
    if isinstance(info, StackInfo) and info.stack is not None:
        path = saving.with_suffix(path, (".nc",))
        write_stack(info.stack, path)
        return [path]
    array = np.asarray(data)
    if not isinstance(info, LayerInfo) or info.stack is None or array.ndim != 2:
        raise StackError(f"{meta.get('name', 'This layer')!r} is not a single map with a pixel size in nm.")
    path = saving.with_suffix(path, (".nc", ".gsf"))
    stack = info.stack
    for axis, dim in enumerate(("y", "x")):  # files know rising axes only
        array = array if axis_step(stack, dim) > 0 else np.flip(array, axis)
    write(
        array,
        path,
        pixel_nm=pixel_pitch(stack),
        name=info.kind or "map",
        units=info.units if isinstance(info, MapInfo) else "1",
        origin_nm=(float(stack["y"].min()), float(stack["x"].min())),
        attributes={"source": str(stack.attrs.get("source", ""))},
        y_direction=tip_frame(stack)[3],
    )
    return [path]


def _save_active(what: str) -> list[str]:
    """Ask for a file and save the active layer of the open viewer; for the command palette."""
    from qtpy.QtWidgets import QFileDialog

    import napari

    viewer = napari.current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if layer is None or (type(layer).__name__ == "Points") != (what == "points"):
        raise StackError(f"Choose the {'impurities' if what == 'points' else 'map'} in the layer list first.")
    kinds = (
        "Table (*.csv);;JSON (*.json);;Positions (*.xyz)"
        if what == "points"
        else "netCDF (*.nc);;Gwyddion (*.gsf)"
    )
    path, _ = QFileDialog.getSaveFileName(None, f"Save {layer.name}", "", kinds)
    if not path:
        return []
    data, meta, _ = layer.as_layer_data_tuple()
    return (write_points if what == "points" else write_map)(path, data, meta)
