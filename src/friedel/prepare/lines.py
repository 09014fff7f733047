"""Points along a line: a step edge or a scan line that was taken for a chain of impurities.

The strip of one third of a half wavelength to either side of a line through two of the points holds so many points by
chance (Poisson). The line that exceeds that most is the answer. The density that chance goes by is that of the field,
or that of the strips beside the line where it is higher: a line through a cluster holds many points, and so does what
lies beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from friedel.settings.checks import CHECK_LIMITS as LIMITS

#: Half width of the strip [half wavelengths].
STRIP = 0.33
#: Distance from a line out to which points lie beside it [half wavelengths].
BESIDE = 2.0
#: A line has at least so many points, and its points leave no gap longer than this [half wavelengths].
LEAST, GAP = 6, 8.0
#: Points closer than this along the line count once [half wavelengths]: an edge is long, a close group is not.
APART = 0.33
#: A doubtful candidate nearer to an impurity is its companion [half wavelengths].
ALONE = 0.65
#: At most so many lines are searched.
MOST_LINES = 8
#: More points than this are thinned: pairs grow with the square.
MANY = 250
#: Distances of points to lines that are computed at a time.
AT_ONCE = 4 << 20


@dataclass(frozen=True)
class Line:
    """The most populated line.

    Parameters
    ----------
    members : array of int
        Its points.
    excess : float
        Points beyond those expected by chance, in their standard deviation; 0 without a line.
    expected : float
        Points that chance puts there.
    """

    members: np.ndarray
    excess: float
    expected: float = 0.0


def longest_line(points: np.ndarray, shape: tuple[int, int], half: float) -> Line:
    """Find the line with the most points beyond chance.

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
    Line
    """
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    nothing = Line(np.zeros(0, int), 0.0)
    if len(points) < LEAST:
        return nothing
    seeds = np.arange(len(points))[:: -(-len(points) // MANY)]
    first, second = np.array(np.triu_indices(len(seeds), 1))
    start = points[seeds[first]]
    along = points[seeds[second]] - start
    length = np.hypot(*along.T)
    # Two near points give no direction.
    good = length > 3 * half
    if not good.any():
        return nothing
    start, along = start[good], along[good] / length[good, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    place = np.einsum("ij,ij->i", start, normal)
    count, size = np.zeros(len(normal), dtype=int), max(1, AT_ONCE // len(points))
    for first_one in range(0, len(normal), size):
        some = slice(first_one, first_one + size)
        count[some] = (np.abs(points @ normal[some].T - place[some]) <= STRIP * half).sum(axis=0)
    reach = float(np.hypot(*shape))
    best = nothing
    for index in np.argsort(-count)[:40]:
        if count[index] < LEAST:
            break
        away = np.abs(points @ normal[index] - place[index]) / half
        distance = (points - start[index]) @ along[index]
        members = np.flatnonzero(away <= STRIP)
        members = members[np.argsort(distance[members])]
        members = members[_longest_run(distance[members], GAP * half)]
        begin, end = distance[members[[0, -1]]]
        span = max(float(end - begin), 3 * half)
        expected = len(points) / (shape[0] * shape[1]) * 2 * STRIP * half * min(span, reach)
        between = (distance >= begin) & (distance <= end)
        beside = int((between & (away > STRIP) & (away <= BESIDE)).sum())
        expected = max(expected, beside * STRIP / (BESIDE - STRIP))
        # The two points that define the line are on it anyway.
        excess = (_apart(distance[members], APART * half) - 2 - expected) / np.sqrt(expected + 1)
        if len(members) >= LEAST and excess > best.excess:
            best = Line(members, float(excess), float(expected))
    return best


def lines(points: np.ndarray, shape: tuple[int, int], half: float, limit: float) -> list[Line]:
    """All lines that exceed chance by more than `limit`, the strongest first; a point belongs to one of them.

    The density that chance goes by is that of the points on no line found before. Parameters as in `longest_line`.
    """
    found: list[Line] = []
    left = np.arange(len(points))
    while len(found) < MOST_LINES:
        line = longest_line(points[left], shape, half)
        if line.excess <= limit:
            break
        # What is on the line says nothing of the density beside it.
        share = 1 - len(line.members) / len(left)
        found.append(Line(left[line.members], line.excess, line.expected * share))
        left = np.delete(left, line.members)
    return found


def edges(
    points: np.ndarray, probability: np.ndarray, doubtful: np.ndarray, shape: tuple[int, int], half: float
) -> list[Line]:
    """Lines of impurities, and those that hold impurities but mostly show in candidates that are doubtful.

    An edge makes a chain of candidates of any probability, while impurities that lie on a line by chance are as sure
    as others: so doubtful candidates on a line lower the number of points that make it one, if some of them are not
    just the companions of an impurity. Of such a line the sure impurities are no members.

    Parameters
    ----------
    points : array, shape (n, 2)
        Impurities (row, column) [px].
    probability : array, shape (n,)
        Of the impurities.
    doubtful : array, shape (m, 2)
        Candidates of a lower probability.
    shape, half
        As in `longest_line`.

    Returns
    -------
    list of Line
        Members count the impurities first, then the doubtful candidates.
    """
    count = len(points)
    sure = np.flatnonzero(probability > LIMITS.certain)
    lone = count + np.flatnonzero(_nearest(doubtful, points) > ALONE * half)
    kept = []
    for line in lines(np.concatenate([points, doubtful]), shape, half, LIMITS.doubtful_line):
        listed = int((line.members < count).sum())
        if (listed - 2 - line.expected) / np.sqrt(line.expected + 1) <= LIMITS.line:
            if np.isin(line.members, lone).mean() < LIMITS.doubtful_share:
                continue
            line = replace(line, members=np.setdiff1d(line.members, sure))
        if (line.members < count).any():
            kept.append(line)
    return kept or lines(points, shape, half, LIMITS.line)


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest of the others; infinite without others."""
    if not len(others):
        return np.full(len(points), np.inf)
    distance: np.ndarray = KDTree(others).query(points)[0]
    return distance


def _apart(place: np.ndarray, least: float) -> int:
    """How many of these sorted values lie so far apart: a close group on a line counts as its length does."""
    count, last = 0, -np.inf
    for one in place:
        if one - last >= least:
            count, last = count + 1, one
    return count


def _longest_run(place: np.ndarray, gap: float) -> slice:
    """The longest run of sorted values without a gap."""
    cuts = np.flatnonzero(np.diff(place) > gap) + 1
    edges = np.concatenate([[0], cuts, [len(place)]])
    longest = int(np.argmax(np.diff(edges)))
    return slice(int(edges[longest]), int(edges[longest + 1]))
