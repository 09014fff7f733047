"""Createc images (`.dat`): header of `key=value` lines, then float32 images, since version 3 compressed.

Z is given in nm through the header's factor; the other channels are the numbers of the converter, because the format
does not say what was wired to it.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.stack import make_stack

HEADER = 16384
_KEYS = {
    "columns": ("Num.X",),
    "rows": ("Num.Y",),
    "channels": ("Channels",),
    "bias": ("Biasvolt[mV]", "BiasVolt.[mV]", "Biasvolt.[mV]"),
    "width": ("Length x[A]",),
    "height": ("Length y[A]",),
    "angle": ("Rotation",),
    "z": ("Dacto[A]z",),
}


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a Createc `.dat` image; see `friedel.io.open_stack`."""
    raw = path.read_bytes()
    header = parse(raw[:HEADER])
    columns, rows, channels = (_whole(header, key, path) for key in ("columns", "rows", "channels"))
    count = columns * rows * channels
    if raw.startswith(b"[Paramco32]"):
        # No more is unpacked than the header asks for, whatever the stream holds.
        unpacked = zlib.decompressobj().decompress(raw[HEADER:], 4 * (count + 1))
        values = np.frombuffer(unpacked[: len(unpacked) // 4 * 4], dtype="<f4")[1:]
    else:
        body = raw[HEADER + 4 :]
        values = np.frombuffer(body[: len(body) // 4 * 4], dtype="<f4")[:count]
    if len(values) < count:
        raise StackError(f"{path}: the file holds {len(values)} values instead of {count}: it is cut off.")
    planes = values.reshape(channels, rows, columns).astype(np.float32)
    names = _names(channels)
    factor = number(header, "z", path) * 0.1
    images = {name: planes[i] * np.float32(factor) for i, name in enumerate(names) if name.startswith("Z")}
    data = {name: planes[i][np.newaxis] for i, name in enumerate(names) if name not in images}
    width, height = number(header, "width", path) * 0.1, number(header, "height", path) * 0.1
    return make_stack(
        data,
        bias_mv=[number(header, "bias", path)],
        pixel_nm=(height / rows, width / columns),
        units={name: "nm" if name.startswith("Z") else "DAC" for name in names},
        images=images,
        header=header,
        instrument="Createc",
        scan_angle_deg=number(header, "angle", path),
        y_direction=-1,
    )


def parse(raw: bytes) -> dict[str, str]:
    """Parse ``key=value`` lines; of ``Num.X / Num.X=256`` the first name counts."""
    header: dict[str, str] = {}
    for line in raw.decode("cp1252", errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and len(key) < 80:
            header.setdefault(key.split(" / ")[0].strip(), value.strip("\x00 \t"))
    return header


def number(header: dict[str, str], what: str, path: Path) -> float:
    """Return a header value by any of the names it goes by."""
    for key in _KEYS[what]:
        if key in header:
            try:
                value = float(header[key])
            except ValueError:
                break
            if abs(value) < 1e12:
                return value
            break
    raise StackError(f"{path}: the header value {_KEYS[what][0]!r} is missing or damaged.")


def _whole(header: dict[str, str], what: str, path: Path) -> int:
    value = number(header, what, path)
    if not (value.is_integer() and 0 < value <= 16384):
        raise StackError(f"{path}: the header claims {what} = {value:g}.")
    return int(value)


def _names(count: int) -> list[str]:
    """Forward channels come first, then as many backward ones; the first of each is Z."""
    half = count // 2 if count % 2 == 0 else count
    forward = ["Z", *(f"ADC {index}" for index in range(1, half))]
    return forward if half == count else [*forward, *(f"{name} [bwd]" for name in forward)]
