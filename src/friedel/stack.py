"""The data model: a dI/dV stack is an `xarray.Dataset` with axes in mV and nm.

One variable per channel, dims ``(bias, y, x)``, native float32, NaN where nothing was acquired. Coordinates: `bias` in
mV (exact; uneven or descending is fine), `x` and `y` in nm in the scan frame. Pitch, origin and direction are those of
the coordinates and stand nowhere else, so that ``isel``, ``sel``, ``coarsen``, ``sortby`` and flips stay right. A file
as recorded has its origin at the centre of pixel (row 0, column 0), row 0 is the first line recorded, and y rises with
the row. Images taken with the grid (topograph) are ``(y, x)`` variables. A plain topograph is a stack of such images
alone; its one bias is the setpoint, NaN if the file does not say it. All attributes are flat: netCDF keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.normalise import normalise
from friedel.channels import (
    DIMS,
    channel_names,
    didv,
    didv_candidates,
    didv_channel,
    image_names,
    is_height,
    is_lock_in,
    setpoint_bias,
    topograph_name,
)
from friedel.errors import StackError
from friedel.geometry import (
    axis_step,
    pixel_pitch,
    row_direction,
    scan_position,
    tip_frame,
    tip_origin,
    tip_position,
    true_positions,
    turned_over,
)
from friedel.stack_parts import attribute_of, axis_of, check_units, pitch_of, variable_of, voltages_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "ATTRIBUTES",
    "DIMS",
    "Area",
    "axis_step",
    "channel_names",
    "crop",
    "didv",
    "didv_candidates",
    "didv_channel",
    "image_names",
    "is_height",
    "is_lock_in",
    "make_stack",
    "normalise",
    "pixel_pitch",
    "row_direction",
    "scan_position",
    "setpoint_bias",
    "tip_frame",
    "tip_position",
    "topograph_name",
    "topograph_stack",
    "true_positions",
    "turned_over",
    "validate",
]

#: Attributes of a stack and their defaults; the second line is the tip frame of `friedel.geometry`.
ATTRIBUTES: dict[str, Any] = {
    "instrument": "unknown",
    "source": "",
    "sweep": "bias",
    "tip_origin_x_nm": 0.0,
    "tip_origin_y_nm": 0.0,
    "scan_angle_deg": 0.0,
    "y_direction": 1,
    "acquired": 0,
    "expected": 0,
    "direction": "forward",
    "separate_scans": 0,
    "header": "{}",
}
#: Where the middle of the field lies, for readers whose files say that; kept as the tip frame's origin.
_CENTRE = ("scan_centre_x_nm", "scan_centre_y_nm")

Area = tuple[tuple[int, int], tuple[int, int]]


def make_stack(
    channels: Mapping[str, Any],
    *,
    bias_mv: Any,
    pixel_nm: float | tuple[float, float] | None,
    units: Mapping[str, str] | None = None,
    images: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a stack from arrays.

    Parameters
    ----------
    channels : mapping of str to array
        Name to array of shape (bias, y, x); empty for a plain topograph. An `xarray.Variable` is kept as it
        is, so that a lazily read file is not read here; give `acquired` and `expected` with it.
    bias_mv : array, shape (bias,)
        Exact bias voltages [mV]; NaN for images whose bias is not known.
    pixel_nm : float or (float, float), optional
        Pixel pitch [nm]; a pair is (along y, along x). None for one spectrum at one point, which has no pitch.
    units : mapping, optional
        Unit of each channel or image, for example ``{"LockinX": "V", "Z": "m"}``.
    images : mapping of str to array, optional
        Name to array of shape (y, x), for example the topograph.
    header : mapping, optional
        The file's header; stored as JSON.
    **attributes
        Any of `ATTRIBUTES`; instead of the tip frame's origin ``scan_centre_x_nm`` and ``scan_centre_y_nm``, the tip
        position of the middle of the field [nm].

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    StackError
        If shapes, axes or units make no sense.
    """
    import xarray as xr  # it takes longer to load than most of what needs no more than a stack's names

    named = {"channels": channels, "images": images, "units": units, "header": header}
    for what, given in named.items():
        if given is not None and not isinstance(given, Mapping):
            raise StackError(f"The {what} of a stack must be a mapping from names, not {given!r:.60}.")
    units = dict(units or {})
    bias = np.atleast_1d(voltages_of(bias_mv))
    unknown = set(attributes) - set(ATTRIBUTES) - set(_CENTRE)
    if unknown:
        raise StackError(f"Unknown stack attributes: {sorted(unknown)}; known are {sorted(ATTRIBUTES)}.")
    attributes = {name: attribute_of(name, value) for name, value in attributes.items()}
    if not channels and not images:
        raise StackError(
            "A stack needs at least one channel of shape (bias, y, x), or an image of shape (y, x)."
        )
    variables: dict[str, Any] = {}
    for name, values in channels.items():
        variables[name] = variable_of(DIMS, values, units.get(name, ""), name)
    for name, values in (images or {}).items():
        variables[name] = variable_of(DIMS[1:], values, units.get(name, ""), name)
    first = next(iter(variables.values()))
    rows, columns = (int(n) for n in first.shape[-2:])
    pitch = pitch_of(pixel_nm, rows * columns)
    try:
        stack = xr.Dataset(
            variables,
            coords={
                "bias": ("bias", bias, {"units": "mV"}),
                "y": axis_of("y", rows, pitch[0]),
                "x": axis_of("x", columns, pitch[1]),
            },
            attrs={**ATTRIBUTES, **attributes, "header": json.dumps(dict(header or {}), default=str)},
        )
    except ValueError as error:
        raise StackError(f"The channels and axes of this stack do not fit together: {error}") from error
    _place(
        stack,
        "tip_origin_x_nm" in attributes,
        ((columns - 1) * (pitch[1] or 0.0), (rows - 1) * (pitch[0] or 0.0)),
    )
    if not stack.attrs["expected"]:
        known = np.isfinite(first.to_numpy()).reshape(-1, rows, columns).all(axis=0)
        stack.attrs.update(expected=rows * columns, acquired=int(known.sum()))
    return validate(stack)


