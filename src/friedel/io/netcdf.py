"""netCDF: the format in which a stack loses nothing, and stacks that others wrote with the same axes.

Files with other axes go to the HDF5 adapter, which looks for a spectral and two spatial axes.
"""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError
from friedel.io.axes import TO_MV, TO_NM, in_unit
from friedel.stack import ATTRIBUTES, DIMS, channel_names, validate

_NAME = "friedel_name"


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, **options: Any) -> xr.Dataset:
    """Open a netCDF file; see `friedel.io.open_stack`. It is read whole, and closed."""
    with path.open("rb") as file:
        classic = file.read(3) == b"CDF"
    if not classic:
        from friedel.io.hdf5 import open_file, read_open

        with open_file(path) as plain:
            if not set(DIMS) <= set(plain):
                return read_open(plain, path, bias=bias, pixel_nm=pixel_nm, **options)
    else:
        # From memory: asked for the gigabytes that a damaged header claims, a file would allot them first.
        _check_classic(path.read_bytes(), path)
    engine = "scipy" if classic else "h5netcdf"
    source: Any = BytesIO(path.read_bytes()) if classic else path
    with xr.open_dataset(source, engine=engine, decode_times=False, cache=False) as file_:  # type: ignore[arg-type]
        stack = file_.load()
    if options:
        raise StackError(f"{path}: netCDF stacks take no option {', '.join(options)}.")
    stack = stack.rename({name: v.attrs[_NAME] for name, v in stack.data_vars.items() if v.attrs.get(_NAME)})
    for variable in stack.variables.values():
        variable.attrs.pop(_NAME, None)
        variable.encoding.clear()
    stack.encoding.clear()
    return _complete(stack, path)


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
    with write_beside(path) as beside:
        stack.to_netcdf(beside, engine="h5netcdf", encoding=encoding)


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
            stack[name] = variable.transpose(*[dim for dim in DIMS if dim in variable.dims]).astype(
                np.float32
            )
    if not channel_names(stack):
        raise StackError(f"{path}: there is no variable with the axes bias, y and x.")
    attrs = {**ATTRIBUTES, **stack.attrs}
    for dim in ("y", "x"):
        key = f"pixel_{dim}_nm"
        values = stack[dim].to_numpy()
        if key not in stack.attrs:
            steps = np.diff(values)
            if not len(steps) or not np.allclose(steps, steps[0], rtol=1e-3) or steps[0] <= 0:
                raise StackError(f"{path}: the axis {dim} is not evenly rising, so there is no pixel size.")
            attrs[key] = float(steps.mean())
    attrs.setdefault("frame_rows", stack.sizes["y"])
    attrs.setdefault("frame_columns", stack.sizes["x"])
    if not attrs["expected"]:
        first = stack[channel_names(stack)[0]].to_numpy()
        attrs["expected"] = int(first.shape[1] * first.shape[2])
        attrs["acquired"] = int(np.isfinite(first).all(axis=0).sum())
    stack.attrs = attrs
    return stack
