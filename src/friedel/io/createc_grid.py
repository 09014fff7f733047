"""Createc grids (`.specgrid`): a header of 256 words, the table of the sweep, then all spectra.

The size of the area is in the image beside it (`.specgrid.dat`). The channels are the numbers of the converter: their
scale and their order are not in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io import createc
from friedel.io.axes import bias_axis, pixel_pair
from friedel.io.lazy import Records, sweep_variable
from friedel.stack import make_stack

_WORDS = 256


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a `.specgrid` file; see `friedel.io.open_stack`."""
    size = path.stat().st_size
    if size < 4 * _WORDS:
        raise StackError(f"{path}: the file is cut off within its header.")
    words = np.fromfile(path, "<i4", _WORDS).astype(int)
    version, points, channels = int(words[0]), int(words[7]), int(words[14])
    rows, columns = _shape(words)
    width = 3 if version > 4 else 2  # later versions keep a third number for every point of the sweep
    if not (0 < points < 1 << 20 and 0 < channels <= 64 and 0 < rows < 1 << 15 and 0 < columns < 1 << 15):
        raise StackError(
            f"{path}: the header is damaged ({columns}×{rows} spectra of {points} × {channels} values)."
        )
    offset = 4 * (_WORDS + width * points)
    length = points * channels
    acquired = min(max(size - offset, 0) // (4 * length), rows * columns)
    if acquired < 1:
        raise StackError(f"{path}: the file ends before its first spectrum.")
    table = np.fromfile(path, "<f4", width * points, offset=4 * _WORDS).reshape(points, width)
    axis = table[:, 0].astype(float)
    keep = np.arange(points)
    if not np.isfinite(axis).all() or np.abs(axis).max() > 1e5:
        raise StackError(f"{path}: the table of the sweep is damaged.")
    if len(np.unique(axis)) < points:
        turn = int(np.argmax(np.abs(axis - axis[0])))
        if len(np.unique(axis[: turn + 1])) < turn + 1 or turn < 1:
            raise StackError(f"{path}: the sweep visits a voltage several times; this cannot be told apart.")
        keep = keep[: turn + 1]  # there and back: the way there
    records = Records(path, offset, length, (rows, columns), acquired, "<f4")
    return make_stack(
        {f"ADC {c}": sweep_variable(records, keep * channels + c) for c in range(channels)},
        bias_mv=axis[keep] if bias is None else bias_axis(bias, len(keep)),
        pixel_nm=_pixel(path, rows, columns) if pixel_nm is None else pixel_pair(pixel_nm),
        units={f"ADC {c}": "DAC" for c in range(channels)},
        header={"version": version, "words": words[:32].tolist()},
        instrument="Createc",
        y_direction=-1,
        acquired=acquired,
        expected=rows * columns,
    )


def _shape(words: np.ndarray) -> tuple[int, int]:
    """Image pixels over grid steps, or the corners where a version keeps no steps."""
    nx, ny, step_x, step_y = (int(words[i]) for i in (1, 2, 25, 26))
    if 0 < step_x <= nx and 0 < step_y <= ny:
        return ny // step_y, nx // step_x
    return int(words[21] - words[20]) + 1, int(words[19] - words[18]) + 1


def _pixel(path: Path, rows: int, columns: int) -> tuple[float, float]:
    beside = path.with_name(path.name + ".dat")
    if not beside.exists():
        raise StackError(
            f"{path}: the size of the area is in {beside.name}, which is not here: give the pixel size in nm.",
            settings="pixel_nm",
        )
    with beside.open("rb") as file:
        header = createc.parse(file.read(createc.HEADER))
    size = createc.number(header, "height", beside) * 0.1, createc.number(header, "width", beside) * 0.1
    return size[0] / rows, size[1] / columns
