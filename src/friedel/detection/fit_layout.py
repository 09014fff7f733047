"""The order of a joint fit's parameters: positions, courses of the strengths over energy, shared ones."""

from __future__ import annotations

import numpy as np


class Layout:
    """From the columns of one map (positions, strengths there, shared) to the parameters of the fit."""

    def __init__(self, n: int, courses: int, names: list[str], active: list[str]) -> None:
        self.n, self.courses, self.names, self.active = n, courses, names, active
        self.size = 2 * n * (1 + courses) + len(active)

    def expand(self, rows: np.ndarray, basis: np.ndarray, time: float) -> np.ndarray:
        """Turn the first axis."""
        n = self.n
        out = np.empty((self.size, *rows.shape[1:]), rows.dtype)
        out[: 2 * n] = rows[: 2 * n]
        for c in range(self.courses):
            out[2 * n * (1 + c) : 2 * n * (2 + c)] = basis[c] * rows[2 * n : 4 * n]
        for i, name in enumerate(self.active, 2 * n * (1 + self.courses)):
            if name == "drift_row":
                out[i] = time * rows[:n].sum(axis=0)
            elif name == "drift_column":
                out[i] = time * rows[n : 2 * n].sum(axis=0)
            else:
                out[i] = rows[4 * n + self.names.index(name)]
        return out
