"""Nanonis grid spectroscopy (`.3ds`): one record a pixel, of parameters and then the sweep of every channel.

The header is text, the data big-endian float32, the first pixel is the lower left one and rows go upwards. A grid that
was broken off ends early; the rest is NaN. The channels are read when they are touched.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io import nanonis_header as text
from friedel.io.axes import single
from friedel.io.lazy import Records, image_variable, sweep_variable
from friedel.stack import make_stack

_END = b":HEADER_END:"
_SEGMENTS = re.compile(r"Segment Start.*Segment End", re.IGNORECASE)


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a `.3ds` file; see `friedel.io.open_stack`."""
    raw, after = text.read_head(path, _END)
    header = text.parse_grid(text.decode(raw))
    width, height = _grid(header, path)
    points = text.count(header, "Points", path)
    parameters = text.count(header, "# Parameters (4 byte)", path)
    channels = [name for name in header.get("Channels", "").split(";") if name.strip()]
    if not channels:
        raise StackError(f"{path}: the header names no channels.")
    _check_size(header, points, len(channels), path)
    records = _records(path, raw, after, parameters + points * len(channels), (height, width))
    first = np.array(records.open()[0], dtype=np.float64)
    keep, axis = _sweep_axis(header, first, points, path)
    sweep, sweep_unit = text.split_unit(header.get("Sweep Signal", "Bias (V)"))
    is_bias = bool(re.match(r"bias\b", sweep, re.IGNORECASE)) and sweep_unit in ("V", "mV")
    if is_bias and sweep_unit == "V":
        axis = axis * 1e3
    names, units = _names(channels)
    data = {
        name: sweep_variable(records, parameters + index * points + keep) for index, name in enumerate(names)
    }
    images, image_units = _images(header, records, parameters, set(names))
    centre_x, centre_y, size_x, size_y, angle = text.numbers(header, "Grid settings", 5, path)
    if not (size_x > 0 and size_y > 0):
        raise StackError(f"{path}: the header claims a grid of {size_x} m × {size_y} m.")
    stack = make_stack(
        data,
        bias_mv=axis,
        # One pixel covers size / n; the pixels lie in the middle of their cells.
        pixel_nm=(size_y / height * 1e9, size_x / width * 1e9),
        units=units | image_units,
        images=images,
        header=header,
        instrument="Nanonis",
        sweep="bias" if is_bias else header["Sweep Signal"],
        scan_centre_x_nm=centre_x * 1e9,
        scan_centre_y_nm=centre_y * 1e9,
        scan_angle_deg=angle,
        acquired=records.acquired,
        expected=width * height,
    )
    if not is_bias:
        stack["bias"].attrs.update(units=sweep_unit, long_name=sweep)
    return stack


def _grid(header: dict[str, str], path: Path) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,6})\s*x\s*(\d{1,6})\s*", header.get("Grid dim", ""))
    if not found or not (int(found[1]) and int(found[2])):
        raise StackError(
            f"{path}: the header value 'Grid dim' is damaged: {header.get('Grid dim', '')[:60]!r}."
        )
    return int(found[1]), int(found[2])


def _check_size(header: dict[str, str], points: int, channels: int, path: Path) -> None:
    """A wrong number of points would shift every spectrum, so two header values must agree."""
    if "Experiment size (bytes)" not in header:
        return
    claimed = text.count(header, "Experiment size (bytes)", path)
    if claimed != 4 * points * channels:
        hint = (
            " (perhaps a backward sweep that the header does not list)"
            if claimed == 8 * points * channels
            else ""
        )
        raise StackError(
            f"{path}: the header contradicts itself: {channels} channels of {points} points are "
            f"{4 * points * channels} bytes a pixel, but it says {claimed}{hint}."
        )


