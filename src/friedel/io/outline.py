"""What describes a stack in one of our own netCDF files, without xarray, which takes longer to load than the rest.

`outline` answers only where it is sure that `friedel.open_stack` would open the same: the axes, units, names and
attributes are those that we write ourselves. In every other case it gives None, and the file is opened as a stack, with
a sentence on what is wrong.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from friedel.errors import FriedelError
from friedel.io.formats import identify
from friedel.io.limits import LAZY
from friedel.stack import ATTRIBUTES, DIMS, check

if TYPE_CHECKING:
    import h5py
    import xarray as xr

#: Units in which our own files state the axes.
_UNITS = {"bias": "mV", "y": "nm", "x": "nm"}
#: Values that are read at a time, to see that they can be read.
_AT_ONCE = 8 << 20


@dataclass(frozen=True, eq=False)
class OutlinedVariable:
    """Axes, attributes and type of a variable; the values of an axis, too.

    Parameters
    ----------
    dims : tuple of str
    attrs : dict
    dtype : numpy.dtype
    values : array, optional
        None for a channel or an image.
    """

    dims: tuple[str, ...]
    attrs: dict[str, Any]
    dtype: np.dtype[Any]
    values: np.ndarray | None = None

    def to_numpy(self) -> np.ndarray:
        """The values of an axis."""
        if self.values is None:
            raise TypeError("an outline holds no maps")
        return self.values

    def __getitem__(self, index: int) -> Any:
        return self.to_numpy()[index]


@dataclass(frozen=True, eq=False)
class Outline:
    """The part of an `xarray.Dataset` that the functions of `friedel.stack` ask for, without the maps.

    Parameters
    ----------
    coords, data_vars : dict of str to OutlinedVariable
    attrs : dict
    """

    coords: dict[str, OutlinedVariable]
    data_vars: dict[str, OutlinedVariable]
    attrs: dict[str, Any]

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every axis."""
        return {name: len(axis.to_numpy()) for name, axis in self.coords.items()}

    def __getitem__(self, name: str) -> OutlinedVariable:
        return self.coords[name] if name in self.coords else self.data_vars[name]


def outline(path: str | Path) -> xr.Dataset | None:
    """Describe a stack in one of our own netCDF files.

    Parameters
    ----------
    path : path

    Returns
    -------
    Outline or None
        To be taken as the stack where no maps are asked for; None if the file has to be opened.

    Raises
    ------
    StackError
        If the file is cut off, or the HDF5 library does not come back from it.
    """
    target = Path(path).expanduser()
    try:
        if not target.is_file():
            return None
        chosen = identify([target])
    except OSError:
        return None
    if chosen is None or chosen.name != "netcdf":
        return None
    with target.open("rb") as file:
        if not file.read(8).startswith(b"\x89HDF"):
            return None
    from friedel.io.hdf5 import open_file

    with open_file(target) as plain:
        try:
            found = _outlined(plain, target)
            # What asks for an outline asks for no more than an outline has.
            return None if found is None else check(cast("xr.Dataset", found))
        except (FriedelError, OSError, ValueError, TypeError, KeyError, RuntimeError):
            return None


def _outlined(file: h5py.File, path: Path) -> Outline | None:
    import h5py

    if any(not isinstance(item, h5py.Dataset) for item in file.values()) or not set(DIMS) <= set(file):
        return None
    attrs = _attributes(dict(file.attrs))
    coords = {dim: _axis(file[dim], dim) for dim in DIMS}
    if attrs is None or any(axis is None for axis in coords.values()):
        return None
    attrs["source"] = attrs["source"] or str(path)
    variables: dict[str, OutlinedVariable] = {}
    for name, item in file.items():
        if name in DIMS:
            continue
        variable = _variable(item)
        if variable is None:
            return None
        variables[str(variable.attrs.get("friedel_name", name))] = variable
    axes = {name: axis for name, axis in coords.items() if axis is not None}
    return Outline(axes, variables, attrs)


def _attributes(given: dict[str, Any]) -> dict[str, Any] | None:
    """The attributes of a stack, all of the types that we write; else None."""
    found = dict(given)
    for name, default in ATTRIBUTES.items():
        value = given.get(name)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(default, str):
            if not isinstance(value, str):
                return None
        elif not isinstance(value, (int, float, np.number)) or not math.isfinite(float(value)):
            return None
        else:
            found[name] = type(default)(value)
    if found["y_direction"] not in (-1, 1) or not found["expected"] or found["sweep"] != "bias":
        return None
    json.loads(found["header"])
    return found


def _axis(item: h5py.Dataset, dim: str) -> OutlinedVariable | None:
    attrs = dict(item.attrs)
    if item.ndim != 1 or item.dtype.kind != "f" or attrs.get("units") != _UNITS[dim] or _packed(attrs):
        return None
    return OutlinedVariable((dim,), attrs, item.dtype, item[()])


def _variable(item: h5py.Dataset) -> OutlinedVariable | None:
    """A channel or an image of 32-bit numbers, which can be read; else None."""
    dims = tuple(
        item.dims[index][0].name.strip("/") if len(item.dims[index]) else "" for index in range(item.ndim)
    )
    attrs = dict(item.attrs)
    if (
        dims not in (DIMS, DIMS[1:])
        or item.dtype != np.float32
        or _packed(attrs)
        or not item.id.get_storage_size()
    ):
        return None
    if item.nbytes <= LAZY:
        step = max(1, _AT_ONCE // max(item.nbytes // max(item.shape[0], 1), 1))
        for start in range(0, item.shape[0], step):
            item[start : start + step]
    return OutlinedVariable(dims, attrs, item.dtype)


def _packed(attrs: dict[str, Any]) -> bool:
    return bool({"scale_factor", "add_offset"} & set(attrs))
