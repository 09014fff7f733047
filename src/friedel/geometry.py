"""Where the pixels of a stack lie: pitch, scan frame and tip frame.

The coordinates `x` and `y` [nm] are the only home of pitch, origin and direction. Four attributes take the scan frame
to the instrument's own coordinates, whatever part of the recorded field a stack holds:

    tip_x = tip_origin_x_nm + x cos φ + h y sin φ
    tip_y = tip_origin_y_nm − x sin φ + h y cos φ

with φ = `scan_angle_deg` (positive turns clockwise, Nanonis' convention) and h = `y_direction` (+1 or −1), the
handedness of the scan frame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

#: Attributes that take the scan frame to the instrument's coordinates.
TIP_FRAME = ("tip_origin_x_nm", "tip_origin_y_nm", "scan_angle_deg", "y_direction")
#: What older versions kept beside the coordinates.
_OLD = ("pixel_y_nm", "pixel_x_nm", "frame_rows", "frame_columns", "scan_centre_x_nm", "scan_centre_y_nm")
#: An axis is even if its steps differ by less than this share.
_EVEN = 5e-3


def true_positions(stack: xr.Dataset) -> np.ndarray:
    """Positions of the impurities that a simulated stack knows, inside the field that it still holds.

    Parameters
    ----------
    stack : xarray.Dataset
        With the attributes ``truth_x_nm`` and ``truth_y_nm`` (scan frame), which a crop, a flip or a coarser grid does
        not change; it may be any part of the simulated field.

    Returns
    -------
    array, shape (n, 2)
        Fractional rows and columns of this very array.

    Raises
    ------
    StackError
        If the stack does not know its impurities.
    """
    if "truth_x_nm" not in stack.attrs or "truth_y_nm" not in stack.attrs:
        raise StackError("This stack does not know its impurities (no attributes truth_x_nm and truth_y_nm).")
    places = [
        (np.atleast_1d(np.asarray(stack.attrs[f"truth_{dim}_nm"], dtype=float)) - float(stack[dim][0]))
        / axis_step(stack, dim)
        for dim in ("y", "x")
    ]
    pixels = np.column_stack(places)
    last = np.array([stack.sizes["y"], stack.sizes["x"]]) - 0.5
    return pixels[((pixels >= -0.5) & (pixels <= last)).all(axis=1)]


def know_truth(stack: xr.Dataset, pixels: np.ndarray) -> xr.Dataset:
    """Note the true positions, shape (n, 2), rows and columns of this very array, as scan-frame coordinates [nm]."""
    pixels = np.asarray(pixels, dtype=float).reshape(-1, 2)
    x, y = scan_position(stack, pixels[:, 0], pixels[:, 1])
    # Scripts of version 0.2 read rows and columns; these are right for the whole field alone.
    return stack.assign_attrs(truth_x_nm=x, truth_y_nm=y, truth_row=pixels[:, 0], truth_column=pixels[:, 1])


def axis_step(stack: xr.Dataset | xr.DataArray, dim: str) -> float:
    """Signed step [nm] of the axis `dim` ("y" or "x") per index; negative where the coordinate falls.

    An axis of one pixel has the pitch that its reader noted, else that of the other axis (square pixels).

    Raises
    ------
    StackError
        If the axis is missing, uneven, or no pitch is known at all.
    """
    own = _step(stack, dim)
    if own is None:
        own = _step(stack, "x" if dim == "y" else "y")
        if own is None:
            raise StackError("This is one spectrum at one point: it has no pixel size and is no map.")
        own = abs(own)
    return own


def _step(stack: xr.Dataset | xr.DataArray, dim: str) -> float | None:
    if dim not in stack.coords or stack[dim].dims != (dim,):
        raise StackError(f"The stack lacks the axis {dim!r} [nm]; it needs bias [mV], y [nm] and x [nm].")
    values = stack[dim].to_numpy()
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise StackError(f"The axis {dim!r} holds values that are no finite lengths in nm.")
    values = values.astype(np.float64)
    if len(values) < 2:
        noted = stack[dim].attrs.get("pitch_nm")
        return float(noted) if isinstance(noted, (int, float, np.number)) and 0 < noted < math.inf else None
    steps = np.diff(values)
    mean = float(values[-1] - values[0]) / (len(values) - 1)
    # Coordinates that were stored as float32 carry its rounding.
    rounding = 4e-7 * float(np.abs(values).max())
    if mean == 0 or np.abs(steps - mean).max() > _EVEN * abs(mean) + rounding:
        raise StackError(
            f"The axis {dim!r} is not evenly spaced (steps from {steps.min():.4g} to {steps.max():.4g} nm): a stack "
            "has one pixel size along each axis. Sort it, choose even steps, or interpolate onto an even axis."
        )
    return mean


def pixel_pitch(stack: xr.Dataset | xr.DataArray) -> tuple[float, float]:
    """Pixel pitch [nm] along (y, x), both positive; `StackError` if the coordinates have none."""
    return abs(axis_step(stack, "y")), abs(axis_step(stack, "x"))


def scan_position(stack: xr.Dataset, row: Any, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scan-frame positions (x_nm, y_nm) of fractional rows and columns of this very array."""
    x0, y0 = float(stack["x"][0]), float(stack["y"][0])
    return (
        x0 + np.asarray(column, dtype=float) * axis_step(stack, "x"),
        y0 + np.asarray(row, dtype=float) * axis_step(stack, "y"),
    )