def _records(path: Path, raw: bytes, after: int, length: int, shape: tuple[int, int]) -> Records:
    with path.open("rb") as file:
        file.seek(after)
        ending = file.read(2)
    size = path.stat().st_size
    pixels = shape[0] * shape[1]
    # The tag's line ends with CR LF. A program that "mended" line endings changed the numbers too.
    offset = after + (2 if ending == b"\r\n" else 1)
    if ending != b"\r\n" and (ending[:1] != b"\n" or size - offset != 4 * length * pixels):
        raise StackError(
            f"{path}: the line endings of this file were changed, for example by a text-mode transfer; that damages "
            "the numbers. Copy the original again, as binary."
        )
    acquired = min((size - offset) // (4 * length), pixels)
    if acquired < 1:
        raise StackError(
            f"{path}: the file ends before its first spectrum; the header promises {pixels} of them, "
            f"{4 * length} bytes each."
        )
    records = Records(path, offset, length, shape, acquired)
    # Some versions allot the whole file at the start: records of zeros at the end were never taken.
    rows = records.open()
    while acquired > 1 and not rows[acquired - 1].any():
        acquired -= 1
    del rows
    if acquired < records.acquired:
        records = Records(path, offset, length, shape, acquired)
    return records


def _sweep_axis(
    header: dict[str, str], first: np.ndarray, points: int, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return which points of the sweep to keep, and their values in the sweep's unit."""
    everything = np.arange(points)
    table = next((value for key, value in header.items() if _SEGMENTS.search(key)), None)
    if header.get("Filetype", "").upper() == "MLS" or table is not None:
        if table is None:
            raise StackError(f"{path}: a multi-segment sweep whose segments the header does not list.")
        return _segments(table, points, path)
    fixed = [
        name.strip().lower() for name in header.get("Fixed parameters", "Sweep Start;Sweep End").split(";")
    ]
    try:
        start, end = first[fixed.index("sweep start")], first[fixed.index("sweep end")]
    except (ValueError, IndexError):
        raise StackError(
            f"{path}: the header does not say where the sweep's start and end are stored."
        ) from None
    if not (np.isfinite([start, end]).all() and max(abs(start), abs(end)) < 1e6):
        raise StackError(f"{path}: the sweep's limits are damaged ({start:g} to {end:g}).")
    if start == end and points > 1:
        raise StackError(f"{path}: the sweep starts and ends at the same value ({start:g}).")
    return everything, np.linspace(single(start), single(end), points)


def _segments(table: str, points: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Build the axis of a multi-segment sweep; neighbours may store the voltage they share once or twice."""
    try:
        rows = [[float(word) for word in row.split(",")] for row in re.split(r"[;\n]", table) if row.strip()]
        parts = [np.linspace(row[0], row[1], int(row[4])) for row in rows if 0 < row[4] <= points]
    except (ValueError, IndexError, OverflowError):
        raise StackError(f"{path}: the segments of the sweep are damaged: {table[:80]!r}.") from None
    if len(parts) != len(rows) or not parts:
        raise StackError(f"{path}: the segments of the sweep do not fit its {points} points.")
    for shared_once in (False, True):
        joined = [parts[0]]
        for part in parts[1:]:
            joined.append(
                part[1:] if shared_once and np.isclose(part[0], joined[-1][-1], atol=1e-9) else part
            )
        axis = np.concatenate(joined)
        if len(axis) == points:
            # The shared voltage was measured twice: the first of the two is kept.
            _, keep = np.unique(np.round(axis, 9), return_index=True)
            keep = np.sort(keep)
            return keep, axis[keep]
    raise StackError(f"{path}: the sweep's segments have {sum(map(len, parts))} points, its data {points}.")


def _names(channels: list[str]) -> tuple[list[str], dict[str, str]]:
    split = [text.split_unit(name) for name in channels]
    names = text.unique([name for name, _ in split])
    return names, {name: unit for name, (_, unit) in zip(names, split, strict=True)}


def _images(
    header: dict[str, str], records: Records, parameters: int, taken: set[str]
) -> tuple[dict[str, xr.Variable], dict[str, str]]:
    """Parameters measured at every pixel that are worth seeing as images: Z first of all."""
    listed = header.get("Fixed parameters", "").split(";") + header.get("Experiment parameters", "").split(
        ";"
    )
    images, units = {}, {}
    for index, entry in enumerate(listed[:parameters]):
        name, unit = text.split_unit(entry)
        if name == "Z" or name.startswith("Scan:"):
            key = name.removeprefix("Scan:")
            if key in taken or key in images:
                key = f"{key} image"
            images[key] = image_variable(records, index)
            units[key] = unit
    return images, units
