"""Formats that no magic number marks: what their first bytes must fulfil."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

#: A format is recognised within this many bytes.
HEAD = 4096
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr store."""
    return path.is_dir() and any((path / mark).is_file() for mark in _ZARR_MARKS)


def igor_checksum(head: bytes) -> bool:
    """Igor makes the 16-bit words of a version-5 header add up to zero."""
    if len(head) < 384:
        return False
    order = "<" if head[0] else ">"
    words: tuple[int, ...] = struct.unpack(f"{order}192h", head[:384])
    return sum(words) & 0xFFFF == 0


def qpi_text(head: bytes, _path: Path) -> bool:
    """Row 1 is ``resolution scatterers``, row 2 that many coordinates (possibly cut by `HEAD`)."""
    lines = head.decode("ascii", errors="replace").splitlines()
    if len(lines) < 2:
        return False
    first = lines[0].replace(",", " ").split()
    try:
        numbers = [float(word) for word in first]
        cut_off = len(lines) == 2 and len(head) >= HEAD  # its last number may have lost digits
        second = [float(word) for word in lines[1].replace(",", " ").split()[: -1 if cut_off else None]]
    except ValueError:
        return False
    if len(numbers) < 2 or len(second) < 2:
        return False
    resolution, places = numbers[:2]
    if not (resolution >= 2 and resolution.is_integer() and places >= 1 and places.is_integer()):
        return False
    if any(numbers[2:]):
        return False
    # A table that begins with two numbers is no dataset: its second row holds a coordinate per pixel.
    counts = [len(line.replace(",", " ").split()) for line in lines]
    cut = len(head) >= HEAD
    if len(lines) > 2 or not cut:
        steps = np.diff(second[: int(resolution)])
        return (
            counts[1] >= resolution
            and bool(np.allclose(steps, steps[:1], rtol=1e-2, atol=1e-3))
            and (cut or (len(counts) > 2 and counts[2] >= resolution**2))
        )
    return True
