"""The data model: a dI/dV stack is an `xarray.Dataset` with axes in mV and nm.

One variable per channel, dims ``(bias, y, x)``, native float32, NaN where nothing was acquired. Coordinates:
`bias` in mV (exact; uneven or descending is fine), `x` and `y` in nm in the scan frame, whose origin is the centre
of pixel (row 0, column 0), with x along the fast axis and y along rising row. Row 0 is the first line recorded.
Images taken with the grid (topograph) are ``(y, x)`` variables. All attributes are flat, so that netCDF keeps them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError

DIMS = ("bias", "y", "x")

#: Attributes of a stack and their defaults. A positive angle turns the scan frame clockwise in the instrument's
#: coordinates (Nanonis' convention). `y_direction` is +1 if the instrument's y rises with the row, else -1.
ATTRIBUTES: dict[str, Any] = {
    "instrument": "unknown",
    "source": "",
    "sweep": "bias",
    "scan_centre_x_nm": 0.0,
    "scan_centre_y_nm": 0.0,
    "scan_angle_deg": 0.0,
    "y_direction": 1,
    "acquired": 0,
    "expected": 0,
    "direction": "forward",
    "header": "{}",
}

Area = tuple[tuple[int, int], tuple[int, int]]


def make_stack(
    channels: Mapping[str, Any],
    *,
    bias_mv: Any,
    pixel_nm: float | tuple[float, float],
    units: Mapping[str, str] | None = None,
    images: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a stack from arrays.

    Parameters
    ----------
    channels : mapping of str to array
        Name to array of shape (bias, y, x). An `xarray.Variable` is kept as it is, so that a lazily read file
        is not read here; give `acquired` and `expected` with it.
    bias_mv : array, shape (bias,)
        Exact bias voltages [mV].
    pixel_nm : float or (float, float)
        Pixel pitch [nm]; a pair is (along y, along x).
    units : mapping, optional
        Unit of each channel or image, for example ``{"LockinX": "V", "Z": "m"}``.
    images : mapping of str to array, optional
        Name to array of shape (y, x), for example the topograph.
    header : mapping, optional
        The file's header; stored as JSON.
    **attributes
        Any of `ATTRIBUTES`.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    StackError
        If shapes, axes or units make no sense.
    """
    units = dict(units or {})
    bias = np.atleast_1d(np.asarray(bias_mv, dtype=np.float64))
    pitch_y, pitch_x = (
        (float(pixel_nm), float(pixel_nm)) if np.isscalar(pixel_nm) else map(float, pixel_nm)  # type: ignore[arg-type,union-attr]
    )
    if not (np.isfinite([pitch_y, pitch_x]).all() and pitch_y > 0 and pitch_x > 0):
        raise StackError(f"The pixel size must be a positive length in nm, not {pixel_nm!r}.")
    if not channels:
        raise StackError("A stack needs at least one channel of shape (bias, y, x).")
    unknown = set(attributes) - set(ATTRIBUTES)
    if unknown:
        raise StackError(f"Unknown stack attributes: {sorted(unknown)}; known are {sorted(ATTRIBUTES)}.")
    variables: dict[str, Any] = {}
    for name, values in channels.items():
        variables[name] = _variable(DIMS, values, units.get(name, ""))
    for name, values in (images or {}).items():
        variables[name] = _variable(("y", "x"), values, units.get(name, ""))
    first = next(iter(channels.values()))
    first = first if isinstance(first, xr.Variable) else np.asarray(first)
    if first.ndim != 3:
        raise StackError(f"A channel must have the shape (bias, y, x); this one has {first.ndim} axes.")
    try:
        stack = xr.Dataset(
            variables,
            coords={
                "bias": ("bias", bias, {"units": "mV"}),
                "y": ("y", np.arange(first.shape[1]) * pitch_y, {"units": "nm"}),
                "x": ("x", np.arange(first.shape[2]) * pitch_x, {"units": "nm"}),
            },
            attrs={**ATTRIBUTES, **attributes, "header": json.dumps(dict(header or {}), default=str)},
        )
    except ValueError as error:
        raise StackError(f"The channels and axes of this stack do not fit together: {error}") from error
    # One pixel has no pitch of its own in `x`, so the pitch is always kept.
    stack.attrs.update(pixel_y_nm=pitch_y, pixel_x_nm=pitch_x)
    # The recorded frame, kept by `crop`: tip coordinates are counted from its centre.
    stack.attrs.update(frame_rows=int(first.shape[1]), frame_columns=int(first.shape[2]))
    if not stack.attrs["expected"]:
        stack.attrs["expected"] = int(first.shape[1] * first.shape[2])
        stack.attrs["acquired"] = int(np.isfinite(np.asarray(first)).all(axis=0).sum())
    return validate(stack)


