"""How far the cores reach: near an impurity the maps follow no universal law, and pull at whatever fits them.

Its nearest surroundings are also where its waves are strongest. So a core is left out as far as it reaches and no
further: up to the radius within which the χ² of the pixels is in excess of what waves leave over. A pixel belongs to
the nearest point, or a large core would make its neighbours' grow, too.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

#: No core is smaller, none larger [px].
LEAST, LARGEST = 0.9, 3.6
#: A pixel speaks for a core if its χ² is so many times the usual, and for no more than `TOP` pixels that do not.
EXCESS, TOP = 1.6, 4.0
#: A core ends so far beyond its last pixel [px]: the point moves a little yet.
RIM = 0.1


def fitted(points: np.ndarray, place: np.ndarray, misfit: np.ndarray) -> np.ndarray:
    """Radius of each core, shape (n,) [px].

    Parameters
    ----------
    points : array, shape (n, 2)
        Scatterers.
    place : array, shape (P, 2)
        Pixels further than `LEAST` from all points.
    misfit : array, shape (P,)
        χ² of each, over the median of all.
    """
    out = np.full(len(points), LEAST)
    tree = KDTree(place)
    away, owner = KDTree(points).query(place)
    for i in np.unique(owner[away < LARGEST]):
        around = np.array(tree.query_ball_point(points[i], 2 * LARGEST))
        around = around[np.hypot(*(place[around] - points[i]).T) > LARGEST]
        # The median: a large core spoils the fit of its surroundings, too.
        usual = max(1.0, float(np.median(misfit[around]))) if len(around) else 1.0
        own = np.flatnonzero((owner == i) & (away < LARGEST))
        own = own[np.argsort(away[own])]
        excess = np.cumsum(np.minimum(misfit[own] / usual - EXCESS, TOP))
        if excess.max() > 0:
            out[i] = away[own[excess.argmax()]] + RIM
    return out
