"""netCDF: the format in which a stack loses nothing, and stacks that others wrote with the same axes.

Files with other axes go to the HDF5 adapter, which searches a spectral and two spatial axes.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError
from friedel.io import gxsm
from friedel.io.gxsm import is_gxsm
from friedel.io.lazy import hdf5_variable
from friedel.io.limits import LAZY
from friedel.io.stored import complete, restored, storable
from friedel.stack import DIMS

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable
    from pathlib import Path


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
    return complete(restored(stack), path)


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
    stack = storable(stack)
    encoding = {
        name: {"_FillValue": np.float32(np.nan)}
        for name, v in stack.data_vars.items()
        if v.dtype == np.float32
    }
    # The HDF5 library crashes where the disk is full, so it never sees the disk.
    content = stack.to_netcdf(engine="h5netcdf", encoding=encoding)
    with write_beside(path) as beside:
        beside.write_bytes(content)
