"""Radius of the core mask of each impurity: close to a scatterer the LDOS is not described by the s-wave model.

The nearest surroundings of an impurity are also where its waves are strongest. So a core is masked as far as it reaches
and no further: up to the radius within which the χ² of the pixels is in excess of that of their surroundings. A pixel
belongs to the nearest point, or a large core would enlarge those of its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree


@dataclass(frozen=True)
class CoreConstants:
    """Numbers of the core masks.

    Parameters
    ----------
    min_px, max_px : float
        Smallest and largest radius.
    excess, max_excess : float
        A pixel belongs to a core if its χ² is more than `excess` times the usual; it outweighs no more than
        `max_excess` in the sum over the pixels.
    rim_px : float
        A core ends so far beyond its last pixel, since the point may still move a little.
    """

    min_px: float = 0.9
    max_px: float = 3.6
    excess: float = 1.6
    max_excess: float = 4.0
    rim_px: float = 0.1


CORES = CoreConstants()


def fitted(points: np.ndarray, place: np.ndarray, misfit: np.ndarray) -> np.ndarray:
    """Radius of each core, shape (n,) [px].

    Parameters
    ----------
    points : array, shape (n, 2)
        Scatterers.
    place : array, shape (P, 2)
        Pixels further than `CoreConstants.min_px` from all points.
    misfit : array, shape (P,)
        χ² of each, over the median of all.
    """
    c, out = CORES, np.full(len(points), CORES.min_px)
    tree = KDTree(place)
    away, owner = KDTree(points).query(place)
    for i in np.unique(owner[away < c.max_px]):
        around = np.array(tree.query_ball_point(points[i], 2 * c.max_px))
        around = around[np.hypot(*(place[around] - points[i]).T) > c.max_px]
        # The median, since a large core worsens the fit of its surroundings, too.
        usual = max(1.0, float(np.median(misfit[around]))) if len(around) else 1.0
        own = np.flatnonzero((owner == i) & (away < c.max_px))
        own = own[np.argsort(away[own])]
        excess = np.cumsum(np.minimum(misfit[own] / usual - c.excess, c.max_excess))
        if excess.max() > 0:
            out[i] = away[own[excess.argmax()]] + c.rim_px
    return out
