"""Tables of positions as Points layers: what `friedel detect` wrote, shown again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel.detections import COLUMNS
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, TableInfo
from napari_friedel.layers.style import point_size, ring_colours, ring_style

if TYPE_CHECKING:
    import xarray as xr

    from napari_friedel.layers.stack_layers import LayerData

SUFFIXES = (".csv", ".json", ".xyz")
_SIGN = b"napari-friedel points"


def is_table(path: str | Path) -> bool:
    """Whether the file says of itself that it is a table of this program; reads its first bytes only."""
    try:
        with Path(path).open("rb") as stream:
            return _SIGN in stream.read(200)
    except OSError:
        return False


def table_layer(path: str | Path, stack: xr.Dataset | None = None) -> LayerData:
    """Open a table as points in the style of a detection.

    Parameters
    ----------
    path : path
        A table that `friedel.io.points.read_points` reads.
    stack : xarray.Dataset, optional
        The stack that a table without instrument coordinates lies on.

    Returns
    -------
    tuple
        Points in nm, by the instrument's coordinates where the table has them. Else pixels on `stack`; else nm from
        the centre of pixel (0, 0); else pixels.

    Raises
    ------
    StackError
        If the file is no table of positions.
    """
    from friedel.io.points import read_points

    table = read_points(path)
    kwargs: dict[str, Any] = {"units": ("nm", "nm"), "axis_labels": ("y", "x")}
    if _has(table, "tip_y_nm", "tip_x_nm"):
        positions = table[["tip_y_nm", "tip_x_nm"]].to_numpy(dtype=float)
    elif stack is not None:
        positions, kwargs = table[["row", "column"]].to_numpy(dtype=float), placement(stack)
    elif _has(table, "y_nm", "x_nm"):
        positions = table[["y_nm", "x_nm"]].to_numpy(dtype=float)
    else:
        positions, kwargs["units"] = table[["row", "column"]].to_numpy(dtype=float), ("pixel", "pixel")
    size = point_size(stack) if stack is not None and "scale" in kwargs else _size(positions)
    style = ring_style(size)
    info = TableInfo("table", file=str(path), provenance=table.attrs["provenance"])
    # A column without any number (JSON has null for NaN) would come as objects, which napari cannot colour.
    features = table.assign(
        **{
            name: pd.to_numeric(table[name], errors="coerce").astype(float)
            for name in COLUMNS
            if name in table
        }
    )
    if "probability" in features and len(features):
        style["border_color"] = ring_colours(features.assign(origin=features.get("origin", "found")))
    return (
        positions,
        {"name": Path(path).stem, "features": features, "metadata": {KEY: info}, **style, **kwargs},
        "points",
    )


def _has(table: pd.DataFrame, *names: str) -> bool:
    """Whether the table has these columns, and numbers alone in them."""
    if not set(names) <= set(table.columns):
        return False
    values = table[list(names)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    return bool(np.isfinite(values).all())


def _size(positions: np.ndarray) -> float:
    """Diameter of a point where the field is not known: as `point_size`, of the box around the points."""
    extent = np.ptp(positions, axis=0).max() if len(positions) > 1 else 0.0
    return float(extent / 34) or 1.0