def tip_position(stack: xr.Dataset, x_nm: Any, y_nm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Instrument coordinates of scan-frame positions.

    Parameters
    ----------
    stack : xarray.Dataset
        Its tip frame is used; cropping, flipping or coarsening the stack changes nothing.
    x_nm, y_nm : array
        Scan-frame positions [nm].

    Returns
    -------
    tip_x_nm, tip_y_nm : array
        Positions [nm] to which the instrument's tip can be driven.

    Raises
    ------
    StackError
        If the stack has lost the attributes of its tip frame.
    """
    origin_x, origin_y, angle_deg, hand = tip_frame(stack)
    x, y = np.asarray(x_nm, dtype=float), np.asarray(y_nm, dtype=float) * hand
    angle = np.deg2rad(angle_deg)
    return (
        origin_x + x * np.cos(angle) + y * np.sin(angle),
        origin_y - x * np.sin(angle) + y * np.cos(angle),
    )


def tip_frame(stack: xr.Dataset) -> tuple[float, float, float, int]:
    """Give tip_origin_x_nm, tip_origin_y_nm, scan_angle_deg and y_direction (+1 or −1)."""
    attrs = upgraded(stack.attrs)
    missing = [name for name in TIP_FRAME if name not in attrs]
    if missing:
        raise StackError(
            f"This stack has lost the attributes {', '.join(missing)}, so where it lies for the tip is not known. Keep "
            "the attributes (xarray.set_options(keep_attrs=True)), or open the file again."
        )
    x, y, angle, hand = (float(attrs[name]) for name in TIP_FRAME)
    return x, y, angle, 1 if hand > 0 else -1


def row_direction(stack: xr.Dataset) -> int:
    """+1 if the instrument's y rises with the row (before the scan frame is turned), else −1."""
    return int(np.sign(axis_step(stack, "y"))) * tip_frame(stack)[3]


def tip_origin(
    centre_nm: tuple[float, float], last_nm: tuple[float, float], angle_deg: float, y_direction: int
) -> tuple[float, float]:
    """Tip position of the scan frame's origin, from that of the middle of a field.

    Parameters
    ----------
    centre_nm : (float, float)
        Tip position (x, y) of the middle of the field [nm].
    last_nm : (float, float)
        Scan-frame position (x, y) of the last pixel [nm]; the first lies at (0, 0).
    angle_deg, y_direction
        See `tip_position`.
    """
    angle = np.deg2rad(angle_deg)
    x, y = last_nm[0] / 2, last_nm[1] / 2 * y_direction
    return (
        float(centre_nm[0] - x * np.cos(angle) - y * np.sin(angle)),
        float(centre_nm[1] + x * np.sin(angle) - y * np.cos(angle)),
    )


def turned_over(stack: xr.Dataset) -> xr.Dataset:
    """Let the instrument's y run the other way over the rows; the tip position of the middle stays."""
    _, _, angle, hand = tip_frame(stack)
    twice = float(stack["x"][0] + stack["x"][-1]), float(stack["y"][0] + stack["y"][-1])
    x, y = tip_position(stack, twice[0] / 2, twice[1] / 2)
    origin = tip_origin((float(x), float(y)), twice, angle, -hand)
    return stack.assign_attrs(tip_origin_x_nm=origin[0], tip_origin_y_nm=origin[1], y_direction=-hand)


def upgraded(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes in which those of older versions (centre, pitch, frame) became the tip frame's."""
    new = {str(key): value for key, value in attrs.items() if key not in _OLD}
    if all(name in attrs for name in _OLD[:4]) and "tip_origin_x_nm" not in attrs:
        try:
            pitch_y, pitch_x, rows, columns = (float(attrs[name]) for name in _OLD[:4])
            centre = float(attrs.get(_OLD[4], 0.0)), float(attrs.get(_OLD[5], 0.0))
            angle, hand = float(attrs.get("scan_angle_deg", 0.0)), int(attrs.get("y_direction", 1))
        except (TypeError, ValueError):
            raise StackError("The attributes of this stack's frame are damaged.") from None
        x, y = tip_origin(centre, ((columns - 1) * pitch_x, (rows - 1) * pitch_y), angle, hand)
        new.update(tip_origin_x_nm=x, tip_origin_y_nm=y, scan_angle_deg=angle, y_direction=hand)
    return new
