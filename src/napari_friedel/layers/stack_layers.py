"""Between `friedel` and napari: stacks become Image layers, tables become Points, all in one world.

World coordinates are the instrument's own, in nm: ``(bias, tip_y, tip_x)``. Every layer of this plugin gets scale,
rotation, translation and units from `placement` and from nowhere else, so that topograph, stack, S and points lie on
top of each other, and the cursor reads the position to which the tip can be driven.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.stack import (
    DIMS,
    axis_step,
    channel_names,
    didv,
    didv_channel,
    image_names,
    pixel_pitch,
    tip_position,
    topograph_name,
)

#: Where this plugin keeps what it knows about a layer, in `layer.metadata`.
KEY = "friedel"

LayerData = tuple[Any, dict[str, Any], str]


# --- geometry -----------------------------------------------------------------------------------------------------


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


# --- stack -> layers ----------------------------------------------------------------------------------------------


def stack_layer(stack: xr.Dataset, channel: str | None = None, name: str | None = None) -> LayerData:
    """Make the Image layer (bias, y, x) of one channel; a current is shown as its numerical derivative.

    The whole stack, with all its channels, stays in the layer's metadata.
    """
    chosen, derived = didv_channel(stack, channel)
    maps = didv(stack, chosen)
    data = displayed(maps)
    title = name or title_of(stack)
    return (
        data,
        {
            "name": f"{title} · {'dI/dV of ' if derived else ''}{chosen}",
            "colormap": "gray",
            "contrast_limits": contrast(data),
            # The mean of dI/dV changes with bias far more than the waves do: each map gets limits of its own.
            "auto_contrast": True,
            "metadata": {
                KEY: {
                    "kind": "stack",
                    "stack": stack,
                    "channel": chosen,
                    "derived": derived,
                    "title": title,
                    "bias_mv": displayed_bias(stack),
                }
            },
            **placement(stack, DIMS),
        },
        "image",
    )


def image_layer(stack: xr.Dataset, image: str, name: str | None = None) -> LayerData:
    """Make the Image layer (y, x) of an image taken with the grid, for example the topograph."""
    data = stack[image].to_numpy()
    kind = "topograph" if image == topograph_name(stack) else "image"
    return map_layer(
        stack, data, kind, f"{name or title_of(stack)} · {image}", units=stack[image].attrs.get("units", "")
    )


def map_layer(stack: xr.Dataset, data: np.ndarray, kind: str, name: str, **info: Any) -> LayerData:
    """Make an Image layer (y, x) that lies on `stack` (crop the stack first if the map covers an area of it)."""
    return (
        data,
        {
            "name": name,
            "colormap": {"topograph": "copper", "s": "magma", "probability": "viridis"}.get(kind, "gray"),
            "contrast_limits": contrast(data),
            "metadata": {KEY: {"kind": kind, "stack": stack, "image": name, **info}},
            **placement(stack),
        },
        "image",
    )


def stack_layers(stack: xr.Dataset, channel: str | None = None, name: str | None = None) -> list[LayerData]:
    """All layers of a stack: its images (hidden, but for the topograph) and, on top, the dI/dV channel."""
    topograph = topograph_name(stack)
    layers = []
    for image in image_names(stack):
        layer = image_layer(stack, image, name)
        layer[1]["visible"] = image == topograph
        layers.append(layer)
    if channel is None:
        try:
            didv(stack)
        except StackError:
            # An image without dI/dV: what it holds is shown as it is.
            if stack.sizes["bias"] > 1 or (not np.isfinite(stack["bias"].to_numpy()).any() and not layers):
                raise
            title = name or title_of(stack)
            for other in channel_names(stack):
                units = stack[other].attrs.get("units", "")
                layers.append(
                    map_layer(stack, stack[other][0].to_numpy(), "image", f"{title} · {other}", units=units)
                )
                layers[-1][1]["visible"] = topograph is None
            return layers
    return [*layers, stack_layer(stack, channel, name)]


def title_of(stack: xr.Dataset) -> str:
    """Short name of a stack: its file's stem."""
    source = str(stack.encoding.get("source") or stack.attrs.get("source", ""))
    return Path(source).stem or str(stack.attrs.get("instrument", "stack"))


# --- layers -> stack ----------------------------------------------------------------------------------------------


def info_of(layer: Any) -> dict[str, Any]:
    """What this plugin knows about `layer`; an empty dict if it did not make it."""
    found = layer.metadata.get(KEY) if layer is not None else None
    return found if isinstance(found, dict) else {}


def kind_of(layer: Any) -> str:
    """One of stack, topograph, image, s, probability, impurities, reference, agreement, tiles, table, or empty."""
    return str(info_of(layer).get("kind", ""))


def stack_of(layer: Any) -> tuple[xr.Dataset, str]:
    """Give the stack behind an Image layer and the channel it shows.

    Raises
    ------
    StackError
        With the reason, if the layer cannot be used as a stack.
    """
    if layer is None:
        raise StackError(
            "No stack is chosen: drop a dI/dV file on the viewer, or open a sample from the File menu."
        )
    if type(layer).__name__ != "Image":
        raise StackError(
            f"{layer.name!r} is a {type(layer).__name__} layer; a dI/dV stack is an Image (bias, y, x)."
        )
    info = info_of(layer)
    shape = tuple(layer.data.shape)
    if info.get("kind") == "stack":
        stack = info["stack"]
        expected = tuple(stack.sizes[dim] for dim in DIMS)
        if shape != expected:
            raise StackError(
                f"The data of {layer.name!r} have the shape {shape}, but its stack has {expected}: they were changed "
                "outside this plugin. Open “Import stack” and give bias and pixel size again."
            )
        return stack, info["channel"]
    if layer.rgb:
        raise StackError(
            f"{layer.name!r} is a colour picture (RGB); a dI/dV stack holds one number a pixel and voltage."
        )
    if layer.data.ndim != 3:
        raise StackError(
            f"{layer.name!r} has {layer.data.ndim} axes; a dI/dV stack has three (bias, y, x). "
            "A single map shows where waves are, but not how they change with energy."
        )
    raise StackError(
        f"{layer.name!r} has no bias voltages and no pixel size yet: open “Import stack”, give them, and "
        "choose the new layer here."
    )


def map_of(layer: Any) -> tuple[np.ndarray, xr.Dataset]:
    """Give the 2D map of an Image layer as (array, the stack it lies on).

    Raises
    ------
    StackError
        If the layer is no single map, or has no place in nm.
    """
    if layer is None:
        raise StackError("No map is chosen.")
    if type(layer).__name__ != "Image" or layer.rgb or layer.data.ndim != 2:
        raise StackError(f"{layer.name!r} is not a single map (y, x).")
    stack = info_of(layer).get("stack")
    if not isinstance(stack, xr.Dataset):
        raise StackError(
            f"{layer.name!r} has no pixel size in nm: open it from its instrument's file, or import it."
        )
    return np.asarray(layer.data, dtype=np.float32), stack


def add_layer(viewer: Any, layer: LayerData) -> Any:
    """Add a `LayerData` tuple to a viewer (or a bare ViewerModel) and return the layer."""
    data, kwargs, kind = layer
    return getattr(viewer, f"add_{kind}")(data, **kwargs)
