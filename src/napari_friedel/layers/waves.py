"""The waves as an eye can see them: the mean over neighbouring voltages, divided by the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from friedel.stack import DIMS, didv, pixel_pitch
from napari_friedel.layers import results
from napari_friedel.layers.geometry import displayed, displayed_bias, placement
from napari_friedel.layers.info import KEY, LayerInfo, kind_of, title_of_layer
from napari_friedel.layers.stack_layers import add_layer, stack_of

if TYPE_CHECKING:
    import xarray as xr

#: Half width of the mean over voltages [mV]; the wavelength hardly changes within it.
HALF_WIDTH_MV = 6.0
#: Width of the background's Gaussian [nm]: longer than the waves of all known surface states.
BACKGROUND_NM = 4.0


def waves(stack: xr.Dataset, channel: str) -> np.ndarray:
    """Relative modulation of dI/dV.

    Parameters
    ----------
    stack : xarray.Dataset
    channel : str

    Returns
    -------
    numpy.ndarray, shape (bias, y, x)
        Rising bias. dI/dV averaged over `HALF_WIDTH_MV` to either side, divided by its Gaussian mean over
        `BACKGROUND_NM`, minus 1; the difference in units of its spread where the background is not positive; NaN
        where nothing was acquired.
    """
    maps = np.asarray(displayed(didv(stack, channel)), dtype=float)
    bias = displayed_bias(stack)
    sigma = [max(BACKGROUND_NM / pitch, 1.0) for pitch in pixel_pitch(stack)]
    found = np.full(maps.shape, np.nan, dtype=np.float32)
    for i, value in enumerate(bias):
        near = np.abs(bias - value) <= HALF_WIDTH_MV
        with np.errstate(invalid="ignore"):
            mean = np.nanmean(maps[near], axis=0) if np.isfinite(maps[near]).any() else maps[i]
        known = np.isfinite(mean)
        if not known.any():
            continue
        weight = ndimage.gaussian_filter(known.astype(float), sigma)
        smooth = ndimage.gaussian_filter(np.where(known, mean, 0.0), sigma) / np.maximum(weight, 1e-9)
        if (smooth[known] > 0.05 * np.abs(smooth[known]).max()).all():
            found[i] = np.where(known, mean / smooth - 1, np.nan)
        else:
            difference = mean - smooth
            found[i] = np.where(known, difference / (np.nanstd(difference) or 1.0), np.nan)
    return found


def show_waves(viewer: Any, stack_layer: Any, values: np.ndarray) -> Any:
    """Show the waves directly above their stack, in place of the last ones; another call brings them up again."""
    stack, _ = stack_of(stack_layer)
    layer = results.find(viewer, stack_layer, "waves")
    if layer is not None:
        layer.data = values
        layer.visible = True
        return layer
    finite = values[np.isfinite(values)]
    limit = float(np.percentile(np.abs(finite), 99)) if finite.size else 1.0
    active = viewer.layers.selection.active
    layer = add_layer(
        viewer,
        (
            values,
            {
                "name": f"{title_of_layer(stack_layer)} · waves",
                "colormap": "gray",
                "contrast_limits": (-(limit or 1.0), limit or 1.0),
                "metadata": {KEY: LayerInfo("waves", stack, results.owner_of(stack_layer))},
                **placement(stack, DIMS),
            },
            "image",
        ),
    )
    here, target = viewer.layers.index(layer), viewer.layers.index(stack_layer) + 1
    if here != target:
        viewer.layers.move(here, target)
    if active is not None and kind_of(active):
        viewer.layers.selection.active = active
    return layer
