"""Stacks become Image layers, and Image layers become stacks again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.settings import ImportSettings
from friedel.stack import DIMS, channel_names, didv, didv_channel, image_names, topograph_name
from napari_friedel.layers.geometry import contrast, displayed, displayed_bias, placement
from napari_friedel.layers.info import KEY, MapInfo, StackInfo, frame_of, info_of

if TYPE_CHECKING:
    import xarray as xr

LayerData = tuple[Any, dict[str, Any], str]
#: Mark (in `Dataset.encoding`) of a stack whose axes are others than those of its file.
RECALIBRATED = "friedel recalibrated"
#: Key (in `Dataset.encoding`) of the settings with which a stack's file gives this stack again.
OPENED_WITH = "friedel opened with"
#: Mark (in `Dataset.encoding`) of a stack that no settings make of its file: mirrored, or turned over.
TURNED = "friedel turned"


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
            "metadata": {
                KEY: StackInfo(
                    "stack",
                    stack,
                    channel=chosen,
                    derived=derived,
                    title=title,
                    bias_mv=displayed_bias(stack),
                )
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


def map_layer(
    stack: xr.Dataset, data: np.ndarray, kind: str, name: str, *, owner: Any = None, units: str = "1"
) -> LayerData:
    """Make an Image layer (y, x) that lies on `stack` (crop the stack first if the map covers an area of it)."""
    return (
        data,
        {
            "name": name,
            "colormap": {"topograph": "copper", "s": "magma", "probability": "viridis"}.get(kind, "gray"),
            "contrast_limits": contrast(data),
            "metadata": {KEY: MapInfo(kind, stack, owner, image=name, units=units)},
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
    if channel is None and not _has_didv(stack, shown=bool(layers)):
        return [*layers, *_plain_images(stack, name or title_of(stack), visible=topograph is None)]
    return [*layers, stack_layer(stack, channel, name)]


def _has_didv(stack: xr.Dataset, *, shown: bool) -> bool:
    """Whether there is dI/dV to show; raises `StackError` where nothing else could be shown instead."""
    try:
        didv(stack)
    except StackError:
        if stack.sizes["bias"] > 1 or (not np.isfinite(stack["bias"].to_numpy()).any() and not shown):
            raise
        return False
    return True


def _plain_images(stack: xr.Dataset, title: str, *, visible: bool) -> list[LayerData]:
    """The channels of one scan without dI/dV, each as it is."""
    layers = []
    for name in channel_names(stack):
        units = stack[name].attrs.get("units", "")
        layer = map_layer(stack, stack[name][0].to_numpy(), "image", f"{title} · {name}", units=units)
        layer[1]["visible"] = visible
        layers.append(layer)
    return layers


def file_of(stack: xr.Dataset | None) -> str:
    """The file or folder that a stack was opened from; empty if it lies in none."""
    if stack is None:
        return ""
    # A netCDF file tells where its data came from first; that is another file, or none at all.
    opened = str(stack.encoding.get("source") or "")
    told = str(stack.attrs.get("source", ""))
    return opened or (told if Path(told).exists() and told else "")


def axes_of(stack: xr.Dataset | None) -> ImportSettings:
    """The settings with which the file of a stack gives this stack again."""
    found = None if stack is None else stack.encoding.get(OPENED_WITH)
    return found if isinstance(found, ImportSettings) else ImportSettings()


def title_of(stack: xr.Dataset) -> str:
    """Short name of a stack: its file's stem."""
    source = str(stack.encoding.get("source") or stack.attrs.get("source", ""))
    return Path(source).stem or str(stack.attrs.get("instrument", "stack"))


# --- layers -> stack ----------------------------------------------------------------------------------------------


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
    if isinstance(info, StackInfo) and info.stack is not None:
        stack = info.stack
        expected = tuple(stack.sizes[dim] for dim in DIMS)
        if shape != expected:
            raise StackError(
                f"The data of {layer.name!r} have the shape {shape}, but its stack has {expected}: they were changed "
                "outside this plugin. Open the Import dock and give bias and pixel size again."
            )
        return stack, info.channel
    if layer.rgb:
        raise StackError(
            f"{layer.name!r} is a colour picture (RGB); a dI/dV stack holds one number per pixel and voltage."
        )
    if layer.data.ndim != 3:
        raise StackError(
            f"{layer.name!r} has {layer.data.ndim} axes; a dI/dV stack has three (bias, y, x). "
            "A single map shows where waves are, but not how they change with energy."
        )
    raise StackError(
        f"{layer.name!r} has no bias voltages and no pixel size yet: open the Import dock, give them, and "
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
    stack = frame_of(layer)
    if stack is None:
        raise StackError(
            f"{layer.name!r} has no pixel size in nm: open it from its instrument's file, or import it."
        )
    return np.asarray(layer.data, dtype=np.float32), stack


def add_layer(viewer: Any, layer: LayerData, below: Any = None) -> Any:
    """Add a `LayerData` tuple to a viewer (or a bare ViewerModel) and return the layer.

    It comes on top, or below another layer: to move it there later costs napari as much as to add it.
    """
    from napari.layers import Layer

    made = Layer.create(*layer)
    place = len(viewer.layers) if below is None else viewer.layers.index(below)
    viewer.layers.insert(place, made)
    return made
