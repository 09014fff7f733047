"""Points for other programs: where to drive the tip, and what to draw on the picture."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError

if TYPE_CHECKING:
    import os

    import pandas as pd

_POINTS, _VERSION, _SUB_PIXEL = 10, 227, 128
_HEADER = 64


def write_tip_positions(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write tip positions as Nanonis takes them: one line per point, x and y in metres, separated by a tab.

    Parameters
    ----------
    table : pandas.DataFrame
        With `tip_x_nm` and `tip_y_nm`.
    path : path
        Replaced in one step.

    Raises
    ------
    StackError
        If the table lacks the columns, or a position is not known.
    """
    places = _columns(table, ("tip_x_nm", "tip_y_nm"), Path(path)) * 1e-9
    text = "X (m)\tY (m)\n" + "".join(f"{x:.9E}\t{y:.9E}\n" for x, y in places)
    with write_beside(path) as beside:
        beside.write_text(text, encoding="ascii", newline="\n")


def write_imagej_roi(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a multi-point region of ImageJ (`.roi`), in the pixels of the recorded array.

    Parameters
    ----------
    table : pandas.DataFrame
        With `row` and `column` [px], integer = pixel centre; ImageJ counts from the corner of the pixel.
    path : path
        Replaced in one step.

    Raises
    ------
    StackError
        If the table lacks the columns, is empty, or holds more points than the format counts.
    """
    target = Path(path)
    places = _columns(table, ("column", "row"), target) + 0.5
    if not 0 < len(places) <= 0xFFFF:
        raise StackError(f"{target}: a region of ImageJ holds 1 to 65535 points, not {len(places)}.")
    low = np.floor(places.min(axis=0)).astype(int)
    high = np.ceil(places.max(axis=0)).astype(int)
    if low.min() < -(1 << 15) or high.max() >= 1 << 15:
        raise StackError(f"{target}: the points lie outside what a region of ImageJ can hold.")
    head = bytearray(_HEADER)
    struct.pack_into(">4shBx", head, 0, b"Iout", _VERSION, _POINTS)
    struct.pack_into(">hhhhH", head, 8, low[1], low[0], high[1], high[0], len(places))
    struct.pack_into(">h", head, 50, _SUB_PIXEL)
    whole = np.floor(places - low).astype(">i2")
    with write_beside(target) as beside:
        beside.write_bytes(bytes(head) + whole.T.tobytes() + places.astype(">f4").T.tobytes())


def _columns(table: pd.DataFrame, names: tuple[str, str], path: Path) -> np.ndarray:
    missing = [name for name in names if name not in table]
    if missing:
        raise StackError(f"{path}: the table lacks the columns {', '.join(missing)}.")
    places = table[list(names)].to_numpy(dtype=float)
    if not np.isfinite(places).all():
        raise StackError(f"{path}: the position of a point is not known.")
    return places
