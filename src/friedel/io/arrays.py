"""Bare arrays: which of several is the stack, which of its axes is the bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import AxesMissing, need_axes
from friedel.stack import make_stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import xarray as xr


@dataclass(frozen=True)
class Choice:
    """The array that is taken from a file with several."""

    name: str

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], dataset: str | None, path: Path) -> Choice:
        """Take the named array, else the only one with three axes, else the only one with two.

        Raises
        ------
        StackError
            If the name is not there, or there is more than one candidate.
        """
        listing = ", ".join(
            f"{name} {'×'.join(map(str, shape))}" for name, shape in list(shapes.items())[:20]
        )
        if dataset is not None:
            if dataset not in shapes:
                raise StackError(f"{path}: there is no array {dataset!r}; it holds {listing or 'none'}.")
            return cls(dataset)
        for axes in (3, 2):
            names = [name for name, shape in shapes.items() if len(shape) == axes and min(shape) > 1]
            if len(names) == 1:
                return cls(names[0])
            if names:
                raise AxesMissing(
                    f"{path}: several arrays could be the stack: {listing}. Name one as dataset.",
                    ("dataset",),
                    shapes,
                )
        raise StackError(f"{path}: there is no array with two or three axes (it holds {listing or 'none'}).")


def stack_from_array(
    array: Any,
    path: Path,
    *,
    name: str = "dI/dV",
    bias: Any = None,
    pixel_nm: Any = None,
    axes: str | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Make a stack of one bare array of two or three axes.

    Parameters
    ----------
    array : array
        Numbers of shape (bias, y, x) or (y, x), or as `axes` says.
    path : Path
        For messages.
    name : str
        Name of the channel.
    bias, pixel_nm : optional
        See `friedel.io.open_stack`; `StackError` asks for them where they are missing.
    axes : str, optional
        Order of the axes, for example ``"yxb"``. The default is ``"byx"``, and ``"yx"`` for one image.
    **attributes
        Attributes of the stack.
    """
    array = np.asanyarray(array)
    if array.dtype.kind == "c":
        raise StackError(
            f"{path}: the array {name!r} is complex; save its real part, its imaginary part or its modulus instead."
        )
    if array.dtype.kind not in "fiub":
        raise StackError(f"{path}: the array {name!r} holds no real numbers (type {array.dtype}).")
    order = _order(axes, array.ndim, path)
    if array.size == 0 or min(array.shape) < 1:
        raise StackError(f"{path}: the array {name!r} is empty ({'×'.join(map(str, array.shape))}).")
    planes = array if array.ndim == 3 else array[np.newaxis]
    planes = planes.transpose([order.index(axis) for axis in "byx"]) if array.ndim == 3 else planes
    if array.ndim == 2 and order == "xy":
        planes = planes.transpose(0, 2, 1)
    axis, pixel = need_axes(f"{path}: this file", bias, pixel_nm, planes.shape[0], {name: array.shape})
    values = np.array(planes, dtype=np.float32, order="C")
    return make_stack({name: values}, bias_mv=axis, pixel_nm=pixel, **attributes)


def _order(axes: str | None, count: int, path: Path) -> str:
    if count not in (2, 3):
        raise StackError(
            f"{path}: the array has {count} axes; a stack has three (bias, y, x), one image two."
        )
    wanted = "byx" if count == 3 else "yx"
    order = (axes or wanted).lower().replace("bias", "b").replace(",", "").replace(" ", "")
    if sorted(order) != sorted(wanted):
        raise StackError(
            f"{path}: axes must name each of {', '.join(wanted)} once, for example {wanted!r}; got {axes!r}.",
            settings="axes",
        )
    return order
