"""Impurities that are seen twice: a second apex of the tip repeats every impurity at one and the same displacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

#: Displacements that are compared [half wavelengths]: nearer ones are one impurity, farther ones no second apex.
REACH = 2.5
#: Two displacements are the same within this radius [half wavelengths].
SAME = 0.2
#: Fewer points say nothing.
FEW = 6


@dataclass(frozen=True)
class Ghosts:
    """The commonest displacement between two impurities.

    Parameters
    ----------
    pairs : int
        Pairs of this displacement.
    share : float
        Pairs beyond those that chance puts there, over the number of impurities; 0 for few of them.
    apart : (float, float)
        Displacement (rows, columns) [px].
    """

    pairs: int
    share: float
    apart: tuple[float, float] = (0.0, 0.0)


def ghosts(points: np.ndarray, shape: tuple[int, int], half: float) -> Ghosts:
    """Count the commonest displacement between impurities.

    Parameters
    ----------
    points : array, shape (n, 2)
        (row, column) [px].
    shape : (int, int)
        Rows and columns of the field.
    half : float
        Half wavelength [px].

    Returns
    -------
    Ghosts
        Of `n` points at random, n² π r² / area pairs have a given displacement within r by chance, and the commonest
        displacement has some more: three standard deviations are taken off, too.
    """
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    n, radius = len(points), SAME * half
    if n < FEW:
        return Ghosts(0, 0.0)
    first, second = KDTree(points).query_pairs(REACH * half, output_type="ndarray").T
    apart = points[first] - points[second]
    apart = apart[(apart != 0).any(axis=1)]
    if not len(apart):
        return Ghosts(0, 0.0)
    # One of d and −d is enough.
    apart[(apart[:, 0] < 0) | ((apart[:, 0] == 0) & (apart[:, 1] < 0))] *= -1
    tree = KDTree(apart)
    count = tree.query_ball_point(apart, radius, return_length=True)
    best = int(count.argmax())
    chance = n**2 * np.pi * radius**2 / max(shape[0] * shape[1], 1)
    excess = count[best] - chance - 3 * np.sqrt(chance) - 1
    middle = apart[tree.query_ball_point(apart[best], radius)].mean(axis=0)
    return Ghosts(int(count[best]), max(0.0, float(excess) / n), (float(middle[0]), float(middle[1])))
