"""Zarr stores (a folder): stacks with the axes bias, y and x, whose maps are read when they are touched."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io.lazy import converted
from friedel.io.limits import free_memory
from friedel.io.signatures import is_zarr
from friedel.io.stored import complete, restored, storable
from friedel.stack import DIMS

if TYPE_CHECKING:
    import os

_LONGEST = 1 << 24


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:  # noqa: ARG001 - as every adapter
    """Open a zarr store; see `friedel.io.open_stack`."""
    _need_zarr(path)
    _check(path)
    file = xr.open_dataset(path, engine="zarr", chunks=None, decode_times=False, cache=False)
    for name, variable in file.data_vars.items():
        if set(DIMS[1:]) <= set(variable.dims) <= set(DIMS) and variable.dtype.kind in "fiu":
            file[name] = converted(
                variable.variable, tuple(dim for dim in DIMS if dim in variable.dims), path
            )
    return complete(restored(file), path)


def write(stack: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a stack as a zarr store, without loss; an older store of this name is replaced when the new one is whole.

    Raises
    ------
    StackError
        If zarr is not installed, or the target is no zarr store.
    """
    target = Path(path)
    _need_zarr(target)
    if target.exists() and not (target.is_dir() and is_zarr(target)):
        raise StackError(f"{target}: there is something else of this name; it is not replaced.")
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.absolute().parent))
    try:
        storable(stack).to_zarr(beside / "new", mode="w", consolidated=False)
        if target.exists():
            target.rename(beside / "old")
        (beside / "new").rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _need_zarr(path: Path) -> None:
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise StackError(f"{path}: a zarr store needs the package zarr: pip install zarr.") from None


def _check(path: Path) -> None:
    """Hold the claimed sizes against what is possible: an axis is read whole, an empty store may claim any length."""
    import zarr

    for name, array in zarr.open_group(str(path), mode="r").arrays():
        if array.ndim == 1 and array.size > _LONGEST:
            raise StackError(f"{path}: the axis {name!r} claims {array.size} values; the store is damaged.")
        chunk = int(np.prod(array.chunks, dtype=float)) * array.dtype.itemsize
        if chunk > free_memory():
            raise StackError(
                f"{path}: one chunk of {name!r} claims {chunk / 2**30:.3g} GiB, more than the memory that is free."
            )
