"""WSxM images (`.stp`, `.top`) and spectroscopy images (`.gsi`): a text header, then numbers of 16 or 64 bits.

Written from the description of the format and public readers. A `.gsi` holds the topograph first, then one image per
value of the ramp. The first number is that of the lower right corner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import (
    TO_MV,
    TO_NM,
    bias_axis,
    factor_of,
    need_axes,
    pixel_pair,
    split_images,
    with_points,
)
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_TYPES = {"short": "<i2", "double": "<f8", "float": "<f4", "": "<i2"}
_LIMIT = 1 << 20
_QUANTITY = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a WSxM file; see `friedel.io.open_stack`."""
    with path.open("rb") as file:
        raw = file.read(_LIMIT)
    end = re.search(rb"\[Header end\][^\n]*\n", raw)
    if end is None:
        raise StackError(
            f"{path}: the header does not end ([Header end] is missing); the file is cut off or damaged."
        )
    header = _parse(raw[: end.start()])
    rows, columns = (_whole(header, key, path) for key in ("Number of rows", "Number of columns"))
    kind = header.get("Image Data Type", "short").strip().lower()
    if kind not in _TYPES:
        raise StackError(f"{path}: numbers of the type {kind!r} are not known.")
    ramp = _ramp(header, path)
    count = rows * columns * (1 + len(ramp))
    width = np.dtype(_TYPES[kind]).itemsize
    if path.stat().st_size < end.end() + width * count:
        raise StackError(f"{path}: the file holds fewer than its {count} values: it is cut off.")
    values = np.fromfile(path, _TYPES[kind], count, offset=end.end()).reshape(1 + len(ramp), rows, columns)
    values = values[:, ::-1, ::-1].astype(np.float64)  # now the first is the upper left one
    image, unit = _scaled(header, values[0], kind, "Z Amplitude")
    pixel = pixel_nm if pixel_nm is not None else _pixel(header, rows, columns)
    name = header.get("Acquisition channel", "Z").strip() or "Z"
    common: dict[str, Any] = {"header": header, "instrument": "WSxM", "y_direction": -1}
    if len(ramp):
        axis = ramp if bias is None else bias_axis(bias, len(ramp))
        _, pixel = need_axes(f"{path}: this file", 0.0, pixel, 1)
        planes, spectral = _scaled(header, values[1:], kind, "Spectroscopy Amplitude")
        channel = header.get("Spectroscopy channel", "spectroscopy").strip() or "spectroscopy"
        return make_stack(
            {channel: planes}, images={"Z": image}, units={channel: spectral, "Z": unit}, bias_mv=axis,
            pixel_nm=pixel_pair(pixel), **common,
        )  # fmt: skip
    _, pixel = need_axes(f"{path}: this image", 0.0, pixel, 1)
    own = _quantity(header, "Topography Bias", TO_MV) if bias is None else bias
    channels, images, axis = split_images({name: image}, {name: unit}, own)
    return make_stack(
        channels, images=images, units={name: unit}, bias_mv=axis, pixel_nm=pixel_pair(pixel), **common
    )


def _parse(raw: bytes) -> dict[str, str]:
    header: dict[str, str] = {}
    for line in raw.decode("cp1252", errors="replace").splitlines():
        key, colon, value = line.strip().partition(":")
        if colon and key:
            header.setdefault(key.strip(), with_points(value.strip()))
    return header


def _whole(header: dict[str, str], key: str, path: Path) -> int:
    text = header.get(key, "")
    if not (text.isdigit() and 0 < int(text) <= 1 << 15):
        raise StackError(f"{path}: the header value {key!r} is missing or damaged: {text[:40]!r}.")
    return int(text)


def _quantity(header: dict[str, str], key: str, factors: dict[str, float]) -> float | None:
    found = _QUANTITY.match(header.get(key, ""))
    factor = factor_of(found[2], factors) if found else None
    return None if found is None or factor is None else float(found[1]) * factor


def _pixel(header: dict[str, str], rows: int, columns: int) -> tuple[float, float] | None:
    width, height = (_quantity(header, f"{axis} Amplitude", TO_NM) for axis in "XY")
    if not width or not height or width <= 0 or height <= 0:
        return None
    return height / rows, width / columns


def _scaled(header: dict[str, str], values: np.ndarray, kind: str, key: str) -> tuple[np.ndarray, str]:
    """Whole numbers span the amplitude in the header; others are in its unit already."""
    found = _QUANTITY.match(header.get(key, header.get("Z Amplitude", "")))
    unit = found[2] if found else ""
    if kind in ("short", "") and found:
        span = float(np.ptp(values))
        values = values * (float(found[1]) / span if span else 0.0)
    return values.astype(np.float32), unit


def _ramp(header: dict[str, str], path: Path) -> np.ndarray:
    """Bias [mV] of each spectroscopy image; empty for an image alone."""
    found = {}
    for key, text in header.items():
        number = re.fullmatch(r"Image (\d+)", key)
        if number:
            value = _QUANTITY.match(text)
            factor = factor_of(value[2], TO_MV) if value else None
            if value is None or factor is None:
                raise StackError(f"{path}: the value of {key} is no voltage: {text[:40]!r}.")
            found[int(number[1])] = float(value[1]) * factor
    return np.round(np.array([found[number] for number in sorted(found)]), 9)
