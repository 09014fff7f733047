"""The formats that are written, by suffix, each with what it holds: help and refusals list them from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from friedel.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Stacks, see `friedel.write_stack`.
STACKS: dict[str, str] = {
    ".nc": "without loss",
    ".zarr": "without loss",
    ".gwy": "Gwyddion, all channels and images",
    ".npz": "NumPy, all channels",
    ".gsf": "Gwyddion, one image",
    ".ibw": "Igor, one channel",
    ".itx": "Igor, one channel",
}
#: Points that are read back, see `friedel.write_points`.
TABLES: dict[str, str] = {".csv": "csv", ".json": "json", ".xyz": "xyz"}
#: Points that are handed to other programs, see `friedel.io.handover`.
HANDED_OVER: dict[str, str] = {".roi": "imagej", ".txt": "nanonis"}
POINTS: dict[str, str] = TABLES | HANDED_OVER


def listed(suffixes: Mapping[str, str], before: str = "", *, told: bool = False) -> str:
    """The suffixes in words, for example ``OUT.csv, OUT.json or OUT.xyz``; if `told`, with what each holds."""
    words = [f"{before}{suffix}{f' ({what})' if told else ''}" for suffix, what in suffixes.items()]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def points_format(target: Path) -> str:
    """The format of points that are written under this name.

    Raises
    ------
    StackError
        If its suffix is of none.
    """
    if target.suffix.lower() not in POINTS:
        raise no_points_format(target)
    return POINTS[target.suffix.lower()]


def no_points_format(target: Path) -> StackError:
    """What is said of a name under which no points are written."""
    return StackError(f"{target}: points are written as {', '.join(POINTS)}, or as format='napari'.")
