"""The tab "δ(E)" of the inspect dock: what the fit says of the selected impurity."""

from __future__ import annotations

from typing import Any

import numpy as np

from friedel.errors import FriedelError
from friedel.refit.flags import SENTENCES, PointFlag
from napari_friedel.layers.info import ImpuritiesInfo, known
from napari_friedel.widgets.plots import COLOURS, Plot

#: Columns of the table in words, with their unit.
WORDS = (
    ("amplitude", "|s|", ""),
    ("phase_shift_rad", "δ", " rad"),
    ("phase_shift_slope_per_ev", "dδ/dE", " rad/eV"),
    ("absorption", "absorption", ""),
)


def phase_plot(viewer: Any) -> Plot:
    """The empty axes of the tab."""
    plot = Plot("bias (mV)", "phase shift δ (rad)", viewer=viewer, height=230)
    plot.legend()
    return plot


def draw_phase(plot: Plot, points: Any, index: int | None, bias_mv: float) -> str:
    """Draw δ(E) of a point with a band of one standard deviation.

    Parameters
    ----------
    plot : Plot
    points : napari.layers.Points or None
        The impurities.
    index : int or None
        The selected one.
    bias_mv : float
        Shown as a vertical line.

    Returns
    -------
    str
        The numbers and flags of the point, for the label above the plot.
    """
    nothing = np.zeros(0)
    text, curve = "Select an impurity to see its phase shift.", None
    if points is not None and index is not None:
        found = known(points, ImpuritiesInfo).found
        text = describe(points.features.iloc[index])
        corner = [axis[0] for axis in found.area]
        row, column = np.asarray(points.data, dtype=float)[index] - corner
        try:
            if found.waves is not None:
                from friedel.refit.phase_curve import phase_curve

                curve = phase_curve(found.waves, row, column)
        except FriedelError as error:
            text = f"{text} {error}"
    bias, shift, sigma = (nothing,) * 3 if curve is None else (curve.bias_mv, curve.shift, curve.sigma)
    plot.band("±1σ", bias, shift - sigma, shift + sigma, COLOURS["second"])
    plot.curve("δ", bias, shift, COLOURS["second"], width=2)
    plot.vertical("bias", bias_mv, COLOURS["average"])
    return text


def describe(features: Any) -> str:
    """Amplitude, phase shift, slope and absorption with σ, Δχ², shares, and every flag's sentence."""
    parts = []
    for name, word, unit in WORDS:
        value = float(features.get(name, np.nan))
        if np.isfinite(value):
            parts.append(f"{word} = {value:.3g} ± {float(features[f'sigma_{name}']):.2g}{unit}")
    for name, word in (("delta_chi2", "Δχ²"), ("inside_share", "inside"), ("own_share", "own share")):
        value = float(features.get(name, np.nan))
        if np.isfinite(value):
            parts.append(f"{word} {value:.3g}")
    if not parts:
        return "The fit says nothing of this point: there was no refit, or the point was made since."
    bits = float(features.get("flags", np.nan))
    flags = [SENTENCES[one] for one in PointFlag if np.isfinite(bits) and int(bits) & one]
    return " ".join([", ".join(parts) + ".", *flags])
