"""Gwyddion simple field (`.gsf`): one image, so one bias plane whose voltage the user gives.

The first line of the file is the upper one. A header line of our own tells that the rows of a stack ran upwards, so
that they come back in the stack's order; Gwyddion passes it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import TO_NM, in_unit, need_axes, split_images
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

#: Key of the header: "up" if the image was turned for writing because its y rises with the row.
ROWS = "FriedelRows"


@dataclass(frozen=True)
class Field:
    """An image, shape (y, x), with pixel size and origin (y, x) [nm]; no size is known if the unit is no length."""

    values: np.ndarray
    title: str
    unit: str
    pixel_nm: tuple[float, float] | None
    origin_nm: tuple[float, float]
    metadata: dict[str, Any]
    y_direction: int


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a `.gsf` file; see `friedel.io.open_stack`."""
    field = load(path)
    name = field.title or "image"
    _, pixel = need_axes(f"{path}: this image", 0.0, pixel_nm or field.pixel_nm, 1)
    channels, images, axis = split_images({name: field.values}, {name: field.unit}, bias)
    return make_stack(
        channels,
        images=images,
        bias_mv=axis,
        pixel_nm=pixel,
        units={name: field.unit},
        header=field.metadata,
        instrument="Gwyddion",
        y_direction=field.y_direction,
    )


def load(path: Path) -> Field:
    """Read the image and its axes; `StackError` if the header claims more than the file holds."""
    import gsffile

    _check(path)
    values, metadata = gsffile.read_gsf(path)
    height, width = values.shape
    upwards = metadata.get(ROWS) == "up"
    pixel = origin = None
    unit = str(metadata.get("XYUnits", ""))
    # Without a unit the field is counted in pixels (the format's default of 1 × 1 means nothing).
    if unit and "XReal" in metadata and "YReal" in metadata:
        real = in_unit([metadata["YReal"], metadata["XReal"]], unit, TO_NM)
        if not (np.isfinite(real).all() and (real > 0).all()):
            raise StackError(f"{path}: the header claims an image of {real[1]:g} nm × {real[0]:g} nm.")
        pixel = (float(real[0]) / height, float(real[1]) / width)
        offset = in_unit([metadata.get("YOffset", 0.0), metadata.get("XOffset", 0.0)], unit, TO_NM)
        origin = (float(offset[0]) + pixel[0] / 2, float(offset[1]) + pixel[1] / 2)
    return Field(
        np.array(values[::-1] if upwards else values, dtype=np.float32),
        str(metadata.get("Title", "")),
        str(metadata.get("ZUnits", "")),
        pixel,
        origin or (0.0, 0.0),
        metadata,
        1 if upwards else -1,
    )


def _check(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1 << 16).partition(b"\x00")[0].decode("utf-8", errors="replace")
    lengths = {}
    for line in head.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("XRes", "YRes") and value.strip().isdigit():
            lengths[key.strip()] = int(value)
    if len(lengths) != 2 or min(lengths.values()) < 1:
        raise StackError(f"{path}: the header does not say how many pixels the image has.")
    if 4 * lengths["XRes"] * lengths["YRes"] > size:
        raise StackError(
            f"{path}: the header promises {lengths['XRes']}×{lengths['YRes']} pixels, but the file has {size} bytes: "
            "it is cut off."
        )
