"""Igor binary waves (`.ibw`): volumes such as the CITS that Omicron's Vernissage exports, and images; read with igor2.

A wave carries the scale and unit of every axis; an axis in volts is the bias, the two in metres are x and y.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import TO_MV, TO_NM, Pixel, in_unit, need_axes, pixel_pair, split_images
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open an `.ibw` file; see `friedel.io.open_stack`."""
    try:
        from igor2 import binarywave
    except ImportError:
        raise StackError(
            f'{path}: Igor files need an extra package: pip install "napari-friedel[igor]".'
        ) from None
    _check(path)
    logging.getLogger("igor2").setLevel(logging.CRITICAL + 1)  # it prints the numbers of a damaged wave
    return stack_of_wave(binarywave.load(str(path))["wave"], path, bias=bias, pixel_nm=pixel_nm)


def stack_of_wave(wave: dict[str, Any], path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Make a stack of a wave that igor2 read."""
    data, header = wave["wData"], wave["wave_header"]
    if data.dtype.kind == "c":
        raise StackError(
            f"{path}: the wave is complex; save its real part, its imaginary part or its modulus."
        )
    if data.dtype.kind not in "fiu":
        raise StackError(f"{path}: the wave holds no real numbers (type {data.dtype}).")
    if data.ndim not in (2, 3) or 0 in data.shape:
        raise StackError(
            f"{path}: the wave has the shape {data.shape}; a map has three axes (x, y, bias) or two."
        )
    scales = [_scale(header, axis, count) for axis, count in enumerate(data.shape)]
    order, values, own_pixel, centre, y_direction = _axes(scales, path)
    pixel: Pixel | None = own_pixel if pixel_nm is None else pixel_pair(pixel_nm)
    axis_mv = None if values is None else np.round(values, 9)
    note = _text(wave.get("note", b""))
    if data.ndim == 3:
        own = axis_mv if bias is None else bias
        axis_mv, pitch = need_axes(f"{path}: this wave", own, pixel, data.shape[order[0]])
    else:
        _, pitch = need_axes(f"{path}: this wave", 0.0, pixel, 1)
    planes = data.transpose(order) if data.ndim == 3 else data.T[np.newaxis]
    name, unit = _name(header, note)
    rows, columns = planes.shape[1:]
    acquired = int(np.isfinite(planes).all(axis=0).sum())
    channels: dict[str, np.ndarray] = {name: np.ascontiguousarray(planes, dtype=np.float32)}
    images: dict[str, np.ndarray] = {}
    if data.ndim == 2:
        channels, images, axis_mv = split_images({name: channels[name][0]}, {name: unit}, bias)
    return make_stack(
        channels,
        images=images,
        bias_mv=axis_mv,
        pixel_nm=pitch,
        units={name: unit},
        header={"note": note, "name": _text(header["bname"])},
        instrument="Omicron Matrix (Igor)" if "MATRIX version" in note else "Igor",
        scan_centre_x_nm=centre[0],
        scan_centre_y_nm=centre[1],
        y_direction=y_direction,
        direction="backward" if "backward" in note.split("\n")[0].lower() else "forward",
        acquired=acquired,
        expected=max(_planned(note), rows * columns),
    )


def _check(path: Path) -> None:
    """The header's number of values must fit the file before anything is allotted."""
    with path.open("rb") as file:
        head = file.read(384)
    order = "<" if head[0] else ">"
    version = int.from_bytes(head[:2], "little" if head[0] else "big")
    place, dims, least = {5: (64 + 12, 64 + 68, 384), 2: (16 + 42, None, 126), 3: (20 + 42, None, 130)}[
        version
    ]
    if len(head) < least:
        raise StackError(f"{path}: the file is cut off within its header.")
    size = path.stat().st_size
    count = int(np.frombuffer(head, f"{order}i4", 1, place)[0])
    shape = [count] if dims is None else [int(n) for n in np.frombuffer(head, f"{order}i4", 4, dims) if n]
    # igor2 goes through formula, note, units and labels byte by byte, however many the header claims.
    first, many = {5: (8, 12), 2: (6, 2), 3: (6, 3)}[version]
    lengths = np.frombuffer(head, f"{order}i4", many, first)
    if (lengths < 0).any() or int(lengths.sum(dtype=np.int64)) > size:
        raise StackError(f"{path}: the header is damaged: it claims texts of {lengths.max()} bytes.")
    product = 1
    for length in shape:
        product *= max(length, 0)
    if count < 1 or count > size or product != count:
        raise StackError(
            f"{path}: the header claims {count} values of shape {shape}, the file has {size} bytes."
        )


def _scale(header: dict[str, Any], axis: int, count: int) -> tuple[np.ndarray, str]:
    """Values along one axis and their unit."""
    if "sfA" not in header:
        return np.arange(count, dtype=float), ""
    step, start = float(header["sfA"][axis]), float(header["sfB"][axis])
    unit = _text(b"".join(bytes(part) for part in np.atleast_1d(header["dimUnits"][axis])))
    return start + step * np.arange(count), unit


def _axes(
    scales: list[tuple[np.ndarray, str]], path: Path
) -> tuple[list[int], np.ndarray | None, tuple[float, float] | None, tuple[float, float], int]:
    """Order (bias, y, x), bias [mV], pixel [nm] (y, x), centre [nm] (x, y), direction of y."""
    voltages = [axis for axis, (_, unit) in enumerate(scales) if unit in TO_MV]
    if len(scales) == 3 and len(voltages) > 1:
        raise StackError(f"{path}: the wave has several axes in volts.")
    spectral = voltages[0] if voltages else 2
    lateral = [axis for axis in range(len(scales)) if axis != spectral][:2]
    values = (
        in_unit(scales[spectral][0], scales[spectral][1], TO_MV) if voltages and len(scales) == 3 else None
    )
    order = [spectral, lateral[1], lateral[0]]  # Igor's first axis is x
    if not all(scales[axis][1] in TO_NM for axis in lateral):
        return order, values, None, (0.0, 0.0), 1
    x, y = (in_unit(scales[axis][0], scales[axis][1], TO_NM) for axis in lateral)
    steps = [float(v[1] - v[0]) if len(v) > 1 else 0.0 for v in (x, y)]
    steps = [step or max(map(abs, steps)) for step in steps]
    if not np.isfinite([*x, *y]).all() or steps[0] == 0:
        raise StackError(f"{path}: the scale of the axes is damaged.")
    return (
        order,
        values,
        (abs(steps[1]), abs(steps[0])),
        (float(x.mean()), float(y.mean())),
        1 if steps[1] > 0 else -1,
    )


def _name(header: dict[str, Any], note: str) -> tuple[str, str]:
    found = re.search(r"Channel name and data unit: (.+?) \[(.*?)\]", note)
    if found:
        return found[1].strip(), found[2].strip()
    unit = _text(b"".join(bytes(part) for part in np.atleast_1d(header.get("dataUnits", b""))))
    return _text(header["bname"]) or "wave", unit


def _planned(note: str) -> int:
    """Pixels that the scan was meant to have, from the note that Vernissage writes; 0 if it says nothing."""
    found = re.search(r"Spectroscopy points per line = (\d{1,5}), Lines per plane = (\d{1,5})", note)
    return int(found[1]) * int(found[2]) if found else 0


def _text(raw: Any) -> str:
    content = raw if isinstance(raw, bytes) else bytes(raw)
    return content.decode("utf-8", errors="replace").replace("\r", "\n").strip("\x00 \n")