def _variable(dims: tuple[str, ...], values: Any, units: str) -> Any:
    if isinstance(values, xr.Variable):
        lazy = values.copy(deep=False)
        lazy.attrs["units"] = units
        return lazy
    return dims, np.asarray(values, dtype=np.float32), {"units": units}


def validate(stack: xr.Dataset) -> xr.Dataset:
    """Return `stack` if it is a sound stack, else raise `StackError` with the reason."""
    if not isinstance(stack, xr.Dataset):
        raise StackError(f"Expected a stack (an xarray.Dataset), got {type(stack).__name__}.")
    missing = [dim for dim in DIMS if dim not in stack.coords]
    if missing:
        raise StackError(f"The stack lacks the axes {missing}; it needs bias [mV], y [nm] and x [nm].")
    bias = stack["bias"].to_numpy()
    if not np.isfinite(bias).all():
        raise StackError("The bias axis holds values that are not finite.")
    if len(np.unique(bias)) != len(bias):
        raise StackError("The bias axis holds the same voltage twice; average or separate the sweeps first.")
    if not channel_names(stack):
        raise StackError("The stack has no channel with the axes (bias, y, x).")
    return stack


def channel_names(stack: xr.Dataset) -> list[str]:
    """Names of the variables with the axes (bias, y, x)."""
    return [str(name) for name, variable in stack.data_vars.items() if variable.dims == DIMS]


def image_names(stack: xr.Dataset) -> list[str]:
    """Names of the (y, x) images taken with the grid, for example the topograph."""
    return [str(name) for name, variable in stack.data_vars.items() if variable.dims == ("y", "x")]


def topograph_name(stack: xr.Dataset) -> str | None:
    """Name of the topograph among the images, or None."""
    for name in image_names(stack):
        if re.fullmatch(r"z([ _(\[-].*)?|topo.*|height.*", name, re.IGNORECASE):
            return name
    return None


def pixel_pitch(stack: xr.Dataset) -> tuple[float, float]:
    """Pixel pitch [nm] along (y, x)."""
    return float(stack.attrs["pixel_y_nm"]), float(stack.attrs["pixel_x_nm"])


# Lock-in channels across vendors. The in-phase quadrature comes first; harmonics above the first, phases and the
# out-of-phase quadrature are not dI/dV.
_LOCK_IN = [
    r"^d[ij]\s*[/_ ]?\s*d[vu]\b",
    r"\bldos\b|\bdos\b",
    r"lock-?in[ _]*x\b|\blix\b|li[ _]?demod[ _]?1[ _]?x|lia[ _]?current|lock-?in.*(x|1)\b",
    r"lock-?in[ _]*y\b|\bliy\b|li[ _]?demod[ _]?1[ _]?y",
    r"lock-?in|\blia?\b|\bli[ _]|lia|\baux\s?\d|\bdemod",
]
_CURRENT = re.compile(r"\bcurrent\b|^i\b|^i[ _(]|tunnel", re.IGNORECASE)
_NOT_DIDV = re.compile(r"phase|\bdeg\b|2 ?omega|demod[ _]?2|\bcurrent\b.*\brms\b", re.IGNORECASE)


def didv_channel(stack: xr.Dataset, channel: str | None = None) -> tuple[str, bool]:
    """Choose the channel that holds dI/dV.

    Parameters
    ----------
    stack : xarray.Dataset
    channel : str, optional
        The user's choice; a lock-in channel by rule if None.

    Returns
    -------
    name : str
    derive : bool
        True if the channel is a current, of which dI/dV is the numerical derivative.

    Raises
    ------
    StackError
        If the named channel does not exist, or the stack was swept over something else than the bias.
    """
    names = channel_names(stack)
    if stack.attrs.get("sweep", "bias") != "bias":
        raise StackError(
            f"This grid was swept over {stack.attrs['sweep']!r}, not over the bias: it holds no dI/dV map."
        )
    if channel is not None:
        if channel not in names:
            raise StackError(
                f"There is no channel {channel!r} in this stack; it has {', '.join(map(repr, names))}."
            )
        return channel, bool(_CURRENT.search(channel)) and not is_lock_in(channel)
    candidates = [name for name in names if not _NOT_DIDV.search(name)]
    backward = re.compile(r"\[?\bb(ac)?k?wd?\b\]?|backward|retrace", re.IGNORECASE)
    candidates.sort(key=lambda name: bool(backward.search(name)))  # forward sweeps first, order kept
    for pattern in _LOCK_IN:
        for name in candidates:
            if re.search(pattern, name, re.IGNORECASE):
                return name, False
    for name in candidates:
        if _CURRENT.search(name):
            return name, True
    return (candidates or names)[0], False


