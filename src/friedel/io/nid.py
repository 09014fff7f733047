"""Nanosurf images (`.nid`): sections of `key=value` lines, then whole numbers of every channel in turn.

Written from the description of the format and public readers; the numbers of a channel span the range in its section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import TO_MV, TO_NM, factor_of, split_images, with_points
from friedel.io.nanonis_header import unique
from friedel.io.point_spectra import PointSpectra, stack_of_points
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_LIMIT = 4 << 20
_END = b"#!"


@dataclass(frozen=True)
class Channel:
    """One data set: shape (lines, points), values, and its axes' range and unit."""

    name: str
    group: int
    values: np.ndarray
    unit: str
    axes: tuple[
        tuple[float, float, str], tuple[float, float, str]
    ]  # (start, length, unit) of points and of lines


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None) -> xr.Dataset:
    """Open a `.nid` file; see `friedel.io.open_stack`. `dataset` names one of its groups."""
    sections, channels = load(path)
    images = [c for c in channels if factor_of(c.axes[0][2], TO_NM) is not None and min(c.values.shape) > 1]
    curves = [c for c in channels if factor_of(c.axes[0][2], TO_MV) is not None]
    if dataset is not None:
        images, curves = ([c for c in kind if c.name.startswith(dataset)] for kind in (images, curves))
    if images:
        shape = images[0].values.shape
        return _images([c for c in images if c.values.shape == shape], sections, bias)
    if curves:
        return _curves(curves, path, bias, pixel_nm)
    raise StackError(f"{path}: the file holds neither an image nor a spectrum over the bias.")


def load(path: Path) -> tuple[dict[str, dict[str, str]], list[Channel]]:
    """Read all channels."""
    with path.open("rb") as file:
        head = file.read(_LIMIT)
    end = head.find(_END)
    if end < 0:
        raise StackError(f"{path}: the header does not end (#! is missing); the file is cut off or damaged.")
    sections = _parse(head[:end].decode("cp1252", errors="replace"))
    order = sections.get("DataSet", {})
    offset, size, channels = end + len(_END), path.stat().st_size, []
    listed = [
        (int(found[1]), value)
        for key, value in order.items()
        if (found := re.fullmatch(r"Gr(\d+)-Ch\d+", key)) and value in sections
    ]
    if not listed:
        raise StackError(f"{path}: the header lists no channels.")
    names = unique([sections[name].get("Dim2Name", name) for _, name in listed])
    for (group, name), label in zip(listed, names, strict=True):
        channel, offset = _channel(sections[name], path, offset, size, group, label)
        channels.append(channel)
    return sections, channels


def _parse(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current[key.strip()] = with_points(value.strip())
    return sections


def _channel(
    section: dict[str, str], path: Path, offset: int, size: int, group: int, label: str
) -> tuple[Channel, int]:
    try:
        points, lines = int(section["Points"]), int(section["Lines"])
        bits = int(section.get("SaveBits", "16"))
        low, span = float(section["Dim2Min"]), float(section["Dim2Range"])
        axes = tuple(
            (float(section[f"Dim{d}Min"]), float(section[f"Dim{d}Range"]), section.get(f"Dim{d}Unit", ""))
            for d in (0, 1)
        )
    except (KeyError, ValueError) as error:
        raise StackError(f"{path}: the section of {label!r} in the header is damaged ({error}).") from None
    if bits not in (8, 16, 32) or not (0 < points <= 1 << 20 and 0 < lines <= 1 << 20):
        raise StackError(f"{path}: the section of {label!r} in the header is damaged.")
    count = points * lines
    stop = offset + count * bits // 8
    if stop > size:
        raise StackError(f"{path}: the file ends within the channel {label!r}: it is cut off.")
    raw = np.fromfile(path, f"<i{bits // 8}", count, offset=offset).reshape(lines, points)
    values = (low + span * (raw / 2.0**bits + 0.5)).astype(np.float32)
    return Channel(label, group, values, section.get("Dim2Unit", ""), (axes[0], axes[1])), stop


def _images(images: list[Channel], sections: dict[str, dict[str, str]], bias: Any) -> xr.Dataset:
    rows, columns = images[0].values.shape
    (x0, width, x_unit), (y0, height, y_unit) = images[0].axes
    fx, fy = TO_NM[x_unit], factor_of(y_unit, TO_NM) or TO_NM[x_unit]
    own = _tip_voltage(sections) if bias is None else bias
    planes = {channel.name: channel.values for channel in images}
    units = {channel.name: channel.unit for channel in images}
    channels, flat, axis = split_images(planes, units, own)
    return make_stack(
        channels,
        images=flat,
        units=units,
        bias_mv=axis,
        pixel_nm=(abs(height) * fy / rows, abs(width) * fx / columns),
        header={name: values for name, values in sections.items() if len(values) < 200},
        instrument="Nanosurf",
        scan_centre_x_nm=(x0 + width / 2) * fx,
        scan_centre_y_nm=(y0 + height / 2) * fy,
    )


def _tip_voltage(sections: dict[str, dict[str, str]]) -> float | None:
    for values in sections.values():
        for key, text in values.items():
            found = re.fullmatch(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(m?V)", text)
            if key.lower().replace("-", " ") in ("tip voltage", "gap voltage") and found:
                return float(found[1]) * TO_MV[found[2]]
    return None


def _curves(curves: list[Channel], path: Path, bias: Any, pixel_nm: Any) -> xr.Dataset:
    first = curves[0]
    same = [c for c in curves if c.values.shape == first.values.shape and c.axes[0] == first.axes[0]]
    start, length, unit = first.axes[0]
    axis = np.linspace(start, start + length, first.values.shape[1]) * TO_MV[unit]
    count = first.values.shape[0]
    if count > 1:
        raise StackError(f"{path}: {count} spectra whose positions the file does not tell; this is no map.")
    return stack_of_points(
        PointSpectra(
            where=str(path),
            axis=axis,
            values={channel.name: channel.values for channel in same},
            positions_nm=np.full((count, 2), np.nan),
            units={channel.name: channel.unit for channel in same},
            attributes={"instrument": "Nanosurf"},
        ),
        pixel_nm,
        bias,
    )
