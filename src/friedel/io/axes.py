"""Bias axes and pixel sizes that the user gives, because the file holds none or holds wrong ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.channels import is_height
from friedel.errors import StackError
from friedel.geometry import tip_frame, tip_origin, tip_position

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

Pixel = float | tuple[float, float]


def bias_axis(bias: Any, count: int) -> np.ndarray:
    """Turn what the user gave into a bias axis.

    Parameters
    ----------
    bias : str, pair, number or array
        ``"START:STOP"`` or ``(start, stop)`` for an even axis with both ends, ``"START:STOP:STEP"``, ``"a,b,c"`` or
        an array for all values, one number for one image [mV].
    count : int
        Number of bias planes.

    Returns
    -------
    array, shape (count,)
        Bias [mV].

    Raises
    ------
    StackError
        If it is not understood or does not fit the number of planes.
    """
    every = isinstance(bias, str) and bias.count(":") == 2  # the step says how many there are
    if isinstance(bias, str):
        bias = _parse(bias)
    try:
        values = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise StackError(f"{bias!r:.60} is not a bias axis in mV; write START:STOP.") from error
    if values.ndim != 1 or not np.isfinite(values).all():
        raise StackError("The bias axis must be a list of finite voltages in mV.")
    if len(values) == 2 and count > 2 and not every:
        return np.linspace(values[0], values[1], count)
    if len(values) != count:
        raise StackError(
            f"The bias axis has {len(values)} values, but the data has {count} bias planes"
            + (
                "; write START:STOP for an even axis."
                if count > 1
                else "; give the one voltage of the image."
            )
        )
    return values


def _parse(text: str) -> list[float]:
    # An argparse value that starts with "-" may arrive quoted with blanks.
    parts = [part for part in re.split(r"[:,\s]+", text.strip()) if part]
    try:
        values = [float(part) for part in parts]
    except ValueError as error:
        raise StackError(
            f"{text!r} is not a bias axis in mV; write START:STOP, for example -230:20."
        ) from error
    if ":" in text and text.count(":") == 2 and len(values) == 3:
        return stepped_axis(text, *values)
    if not values or (":" in text and len(values) != 2):
        raise StackError(f"{text!r} is not a bias axis in mV; write START:STOP, for example -230:20.")
    return values


def stepped_axis(text: str, start: float, stop: float, step: float) -> list[float]:
    """All voltages of ``START:STOP:STEP``, both ends included.

    Raises
    ------
    StackError
        If the step does not lead from one end to the other.
    """
    count = (stop - start) / step if step else -1.0
    if not 0 <= count < 1e5:  # NaN too
        raise StackError(f"{text!r}: steps of {step:g} mV do not lead from {start:g} to {stop:g} mV.")
    if abs(count - round(count)) > 1e-6 * max(count, 1.0):
        raise StackError(f"{text!r}: steps of {step:g} mV do not end at {stop:g} mV.")
    return [float(value) for value in np.linspace(start, stop, round(count) + 1)]


class AxesMissing(StackError):
    """A file is sound but holds no bias axis or no pixel size.

    Attributes
    ----------
    missing : tuple of str
        The settings that it needs: ``"bias"``, ``"pixel_nm"``, ``"axes"``, ``"dataset"``.
    arrays : dict of str to tuple of int
        Shapes of what the file holds.
    """

    def __init__(
        self, message: str, missing: tuple[str, ...], arrays: Mapping[str, tuple[int, ...]] | None = None
    ) -> None:
        super().__init__(message, settings=missing)
        self.missing = missing
        self.arrays = dict(arrays or {})


def need_axes(
    what: str,
    bias: Any,
    pixel_nm: Pixel | None,
    count: int,
    arrays: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[np.ndarray, Pixel]:
    """Return bias [mV] and pixel [nm] for a format that holds neither, or say which setting is missing.

    Raises
    ------
    AxesMissing
        If one of them was not given.
    """
    words = {"bias": "bias (START:STOP, in mV)" if count > 1 else "bias (in mV)", "pixel_nm": "pixel_nm"}
    missing = [name for name, value in (("bias", bias), ("pixel_nm", pixel_nm)) if value is None]
    if bias is not None and pixel_nm is not None:
        return bias_axis(bias, count), pixel_nm
    text = " and ".join(words[name] for name in missing)
    raise AxesMissing(f"{what} does not hold these axes itself: give {text}.", tuple(missing), arrays)


def split_images(
    images: Mapping[str, np.ndarray], units: Mapping[str, str], bias: Any
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Sort the images of one scan into channels and images of a stack.

    Parameters
    ----------
    images : mapping of str to array, shape (y, x)
    units : mapping of str to str
        A length is that of a topograph.
    bias : see `bias_axis`, or None if it is not known

    Returns
    -------
    channels : dict of str to array, shape (1, y, x)
        All but the topographs; none if the bias is not known.
    flat : dict of str to array, shape (y, x)
        The topographs; all images if the bias is not known.
    bias_mv : array, shape (1,)
        NaN if not known.
    """
    if bias is None:
        return {}, dict(images), np.array([np.nan])
    flat = {name: values for name, values in images.items() if is_height(name, units.get(name, ""))}
    channels = {name: values[np.newaxis] for name, values in images.items() if name not in flat}
    return channels, flat, bias_axis(bias, 1)


