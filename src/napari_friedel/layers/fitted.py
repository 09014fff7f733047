"""The fitted waves and the residual of one voltage, as two maps that are computed when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from friedel.detections import Detections
from friedel.errors import StackError
from friedel.stack import crop
from napari_friedel.layers import results, showing
from napari_friedel.layers.info import ImpuritiesInfo, known, title_of_layer
from napari_friedel.layers.stack_layers import map_layer, stack_of


def show_fit(viewer: Any, stack_layer: Any, bias_mv: float) -> float:
    """Show model and residual at the voltage next to `bias_mv`, in place of the last ones.

    Parameters
    ----------
    viewer : ViewerModel
    stack_layer : napari.layers.Image
    bias_mv : float

    Returns
    -------
    float
        The voltage that is shown [mV].

    Raises
    ------
    StackError
        If the stack has no result.
    FriedelError
        If its result was not refitted.
    """
    points = results.find(viewer, stack_layer, "impurities")
    if points is None:
        raise StackError("There is no result yet: press “Detect” first.")
    found: Detections = known(points, ImpuritiesInfo).found
    stack, channel = stack_of(stack_layer)
    title, owner = title_of_layer(stack_layer), results.owner_of(stack_layer)
    bias = np.asarray(found.provenance.get("bias_mv") or stack["bias"].to_numpy(), dtype=float)
    index = int(np.argmin(np.abs(bias - bias_mv)))
    part, units = crop(stack, found.area), str(stack[channel].attrs.get("units", "1"))
    for kind, label, values in (
        ("model", "fitted waves", found.model(index)),
        ("residual", "residual", found.residual(index)),
    ):
        made = map_layer(
            part, values.astype(np.float32), kind, f"{title} · {label}", owner=owner, units=units
        )
        layer = showing.show_map(viewer, stack_layer, part, made)
        layer.contrast_limits = made[1]["contrast_limits"]
        layer.name = f"{title} · {label} at {bias[index]:+.4g} mV"
        layer.visible = True
    return float(bias[index])
