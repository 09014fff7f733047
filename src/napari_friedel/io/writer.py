"""napari's door to `friedel.io.points` and `friedel.io.maps`: what is shown is written, in nm, with provenance."""

from __future__ import annotations

from typing import Any

import numpy as np

from friedel.errors import StackError
from napari_friedel.layers import KEY


def write_points(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write the impurities of a Points layer (those above the threshold, and those made by hand).

    Raises
    ------
    StackError
        If the layer is no result of this plugin: positions without a stack have no place in nm.
    """
    from friedel.io.points import write_points as write
    from napari_friedel.layers.results import export

    info = meta.get("metadata", {}).get(KEY, {})
    if "detections" not in info:
        raise StackError(
            f"{meta.get('name', 'This layer')!r} is not a result of “Detect impurities”: save it as napari's own CSV."
        )
    write(export(info, meta["features"]), path)
    return [path]


def write_map(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a single map (S, probability, topograph) as netCDF or Gwyddion simple field.

    Raises
    ------
    StackError
        If the layer is not a single map of this plugin.
    """
    from friedel.io.maps import write_map as write
    from friedel.stack import axis_step, pixel_pitch, tip_frame

    info = meta.get("metadata", {}).get(KEY, {})
    array = np.asarray(data)
    if "stack" not in info or array.ndim != 2:
        raise StackError(f"{meta.get('name', 'This layer')!r} is not a single map with a pixel size in nm.")
    stack = info["stack"]
    for axis, dim in enumerate(("y", "x")):  # files know rising axes only
        array = array if axis_step(stack, dim) > 0 else np.flip(array, axis)
    write(
        array,
        path,
        pixel_nm=pixel_pitch(stack),
        name=str(info.get("kind", "map")),
        units=str(info.get("units", "1")),
        origin_nm=(float(stack["y"].min()), float(stack["x"].min())),
        attributes={"source": str(stack.attrs.get("source", ""))},
        y_direction=tip_frame(stack)[3],
    )
    return [path]
