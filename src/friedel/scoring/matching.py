"""One-to-one matching of points within a tolerance: as many pairs as possible, then the shortest ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from friedel._util.arguments import number_of, numbers_of
from friedel.errors import SettingsError


@dataclass(frozen=True)
class Matching:
    """Which found point belongs to which true one.

    Parameters
    ----------
    found : array of int, shape (pairs,)
        Indices into the found points, rising.
    truth : array of int, shape (pairs,)
        Indices into the true points, same order.
    distance : array of float, shape (pairs,)
        Distance of each pair, in the unit of the points.
    missed : array of int
        True points without a partner; optional ones are not counted as missed.
    false : array of int
        Found points without a partner.
    ignored : array of int
        Found points whose partner is an optional true point: neither right nor false.
    """

    found: np.ndarray
    truth: np.ndarray
    distance: np.ndarray
    missed: np.ndarray
    false: np.ndarray
    ignored: np.ndarray

    def __len__(self) -> int:
        return len(self.found)


def as_points(points: Any, name: str = "points") -> np.ndarray:
    """Return `points` as a float array of shape (n, 2).

    Raises
    ------
    SettingsError
        If they are not pairs of finite numbers.
    """
    array = numbers_of(points, name, "rows and columns of points")
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise SettingsError(f"The {name} must have the shape (n, 2), not {array.shape}.")
    if not np.isfinite(array).all():
        raise SettingsError(f"The {name} hold values that are not finite numbers.")
    return array


def optional_points(optional: Any, count: int) -> np.ndarray:
    """Which of `count` true points need not be found, shape (count,); none if None."""
    if optional is None:
        return np.zeros(count, bool)
    given = numbers_of(optional, "optional", "True or False of each point")
    if given.shape != (count,) or not np.isin(given, (0.0, 1.0)).all():
        raise SettingsError(
            f"optional must say True or False of each of {count} points.", settings="optional"
        )
    return given.astype(bool)


def neighbours(found: np.ndarray, truth: np.ndarray, tolerance: float) -> coo_array:
    """Sparse distances of all pairs within `tolerance`, shape (found, truth); the values are distances.

    A pair at distance 0 is kept as an explicit entry.
    """
    if len(found) == 0 or len(truth) == 0:
        return coo_array((len(found), len(truth)), dtype=float)
    lists = KDTree(truth).query_ball_point(found, tolerance * (1 + 1e-12))
    rows = np.repeat(np.arange(len(found)), [len(one) for one in lists])
    columns = np.array([j for one in lists for j in one], dtype=int)
    distance = np.hypot(*(found[rows] - truth[columns]).T)
    return coo_array((distance, (rows, columns)), shape=(len(found), len(truth)))


def match(found: Any, truth: Any, tolerance: float, *, optional: Any = None) -> Matching:
    """Pair each found point with at most one true point no further than `tolerance` away.

    The number of pairs is the largest possible; among such matchings the sum of distances is the smallest.
    Points fall into groups that no allowed pair connects; each group is one small assignment problem, so that
    thousands of points cost milliseconds.

    Parameters
    ----------
    found : array, shape (n, 2)
        Found points.
    truth : array, shape (m, 2)
        True points, in the same unit.
    tolerance : float
        Largest distance of a pair, included.
    optional : array of bool, shape (m,), optional
        True points that need not be found, for example on the border of the field. They take partners only
        after the others have theirs; their partners are `ignored`, not false.

    Returns
    -------
    Matching

    Raises
    ------
    SettingsError
        If the points are not finite pairs or the tolerance is not a positive number.
    """
    found, truth = as_points(found, "found points"), as_points(truth, "true points")
    if number_of(tolerance, "tolerance", "a positive number") <= 0:
        raise SettingsError(
            f"The tolerance must be a positive number, not {tolerance}.", settings="tolerance"
        )
    loose = optional_points(optional, len(truth))
    near = neighbours(found, truth, tolerance)
    left, right = _assign(near, loose, tolerance)
    distance = np.hypot(*(found[left] - truth[right]).T) if len(left) else np.zeros(0)
    strict = ~loose[right]
    paired_found, paired_truth = np.zeros(len(found), bool), np.zeros(len(truth), bool)
    paired_found[left], paired_truth[right] = True, True
    return Matching(
        found=left[strict],
        truth=right[strict],
        distance=distance[strict],
        missed=np.flatnonzero(~paired_truth & ~loose),
        false=np.flatnonzero(~paired_found),
        ignored=left[~strict],
    )


def _assign(near: coo_array, loose: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Solve the assignment group by group; the pairs come sorted by the found point."""
    from scipy.optimize import linear_sum_assignment  # takes long to load, and a detection matches nothing

    n, m = near.shape
    rows, columns = near.coords
    if len(rows) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    ends = (np.concatenate([rows, columns + n]), np.concatenate([columns + n, rows]))
    graph = coo_array((np.ones(2 * len(rows)), ends), shape=(n + m, n + m))
    label = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(label[order]) > 0])
    pairs: list[np.ndarray] = []
    for edges in np.split(order, starts[1:]):
        i, j = rows[edges], columns[edges]
        if len(edges) == 1:
            pairs.append(np.stack([i, j], axis=1))
            continue
        (ui, a), (uj, b) = np.unique(i, return_inverse=True), np.unique(j, return_inverse=True)
        # A pair earns more than all distances together can cost, and one with a required point earns more
        # than all pairs with optional ones: so the order of aims is required pairs, optional pairs, distance.
        size = min(len(ui), len(uj)) + 1.0
        earned = np.where(loose[j], size, size * (size + 1))
        cost = np.zeros((len(ui), len(uj)))
        cost[a, b] = near.data[edges] / tolerance - earned
        p, q = linear_sum_assignment(cost)
        real = cost[p, q] < 0
        pairs.append(np.stack([ui[p[real]], uj[q[real]]], axis=1))
    both = np.concatenate(pairs)
    both = both[np.argsort(both[:, 0])]
    return both[:, 0], both[:, 1]


