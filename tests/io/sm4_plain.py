"""RHK `.sm4` pages by the published fields of the format, with `struct` alone: an oracle without spym's code."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PAGE_INDEX_HEADER, PAGE_INDEX_ARRAY, PAGE_HEADER, PAGE_DATA = 1, 2, 3, 4
SPEC_DRIFT_DATA, STRINGS = 8, 10


@dataclass(frozen=True)
class Plain:
    """One page: numbers as stored (rows of the file), their scale, and what the header says."""

    label: str
    line: bool
    stored: np.ndarray
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    bias: float
    backward: bool
    grid: tuple[int, int]
    places: np.ndarray | None

    @property
    def values(self) -> np.ndarray:
        return self.stored * np.float64(self.scale[2]) + self.offset[2]


def objects(raw: bytes, place: int, count: int) -> dict[int, tuple[int, int]]:
    found = {}
    for index in range(count):
        kind, offset, size = struct.unpack_from("<3I", raw, place + 12 * index)
        found.setdefault(kind, (offset, size))
    return found


def pages(path: Path) -> list[Plain]:
    raw = path.read_bytes()
    count = struct.unpack_from("<I", raw, 42)[0]
    head = objects(raw, 58, count)[PAGE_INDEX_HEADER][0]
    number, count = struct.unpack_from("<2I", raw, head)
    place = objects(raw, head + 16, count)[PAGE_INDEX_ARRAY][0]
    found = []
    for _ in range(number):
        kind, _, count = struct.unpack_from("<3I", raw, place + 16)
        own = objects(raw, place + 32, count)
        found.append(page(raw, kind == 1, own))
        place += 32 + 12 * count
    return found


def page(raw: bytes, line: bool, own: dict[int, tuple[int, int]]) -> Plain:
    at = own[PAGE_HEADER][0]
    size, strings = struct.unpack_from("<2H", raw, at)
    whole = struct.unpack_from("<3I2i2I3I I2i", raw, at + 4)
    columns, rows, direction = whole[5], whole[6], whole[8]
    x, y, z, _, x0, y0, z0, _, bias, _, _ = struct.unpack_from("<11f", raw, at + 56)
    _, grid_x, grid_y, count = struct.unpack_from("<4I", raw, at + 100)
    inner = objects(raw, at + size, count)
    stored = np.frombuffer(raw, "<i4", rows * columns, own[PAGE_DATA][0]).reshape(rows, columns)
    places = None
    if SPEC_DRIFT_DATA in inner:
        places = np.frombuffer(raw, "<f4", 7 * rows, inner[SPEC_DRIFT_DATA][0]).reshape(rows, 7)[:, 1:3]
    text = inner[STRINGS][0]
    length = struct.unpack_from("<H", raw, text)[0]
    label = raw[text + 2 : text + 2 + 2 * length].decode("utf-16-le").strip("\0 ") if strings else ""
    return Plain(label, line, stored, (x, y, z), (x0, y0, z0), bias, direction == 1, (grid_y, grid_x), places)
