"""Createc grids (`.specgrid`): a header of 256 words, the table of the sweep, then all spectra.

The size of the area is in the image beside it (`.specgrid.dat`). The channels are the numbers of the converter: their
scale and their order are not in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io import createc
from friedel.io.axes import AxesMissing, bias_axis, pixel_pair
from friedel.io.createc_vert import branches
from friedel.io.lazy import Records, sweep_variable
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

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
    if not np.isfinite(axis).all() or np.abs(axis).max() > 1e5:
        raise StackError(f"{path}: the table of the sweep is damaged.")
    keep, _ = branches(axis)
    records = Records(path, offset, length, (rows, columns), acquired, "<f4")
    return make_stack(
        {f"ADC {c}": sweep_variable(records, keep * channels + c) for c in range(channels)},
        bias_mv=axis[keep] if bias is None else bias_axis(bias, len(keep)),
        pixel_nm=_pixel(path, words, rows, columns) if pixel_nm is None else pixel_pair(pixel_nm),
        units={f"ADC {c}": "DAC" for c in range(channels)},
        header={"version": version, "words": words[:32].tolist()},
        instrument="Createc",
        y_direction=-1,
        acquired=acquired,
        expected=rows * columns,
    )


def _shape(words: np.ndarray) -> tuple[int, int]:
    """The grid's count, or the corners where a version keeps none."""
    columns, rows = int(words[23]), int(words[24])
    if columns > 0 and rows > 0:
        return rows, columns
    return int(words[21] - words[20]) + 1, int(words[19] - words[18]) + 1


def _pixel(path: Path, words: np.ndarray, rows: int, columns: int) -> tuple[float, float]:
    """The step in image pixels, times the size of one of them."""
    beside = path.with_name(path.name + ".dat")
    if not beside.exists():
        raise AxesMissing(
            f"{path}: the size of the area is in {beside.name}, which is not here: give pixel_nm.",
            ("pixel_nm",),
            {"grid": (rows, columns)},
        )
    with beside.open("rb") as file:
        _, header = createc.split(file.read(2 * createc.HEADER))
    size = createc.number(header, "height", beside) * 0.1, createc.number(header, "width", beside) * 0.1
    steps = [
        (int(words[step]) / int(words[image]) if words[step] > 0 and words[image] > 0 else 1 / count)
        for step, image, count in ((26, 2, rows), (25, 1, columns))
    ]
    return size[0] * steps[0], size[1] * steps[1]
