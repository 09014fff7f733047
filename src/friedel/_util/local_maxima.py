"""Non-maximum suppression: the one place that says what a local maximum of a map is."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree


def local_maxima(s: np.ndarray, *, min_distance: float = 1.5, floor: float | None = None) -> np.ndarray:
    """Pixels whose value no neighbour exceeds, the strongest first.

    Parameters
    ----------
    s : array, shape (rows, columns)
        NaN where nothing is known; such pixels are neither maxima nor neighbours.
    min_distance : float
        Of two maxima closer than this [px] only the stronger is kept. Values below √2 keep all maxima of the
        3×3 neighbourhood.
    floor : float, optional
        Maxima below this value are left out.

    Returns
    -------
    array of int, shape (n, 2)
        Rows and columns.
    """
    s = np.asarray(s, dtype=float)
    filled = np.where(np.isfinite(s), s, -np.inf)
    top = np.isfinite(s) & (filled >= maximum_filter(filled, size=3, mode="constant", cval=-np.inf))
    if filled.size and np.isfinite(s).any():
        top &= filled > filled[np.isfinite(s)].min()  # a flat map has no maximum
    if floor is not None:
        top &= filled >= floor
    peaks = np.argwhere(top)
    order = np.argsort(-filled[top], kind="stable")
    return _thin(peaks[order], max(min_distance, 1.5))  # 1.5: also the ties of a plateau


def _thin(peaks: np.ndarray, min_distance: float) -> np.ndarray:
    """Keep the first of every group of peaks that are closer than `min_distance`."""
    if len(peaks) < 2:
        return peaks
    neighbours = cKDTree(peaks).query_ball_point(peaks, min_distance - 1e-9)
    keep = np.ones(len(peaks), dtype=bool)
    for index, near in enumerate(neighbours):
        if keep[index]:
            keep[[other for other in near if other > index]] = False
    return peaks[keep]
