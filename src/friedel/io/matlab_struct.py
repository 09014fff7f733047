"""Structs of MATLAB files as the Davis and Hoffman groups keep their maps: `map` (y, x, energy), `e` [V], `r` [Å].

Other structs are refused with a list of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import AxesMissing, bias_axis, need_axes
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

Fields = Mapping[str, Any]


def read(path: Path, names: list[str], *, bias: Any, pixel_nm: Any, dataset: str | None) -> xr.Dataset:
    """Read the struct `dataset` of a version-5 file, or the only one that holds a map."""
    from scipy import io

    wanted = [dataset.partition(".")[0]] if dataset else names
    loaded = io.loadmat(str(path), variable_names=wanted, squeeze_me=True, struct_as_record=False)
    structs = {
        name: {field: getattr(item, field) for field in item._fieldnames}
        for name, item in loaded.items()
        if hasattr(item, "_fieldnames")
    }
    return stack_of_structs(structs, path, bias=bias, pixel_nm=pixel_nm)


def stack_of_structs(structs: Mapping[str, Fields], path: Path, *, bias: Any, pixel_nm: Any) -> xr.Dataset:
    """Make a stack of the one struct that holds a map.

    Parameters
    ----------
    structs : mapping of str to mapping of str to array
        Fields by name, axes in MATLAB's order.
    path : Path
        For messages.
    bias, pixel_nm : optional
        See `friedel.io.open_stack`.

    Raises
    ------
    AxesMissing
        If none or several hold a map, or axes are missing; the message lists the fields.
    StackError
        If the map holds no real numbers, or the positions fall.
    """
    maps = {name: item for name, item in structs.items() if np.ndim(item.get("map", 0)) == 3}
    if len(maps) != 1:
        fields = "; ".join(f"{name}: {_fields(item)}" for name, item in structs.items()) or "no structs"
        problem = (
            "several structs hold a map; name one as dataset" if maps else "no struct holds a map (map, e, r)"
        )
        shapes = {
            f"{name}.{field}": np.shape(v) for name, item in structs.items() for field, v in item.items()
        }
        raise AxesMissing(f"{path}: {problem}. It holds {fields}.", ("dataset",), shapes)
    name, item = next(iter(maps.items()))
    values = np.asarray(item["map"])
    if values.dtype.kind not in "fiu":
        raise StackError(f"{path}: the field 'map' of {name!r} holds no real numbers (type {values.dtype}).")
    places = np.asarray(item.get("r", ()), dtype=float).ravel()
    if pixel_nm is None and len(places) > 1 and (np.diff(places) < 0).all():
        raise StackError(
            f"{path}: the positions r of {name!r} fall, and do not say which way x and y point. Turn the map so that "
            "they rise, or give the pixel size."
        )
    energy = np.asarray(item.get("e", ()), dtype=float).ravel()
    own = np.round(energy * 1e3, 9) if len(energy) == values.shape[2] else None
    axis, pixel = need_axes(
        f"{path}: the struct {name!r} ({_fields(item)})",
        own if bias is None else bias, _pitch(places) if pixel_nm is None else pixel_nm, values.shape[2],
        {name: values.shape},
    )  # fmt: skip
    planes = np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
    label = "dI/dV" if str(item.get("type", "0")) in ("0", "") else str(item.get("var", "") or "map")
    return make_stack(
        {label: planes},
        bias_mv=bias_axis(axis, values.shape[2]),
        pixel_nm=pixel,
        header={"struct": name, "name": str(item.get("name", ""))},
        instrument="MATLAB",
        y_direction=-1,
    )


def _pitch(places: np.ndarray) -> float | None:
    """Pitch [nm] from the positions of the pixels [Å]."""
    steps = np.diff(places)
    even = len(steps) > 0 and np.isfinite(steps).all() and np.allclose(steps, steps.mean(), rtol=1e-2)
    return float(steps.mean()) * 0.1 if even and steps.mean() > 0 else None


def _fields(item: Fields) -> str:
    return ", ".join(f"{field} {'×'.join(map(str, np.shape(v)))}".strip() for field, v in item.items())
