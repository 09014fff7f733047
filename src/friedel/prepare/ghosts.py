"""Impurities that are seen twice: a second apex of the tip repeats every impurity at one and the same displacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Displacements that are compared [half wavelengths]: nearer ones are one impurity, farther ones no second apex.
REACH = 2.5
#: Two displacements are the same within this radius [half wavelengths].
SAME = 0.2
#: Fewer points say nothing; more are thinned, since pairs grow with the square.
FEW, MANY = 6, 400


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
    if len(points) > MANY:
        points = points[np.linspace(0, len(points) - 1, MANY).astype(int)]
    n, radius = len(points), SAME * half
    if n < FEW:
        return Ghosts(0, 0.0)
    apart = (points[:, None] - points[None]).reshape(-1, 2)
    far = np.hypot(*apart.T)
    # One of d and −d is enough.
    above = (apart[:, 0] > 0) | ((apart[:, 0] == 0) & (apart[:, 1] > 0))
    apart = apart[(far > 0) & (far <= REACH * half) & above]
    if not len(apart):
        return Ghosts(0, 0.0)
    near = np.hypot(*(apart[:, None] - apart[None]).transpose(2, 0, 1)) <= radius
    count = near.sum(axis=1)
    best = int(count.argmax())
    chance = n**2 * np.pi * radius**2 / max(shape[0] * shape[1], 1)
    excess = count[best] - chance - 3 * np.sqrt(chance) - 1
    middle = apart[near[best]].mean(axis=0)
    return Ghosts(int(count[best]), max(0.0, float(excess) / n), (float(middle[0]), float(middle[1])))
