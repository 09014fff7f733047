"""Createc images (`.dat`): header of `key=value` lines, then float32 images, since version 3 compressed.

`Channelselectval` says which images there are: bit 1 Z, bit 2 the current, the higher ones further converters. Z is
given in nm and the current in A through the header's factors; the others are the numbers of the converter, because the
format does not say what was wired to it. Images of one area at several bias are a stack.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import with_points
from friedel.io.limits import check_unpacked
from friedel.stack import make_stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import xarray as xr

#: Where the payload of files without the mark ``DATA`` begins.
HEADER = 16384
_MARK = re.compile(rb"DATA(?=x[\x01\x5e\x9c\xda]|\r?\n|$)")
_KEYS = {
    "columns": ("Num.X",),
    "rows": ("Num.Y",),
    "channels": ("Channels",),
    "bias": ("Biasvolt[mV]", "BiasVolt.[mV]", "Biasvolt.[mV]", "BiasVoltage"),
    "constant height bias": ("CHModeBias[mV]",),
    "width": ("Length x[A]",),
    "height": ("Length y[A]",),
    "angle": ("Rotation",),
    "z": ("Dacto[A]z",),
    "xy": ("Dacto[A]xy",),
    "offset x": ("Scanrotoffx", "OffsetX"),
    "offset y": ("Scanrotoffy", "OffsetY"),
    "gain z": ("GainZ",),
    "gain x": ("GainX",),
    "preamplifier": ("Gainpreamp", "GainPre 10^"),
    "constant height preamplifier": ("CHModeGainpreamp",),
    "constant height": ("CHMode",),
    "selected": ("Channelselectval",),
}


@dataclass(frozen=True)
class Image:
    """One file: its images by name, shape (y, x), NaN where no line was scanned, with units and frame."""

    path: Path
    header: dict[str, str]
    planes: dict[str, np.ndarray]
    units: dict[str, str]
    bias_mv: float
    pixel_nm: tuple[float, float]
    rows_scanned: int


def read(
    paths: list[Path],
    *,
    bias: Any = None,
    pixel_nm: Any = None,  # noqa: ARG001 - as every adapter
) -> xr.Dataset:
    """Open a Createc `.dat` image, or a series of one area at different bias; see `friedel.io.open_stack`."""
    images = sorted((load(path) for path in paths), key=lambda image: image.bias_mv)
    first = images[0]
    for other in images[1:]:
        _same_frame(first, other)
    names = [name for name in first.planes if all(name in image.planes for image in images)]
    heights = [name for name in names if name.startswith("Z")]
    channels = [name for name in names if name not in heights]
    if not channels and len(images) > 1:
        channels = heights
    axis = np.array([image.bias_mv for image in images])
    if len(np.unique(axis)) < len(axis):
        if bias is None:
            raise StackError(
                f"{first.path.parent}: several images were taken at the same bias; choose one of each."
            )
        axis = np.arange(len(images), dtype=float)  # replaced by what the user gave
    rows, columns = next(iter(first.planes.values())).shape
    return make_stack(
        {name: np.stack([image.planes[name] for image in images]) for name in channels},
        bias_mv=axis,
        pixel_nm=first.pixel_nm,
        units=first.units,
        images={name: first.planes[name] for name in heights if name not in channels},
        header=first.header,
        instrument="Createc",
        scan_angle_deg=number(first.header, "angle", first.path, 0.0),
        y_direction=-1,
        acquired=min(image.rows_scanned for image in images) * columns,
        expected=rows * columns,
        separate_scans=int(len(images) > 1),
    )


def load(path: Path) -> Image:
    """Read one image file."""
    raw = path.read_bytes()
    start, header = split(raw)
    columns, rows, count = (whole(header, key, path) for key in ("columns", "rows", "channels"))
    values = _payload(raw, start, columns * rows * count, path).reshape(count, rows, columns)
    names = _names(header, count, path)
    scanned = np.asarray(values.any(axis=(0, 2)))
    if not scanned.any():
        raise StackError(f"{path}: no line of this image was ever scanned.")
    planes, units = {}, {}
    for name, plane in zip(names, values, strict=True):
        factor, unit = _scale(header, name, path)
        planes[name] = np.where(scanned[:, None], plane * np.float32(factor), np.float32(np.nan))
        units[name] = unit
    constant_height = number(header, "constant height", path, 0.0) != 0
    width, height = number(header, "width", path) * 0.1, number(header, "height", path) * 0.1
    if not (width > 0 and height > 0):
        raise StackError(f"{path}: the header claims an image of {width:g} nm × {height:g} nm.")
    return Image(
        path,
        header,
        planes,
        units,
        number(header, "constant height bias" if constant_height else "bias", path),
        (height / rows, width / columns),
        int(scanned.sum()),
    )


def split(raw: bytes) -> tuple[int, dict[str, str]]:
    """Give the position after the header, and the header."""
    mark = _MARK.search(raw)
    if mark is not None:
        return mark.end(), parse(raw[: mark.start()])
    return HEADER, parse(raw[:HEADER])


def parse(raw: bytes) -> dict[str, str]:
    """Parse ``key=value`` lines; ``Num.X / Num.X=256`` is kept under both its names, the first one wins."""
    header: dict[str, str] = {}
    for line in raw.decode("cp1252", errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and len(key) < 80:
            for name in key.split(" / "):
                header.setdefault(name.strip(), value.strip("\x00 \t"))
    header.pop("", None)
    return header


def _payload(raw: bytes, start: int, count: int, path: Path) -> np.ndarray:
    """Read `count` float32 numbers after one that means nothing."""
    if raw.startswith(b"[Paramco32]"):
        check_unpacked(4 * count, path, "the header")
        # No more is unpacked than the header asks for, whatever the stream holds.
        body = zlib.decompressobj().decompress(raw[start:], 4 * (count + 1))
    else:
        body = raw[start : start + 4 * (count + 1)]
    values = np.frombuffer(body[: len(body) // 4 * 4], dtype="<f4")[1:]
    if len(values) < count:
        raise StackError(f"{path}: the file holds {len(values)} values instead of {count}: it is cut off.")
    return values.astype(np.float32)


def number(header: Mapping[str, str], what: str, path: Path, default: float | None = None) -> float:
    """Return a header value by any of the names it goes by."""
    for key in _KEYS[what]:
        if key in header:
            try:
                value = float(with_points(header[key]))
            except ValueError:
                break
            if math.isfinite(value) and abs(value) < 1e12:
                return value
            break
    else:
        if default is not None:
            return default
    raise StackError(f"{path}: the header value {_KEYS[what][0]!r} is missing or damaged.")


def whole(header: Mapping[str, str], what: str, path: Path) -> int:
    """Return a header value as a positive whole number."""
    value = number(header, what, path)
    if not (value.is_integer() and 0 < value <= 16384):
        raise StackError(f"{path}: the header claims {what} = {value:g}.")
    return int(value)


def current_factor(header: Mapping[str, str], path: Path) -> float | None:
    """Ampere per number of the converter; None if the header does not say it."""
    bits = re.match(r"(\d+)\s*bit", header.get("DAC-Type", ""))
    constant_height = number(header, "constant height", path, 0.0) != 0
    gain = "constant height preamplifier" if constant_height else "preamplifier"
    if bits is None or _KEYS[gain][0] not in header or not 8 <= int(bits[1]) <= 32:
        return None
    return float(20.0 / 2 ** int(bits[1]) * 10.0 ** -number(header, gain, path))


def height_factor(header: Mapping[str, str], path: Path) -> float:
    """Nm per number of the converter: the header's factor is that of gain 1."""
    return number(header, "z", path) * 0.1 * number(header, "gain z", path, 1.0)


