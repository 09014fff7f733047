"""Structs of MATLAB files as the Davis and Hoffman groups keep their maps: `map` (y, x, energy), `e` [V], `r` [Å].

Other structs are refused with a list of their fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io.axes import AxesMissing, bias_axis, need_axes
from friedel.stack import make_stack


def read(path: Path, names: list[str], *, bias: Any, pixel_nm: Any, dataset: str | None) -> xr.Dataset:
    """Read the struct `dataset`, or the only one that holds a map."""
    from scipy import io

    wanted = [dataset.partition(".")[0]] if dataset else names
    loaded = io.loadmat(str(path), variable_names=wanted, squeeze_me=True, struct_as_record=False)
    structs = {name: item for name, item in loaded.items() if hasattr(item, "_fieldnames")}
    maps = {name: item for name, item in structs.items() if np.ndim(getattr(item, "map", 0)) == 3}
    if len(maps) != 1:
        fields = "; ".join(f"{name}: {_fields(item)}" for name, item in structs.items()) or "no structs"
        problem = (
            "several structs hold a map; name one as dataset" if maps else "no struct holds a map (map, e, r)"
        )
        raise AxesMissing(f"{path}: {problem}. It holds {fields}.", ("dataset",), {})
    name, item = next(iter(maps.items()))
    values = np.asarray(item.map)
    if values.dtype.kind not in "fiu":
        raise StackError(f"{path}: the field 'map' of {name!r} holds no real numbers (type {values.dtype}).")
    energy = np.atleast_1d(np.asarray(getattr(item, "e", ()), dtype=float))
    own = np.round(energy * 1e3, 9) if len(energy) == values.shape[2] else None
    axis, pixel = need_axes(
        f"{path}: the struct {name!r} ({_fields(item)})",
        own if bias is None else bias, _pitch(item) if pixel_nm is None else pixel_nm, values.shape[2],
        {name: values.shape},
    )  # fmt: skip
    planes = np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
    label = (
        "dI/dV" if str(getattr(item, "type", "0")) in ("0", "") else str(getattr(item, "var", "") or "map")
    )
    return make_stack(
        {label: planes},
        bias_mv=bias_axis(axis, values.shape[2]),
        pixel_nm=pixel,
        header={"struct": name, "name": str(getattr(item, "name", ""))},
        instrument="MATLAB",
        y_direction=-1,
    )


def _pitch(item: Any) -> float | None:
    """Pitch [nm] from the positions of the pixels [Å]."""
    places = np.atleast_1d(np.asarray(getattr(item, "r", ()), dtype=float)).ravel()
    steps = np.diff(places)
    even = len(steps) > 0 and np.isfinite(steps).all() and np.allclose(steps, steps.mean(), rtol=1e-2)
    return abs(float(steps.mean())) * 0.1 if even and steps.mean() else None


def _fields(item: Any) -> str:
    shapes = {field: np.shape(getattr(item, field)) for field in item._fieldnames}
    return ", ".join(f"{field} {'×'.join(map(str, shape))}".strip() for field, shape in shapes.items())
