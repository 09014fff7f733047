"""From the maps of a network that knows sub-pixel shifts to points: each pixel proposes at most one localisation.

Local maxima on the pixel grid cannot hold two impurities in neighbouring pixels. But a pixel beside an impurity says
by its offset that the impurity is elsewhere, so the pixels whose offset stays within themselves are the claims.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

#: A pixel claims what lies this far from its centre on each axis [px]: half a pixel and a margin for errors.
REACH = 0.7
#: Of two claims closer than this only the stronger stays [px].
APART = 1.0


def claims(
    s: np.ndarray, offset: np.ndarray, *, floor: float = -np.inf, apart: float = APART
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that claim an impurity, the strongest first.

    Parameters
    ----------
    s : array, shape (rows, columns)
        NaN where nothing is known.
    offset : array, shape (2, rows, columns)
        Shift (row, column) from each pixel's centre to the nearest impurity [px].
    floor : float
        Smallest S that counts.
    apart : float
        Smallest distance of two claims [px].

    Returns
    -------
    pixels : array of int, shape (n, 2)
    positions : array of float, shape (n, 2)
        Row and column with the offset added [px].
    """
    s = np.asarray(s, dtype=float)
    own = (np.abs(offset) <= REACH).all(axis=0) & np.isfinite(s)
    own[own] &= s[own] >= floor
    pixels = np.argwhere(own)
    at = tuple(pixels.T)
    order = np.argsort(-s[at], kind="stable")
    pixels = pixels[order]
    positions = pixels + np.asarray(offset, dtype=float)[:, pixels[:, 0], pixels[:, 1]].T
    keep = np.ones(len(pixels), dtype=bool)
    if len(pixels) > 1:
        for first, near in enumerate(cKDTree(positions).query_ball_point(positions, apart)):
            if keep[first]:
                keep[[other for other in near if other > first]] = False
    return pixels[keep], positions[keep]
