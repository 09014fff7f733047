"""A table that was loaded, or any Points layer, becomes a result: threshold, edits, comparison and saving work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel.detections import COLUMNS, Detections
from friedel.errors import StackError
from napari_friedel.layers import showing
from napari_friedel.layers.areas import world_to_pixel
from napari_friedel.layers.edits import coordinates
from napari_friedel.layers.info import StackInfo, TableInfo, info_of, kind_of
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Generator


def adoptable(layer: Any) -> bool:
    """Whether a layer can become a result: points that are none yet."""
    return (
        type(layer).__name__ == "Points" and kind_of(layer) in ("", "table") and layer.data.shape[1] in (2, 3)
    )


def belongs(layer: Any, stack_layer: Any) -> bool:
    """Whether a table tells that it was made of the file behind `stack_layer`."""
    table, info = info_of(layer), info_of(stack_layer)
    if not isinstance(table, TableInfo) or not isinstance(info, StackInfo) or info.stack is None:
        return False
    told = str(table.provenance.get("source") or "")
    here = str(info.stack.attrs.get("source") or "")
    return bool(told) and Path(told).name == Path(here).name


def adopt(viewer: Any, stack_layer: Any, layer: Any) -> Any:
    """Make a result of `stack_layer` from the points of `layer`, which is removed if it is shown.

    Returns
    -------
    napari.layers.Points
        The result.

    Raises
    ------
    StackError
        If the layer holds no points, or none of them lies on the stack.
    """
    stack, channel = stack_of(stack_layer)
    if not adoptable(layer):
        raise StackError(f"{layer.name!r} holds no points that could become a result.")
    positions = pixels_of(layer, stack)
    size = np.array([stack.sizes["y"], stack.sizes["x"]])
    inside = ((positions > -1) & (positions < size)).all(axis=1)
    # A table of ours without a row is a result all the same: nothing was found.
    if not inside.any() and not (isinstance(info_of(layer), TableInfo) and not len(positions)):
        raise StackError(
            f"None of the points of {layer.name!r} lies on {stack_layer.name!r}: they belong to another field."
        )
    features = pd.DataFrame(layer.features).reset_index(drop=True)
    names = [str(name) for name in features]
    table = features.drop(columns=[c for c in names if c in ("row", "column") or c.startswith("Unnamed")])
    for name in COLUMNS:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float) if name in table else np.nan
    table = table.assign(**coordinates(stack, positions))
    if "origin" not in table:
        # Points without a probability count whatever the threshold: somebody has put them there.
        table["origin"] = np.where(table["probability"].notna(), "found", "accepted")
    info = info_of(layer)
    told = dict(info.provenance) if isinstance(info, TableInfo) else {}
    told.update(label=layer.name, adopted_from=info.file if isinstance(info, TableInfo) else layer.name)
    told.setdefault("channel", channel)
    threshold = told.get("threshold")
    shape = (int(size[0]), int(size[1]))
    unknown = np.full(shape, np.nan, dtype=np.float32)
    columns = [*COLUMNS, *(name for name in table if name not in COLUMNS)]
    detections = Detections(
        pd.DataFrame(table[inside], columns=columns).reset_index(drop=True),
        float(threshold) if isinstance(threshold, (int, float)) else 0.5,
        unknown,
        unknown,
        ((0, shape[0]), (0, shape[1])),
        told,
    )
    made = showing.show(viewer, stack_layer, detections, maps=False)
    in_turns(_taking_away(viewer, layer), viewer=viewer)
    return made


def _taking_away(viewer: Any, layer: Any) -> Generator[None, None, None]:
    """Remove a layer in the next turn: another has come in this one."""
    yield
    if layer in viewer.layers:
        viewer.layers.remove(layer)


def pixels_of(layer: Any, stack: Any) -> np.ndarray:
    """Positions (row, column) on `stack`; points without any place in the world are taken as pixels."""
    data = np.asarray(layer.data, dtype=float)[:, -2:]
    placed = not (
        np.allclose(layer.scale, 1)
        and np.allclose(layer.translate, 0)
        and np.allclose(layer.rotate, np.eye(layer.ndim))
    )
    units = [str(unit) for unit in layer.units][-2:]
    if not placed and all(unit == "pixel" for unit in units):
        return data
    world = np.array([layer.data_to_world(p)[-2:] for p in layer.data], dtype=float).reshape(-1, 2)
    return world_to_pixel(stack, world)
