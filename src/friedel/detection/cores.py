"""How far the cores reach: near an impurity the maps follow no universal law, and pull at whatever fits them.

A core is left out up to a radius. One that reaches further shows in the rings beyond: there χ² is on average larger
than in the surroundings, by more than chance makes it. The mean of a ring sees weak cores that single pixels do not.
"""

from __future__ import annotations

import numpy as np

#: A ring is so wide, and the radius grows by so much at a time, up to the largest [px].
RING, STEP, LARGEST = 0.6, 0.3, 3.3
#: A ring belongs to the core if its mean χ² is larger than the usual by this share and so many standard deviations.
#: A pixel counts for no more than `TOP` × the usual.
SHARE, DEVIATIONS, TOP = 0.2, 3.0, 10.0
#: Pixels of a ring that tell.
LEAST = 3


def grown(
    points: np.ndarray, radius: np.ndarray, place: np.ndarray, misfit: np.ndarray, maps: int
) -> np.ndarray:
    """Radius of each core, as large as before or larger, shape (n,) [px].

    Parameters
    ----------
    points : array, shape (n, 2)
        Scatterers.
    radius : array, shape (n,)
        Up to which their cores are left out so far [px].
    place : array, shape (P, 2)
        Pixels that are not left out.
    misfit : array, shape (P,)
        χ² of each, over the median of all.
    maps : int
        Of how many maps: χ² spreads by √(2/maps).
    """
    out = np.array(radius, float)
    misfit = np.minimum(misfit, TOP)
    for i, point in enumerate(points):
        r = np.hypot(*(place - point).T)
        around = (r > LARGEST) & (r < 2 * LARGEST)
        if not around.any():
            continue
        # The median: a large core spoils the fit of its surroundings, too.
        usual = max(1.0, float(np.median(misfit[around])))
        while out[i] < LARGEST:
            ring = (r > out[i]) & (r <= out[i] + RING)
            count = int(ring.sum())
            if count < LEAST:
                break
            chance = DEVIATIONS * np.sqrt(2 / (maps * count))
            if misfit[ring].mean() <= usual * (1 + SHARE + chance):
                break
            out[i] += STEP
    return out
