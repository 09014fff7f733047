"""Maps of the LabVIEW programs of several STM groups (`.1FL` over the bias, `.TFR` one image): fixed places, 16 bits.

Written from a public reader's layout. The format has no mark: its suffix and sizes that fit the file say what it is.
The numbers are those of the converter.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import bias_axis, pixel_pair
from friedel.io.lazy import lazy_variable
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_DATA = 2112


def fits(path: Path) -> bool:
    """Whether a file is as long as the sizes at the format's places say."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            columns, rows, layers = _sizes(file.read(_DATA))
    except (OSError, struct.error):
        return False
    needed = _DATA + 2 * columns * rows * layers
    return min(columns, rows, layers) > 0 and needed <= size < needed + (1 << 16)


def _sizes(head: bytes) -> tuple[int, int, int]:
    columns, rows = struct.unpack_from("<ii", head, 406)
    return columns, rows, struct.unpack_from("<h", head, 480)[0]


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a `.1FL` or `.TFR` file; see `friedel.io.open_stack`."""
    with path.open("rb") as file:
        head = file.read(_DATA)
    if len(head) < _DATA or not fits(path):
        raise StackError(
            f"{path}: the sizes in the header do not fit the file: it is cut off or of another kind."
        )
    columns, rows, layers = _sizes(head)
    setpoint, current = struct.unpack_from("<ff", head, 1046)
    (length,) = struct.unpack_from("<f", head, 1058)
    start, stop = struct.unpack_from("<ff", head, 1280)
    if pixel_nm is None and not 0 < length < 1e7:
        raise StackError(f"{path}: the header claims an area of {length:g} Å: give pixel_nm.")
    pitch = (length * 0.1 / columns,) * 2 if pixel_nm is None else pixel_pair(pixel_nm)
    header = {"bias_mv": setpoint, "current_na": current, "sweep_v": [start, stop]}
    count = columns * rows * layers

    def load() -> np.ndarray:
        values = np.fromfile(path, "<u2", count, offset=_DATA)
        if len(values) < count:
            raise StackError(f"{path}: the file has become shorter since it was opened; open it again.")
        return values.reshape(layers, rows, columns).astype(np.float32)

    common: dict[str, Any] = {
        "pixel_nm": pitch, "header": header, "instrument": "LabVIEW map", "y_direction": -1,
        "acquired": rows * columns, "expected": rows * columns,
    }  # fmt: skip
    if layers == 1:
        known = setpoint if bias is None else bias_axis(bias, 1)
        return make_stack({}, images={"Z": load()[0]}, units={"Z": "DAC"}, bias_mv=known, **common)
    axis = np.linspace(start, stop, layers) * 1e3 if bias is None else bias_axis(bias, layers)
    if not np.isfinite(axis).all() or np.abs(axis).max() > 1e5:
        raise StackError(f"{path}: the limits of the sweep are damaged ({start:g} to {stop:g} V).")
    variable = lazy_variable(("bias", "y", "x"), (layers, rows, columns), load)
    return make_stack({"dI/dV": variable}, units={"dI/dV": "DAC"}, bias_mv=axis, **common)
