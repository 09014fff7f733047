"""How impurities look: rings around what they mark, coloured by log-odds, by hand-made changes or by a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

#: Log-odds at the two ends of the colour scale: probabilities of 0.5 and 0.99999.
LOG_ODDS = (0.0, 11.5)
COLORMAP = "plasma"
ORIGIN_COLOURS = {
    "found": "#f0e442",
    "accepted": "#00c08b",
    "added": "#56b4e9",
    "moved": "#e69f00",
    "removed": "#888888",
}
#: Choices of the colour that stand beside the table's own columns.
BY_LOG_ODDS, BY_ORIGIN = "log-odds", "origin"


def ring_style(size: float) -> dict[str, Any]:
    """Keywords of `add_points` for rings of this diameter [px]."""
    return {
        "face_color": "transparent",
        "border_color": "#f0e442",
        "border_width": 0.16,
        "size": size,
        "symbol": "disc",
        "canvas_size_limits": (0, 10_000),  # napari draws no point smaller than 2 screen pixels otherwise
    }


def point_size(stack: xr.Dataset) -> float:
    """Diameter of a ring [px]: large enough to leave its centre free, small enough not to touch its neighbours."""
    return max(1.5, min(stack.sizes["y"], stack.sizes["x"]) / 26)


def log_odds(probability: Any) -> np.ndarray:
    """Log-odds of probabilities, finite at 0 and 1."""
    p = np.clip(np.asarray(probability, dtype=float), 1e-12, 1 - 1e-12)
    odds: np.ndarray = np.log(p) - np.log1p(-p)
    return odds


def scale_of(features: Any, by: str) -> tuple[np.ndarray, float, float]:
    """Values that are coloured, and the two ends of their scale."""
    if by == BY_LOG_ODDS:
        return log_odds(features["probability"]), *LOG_ODDS
    values = np.asarray(features[by], dtype=float)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values, 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (2, 98)))
    return values, low, high if high > low else low + (abs(low) or 1.0)


def ring_colours(features: Any, by: str = BY_LOG_ODDS) -> np.ndarray:
    """RGBA of each point, shape (n, 4); what has no number takes the colour of its origin."""
    from napari.utils.colormaps import ensure_colormap
    from napari.utils.colormaps.standardize_color import transform_color

    origin = features["origin"].astype(str).to_numpy()
    colours = (
        np.array([transform_color(ORIGIN_COLOURS.get(name, "white"))[0] for name in origin])
        if len(origin)
        else np.zeros((0, 4))
    )
    if by == BY_ORIGIN or (by != BY_LOG_ODDS and by not in features) or not len(origin):
        return colours
    values, low, high = scale_of(features, by)
    numbers = np.isfinite(values)
    colours[numbers] = ensure_colormap(COLORMAP).map(np.clip((values[numbers] - low) / (high - low), 0, 1))
    return colours
