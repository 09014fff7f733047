"""Structs of MATLAB files as the Davis and Hoffman groups keep their maps: `map` (y, x, energy), `e` [V], `r` [Å].

Other structs are refused with a list of their fields.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io.axes import AxesMissing, bias_axis, need_axes
from friedel.io.limits import check_unpacked
from friedel.stack import make_stack

_COMPRESSED = 15


def unpacked_size(path: Path) -> int:
    """Bytes that the compressed parts of a version-5 file unfold to; each is unfolded in pieces and thrown away."""
    total = 0
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        endian: Any = "little" if order == "<" else "big"
        while len(tag := file.read(8)) == 8:
            kind, length = (int.from_bytes(tag[i : i + 4], endian) for i in (0, 4))
            if kind != _COMPRESSED:
                total += length
                file.seek(length, 1)
                continue
            unpack = zlib.decompressobj()
            while length > 0 and (part := file.read(min(length, 1 << 16))):
                length -= len(part)
                while part:
                    total += len(unpack.decompress(part, 1 << 20))
                    part = unpack.unconsumed_tail
                check_unpacked(total, path)
    return total


def read(path: Path, names: list[str], *, bias: Any, pixel_nm: Any, dataset: str | None) -> xr.Dataset:
    """Read the struct `dataset`, or the only one that holds a map."""
    from scipy import io

    check_unpacked(unpacked_size(path), path)
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
