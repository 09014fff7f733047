"""Gwyddion files (`.gwy`): volumes ("bricks") are stacks, images are single bias planes.

The format is a tree of named components; it is walked here with every length held against the end of the file. Files of
Gwyddion 1 (`GWYO`) differ in their outermost container only. `friedel.io.gwyddion_write` writes them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import TO_MV, TO_NM, in_unit, need_axes, pixel_pair, split_images
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_NUMBERS = {"i": "<i", "q": "<q", "d": "<d"}
_ARRAYS = {"I": "<i4", "Q": "<i8", "D": "<f8"}
_MOST = 200_000
#: GTypes of Gwyddion 1's containers, as the letters of the later format.
_OLD_TYPES = {64: "s", 80: "o", 24: "i", 60: "d", 20: "b", 12: "c", 40: "q"}


class _Walker:
    """Reads components of a buffer; whatever does not fit raises `StackError`."""

    def __init__(self, buffer: bytes, path: Path) -> None:
        self.buffer = buffer
        self.path = path
        self.count = 0

    def damaged(self, what: str) -> StackError:
        return StackError(f"{self.path}: the file is cut off or damaged ({what}).")

    def take(self, place: int, count: int, end: int) -> int:
        """Return the end of `count` bytes from `place`, which must lie before `end`."""
        if count < 0 or place + count > end:
            raise self.damaged("a component reaches over the end")
        self.count += 1
        if self.count > _MOST:
            raise self.damaged("too many components")
        return place + count

    def text(self, place: int, end: int) -> tuple[str, int]:
        stop = self.buffer.find(b"\0", place, end)
        if stop < 0:
            raise self.damaged("a name does not end")
        self.take(place, stop - place, end)
        raw = self.buffer[place:stop]
        try:
            return raw.decode("utf-8"), stop + 1
        except UnicodeDecodeError:  # Gwyddion 1 wrote in the user's own alphabet
            return raw.decode("latin-1"), stop + 1

    def whole(self, place: int, end: int) -> tuple[int, int]:
        stop = self.take(place, 4, end)
        return int.from_bytes(self.buffer[place:stop], "little"), stop

    def object(self, place: int, end: int, depth: int = 0) -> tuple[dict[str, Any], int]:
        if depth > 20:
            raise self.damaged("objects lie too deep in each other")
        name, place = self.text(place, end)
        size, place = self.whole(place, end)
        stop = self.take(place, size, end)
        found: dict[str, Any] = {"": name}
        while place < stop:
            key, place = self.text(place, stop)
            letter = chr(self.buffer[place]) if place < stop else ""
            found[key], place = self.value(letter, place + 1, stop, depth)
        return found, stop

    def old_container(self, place: int, end: int) -> dict[str, Any]:
        name, place = self.text(place, end)
        size, place = self.whole(place, end)
        stop = self.take(place, size, end)
        found: dict[str, Any] = {"": name}
        while place < stop:
            kind, place = self.whole(place, stop)
            key, place = self.text(place, stop)
            found[key], place = self.value(_OLD_TYPES.get(kind, ""), place, stop, 0)
        return found

    def value(self, letter: str, place: int, end: int, depth: int) -> tuple[Any, int]:
        if letter == "o":
            return self.object(place, end, depth + 1)
        if letter == "s":
            return self.text(place, end)
        if letter in ("b", "c") and letter:
            stop = self.take(place, 1, end)
            return self.buffer[place], stop
        if letter in _NUMBERS:
            stop = self.take(place, struct.calcsize(_NUMBERS[letter]), end)
            return struct.unpack(_NUMBERS[letter], self.buffer[place:stop])[0], stop
        count, place = self.whole(place, end)
        if letter == "C":
            stop = self.take(place, count, end)
            return self.buffer[place:stop], stop
        if letter in _ARRAYS:
            kind = np.dtype(_ARRAYS[letter])
            stop = self.take(place, count * kind.itemsize, end)
            return np.frombuffer(self.buffer, kind, count, place), stop
        if letter in ("S", "O") and letter:
            values = []
            for _ in range(count):
                item, place = self.text(place, end) if letter == "S" else self.object(place, end, depth + 1)
                values.append(item)
            return values, place
        raise self.damaged(f"a component of unknown type {letter!r}")


@dataclass
class _Field:
    """A brick (bias, y, x) or an image (y, x) with what is known of its axes."""

    name: str
    values: np.ndarray
    unit: str
    bias_mv: np.ndarray | None
    pixel_nm: tuple[float, float] | None
    centre_nm: tuple[float, float]


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None) -> xr.Dataset:
    """Open a `.gwy` file; see `friedel.io.open_stack`."""
    buffer = path.read_bytes()
    walker = _Walker(buffer, path)
    if buffer[:4] == b"GWYP":
        tree, _ = walker.object(4, len(buffer))
    else:
        tree = walker.old_container(4, len(buffer))
        _base_units(tree)
    fields = [field for key, item in tree.items() if (field := _field(key, item, tree, path)) is not None]
    bricks = [field for field in fields if field.values.ndim == 3]
    images = [field for field in fields if field.values.ndim == 2]
    chosen = bricks or images
    if dataset is not None:
        chosen = [field for field in fields if field.name == dataset]
    if not chosen:
        listing = ", ".join(repr(field.name) for field in fields) or "nothing"
        raise StackError(
            f"{path}: there is no volume or image {dataset or ''!r} in this file; it holds {listing}."
        )
    first = chosen[0]
    same = [field for field in chosen if field.values.shape == first.values.shape and _agree(field, first)]
    if len(same) < len(chosen):
        names = ", ".join(repr(field.name) for field in chosen)
        raise StackError(
            f"{path}: several volumes or images of different axes: {names}. Name one.", settings="dataset"
        )
    pixel = pixel_nm or first.pixel_nm
    if first.values.ndim == 2:
        _, pixel = need_axes(f"{path}: this file", 0.0, pixel, 1)
        planes = {field.name: field.values for field in same}
        channels, flat, axis = split_images(planes, {field.name: field.unit for field in same}, bias)
    else:
        own = first.bias_mv if bias is None else bias
        axis, pixel = need_axes(f"{path}: this file", own, pixel, first.values.shape[0])
        channels = {field.name: field.values for field in same}
        flat = {f.name: f.values for f in images if f.values.shape == first.values.shape[1:]}
        flat = {name: values for name, values in flat.items() if name not in channels}
    return make_stack(
        channels,
        bias_mv=axis,
        pixel_nm=pixel_pair(pixel),
        units={field.name: field.unit for field in [*same, *images]},
        images=flat,
        header={key: value for key, value in tree.items() if isinstance(value, (str, int, float))},
        instrument="Gwyddion",
        scan_centre_x_nm=first.centre_nm[0],
        scan_centre_y_nm=first.centre_nm[1],
        y_direction=-1,  # Gwyddion's first line is the upper one
    )


def _agree(one: _Field, other: _Field) -> bool:
    if (one.bias_mv is None) != (other.bias_mv is None) or (one.pixel_nm is None) != (other.pixel_nm is None):
        return False
    bias = one.bias_mv is None or other.bias_mv is None or np.allclose(one.bias_mv, other.bias_mv)
    return bool(bias and (one.pixel_nm is None or np.allclose(one.pixel_nm, other.pixel_nm or 0)))


def _base_units(tree: dict[str, Any]) -> None:
    """Drop prefixes: Gwyddion 1 kept the unit of display (µm) beside numbers in the base unit (m)."""
    for field in tree.values():
        for unit in field.values() if isinstance(field, dict) else ():
            if isinstance(unit, dict) and unit.get("unitstr") in TO_NM:
                unit["unitstr"] = "m"


def _unit(item: dict[str, Any], key: str) -> str:
    unit = item.get(key)
    return str(unit.get("unitstr", "")) if isinstance(unit, dict) else ""


def _field(key: str, item: Any, tree: dict[str, Any], path: Path) -> _Field | None:
    if not isinstance(item, dict) or item.get("") not in ("GwyBrick", "GwyDataField"):
        return None
    brick = item[""] == "GwyBrick"
    if not brick and not key.endswith("/data"):
        return None  # masks and presentations
    try:
        shape = tuple(int(item[n]) for n in (("zres", "yres", "xres") if brick else ("yres", "xres")))
        values = np.asarray(item["data"]).reshape(shape)
        reals = [float(item[n]) for n in ("yreal", "xreal")]
        offsets = [float(item.get(n, 0.0)) for n in ("yoff", "xoff")]
    except (KeyError, ValueError, TypeError) as error:
        raise StackError(f"{path}: the image or volume {key!r} is damaged ({error}).") from None
    if min(shape) < 1 or not (np.isfinite(reals).all() and min(reals) > 0):
        raise StackError(f"{path}: the image or volume {key!r} claims an impossible size.")
    lateral = _unit(item, "si_unit_x" if brick else "si_unit_xy")
    pixel, centre = None, (0.0, 0.0)
    if lateral in TO_NM:
        factor = TO_NM[lateral]
        pixel = (reals[0] / shape[-2] * factor, reals[1] / shape[-1] * factor)
        middle = [offset + real / 2 for offset, real in zip(offsets, reals, strict=True)]
        centre = (middle[1] * factor, -middle[0] * factor)  # y counts downwards
    title = tree.get(f"{key}/title") or (item.get("title")) or " ".join(reversed(key.strip("/").split("/")))
    bias = _bias(item, shape[0]) if brick else None
    return _Field(str(title), values, _unit(item, "si_unit_w" if brick else "si_unit_z"), bias, pixel, centre)


def _bias(item: dict[str, Any], count: int) -> np.ndarray | None:
    """The z axis of a brick, if it is in volts: a calibration line, else even steps."""
    line = item.get("calibration")
    if isinstance(line, dict) and len(np.atleast_1d(line.get("data", ()))) == count:
        unit = _unit(line, "si_unit_y")
        return in_unit(line["data"], unit, TO_MV) if unit in TO_MV else None
    unit = _unit(item, "si_unit_z")
    if unit not in TO_MV:
        return None
    start, length = float(item.get("zoff", 0.0)), float(item.get("zreal", 0.0))
    return in_unit(start + length * (np.arange(count) + 0.5) / count, unit, TO_MV)
