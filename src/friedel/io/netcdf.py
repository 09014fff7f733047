"""netCDF: the format in which a stack loses nothing, and stacks that others wrote with the same axes.

Files with other axes go to the HDF5 adapter, which searches a spectral and two spatial axes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel._util.big_maps import read_parts
from friedel.errors import StackError
from friedel.geometry import know_truth, upgraded
from friedel.io import gxsm
from friedel.io.axes import TO_MV, TO_NM, in_unit
from friedel.io.gxsm import is_gxsm
from friedel.io.lazy import hdf5_variable
from friedel.stack import ATTRIBUTES, DIMS, channel_names, image_names, validate

_NAME = "friedel_name"
#: Channels of more bytes than this are read when they are touched.
LAZY = 128 << 20


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, **options: Any) -> xr.Dataset:
    """Open a netCDF file; see `friedel.io.open_stack`.

    A small file is read whole, and closed; of one beyond `LAZY` bytes a channel's maps are read when they are touched.
    """
    with path.open("rb") as file:
        classic = file.read(3) == b"CDF"
    if not classic:
        from friedel.io.hdf5 import open_file, read_open

        with open_file(path) as plain:
            if not set(DIMS) <= set(plain) and not is_gxsm(plain):
                return read_open(plain, path, bias=bias, pixel_nm=pixel_nm, **options)
    else:
        # From memory: asked for the gigabytes that a damaged header claims, a file would allot them first.
        _check_classic(path.read_bytes(), path)
    engine = "scipy" if classic else "h5netcdf"
    source: Any = BytesIO(path.read_bytes()) if classic else path
    with xr.open_dataset(source, engine=engine, decode_times=False, cache=False) as file_:  # type: ignore[arg-type]
        lazy = {} if classic else _lazy_channels(file_, path)
        stack = file_.drop_vars(list(lazy)).load().assign(lazy)
    if is_gxsm(stack.variables):
        return gxsm.read_open(stack, path, bias=bias, pixel_nm=pixel_nm)
    if options:
        raise StackError(f"{path}: netCDF stacks take no option {', '.join(options)}.")
    stack = stack.rename({name: v.attrs[_NAME] for name, v in stack.data_vars.items() if v.attrs.get(_NAME)})
    for variable in stack.variables.values():
        variable.attrs.pop(_NAME, None)
        variable.encoding.clear()
    stack.encoding.clear()
    return _complete(stack, path)


def _lazy_channels(file: xr.Dataset, path: Path) -> dict[Hashable, xr.Variable]:
    """Large channels of a netCDF-4 file, of the axes (bias, y, x) and 32-bit numbers, to be read in parts."""
    found: dict[Hashable, xr.Variable] = {}
    for name, data in file.data_vars.items():
        plain = not {"scale_factor", "add_offset"} & set(data.encoding)
        fill = data.encoding.get("_FillValue", np.nan)
        if data.dims == DIMS and data.dtype == np.float32 and plain and np.isnan(fill) and data.nbytes > LAZY:
            found[name] = hdf5_variable(path, str(name), (data.shape[0], data.shape[1], data.shape[2]))
            found[name].attrs.update(data.attrs)
    return found


def _check_classic(content: bytes, path: Path) -> None:
    """Hold the sizes that a netCDF-3 header claims against the file before anything is allotted."""
    from scipy.io import netcdf_file

    size = len(content)
    with netcdf_file(BytesIO(content)) as file:
        if sum(length or 0 for length in file.dimensions.values()) > size:
            raise StackError(f"{path}: the axes claim more values than the file has bytes.")
        total = sum(variable.data.nbytes for variable in file.variables.values())
    if total > 2 * size:
        raise StackError(f"{path}: the variables claim {total} bytes, the file has {size}.")


def write(stack: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a stack as netCDF-4, without loss.

    Parameters
    ----------
    stack : xarray.Dataset
    path : path
        Replaced in one step; an interrupted write leaves the old file.
    """
    validate(stack)
    stack = stack.copy(deep=False)
    names = {name: _safe(str(name), index) for index, name in enumerate(stack.data_vars)}
    for name, safe in names.items():
        if safe != name:
            stack[name] = stack[name].assign_attrs({_NAME: name})
    stack = stack.rename({name: safe for name, safe in names.items() if safe != name})
    stack.attrs = {name: _flat(value) for name, value in stack.attrs.items() if value is not None}
    encoding = {
        name: {"_FillValue": np.float32(np.nan)}
        for name, v in stack.data_vars.items()
        if v.dtype == np.float32
    }
    # The HDF5 library crashes where the disk is full, so it never sees the disk.
    content = stack.to_netcdf(engine="h5netcdf", encoding=encoding)
    with write_beside(path) as beside:
        beside.write_bytes(content)


