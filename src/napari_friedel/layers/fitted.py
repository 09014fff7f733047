"""The fitted waves and the residual of one voltage, and the completeness maps, computed when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.stack import crop
from napari_friedel.layers import results, showing
from napari_friedel.layers.info import ImpuritiesInfo, known, title_of_layer
from napari_friedel.layers.stack_layers import map_layer, stack_of

if TYPE_CHECKING:
    from friedel.detections import Detections
    from friedel.refit.completeness import Completeness

#: Kinds of the layers that follow the slider, with their names.
KINDS = {"model": "fitted waves", "residual": "residual"}
#: Kinds of the completeness layers, with their names.
COMPLETENESS = {"missed": "missed below this |s|", "one_more": "log odds of one more scatterer"}


def found_of(viewer: Any, stack_layer: Any) -> Detections:
    """The result of a stack that the docks show.

    Raises
    ------
    StackError
        If there is none.
    """
    points = results.find(viewer, stack_layer, "impurities")
    if points is None:
        raise StackError("There is no result yet: press “Detect” first.")
    return known(points, ImpuritiesInfo).found


def show_fit(viewer: Any, stack_layer: Any, bias_mv: float, *, reveal: bool = True) -> float:
    """Show model and residual at the voltage next to `bias_mv`, in place of the last ones.

    Parameters
    ----------
    viewer : ViewerModel
    stack_layer : napari.layers.Image
    bias_mv : float
    reveal : bool
        Make the layers visible; otherwise only those that are visible are computed.

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
    found = found_of(viewer, stack_layer)
    stack, channel = stack_of(stack_layer)
    title, owner = title_of_layer(stack_layer), results.owner_of(stack_layer)
    bias = np.asarray(found.provenance.get("bias_mv") or stack["bias"].to_numpy(), dtype=float)
    index = int(np.argmin(np.abs(bias - bias_mv)))
    part, units = crop(stack, found.area), str(stack[channel].attrs.get("units", "1"))
    for kind, label in KINDS.items():
        layer = results.find(viewer, stack_layer, kind)
        if not reveal and (layer is None or not layer.visible):
            continue
        values = found.model(index) if kind == "model" else found.residual(index)
        made = map_layer(
            part, values.astype(np.float32), kind, f"{title} · {label}", owner=owner, units=units
        )
        layer = showing.show_map(viewer, stack_layer, part, made)
        layer.contrast_limits = made[1]["contrast_limits"]
        layer.name = f"{title} · {label} at {bias[index]:+.4g} mV"
        if reveal:
            layer.visible = True
    return float(bias[index])


def fit_is_shown(viewer: Any, stack_layer: Any) -> bool:
    """Whether model or residual of a stack are visible."""
    shown = (results.find(viewer, stack_layer, kind) for kind in KINDS)
    return any(layer is not None and layer.visible for layer in shown)


def show_completeness(viewer: Any, stack_layer: Any, made: Completeness) -> None:
    """Show the amplitude below which an impurity would be missed, and the log odds of one more scatterer."""
    found = found_of(viewer, stack_layer)
    stack, _ = stack_of(stack_layer)
    title, owner = title_of_layer(stack_layer), results.owner_of(stack_layer)
    part = crop(stack, found.area)
    for kind, values in (("one_more", made.log_odds), ("missed", made.amplitude)):
        name = f"{title} · {COMPLETENESS[kind]}"
        layer = showing.show_map(
            viewer,
            stack_layer,
            part,
            map_layer(part, values.astype(np.float32), kind, name, owner=owner),
        )
        # The limit of acceptance lies in the middle of the colours.
        layer.contrast_limits = (0.0, 1.0) if kind == "missed" else (-made.limit, 3 * made.limit)
        layer.colormap = "viridis" if kind == "missed" else "magma"
        layer.visible = kind == "missed"


def explained_text(found: Detections) -> str:
    """How well the waves explain the maps, in a sentence; empty without a refit."""
    if found.waves is None:
        return ""
    share = found.waves.fitted.explained_share
    return (
        f"The waves explain {100 * share:.0f} % of the structure outside the cores."
        if np.isfinite(share)
        else ""
    )
