"""A plain Image layer (TIFF, .npy, dask, multiscale) becomes a stack with voltages and a pixel size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import bias_axis, stepped_axis
from friedel.stack import make_stack
from napari_friedel.layers.stack_layers import OPENED_WITH, TURNED

if TYPE_CHECKING:
    import xarray as xr

    from friedel.settings import ImportSettings

#: Voltages that are all smaller than this [mV] are more likely volts.
LIKELY_VOLTS = 5.0


def plain_array(layer: Any) -> Any:
    """The array behind a layer; of a multiscale layer its finest level. Nothing is computed or copied."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def parse_bias(text: str, unit: str) -> str:
    """Voltages in mV, as `friedel.io.axes.bias_axis` reads them, from what was typed.

    Parameters
    ----------
    text : str
        ``START:STOP``, ``START:STOP:STEP`` or all voltages.
    unit : {"mV", "V"}

    Raises
    ------
    StackError
        If it is none of these, or looks like volts that are called millivolts.
    """
    try:
        parts = [float(part) for part in text.split(":")] if ":" in text else None
        listed = None if parts else [float(part) for part in re.split(r"[,;\s]+", text.strip()) if part]
    except ValueError:
        raise StackError(
            f"{text!r} is not a bias axis: type START:STOP, START:STOP:STEP or all voltages."
        ) from None
    values = np.array(parts or listed or [], dtype=float)
    if not values.size or not np.isfinite(values).all() or (parts is not None and len(parts) not in (2, 3)):
        raise StackError(f"{text!r} is not a bias axis: type START:STOP, START:STOP:STEP or all voltages.")
    if unit == "mV" and values.size > 1 and 0 < np.abs(values[:2]).max() < LIKELY_VOLTS:
        raise StackError(
            f"{text} mV is a very narrow range. If these are volts, choose V beside the box; if they are millivolts, "
            "write them as a list."
            if parts is not None
            else f"{text} mV are very small voltages. If these are volts, choose V beside the box."
        )
    if parts is not None and len(parts) == 3:
        stepped_axis(text, *parts)  # refuses a step that leads nowhere, before the data are asked
    factor = 1000.0 if unit == "V" else 1.0
    joiner = ":" if parts is not None else ", "
    return joiner.join(f"{factor * value:.10g}" for value in values)


def plain_stack(layer: Any, axes: ImportSettings, *, mirrored: bool = False, top: bool = True) -> xr.Dataset:
    """Make a stack of a plain layer.

    Parameters
    ----------
    layer : napari.layers.Image
    axes : ImportSettings
        The bias as `parse_bias` gives it, the pixel size, the order of the layer's axes (byx or yxb), and whether the
        maps are separate scans.
    mirrored : bool
        Whether the columns run from right to left.
    top : bool
        Whether the first row is the upper one: y falls with the row.

    Raises
    ------
    StackError
        If the layer is no stack of maps, or the voltages do not fit.
    """
    if layer.rgb:
        raise StackError(f"{layer.name!r} is a colour picture (RGB), not a stack of maps.")
    array = plain_array(layer)
    if array.ndim != 3:
        raise StackError(f"{layer.name!r} has {array.ndim} axes; a stack has three: bias, y and x.")
    data = np.asarray(array, dtype=np.float32)
    if axes.axes == "yxb":
        data = np.moveaxis(data, 2, 0)
    if mirrored:
        data = data[..., ::-1]
    source = getattr(layer.source, "path", None) or layer.name
    stack = make_stack(
        {"dI/dV": data},
        bias_mv=bias_axis(axes.bias, len(data)),
        pixel_nm=axes.pixel_nm,
        source=str(source),
        y_direction=-1 if top else 1,
        separate_scans=int(axes.separate_scans),
    )
    stack.encoding |= {OPENED_WITH: axes, TURNED: mirrored}
    return stack