def lateral_factor(header: Mapping[str, str], path: Path) -> float:
    """Nm per number of the converter along x and y."""
    return number(header, "xy", path) * 0.1 * number(header, "gain x", path, 1.0)


def _scale(header: Mapping[str, str], name: str, path: Path) -> tuple[float, str]:
    if name.startswith("Z"):
        return height_factor(header, path), "nm"
    if name.startswith("Current"):
        factor = current_factor(header, path)
        return (1.0, "DAC") if factor is None else (factor, "A")
    return 1.0, "DAC"


def _names(header: Mapping[str, str], count: int, path: Path) -> list[str]:
    """Forward images come first, then as many backward ones; the bits of `Channelselectval` name them."""
    selected = int(number(header, "selected", path, 0.0))
    if selected <= 0:
        half = count // 2 if count % 2 == 0 else count
        forward = ["Z", *(f"ADC {index}" for index in range(1, half))]
    else:
        bits = [bit for bit in range(24) if selected >> bit & 1]
        forward = [{0: "Z", 1: "Current"}.get(bit, f"ADC {bit - 1}") for bit in bits]
    if count == len(forward):
        return forward
    if count == 2 * len(forward):
        return [*forward, *(f"{name} [bwd]" for name in forward)]
    raise StackError(
        f"{path}: the file holds {count} images, but its header selects {len(forward)} channels "
        f"({', '.join(forward)}): what they are cannot be told."
    )


def _same_frame(first: Image, other: Image) -> None:
    shapes = [next(iter(image.planes.values())).shape for image in (first, other)]
    if shapes[0] != shapes[1]:
        raise StackError(
            f"{other.path}: the image has other pixels than {first.path.name}, so they are no stack."
        )
    for what in ("width", "height", "angle", "offset x", "offset y"):
        one, two = (number(image.header, what, image.path, 0.0) for image in (first, other))
        allowed = 0.05 if what == "angle" else 10 * min(first.pixel_nm)  # lengths in Å
        if what.startswith("offset") and "Dacto[A]xy" in first.header:
            allowed /= 10 * abs(lateral_factor(first.header, first.path)) or 1.0
        if abs(one - two) > allowed:
            raise StackError(
                f"{other.path}: its {what} differs from {first.path.name}, so they are no stack."
            )
