"""TIFF hyperstacks (`.tif`): planes without a bias axis; a pixel size only if ImageJ wrote one."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from tifffile import TiffFile

from friedel.errors import StackError
from friedel.io.arrays import stack_from_array
from friedel.io.axes import TO_NM

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_MOST_PACKED = 1100


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, axes: str | None = None) -> xr.Dataset:
    """Open a TIFF file; see `friedel.io.open_stack`."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it remarks is checked below
    with TiffFile(path) as file:
        if not file.series:
            raise StackError(f"{path}: the file holds no image.")
        series = file.series[0]
        metadata = dict(file.imagej_metadata or {})
        shape = tuple(n for n in series.shape if n > 1) if len(series.shape) > 3 else series.shape
        if any(axis in series.axes for axis in "S"):
            raise StackError(f"{path}: this is a colour picture, not a map of numbers.")
        claimed = series.dtype.itemsize if series.dtype is not None else 1
        for length in shape:
            claimed *= int(length)
        size = path.stat().st_size
        if claimed > _MOST_PACKED * size:
            raise StackError(f"{path}: the file claims {claimed} bytes of images, it has {size}.")
        # A hyperstack that was cut off shows its first plane only, and says nothing.
        found = int(np.prod(shape[:-2])) if len(shape) > 2 else 1
        # Without ImageJ's word nothing says how many there were.
        planned = int(metadata.get("images", found if not metadata else 1))
        if planned != found:
            raise StackError(
                f"{path}: the header promises {planned} planes, the file holds {found}: it is cut off."
            )
        _complete(file, claimed, path)
        array = series.asarray().reshape(shape)
        if not metadata and len(file.series) > 1:
            array = _page_by_page(file, path)
            found = len(array)
        pixel_nm = pixel_nm or _pixel(file, metadata)
        bias = bias if bias is not None else _labels(metadata, found)
    return stack_from_array(array, path, bias=bias, pixel_nm=pixel_nm, axes=axes, instrument="TIFF")


def _page_by_page(file: TiffFile, path: Path) -> np.ndarray:
    """Planes that were written one after the other, each as an image of its own; shape (planes, y, x)."""
    shapes = [(tuple(one.shape), str(one.dtype)) for one in file.series]
    if len(set(shapes)) > 1 or len(shapes[0][0]) != 2:
        told = ", ".join(" × ".join(map(str, shape)) for shape, _ in shapes[:4])
        raise StackError(f"{path}: the file holds {len(shapes)} images that form no stack ({told} …).")
    size, claimed = (
        path.stat().st_size,
        sum(int(np.prod(one.shape)) * one.dtype.itemsize for one in file.series),
    )
    if claimed > _MOST_PACKED * size:
        raise StackError(f"{path}: the file claims {claimed} bytes of images, it has {size}.")
    for one in file.series:
        for page in one.pages:
            places = (
                zip(page.dataoffsets, page.databytecounts, strict=True) if page is not None else [(size, 1)]
            )
            if any(offset + count > size or count == 0 for offset, count in places):
                raise StackError(f"{path}: a plane lies behind the end of the file: it is cut off.")
    return np.stack([one.asarray() for one in file.series])


def _complete(file: TiffFile, claimed: int, path: Path) -> None:
    """Raise `StackError` if pixels lie behind the end of the file: they would be read as zeros, or not at all."""
    size = path.stat().st_size
    series = file.series[0]
    if series.dataoffset is not None and series.dataoffset + claimed > size:
        raise StackError(
            f"{path}: the images need {series.dataoffset + claimed} bytes, the file has {size}: it is cut off."
        )
    for page in series.pages:
        places = zip(page.dataoffsets, page.databytecounts, strict=True) if page is not None else [(size, 1)]
        if any(offset + count > size or count == 0 for offset, count in places):
            raise StackError(f"{path}: a plane lies behind the end of the file: it is cut off.")


def _pixel(file: TiffFile, metadata: dict[str, Any]) -> tuple[float, float] | None:
    """ImageJ keeps the unit beside the resolution (pixels per unit)."""
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ").replace("micron", "um")
    tags = file.pages[0].tags  # type: ignore[union-attr]
    if unit not in TO_NM or "XResolution" not in tags or "YResolution" not in tags:
        return None
    pitch = []
    for name in ("YResolution", "XResolution"):
        count, per = tags[name].value
        if not (count > 0 and per > 0):
            return None
        pitch.append(per / count * TO_NM[unit])
    return pitch[0], pitch[1]


def _labels(metadata: dict[str, Any], count: int) -> np.ndarray | None:
    """ImageJ's slice labels, if every one is a voltage such as ``-120 mV``."""
    labels = metadata.get("Labels")
    if not isinstance(labels, list) or len(labels) != count:
        return None
    found = [re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(mV|V)\s*", str(label)) for label in labels]
    if not all(found):
        return None
    return np.array([float(f[1]) * (1e3 if f[2] == "V" else 1.0) for f in found if f])
