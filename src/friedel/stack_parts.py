"""The axes and variables that `friedel.stack.make_stack` puts together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.arguments import numbers_of
from friedel.errors import SettingsError, StackError

if TYPE_CHECKING:
    import xarray as xr

#: Attributes of a stack that are texts, and those that are whole numbers; the others are numbers.
_TEXTS = ("instrument", "source", "sweep", "direction")
_WHOLE = ("y_direction", "acquired", "expected", "separate_scans")

#: What the axes of a stack are measured in, as it may be spelled.
_UNITS = {
    "bias": ("mV", "millivolt"),
    "y": ("nm", "nanometer", "nanometre"),
    "x": ("nm", "nanometer", "nanometre"),
}


def check_units(stack: xr.Dataset) -> None:
    """Raise `StackError` for an axis in another unit than the model's; one without a unit is taken to be in it."""
    for dim, names in _UNITS.items():
        unit = str(stack[dim].attrs.get("units") or names[0]).strip()
        if dim == "bias" and stack.attrs.get("sweep", "bias") != "bias":
            continue
        if unit not in names and unit.lower().removesuffix("s") not in names[1:]:
            raise StackError(
                f"The axis {dim!r} is in {unit!r}, not in {names[0]}: convert its values and set its attribute 'units' "
                f"to {names[0]!r}, or write the stack as netCDF and open it with friedel.open_stack, which converts."
            )


def pitch_of(pixel_nm: Any, pixels: int) -> tuple[float | None, float | None]:
    """The pitch along y and x [nm]; None for one spectrum at one point, which has none."""
    if pixel_nm is None and pixels == 1:
        return None, None
    try:
        pair = np.broadcast_to(np.asarray(pixel_nm, dtype=float), 2)
    except (TypeError, ValueError, OverflowError):
        pair = np.full(2, np.nan)
    if not (np.isfinite(pair).all() and (pair > 0).all()):
        raise StackError(f"The pixel size must be a positive length in nm, not {pixel_nm!r:.60}.")
    return float(pair[0]), float(pair[1])


def voltages_of(bias_mv: Any) -> np.ndarray:
    """The bias axis [mV]; raises `StackError` for what holds no numbers."""
    try:
        return numbers_of(bias_mv, "bias_mv", "voltages in mV")
    except SettingsError as error:
        raise StackError(error, settings=error.settings) from error


def attribute_of(name: str, value: Any) -> Any:
    """The value of an attribute of a stack, in the type that it is stored in; raises `StackError` for another."""
    if name in _TEXTS:
        if not isinstance(value, str):
            raise StackError(f"{name} of a stack must be a text, not {value!r:.60}.")
        return value
    if value is None and name.startswith("scan_centre"):
        return None
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        number = float(value)
        if name == "y_direction" and number not in (-1.0, 1.0):
            raise ValueError
        return int(number) if name in _WHOLE else number
    except (TypeError, ValueError, OverflowError):
        raise StackError(f"{name} of a stack must be a number, not {value!r:.60}.") from None


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
