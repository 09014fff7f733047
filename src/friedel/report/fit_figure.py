"""Data, fitted waves and residual of three voltages, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from friedel.errors import FriedelError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from friedel.detections import Detections

#: Voltages that are shown.
COUNT = 3


def chosen(found: Detections) -> list[int]:
    """Indices of the voltages that are shown: a sixth, half and five sixths of the way."""
    count = 0 if found.waves is None else len(found.waves.bias_mv)
    return sorted({int(count * (2 * one + 1) / (2 * COUNT)) for one in range(COUNT)}) if count else []


def fit_figure(found: Detections) -> Figure:
    """Draw data, fitted waves and residual of three voltages, the three of one row in one grey scale.

    Parameters
    ----------
    found : Detections
        With fitted waves.

    Raises
    ------
    FriedelError
        If no refit was used.
    """
    from matplotlib.figure import Figure

    waves, index = found.waves, chosen(found)
    if waves is None or not index:
        raise FriedelError("There is no model of the maps: no refit was used.")
    figure = Figure(figsize=(9, 3 * len(index)), layout="constrained")
    axes = figure.subplots(len(index), 3, squeeze=False)
    for line, number in zip(axes, index, strict=True):
        data, model = waves.recorded[number], waves.model(number)
        left = data - model
        low, high = np.nanpercentile(data, [1, 99])
        middle = (low + high) / 2
        limits = ((low, high), (low, high), (low - middle, high - middle))
        share = waves.explained_variance(number)
        titles = (
            f"dI/dV at {waves.bias_mv[number]:+.4g} mV",
            "fitted waves",
            f"residual; {100 * share:.0f} % of the variance explained",
        )
        for one, values, title, (bottom, top) in zip(line, (data, model, left), titles, limits, strict=True):
            one.imshow(values, origin="lower", cmap="gray", vmin=bottom, vmax=top, interpolation="nearest")
            one.set_title(title, fontsize=10)
            one.set_xticks([])
            one.set_yticks([])
    return figure
