"""NumPy arrays (`.npy`, `.npz`): numbers without axes, so the user names bias and pixel.

An `.npz` may hold ``bias`` [mV] and ``pixel_nm`` beside its arrays; then nothing has to be asked. A number
``separate_scans`` other than zero says that its maps are scans of their own.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.arrays import Choice, stack_from_array
from friedel.io.limits import check_unpacked

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


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
        shapes = {info.filename.removesuffix(".npy"): _check(archive_file, info, path) for info in members}
        by_name = {info.filename.removesuffix(".npy"): info for info in members}

        def load(name: str) -> np.ndarray:
            check_unpacked(by_name[name].file_size, path, f"the array {name!r}")
            with archive_file.open(by_name[name]) as file:
                return np.lib.format.read_array(file, allow_pickle=False)

        if bias is None and "bias" in shapes and len(shapes["bias"]) <= 1:
            bias = load("bias")
        if pixel_nm is None and "pixel_nm" in shapes and int(np.prod(shapes["pixel_nm"])) <= 2:
            values = [float(value) for value in np.atleast_1d(load("pixel_nm"))]
            pixel_nm = values[0] if len(values) == 1 else (values[0], values[1])
        separate = shapes.get("separate_scans") == () and bool(load("separate_scans"))
        choice = Choice.of(shapes, dataset, path)
        array = load(choice.name)
    return stack_from_array(
        array, path, name=choice.name, bias=bias, pixel_nm=pixel_nm, axes=axes, separate_scans=int(separate)
    )


def _check(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> tuple[int, ...]:
    """Shape of an array, whose own header may not claim more than the archive's entry holds."""
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
    return tuple(int(length) for length in shape)
