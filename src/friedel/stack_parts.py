"""The axes and variables that `friedel.stack.make_stack` puts together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError

if TYPE_CHECKING:
    import xarray as xr


def pitch_of(pixel_nm: Any, pixels: int) -> tuple[float | None, float | None]:
    """The pitch along y and x [nm]; None for one spectrum at one point, which has none."""
    if pixel_nm is None and pixels == 1:
        return None, None
    try:
        pair = np.broadcast_to(np.asarray(pixel_nm, dtype=float), 2)
    except (TypeError, ValueError):
        pair = np.full(2, np.nan)
    if not (np.isfinite(pair).all() and (pair > 0).all()):
        raise StackError(f"The pixel size must be a positive length in nm, not {pixel_nm!r}.")
    return float(pair[0]), float(pair[1])


def axis_of(dim: str, count: int, pitch: float | None) -> tuple[str, np.ndarray, dict[str, Any]]:
    """A spatial axis from 0 on, for `xarray.Dataset`."""
    attrs: dict[str, Any] = {"units": "nm"}
    if count == 1 and pitch is not None:
        attrs["pitch_nm"] = pitch  # one coordinate alone has no step
    return dim, np.arange(count) * (pitch or 0.0), attrs


def variable_of(dims: tuple[str, ...], values: Any, units: str, name: str) -> xr.Variable:
    """A channel or an image; raises `StackError` for what holds no real numbers of these axes."""
    import xarray as xr

    if isinstance(values, xr.Variable):
        variable = values.copy(deep=False)
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            kind = "complex numbers: take the real part, the imaginary part or the modulus"
            raise StackError(f"{name!r} holds {kind if array.dtype.kind == 'c' else 'no real numbers'}.")
        if array.ndim != len(dims):
            raise StackError(f"{name!r} must have the axes ({', '.join(dims)}); it has {array.ndim} axes.")
        variable = xr.Variable(dims, array.astype(np.float32))
    variable.attrs["units"] = units
    return variable
