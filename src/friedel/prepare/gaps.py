"""Interpolation across small gaps.

Most gaps are a few pixels of a large map: then only these pixels and their neighbours are worked on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from friedel.prepare.blur import blur_at

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Mean distance to a known pixel up to which a gap is one between scattered points: of a solid gap it is larger.
BETWEEN_POINTS_PX = 1.6
#: Rounds of the mean over neighbours.
ROUNDS = 20
#: Deep gaps up to which each is worked on alone.
ALONE = 200
#: Pixels of a gap touch, at corners, too.
_TOUCH = np.ones((3, 3))


def nearest_known(maps: np.ndarray) -> np.ndarray:
    """Give unknown pixels of each map the value of the nearest known pixel; a map without any becomes zeros."""
    out = np.array(maps)
    unknown = ~np.isfinite(out)
    for hole, alike in _by_gaps(unknown):
        if hole.all():
            out[alike] = 0
            continue
        at, source = _nearest(hole)
        for index in alike:
            plane = out[index].reshape(-1)
            plane[at] = plane[source]
    return out


def _by_gaps(unknown: np.ndarray) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Gaps, shape (rows, columns), and the maps in a row that have the same; maps without any are left out."""
    alike: list[int] = []
    for index in np.flatnonzero(unknown.any(axis=(1, 2))):
        if alike and not np.array_equal(unknown[alike[0]], unknown[index]):
            yield unknown[alike[0]], alike
            alike = []
        alike.append(int(index))
    if alike:
        yield unknown[alike[0]], alike


def _beside(hole: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left, upper, lower and right neighbours of pixels, flat indices, and whether they lie in the map; (4, n)."""
    row, column = np.divmod(at, hole.shape[1])
    inside = np.stack([column > 0, row > 0, row < hole.shape[0] - 1, column < hole.shape[1] - 1])
    place = at + np.array([-1, -hole.shape[1], hole.shape[1], 1])[:, None]
    return np.where(inside, place, at), inside


def _nearest(hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the unknown pixels and of the known ones that are nearest to them."""
    at = np.flatnonzero(hole)
    place, _ = _beside(hole, at)
    known = ~hole.reshape(-1)[place]
    # Of neighbours at the same distance, the order is that of the distance transform.
    source = np.full(hole.size, -1)
    source[at] = place[known.argmax(axis=0), np.arange(len(at))]
    for box, deep in _deep_gaps(hole, at[~known.any(axis=0)]):
        wide = max(deep.shape)
        around = tuple(slice(max(one.start - wide, 0), one.stop + wide) for one in box)
        row, column = ndimage.distance_transform_edt(
            hole[around], return_distances=False, return_indices=True
        )
        whole = (row + around[0].start) * hole.shape[1] + column + around[1].start
        inner = tuple(
            slice(one.start - out.start, one.stop - out.start) for one, out in zip(box, around, strict=True)
        )
        source.reshape(hole.shape)[box][deep] = whole[inner][deep]
    return at, source[at]


def _deep_gaps(hole: np.ndarray, inner: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Boxes of the gaps that hold these pixels (flat indices), with the pixels of the gap in each box."""
    if not len(inner):
        return
    label, _ = ndimage.label(hole, structure=_TOUCH)
    numbers = np.unique(label.reshape(-1)[inner])
    if len(numbers) > ALONE:
        yield (slice(0, hole.shape[0]), slice(0, hole.shape[1])), np.isin(label, numbers)
        return
    boxes = ndimage.find_objects(label)
    for number in numbers:
        yield boxes[number - 1], label[boxes[number - 1]] == number


def fill_gaps(maps: np.ndarray, reach: float) -> np.ndarray:
    """Interpolate gaps whose pixels all lie within `reach` px of known ones, map by map; larger gaps stay NaN.

    Spectra at scattered points leave one gap that runs between them everywhere. It is interpolated as far as `reach`.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    reach : float
        Largest distance to a known pixel [px].

    Returns
    -------
    array, shape (bias, rows, columns)
    """
    unknown = ~np.isfinite(maps)
    if reach <= 0 or not unknown.any():
        return maps
    out = np.array(maps)
    for hole, alike in _by_gaps(unknown):
        small = np.zeros(0, int) if hole.all() else _small_gaps(hole, reach)
        for index in alike if len(small) else ():
            out[index].reshape(-1)[small] = _interpolated(maps[index], small, max(0.8, reach / 2))
    return out


def _small_gaps(hole: np.ndarray, reach: float) -> np.ndarray:
    """Flat indices of the pixels that are interpolated."""
    at = np.flatnonzero(hole)
    place, _ = _beside(hole, at)
    depth = np.ones(len(at))
    if hole.reshape(-1)[place].all(axis=0).any():
        depth = ndimage.distance_transform_edt(hole).reshape(-1)[at]
    label, count = ndimage.label(hole, structure=_TOUCH)
    label, numbers = label.reshape(-1)[at], np.arange(1, count + 1)
    largest, mean = (np.asarray(of(depth, label, numbers)) for of in (ndimage.maximum, ndimage.mean))
    small = (largest <= reach)[label - 1] | ((mean <= BETWEEN_POINTS_PX)[label - 1] & (depth <= reach))
    return np.asarray(at[small])


def _interpolated(plane: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """Values at pixels of small gaps, flat indices."""
    # The known pixels around give the start; the mean over neighbours makes it smooth (Laplace's equation).
    filled = np.nan_to_num(plane).reshape(-1)
    filled[at] = blur_at(plane, sigma, at)
    weight = np.isfinite(plane).reshape(-1)
    weight[at] = True
    place, inside = _beside(plane, at)
    weighted = (inside & weight[place]).astype(float)
    count = np.maximum(weighted.sum(axis=0), 1)
    alone = ~weighted.any(axis=0)
    for _ in range(ROUNDS):
        mean = (filled[place] * weighted).sum(axis=0) / count
        filled[at] = np.where(alone, filled[at], mean)
    return np.asarray(filled[at])
