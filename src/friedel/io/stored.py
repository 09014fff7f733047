"""A stack as the variables of netCDF and zarr: names that these take, and files of any writer in the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.big_maps import read_parts
from friedel.errors import StackError
from friedel.geometry import know_truth, upgraded
from friedel.io.axes import TO_MV, TO_NM, in_unit
from friedel.io.lazy import converted
from friedel.stack import ATTRIBUTES, DIMS, channel_names, image_names, validate

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_NAME = "friedel_name"


def storable(stack: xr.Dataset) -> xr.Dataset:
    """The stack with names and attributes that netCDF and zarr take; `restored` gives the names back."""
    validate(stack)
    stack = stack.copy(deep=False)
    names = {name: _safe(str(name), index) for index, name in enumerate(stack.data_vars)}
    for name, safe in names.items():
        if safe != name:
            stack[name] = stack[name].assign_attrs({_NAME: name})
    stack = stack.rename({name: safe for name, safe in names.items() if safe != name})
    stack.attrs = {name: _flat(value) for name, value in stack.attrs.items() if value is not None}
    return stack


def restored(stack: xr.Dataset) -> xr.Dataset:
    """The stack with the names of its channels, and without what was noted of its storage."""
    stack = stack.rename({name: v.attrs[_NAME] for name, v in stack.data_vars.items() if v.attrs.get(_NAME)})
    for variable in stack.variables.values():
        variable.attrs.pop(_NAME, None)
        variable.encoding.clear()
    stack.encoding.clear()
    return stack


def _safe(name: str, index: int) -> str:
    """Give a name that netCDF takes: no slash (``dI/dV``), no blank at an end, no name of an axis."""
    safe = name.replace("/", "_").strip()
    return name if safe == name and name and name not in DIMS else f"{safe or 'channel'}_{index}"


def _flat(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    return json.dumps(value, default=str) if isinstance(value, (dict, list, tuple)) else value


def complete(stack: xr.Dataset, path: Path) -> xr.Dataset:
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
        wanted = "mV" if dim == "bias" else "nm"
        if unit != wanted:
            kept = {name: value for name, value in stack[dim].attrs.items() if name == "pitch_nm"}
            stack = stack.assign_coords({dim: (dim, values, {**kept, "units": wanted})})
    for name, variable in list(stack.data_vars.items()):
        if set(variable.dims) == set(DIMS) or set(variable.dims) == {"y", "x"}:
            if variable.dtype.kind not in "fiu":
                raise StackError(f"{path}: {str(name)!r} holds no real numbers (type {variable.dtype}).")
            order = tuple(dim for dim in DIMS if dim in variable.dims)
            if variable.dims != order or variable.dtype != np.float32:
                stack[name] = converted(
                    variable.variable, order, path
                )  # part by part, where it lies in a file
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
