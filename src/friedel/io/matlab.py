"""MATLAB files (`.mat`): bare arrays; version 5 with SciPy, version 7.3 (which is HDF5) with h5py.

MATLAB says nothing about axes, and groups put the bias first or last: the user names the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.arrays import Choice, stack_from_array
from friedel.io.axes import AxesMissing
from friedel.io.limits import check_unpacked
from friedel.io.matlab_check import check_parts

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

#: deflate cannot pack more than about 1032 bytes into one.
_MOST_PACKED = 1100


def read(
    path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None, axes: str | None = None
) -> xr.Dataset:
    """Open a `.mat` file; see `friedel.io.open_stack`."""
    with path.open("rb") as file:
        head = file.read(128)
    found: tuple[str, np.ndarray] | list[str]
    if b"MATLAB 7.3" in head or b"HDF5" in head:
        found, structs = _new(path, dataset)
        if structs:
            from friedel.io import matlab_struct

            return matlab_struct.stack_of_structs(structs, path, bias=bias, pixel_nm=pixel_nm)
    else:
        old = _old(path, dataset)
        if isinstance(old, list):
            from friedel.io import matlab_struct

            return matlab_struct.read(path, old, bias=bias, pixel_nm=pixel_nm, dataset=dataset)
        found = old
    name, array = found
    if axes is None and array.ndim == 3:
        shape = "×".join(map(str, array.shape))
        asked = {"bias": bias, "pixel_nm": pixel_nm}
        raise AxesMissing(
            f"{path}: the array {name!r} ({shape}) does not say which axis is the bias: give axes, "
            "for example yxb if the bias is last.",
            (*(name for name, value in asked.items() if value is None), "axes"),
            {name: array.shape},
        )
    return stack_from_array(
        array, path, name=name, bias=bias, pixel_nm=pixel_nm, axes=axes, instrument="MATLAB"
    )


def _old(path: Path, dataset: str | None) -> tuple[str, np.ndarray] | list[str]:
    from scipy import io

    check_parts(path)
    size = path.stat().st_size
    shapes = {}
    structs = []
    for name, shape, kind in io.whosmat(str(path)):
        if kind == "struct":
            structs.append(name)
        if kind in (
            "double",
            "single",
            "int8",
            "uint8",
            "int16",
            "uint16",
            "int32",
            "uint32",
            "int64",
            "uint64",
        ):
            shapes[name] = tuple(int(n) for n in shape)
    if dataset is not None and dataset not in shapes:
        dataset = dataset.partition(".")[0]
    if structs and (
        dataset in structs or not any(len(shape) >= 2 and min(shape) > 1 for shape in shapes.values())
    ):
        return structs
    choice = Choice.of(shapes, dataset, path)
    claimed = 1
    for length in shapes[choice.name]:
        claimed *= length
    if claimed > _MOST_PACKED * size:
        raise StackError(
            f"{path}: the array {choice.name!r} claims {claimed} values, the file has {size} bytes."
        )
    check_unpacked(8 * claimed, path, f"the array {choice.name!r}")
    array = io.loadmat(str(path), variable_names=[choice.name])[choice.name]
    if array.shape != shapes[choice.name]:
        raise StackError(f"{path}: the array {choice.name!r} is damaged.")
    return choice.name, array


def _new(path: Path, dataset: str | None) -> tuple[tuple[str, np.ndarray], dict[str, dict[str, Any]]]:
    """The chosen array, or the structs if the choice is one of them or the file holds no array of several axes."""
    import h5py

    from friedel.io.hdf5 import load, open_file

    with open_file(path) as file:
        arrays = {
            n: i for n, i in file.items() if isinstance(i, h5py.Dataset) and i.dtype.kind in "fiu" and i.shape
        }
        # HDF5 shows MATLAB's axes in reverse.
        shapes = {name: item.shape[::-1] for name, item in arrays.items()}
        groups = {n: i for n, i in file.items() if isinstance(i, h5py.Group) and not n.startswith("#")}
        wanted = None if dataset is None or dataset in shapes else dataset.partition(".")[0]
        if wanted in groups:
            groups = {wanted: groups[wanted]}
        elif any(len(shape) >= 2 and min(shape) > 1 for shape in shapes.values()):
            groups = {}
        if groups:
            return ("", np.array([])), {name: _struct(group, path) for name, group in groups.items()}
        choice = Choice.of(shapes, dataset, path)
        return (choice.name, load(arrays[choice.name], path).T), {}


def _struct(group: Any, path: Path) -> dict[str, Any]:
    """Fields of a struct: numbers, and texts, which MATLAB keeps as 16-bit numbers."""
    import h5py

    from friedel.io.hdf5 import load

    fields: dict[str, Any] = {}
    for name, item in group.items():
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or not item.shape:
            fields[name] = np.array([], dtype=object)  # cells and structs within are listed only
        elif item.attrs.get("MATLAB_class") == b"char":
            fields[name] = "".join(map(chr, item[()].ravel())) if item.size < 10_000 else ""
        elif "MATLAB_empty" in item.attrs:
            fields[name] = np.array([])
        else:
            # Voltages and places are few; they keep all their digits.
            fields[name] = item[()].T if item.size < 100_000 else load(item, path).T
    return fields