def override_axes(stack: xr.Dataset, bias: Any, pixel_nm: Pixel | None, label: str) -> xr.Dataset:
    """Replace the file's own axes by what the user gave, where anything was given."""
    try:
        if bias is not None:
            values = bias_axis(bias, stack.sizes["bias"])
            stack = stack.assign_coords(bias=("bias", values, {"units": "mV"}))
            stack.attrs["sweep"] = "bias"
        if pixel_nm is not None:
            stack = with_pitch(stack, pixel_pair(pixel_nm))
    except StackError as error:
        raise StackError(f"{label}: {error}") from error
    return stack


def with_pitch(stack: xr.Dataset, pitch_nm: tuple[float, float]) -> xr.Dataset:
    """Give a stack another pixel pitch [nm] (y, x); the tip position of its middle stays."""
    last = [float(stack[dim][0] + stack[dim][-1]) for dim in ("x", "y")]
    centre = tip_position(stack, last[0] / 2, last[1] / 2)
    axes = {}
    for dim, pitch in zip(("y", "x"), pitch_nm, strict=True):
        count = stack.sizes[dim]
        attrs: dict[str, Any] = {"units": "nm"} | ({"pitch_nm": pitch} if count == 1 else {})
        axes[dim] = (dim, np.arange(count) * pitch, attrs)
    stack = stack.assign_coords(axes)
    _, _, angle, hand = tip_frame(stack)
    end = float(stack["x"][-1]), float(stack["y"][-1])
    origin = tip_origin((float(centre[0]), float(centre[1])), end, angle, hand)
    return stack.assign_attrs(tip_origin_x_nm=origin[0], tip_origin_y_nm=origin[1])


def single(value: float) -> float:
    """Undo the digits that storage as float32 adds: 0.30000001192092896 was 0.3."""
    return float(f"{value:.7g}")


def pixel_pair(pixel_nm: Pixel) -> tuple[float, float]:
    """Return (along y, along x) [nm]; `StackError` unless both are positive lengths."""
    try:
        pair = np.broadcast_to(np.asarray(pixel_nm, dtype=float), 2)
    except (TypeError, ValueError, OverflowError) as error:
        raise StackError(f"The pixel size must be a length in nm, not {pixel_nm!r}.") from error
    if not (np.isfinite(pair).all() and (pair > 0).all()):
        raise StackError(f"The pixel size must be a positive length in nm, not {pixel_nm!r}.")
    return float(pair[0]), float(pair[1])


def with_points(text: str) -> str:
    """Write a point where some computers write a comma before the decimals."""
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


#: Factors to mV and nm; spelling as vendors write it.
TO_MV = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "volt": 1e3, "millivolt": 1.0}
TO_NM = {
    "m": 1e9,
    "mm": 1e6,
    "um": 1e3,
    "µm": 1e3,
    "nm": 1.0,
    "A": 0.1,
    "Å": 0.1,
    "Angstrom": 0.1,
    "pm": 1e-3,
    "μm": 1e3,
    "meter": 1e9,
    "metre": 1e9,
    "micrometer": 1e3,
    "micron": 1e3,
    "nanometer": 1.0,
    "nanometre": 1.0,
}


def factor_of(unit: str, factors: dict[str, float]) -> float | None:
    """Return the factor of a unit in `TO_MV` or `TO_NM`, None if it is not there."""
    key = unit.strip()
    if key in factors or len(key) <= 3:
        return factors.get(key)
    # Words in any case and number; the short signs differ by their case.
    return {name.lower(): value for name, value in factors.items()}.get(key.lower().removesuffix("s"))


def in_unit(values: Any, unit: str, factors: dict[str, float]) -> np.ndarray:
    """Convert to mV (`TO_MV`) or nm (`TO_NM`); `StackError` for any other unit."""
    factor = factor_of(unit, factors)
    if factor is None:
        raise StackError(f"The unit {unit!r} is none of {', '.join(factors)}.")
    return np.asarray(values, dtype=np.float64) * factor
