"""Replace pixels by what their surroundings would have there: the harmonic function between them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu


class Patch:
    """Fill marked pixels of many maps; the linear system is factorised once.

    Each marked pixel becomes the mean of its up to four neighbours (Laplace's equation): no bump and no dip
    can remain, and a field without a mark stays as it is.

    Parameters
    ----------
    marked : array of bool, shape (rows, columns)
        Not all of them.
    """

    def __init__(self, marked: np.ndarray) -> None:
        self.marked = np.asarray(marked, bool)
        if self.marked.all():
            raise ValueError("There is nothing to fill from: every pixel is marked.")
        number = np.full(self.marked.shape, -1)
        number[self.marked] = np.arange(int(self.marked.sum()))
        place = np.argwhere(self.marked)
        rows, columns, values = [], [], []
        self._known: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        neighbours = np.zeros(len(place))
        for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            other = place + step
            inside = ((other >= 0) & (other < self.marked.shape)).all(1)
            own = np.flatnonzero(inside)
            r, c = other[inside].T
            neighbours[own] += 1
            also = number[r, c] >= 0
            rows.append(own[also])
            columns.append(number[r, c][also])
            values.append(-np.ones(int(also.sum())))
            self._known.append((own[~also], r[~also], c[~also]))
        rows.append(np.arange(len(place)))
        columns.append(np.arange(len(place)))
        values.append(neighbours)
        if len(place):
            entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
            self._solver = splu(csr_array(entries, shape=(len(place), len(place))).tocsc())

    def fill(self, maps: np.ndarray) -> np.ndarray:
        """Return `maps`, shape (bias, rows, columns), with the marked pixels replaced."""
        if not self.marked.any():
            return maps
        filled = np.array(maps, dtype=float)
        right = np.zeros((int(self.marked.sum()), len(filled)))
        for own, r, c in self._known:
            right[own] += filled[
                :, r, c
            ].T  # each pixel has one neighbour a direction, so `own` holds no twice
        filled[:, self.marked] = self._solver.solve(right).T
        return filled