def _safe(name: str, index: int) -> str:
    """Give a name that netCDF takes: no slash (``dI/dV``), no blank at an end, no name of an axis."""
    safe = name.replace("/", "_").strip()
    return name if safe == name and name and name not in DIMS else f"{safe or 'channel'}_{index}"


def _flat(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    return json.dumps(value, default=str) if isinstance(value, (dict, list, tuple)) else value


def _complete(stack: xr.Dataset, path: Path) -> xr.Dataset:
    """Bring a file of any writer into the model: order of axes, units, float32, attributes."""
    missing = [dim for dim in DIMS if dim not in stack.coords or stack[dim].ndim != 1]
    if missing:
        raise StackError(f"{path}: the axes {', '.join(missing)} are missing; a stack needs bias, y and x.")
    for dim, factors in zip(DIMS, (TO_MV, TO_NM, TO_NM), strict=True):
        unit = str(stack[dim].attrs.get("units", ""))
        if not unit:
            raise StackError(f"{path}: the axis {dim} states no units.")
        if dim == "bias" and str(stack.attrs.get("sweep", "bias")) != "bias":
            continue
        values = in_unit(stack[dim].to_numpy(), unit, factors)
        if not np.array_equal(values, stack[dim].to_numpy()):
            stack = stack.assign_coords({dim: (dim, values, {"units": "mV" if dim == "bias" else "nm"})})
    for name, variable in list(stack.data_vars.items()):
        if set(variable.dims) == set(DIMS) or set(variable.dims) == {"y", "x"}:
            if variable.dtype.kind not in "fiu":
                raise StackError(f"{path}: {str(name)!r} holds no real numbers (type {variable.dtype}).")
            order = tuple(dim for dim in DIMS if dim in variable.dims)
            if variable.dims != order or variable.dtype != np.float32:  # else a lazy channel would be read
                stack[name] = variable.transpose(*order).astype(np.float32)
    if not channel_names(stack) and not (image_names(stack) and stack.sizes["bias"] == 1):
        raise StackError(f"{path}: there is no variable with the axes bias, y and x.")
    stack = _upgrade(stack)
    return _counted(stack)


def _counted(stack: xr.Dataset) -> xr.Dataset:
    """The stack with the number of pixels that were acquired, if nothing tells it."""
    if stack.attrs["expected"]:
        return stack
    data = stack[(channel_names(stack) or image_names(stack))[0]]
    known = np.ones((stack.sizes["y"], stack.sizes["x"]), dtype=bool)
    for part in read_parts(data.shape) if data.ndim == 3 else (slice(None),):
        values = np.isfinite(data[part].to_numpy())
        known &= values.all(axis=0) if values.ndim == 3 else values
    stack.attrs.update(expected=known.size, acquired=int(known.sum()))
    return stack


def _upgrade(stack: xr.Dataset) -> xr.Dataset:
    """Bring the attributes of a file of any version and writer into the model.

    Raises
    ------
    StackError
        If an attribute is of a type that means nothing, for example an angle that is no number.
    """
    attrs = upgraded(stack.attrs)
    for name, default in ATTRIBUTES.items():
        value = attrs.get(name, default)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(default, str):
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        else:
            value = _number(name, value, type(default))
        attrs[name] = value
    if attrs["y_direction"] not in (-1, 1):
        raise StackError(f"The attribute 'y_direction' must be 1 or -1, not {attrs['y_direction']}.")
    try:
        json.loads(attrs["header"])
    except ValueError:
        attrs["header"] = json.dumps({"header": attrs["header"]})
    stack = stack.copy(deep=False)
    stack.attrs = attrs
    if "truth_row" in attrs and "truth_column" in attrs and "truth_x_nm" not in attrs:
        pixels = [np.atleast_1d(np.asarray(attrs[key], dtype=float)) for key in ("truth_row", "truth_column")]
        stack = know_truth(stack, np.column_stack(pixels))
    return stack


def _number(name: str, value: Any, kind: type) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number) or (kind is int and not number.is_integer()):
        raise StackError(f"The attribute {name!r} is damaged: {str(value)[:60]!r} is no number for it.")
    return kind(number)