def is_lock_in(name: str) -> bool:
    """Whether a channel's name says that it holds dI/dV from a lock-in amplifier."""
    return any(re.search(pattern, name, re.IGNORECASE) for pattern in _LOCK_IN)


def didv(stack: xr.Dataset, channel: str | None = None) -> xr.DataArray:
    """Return dI/dV of shape (bias, y, x): the lock-in channel, else the current's numerical derivative.

    The attribute ``derived`` is 1 where dI/dV was differentiated from a current, and ``channel`` names the source.
    """
    name, derive = didv_channel(stack, channel)
    data = stack[name]
    if derive:
        bias = stack["bias"].to_numpy()
        if len(bias) < 2:
            raise StackError(f"{name!r} is a current at one bias voltage: dI/dV cannot be derived from it.")
        values = np.gradient(data.to_numpy(), bias, axis=0).astype(np.float32)
        data = data.copy(data=values)
        data.attrs["units"] = f"{data.attrs.get('units', '')}/mV".lstrip("/") or "1/mV"
    return data.assign_attrs(channel=name, derived=int(derive))


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


def normalise(maps: np.ndarray) -> np.ndarray:
    """Subtract each map's mean and divide by its root mean square, over acquired pixels (NaN-aware).

    Parameters
    ----------
    maps : array, shape (bias, y, x)

    Returns
    -------
    array, shape (bias, y, x), float32
        NaN stays NaN; a constant map becomes zeros.
    """
    maps = np.asarray(maps, dtype=np.float32)
    known = np.isfinite(maps)
    everywhere = bool(known.all())
    count = np.maximum(known.sum(axis=(-2, -1), keepdims=True), 1)
    filled = maps if everywhere else np.where(known, maps, 0)
    mean = filled.sum(axis=(-2, -1), keepdims=True, dtype=np.float64) / count
    centred = filled - mean
    if not everywhere:
        centred[~known] = 0
    scale = np.sqrt(np.einsum("...ij,...ij->...", centred, centred)[..., None, None] / count)
    # A spread below float32's resolution of the mean is rounding, not signal.
    flat = scale <= 1e-6 * np.abs(mean)
    centred /= np.where(flat | (scale == 0), np.inf, scale)
    if not everywhere:
        centred[~known] = np.nan
    return centred.astype(np.float32)


def tip_position(stack: xr.Dataset, x_nm: Any, y_nm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Instrument coordinates of scan-frame positions.

    Parameters
    ----------
    stack : xarray.Dataset
        Its scan centre, angle (positive = clockwise), `y_direction` and full frame are used.
    x_nm, y_nm : array
        Scan-frame positions [nm].

    Returns
    -------
    tip_x_nm, tip_y_nm : array
        Positions [nm] to which the instrument's tip can be driven.
    """
    attrs = stack.attrs
    pitch_y, pitch_x = pixel_pitch(stack)
    # The frame is the recorded one, also after `crop`.
    columns = attrs.get("frame_columns", stack.sizes["x"])
    rows = attrs.get("frame_rows", stack.sizes["y"])
    dx = np.asarray(x_nm, dtype=float) - (columns - 1) / 2 * pitch_x
    dy = (np.asarray(y_nm, dtype=float) - (rows - 1) / 2 * pitch_y) * attrs.get("y_direction", 1)
    angle = np.deg2rad(attrs.get("scan_angle_deg", 0.0))
    return (
        attrs.get("scan_centre_x_nm", 0.0) + dx * np.cos(angle) + dy * np.sin(angle),
        attrs.get("scan_centre_y_nm", 0.0) - dx * np.sin(angle) + dy * np.cos(angle),
    )
