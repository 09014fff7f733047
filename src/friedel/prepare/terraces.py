"""Terraces: a map whose parts lie at different levels.

Edges are found where the map jumps within half a wavelength by far more than waves do; what they enclose is levelled
if it is larger than an atom's surroundings, and the edges themselves are left out.
"""

from __future__ import annotations

import numpy as np

from friedel.prepare.prepared import Step

#: A jump counts if it is so many robust standard deviations of the map's jumps.
JUMP = 8.0
#: Least area of a terrace, in squares of half a wavelength.
LEAST_AREA = 4.0


def find_terraces(maps: np.ndarray, half: float) -> tuple[np.ndarray, list[Step]]:
    """Level the terraces of each map.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    half : float
        Half wavelength [px].

    Returns
    -------
    maps : array, shape (bias, rows, columns)
        NaN at the edges.
    steps : list of Step
    """
    return maps, []