def growing_matches(
    found: Any, truth: Any, tolerance: float, *, optional: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Size of the best matching of the first 1, 2, … n found points, by augmenting paths.

    It says what `match` would say at every threshold of a ranked list, without solving it n times.

    Parameters
    ----------
    found : array, shape (n, 2)
        Found points, best first.
    truth, tolerance, optional
        As in `match`.

    Returns
    -------
    right : array of int, shape (n,)
        Pairs with required true points among the first i + 1 found points.
    ignored : array of int, shape (n,)
        Found points that only optional true points can take.
    """
    found, truth = as_points(found, "found points"), as_points(truth, "true points")
    loose = np.zeros(len(truth), bool) if optional is None else np.asarray(optional, bool).reshape(len(truth))
    near = neighbours(found, truth, tolerance)
    partners: list[list[int]] = [[] for _ in range(len(found))]
    for i, j in zip(*near.coords, strict=True):
        partners[i].append(int(j))

    def grow(allowed: np.ndarray) -> np.ndarray:
        owner: dict[int, int] = {}  # true point → found point
        holds: dict[int, int] = {}  # found point → true point
        return np.cumsum([_augment(i, partners, owner, holds, allowed) for i in range(len(found))], dtype=int)

    right = grow(~loose)
    return right, grow(np.ones(len(truth), bool)) - right


def _augment(
    start: int, partners: list[list[int]], owner: dict[int, int], holds: dict[int, int], allowed: np.ndarray
) -> bool:
    """Give `start` a partner, moving earlier ones on where that helps (breadth first)."""
    came: dict[int, int] = {}
    queue = [start]
    for i in queue:
        for j in partners[i]:
            if j in came or not allowed[j]:
                continue
            came[j] = i
            if j in owner:
                queue.append(owner[j])
                continue
            step: int | None = j
            while step is not None:  # walk back along the path and hand each true point on
                i = came[step]
                owner[step], holds[i], step = i, step, holds.get(i)
            return True
    return False