def _place(stack: xr.Dataset, known: bool, last_nm: tuple[float, float]) -> None:
    """Turn the centre of the field into the tip frame's origin."""
    centre = [stack.attrs.pop(name, None) for name in _CENTRE]
    if not known:
        # Without any place, the middle of the field is the instrument's zero.
        x, y = (float(value or 0.0) for value in centre)
        angle, hand = float(stack.attrs["scan_angle_deg"]), int(stack.attrs["y_direction"])
        origin = tip_origin((x, y), last_nm, angle, hand)
        stack.attrs.update(tip_origin_x_nm=origin[0], tip_origin_y_nm=origin[1])


def validate(stack: xr.Dataset) -> xr.Dataset:
    """Return `stack` if it is a sound stack, else raise `StackError` with the reason."""
    import xarray as xr

    if not isinstance(stack, xr.Dataset):
        raise StackError(f"Expected a stack (an xarray.Dataset), got {type(stack).__name__}.")
    return check(stack)


def check(stack: xr.Dataset) -> xr.Dataset:
    """`validate` of what is a dataset, or `friedel.io.outline.Outline` that describes one."""
    missing = [dim for dim in DIMS if dim not in stack.coords or stack[dim].dims != (dim,)]
    if missing:
        raise StackError(
            f"The stack lacks the axes {missing}; it needs bias [mV], y [nm] and x [nm]. "
            "Select with a slice or a list, so that an axis of one value remains."
        )
    if not any(stack[dim].attrs.get("units") for dim in DIMS):
        raise StackError(
            "The axes of this stack have lost their units, so its bias may be no voltage: keep the attributes "
            "(xarray.set_options(keep_attrs=True)), or open the file again."
        )
    check_units(stack)
    names = channel_names(stack)
    if not names and not (image_names(stack) and stack.sizes["bias"] == 1):
        raise StackError("The stack has no channel with the axes (bias, y, x).")
    empty = [dim for dim in DIMS if not stack.sizes[dim]]
    if empty:
        raise StackError(f"The stack is empty: no values along {', '.join(empty)}.")
    for name in [*names, *image_names(stack)]:
        if stack[name].dtype.kind not in "fiu":
            raise StackError(f"{name!r} holds no real numbers (type {stack[name].dtype}).")
    bias = stack["bias"].to_numpy()
    if bias.dtype.kind not in "fiu" or (names and not np.isfinite(bias).all()):
        raise StackError("The bias axis holds values that are not finite.")
    if len(np.unique(bias)) != len(bias):
        raise StackError("The bias axis holds the same voltage twice; average or separate the sweeps first.")
    if stack.sizes["y"] * stack.sizes["x"] > 1:
        pixel_pitch(stack)
    return stack


def topograph_stack(stack: xr.Dataset, bias_mv: float | None = None, image: str | None = None) -> xr.Dataset:
    """Give the topograph of a stack as a stack of its own, of one image at one bias.

    Parameters
    ----------
    stack : xarray.Dataset
    bias_mv : float, optional
        The setpoint's bias [mV]; that of the stack if None, which must then hold one.
    image : str, optional
        Name of the image; the topograph if None.

    Raises
    ------
    StackError
        If there is no topograph, or its bias is not known.
    """
    name = image or topograph_name(stack)
    if name not in image_names(stack):
        raise StackError("This stack holds no topograph." if name is None else f"There is no image {name!r}.")
    plain = stack[[name]].drop_vars("bias", errors="ignore")
    bias = setpoint_bias(stack) if bias_mv is None else float(bias_mv)
    plain = plain.assign_coords(bias=("bias", [bias], {"units": "mV"}))
    setpoint_bias(plain)
    plain.attrs = {**stack.attrs, "sweep": "bias"}
    return validate(plain)


def crop(stack: xr.Dataset, area: Area | None) -> xr.Dataset:
    """Cut ``((row_start, row_stop), (column_start, column_stop))`` out; coordinates keep their values.

    Raises
    ------
    StackError
        If the area is empty or outside the stack.
    """
    if area is None:
        return stack
    (r0, r1), (c0, c1) = area
    rows, columns = stack.sizes["y"], stack.sizes["x"]
    if not (0 <= r0 < r1 <= rows and 0 <= c0 < c1 <= columns):
        raise StackError(
            f"The area {r0}:{r1},{c0}:{c1} does not lie inside the map of {rows} rows and {columns} columns."
        )
    return stack.isel(y=slice(r0, r1), x=slice(c0, c1))
