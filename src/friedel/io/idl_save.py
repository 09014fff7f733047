"""IDL save files: NISTview's images (`.NVI`) and layers (`.NVL`), and arrays that IDL programs saved (`.sav`).

SciPy reads them. They hold numbers, but no axes whose unit is stated, so that bias and pixel size are asked for. No
public file of NISTview was at hand: the names of its fields are those that a public reader uses.
"""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.arrays import Choice, stack_from_array
from friedel.io.axes import AxesMissing
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_COMPRESSED = b"SR\x00\x06"
#: A record begins with its type, the place of the next one as two halves, and a word that means nothing.
_RECORD = struct.Struct(">iII4x")
_END = 6
_IMAGE, _LAYERS, _ENERGIES = "imagetosave.currentdata", "savestructure.fwddata", "savestructure.energies"
_DEEPEST = 8


def read(
    path: Path, *, bias: Any = None, pixel_nm: Any = None, axes: str | None = None, dataset: str | None = None
) -> xr.Dataset:
    """Open an IDL save file; see `friedel.io.open_stack`."""
    from scipy.io import readsav

    _check_records(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about records that hold no variable
        content = readsav(str(path), python_dict=True)
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for name, value in content.items():
        _gather(str(name), value, arrays, facts)
    known = next((name for name in (_LAYERS, _IMAGE) if dataset is None and name in arrays), dataset)
    choice = Choice.of({name: array.shape for name, array in arrays.items()}, known, path)
    array = arrays[choice.name]
    common: dict[str, Any] = {
        "header": facts,
        "instrument": "NISTview" if known in (_IMAGE, _LAYERS) else "IDL",
    }
    if choice.name == _IMAGE and bias is None and pixel_nm is not None:
        return make_stack({}, images={"Z": array}, bias_mv=np.nan, pixel_nm=pixel_nm, **common)
    try:
        return stack_from_array(
            array, path, name=choice.name, bias=bias, pixel_nm=pixel_nm, axes=axes, **common
        )
    except AxesMissing as error:
        energies = arrays.get(_ENERGIES)
        if energies is None or "bias" not in error.missing:
            raise
        ends = f"{float(energies.flat[0]):g} to {float(energies.flat[-1]):g}"
        raise AxesMissing(
            f"{error} Its own energies run from {ends}, in a unit that it does not state.",
            error.missing,
            error.arrays,
        ) from None


def _check_records(path: Path) -> None:
    """Follow the chain of records: SciPy goes wherever a damaged one points, back to the beginning too."""
    raw = path.read_bytes()
    if raw.startswith(_COMPRESSED):
        raise StackError(f"{path}: this IDL save file is compressed: save it without /COMPRESS.")
    place = 4
    while place + _RECORD.size <= len(raw):
        kind, low, high = _RECORD.unpack_from(raw, place)
        if kind == _END:
            return
        following = low + (high << 32)
        if not place + _RECORD.size <= following <= len(raw):
            break
        place = following
    raise StackError(f"{path}: the file is cut off or damaged: its records do not lead to its end.")


def _gather(
    name: str, value: Any, arrays: dict[str, np.ndarray], facts: dict[str, Any], depth: int = 0
) -> None:
    """Sort numbers with axes from single facts; the fields of a structure are named after it."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        if value.size == 1 and depth < _DEEPEST:
            record = value.reshape(-1)[0]
            for field in value.dtype.names:
                _gather(f"{name}.{field.lower()}", record[field], arrays, facts, depth + 1)
    elif isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "fiuc":
        arrays[name] = value
    elif isinstance(value, bytes):
        facts[name] = value.decode("latin-1")
    elif isinstance(value, (str, int, float, np.number)):
        facts[name] = value.item() if isinstance(value, np.number) else value
