"""Where the pixels of a stack lie in napari's world, and in which order and contrast they are shown.

World coordinates are the instrument's own, in nm: ``(bias, tip_y, tip_x)``. Every layer of this plugin gets scale,
rotation, translation and units from `placement` and from nowhere else, so that topograph, stack, S and points lie on
top of each other, and the cursor reads the position to which the tip can be driven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.stack import DIMS, axis_step, pixel_pitch, tip_position

if TYPE_CHECKING:
    import xarray as xr


def placement(stack: xr.Dataset, axes: tuple[str, ...] = ("y", "x")) -> dict[str, Any]:
    """Where the pixels of `stack` lie in the world.

    Parameters
    ----------
    stack : xarray.Dataset
        A stack, cropped or whole; pixel (0, 0) of *this* array is the origin of the layer's data.
    axes : tuple of str
        ``("bias", "y", "x")`` for a stack layer, ``("y", "x")`` for maps, points and shapes.

    Returns
    -------
    dict
        `scale`, `rotate`, `translate`, `units` and `axis_labels` for any napari layer.
    """
    pitch_y, pitch_x = pixel_pitch(stack)
    x0, y0 = float(stack["x"][0]), float(stack["y"][0])
    origin_x, origin_y = (float(v) for v in tip_position(stack, x0, y0))
    # Unit steps along the rows and columns, seen by the tip: a rotation, with a mirror where y falls with the row.
    down, right = (float(np.sign(axis_step(stack, dim))) for dim in ("y", "x"))
    row = np.array(tip_position(stack, x0, y0 + down))[::-1] - [origin_y, origin_x]
    column = np.array(tip_position(stack, x0 + right, y0))[::-1] - [origin_y, origin_x]
    plane = np.stack([row, column], axis=1)
    scale, translate, units = [pitch_y, pitch_x], [origin_y, origin_x], ["nm", "nm"]
    rotate = plane
    if axes == DIMS:
        bias = displayed_bias(stack)
        # napari's slider is even; where the voltages are not, it is right at the two ends and the text overlay
        # tells the exact value.
        step = float(bias[-1] - bias[0]) / (len(bias) - 1) if len(bias) > 1 else 1.0
        scale, translate, units = [step, *scale], [float(bias[0]), *translate], ["mV", *units]
        rotate = np.eye(3)
        rotate[1:, 1:] = plane
    return {
        "scale": tuple(scale),
        "rotate": rotate,
        "translate": tuple(translate),
        "units": tuple(units),
        "axis_labels": axes,
    }


def displayed_bias(stack: xr.Dataset) -> np.ndarray:
    """Bias [mV] in the order of the slider: rising, whatever the file's order."""
    return np.sort(stack["bias"].to_numpy())


def displayed(maps: xr.DataArray) -> np.ndarray:
    """Maps (bias, y, x) in the order of the slider; a view where the file rises or falls steadily."""
    bias = maps["bias"].to_numpy()
    step = np.diff(bias)
    if (step >= 0).all():
        return maps.to_numpy()
    if (step <= 0).all():
        return maps.to_numpy()[::-1]
    return maps.to_numpy()[np.argsort(bias)]


def contrast(values: np.ndarray) -> tuple[float, float]:
    """Limits that leave out half a percent at either end, blind to pixels that were not acquired."""
    sample = values[:: max(1, len(values) // 16)] if values.ndim == 3 else values
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (0.5, 99.5)))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))
