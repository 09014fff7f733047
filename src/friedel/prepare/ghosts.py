"""Impurities that are seen twice: a second apex of the tip repeats every impurity at one and the same displacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from scipy.special import bdtrc

#: Displacements that are compared [half wavelengths]: nearer ones are one impurity, farther ones no second apex.
REACH = 2.5
#: Two displacements are the same within this radius [half wavelengths].
SAME = 0.2
#: Fewer points say nothing.
FEW = 6
#: A second apex sees less than the first one: in so many of the pairs the same one of the two is the weaker, and chance
#: does that once in so many fields.
ORDERED, CHANCE = 0.8, 0.01


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
    expected : float
        Pairs that chance puts there.
    """

    pairs: int
    share: float
    apart: tuple[float, float] = (0.0, 0.0)
    expected: float = 0.0


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
    displacement = float(middle[0]), float(middle[1])
    return Ghosts(int(count[best]), max(0.0, float(excess) / n), displacement, float(chance))


def repeated(points: np.ndarray, strength: np.ndarray, twice: Ghosts, half: float) -> np.ndarray:
    """Points that a second apex shows once more.

    Parameters
    ----------
    points : array, shape (n, 2)
        (row, column) [px].
    strength : array, shape (n,)
        What a second apex sees less of: the scattering amplitude, or S. NaN where unknown.
    twice : Ghosts
        Of these points.
    half : float
        Half wavelength [px].

    Returns
    -------
    array of int
        Indices of the weaker one of every pair at the common displacement; none where the weaker one is now the
        first and now the second, as in a lattice.
    """
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    near = KDTree(points).query_ball_point(points + np.array(twice.apart), SAME * half)
    pairs = np.array([(i, j) for i, found in enumerate(near) for j in found if i != j], dtype=int).reshape(
        -1, 2
    )
    if not len(pairs):
        return np.zeros(0, dtype=int)
    pairs = pairs[np.isfinite(strength[pairs]).all(axis=1)]
    if not len(pairs):
        return np.zeros(0, dtype=int)
    later = strength[pairs[:, 1]] < strength[pairs[:, 0]]
    weaker = int(later.sum() >= len(later) / 2)
    agree = later == bool(weaker)
    # Binomial, either one being the weaker: so many or more of them agree by chance.
    by_chance = 2 * float(bdtrc(int(agree.sum()) - 1, len(agree), 0.5))
    if agree.mean() < ORDERED or by_chance > CHANCE:
        return np.zeros(0, dtype=int)
    return np.unique(pairs[agree, weaker])
