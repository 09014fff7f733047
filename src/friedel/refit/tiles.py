"""The tiles of a refit: where they lie, and which points belong to which of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from friedel.candidates.tiling import corners, even
from friedel.refit.source_search import SEARCH

if TYPE_CHECKING:
    from friedel.refit.schedules import Schedule


#: Corners lie at multiples of this many pixels, the period of the pixel subsets of `Iteration.subset`: every tile then
#: uses the pixels that its neighbours use. With other subsets the positions of two tilings differ by as much as σ.
ALIGNED_PX = 4


def tiling(shape: tuple[int, ...], schedule: Schedule) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Corners of the tiles and their size [px]; the last tile may reach beyond the border by less than `ALIGNED_PX`."""
    overlap = schedule.overlap_px
    tile = even(shape[0], schedule.tile_px, overlap), even(shape[1], schedule.tile_px, overlap)
    places = np.array(corners((shape[0], shape[1]), tile, overlap)) // ALIGNED_PX * ALIGNED_PX
    size = np.where(np.array(tile) < shape[:2], np.array(tile) + ALIGNED_PX - 1, tile)
    return [(int(row), int(column)) for row, column in places], size


@dataclass(frozen=True, eq=False)
class Owned:
    """Which points belong to which tile of one size: each to that whose centre is nearest."""

    points: np.ndarray
    corners: np.ndarray
    size: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, corners: list[tuple[int, int]], size: np.ndarray) -> Owned:
        """Each point with its tile, for tiles of this size [px] at these corners."""
        return cls(points, np.array(corners), size, owners(points, corners, size))

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.owner, kind="stable")

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points / self._reach)

    @cached_property
    def _reach(self) -> np.ndarray:
        return np.asarray(self.size / 2 + SEARCH.residual_margin_px)

    def own(self, number: int) -> np.ndarray:
        """Indices of a tile's own points."""
        first, last = np.searchsorted(self.owner[self._order], [number, number + 1])
        return np.asarray(self._order[first:last])

    def near(self, number: int) -> np.ndarray:
        """Indices of a tile's own points, then of those just beyond its border, which are fitted along."""
        own, centre = self.own(number), self.corners[number] + self.size / 2
        inside = np.array(sorted(self._tree.query_ball_point(centre / self._reach, 1.0, p=np.inf)), int)
        return np.asarray(np.r_[own, np.setdiff1d(inside, own)])


def owners(points: np.ndarray, corners: list[tuple[int, int]], size: np.ndarray) -> np.ndarray:
    """Index of the tile of this size whose centre is nearest to each point."""
    centres = np.array(corners) + (size - 1) / 2
    return np.asarray(cKDTree(centres).query(points)[1]) if len(points) else np.zeros(0, int)
