"""NumPy arrays (`.npy`, `.npz`): numbers without axes, so the user names bias and pixel.

An `.npz` may hold ``bias`` [mV] and ``pixel_nm`` beside its arrays; then nothing has to be asked.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io.arrays import Choice, stack_from_array

#: A compressed archive may not unfold to more than this [bytes].
LIMIT = 16 << 30


def read(
    path: Path, *, bias: Any = None, pixel_nm: Any = None, axes: str | None = None, dataset: str | None = None
) -> xr.Dataset:
    """Open a `.npy` or `.npz` file; see `friedel.io.open_stack`. Pickled objects are refused."""
    with path.open("rb") as file:
        archive = file.read(4) == b"PK\x03\x04"
    if not archive:
        # Mapped, so that a header that claims more than the file holds fails before anything is allotted.
        return stack_from_array(
            np.load(path, mmap_mode="r", allow_pickle=False), path, bias=bias, pixel_nm=pixel_nm, axes=axes
        )
    with zipfile.ZipFile(path) as archive_file:
        members = [info for info in archive_file.infolist() if info.filename.endswith(".npy")]
        if not members:
            raise StackError(f"{path}: this archive holds no NumPy arrays.")
        if sum(info.file_size for info in members) > LIMIT:
            raise StackError(f"{path}: the archive unfolds to more than {LIMIT >> 30} GiB.")
        for info in members:
            _check(archive_file, info, path)
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    if bias is None and "bias" in found and found["bias"].ndim <= 1:
        bias = found["bias"]
    if pixel_nm is None and "pixel_nm" in found and found["pixel_nm"].size <= 2:
        values = [float(value) for value in np.atleast_1d(found["pixel_nm"])]
        pixel_nm = values[0] if len(values) == 1 else (values[0], values[1])
    choice = Choice.of({name: array.shape for name, array in found.items()}, dataset, path)
    return stack_from_array(
        found[choice.name], path, name=choice.name, bias=bias, pixel_nm=pixel_nm, axes=axes
    )


def _check(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """The array's own header may not claim more than the archive's entry holds."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(file)
        if dtype.hasobject:
            raise StackError(
                f"{path}: {info.filename} holds Python objects, which are not opened: they could run code."
            )
        size = dtype.itemsize
        for length in shape:
            size *= int(length)
        if size > info.file_size:
            raise StackError(
                f"{path}: {info.filename} claims {size} bytes, but the archive holds {info.file_size}."
            )
