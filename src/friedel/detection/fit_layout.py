"""The order of a joint fit's parameters: positions, courses of the strengths over energy, shared ones."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


class Layout:
    """From the columns of single maps (positions, strengths there, shared) to the parameters of the fit.

    Map v adds its columns C_v as they are, and once more times its energy e_v: a strength is s + e_v s', a scatterer
    drifts by e_v times the way to the last map. Sums over maps therefore come in two halves, Σ_v C_v and Σ_v e_v C_v.

    Parameters
    ----------
    n : int
        Scatterers.
    courses : int
        1 for constant strengths, 2 for a straight course over energy.
    active : list of str
        Shared parameters that are fitted, the drift's among them.
    positions : bool
        Whether positions are fitted; if they are held, so is the drift.
    """

    def __init__(self, n: int, courses: int, active: list[str], *, positions: bool = True) -> None:
        self.positions = positions
        #: Shared parameters that have a column of their own.
        self.names = [name for name in active if not name.startswith("drift")]
        first = 2 * n if positions else 0
        last = first + 2 * n
        self.columns = last + len(self.names)
        self.size = first + 2 * n * courses + len(active)
        rows, halves = [np.arange(last)], [np.arange(last)]
        if courses == 2:
            rows.append(np.arange(last, last + 2 * n))
            halves.append(self.columns + np.arange(first, last))
        for row, name in enumerate(active, first + 2 * n * courses):
            if name == "drift_row":
                where = self.columns + np.arange(n)
            elif name == "drift_column":
                where = self.columns + np.arange(n, 2 * n)
            else:
                where = np.array([last + self.names.index(name)])
            rows.append(np.full(len(where), row))
            halves.append(where)
        at = np.concatenate(rows), np.concatenate(halves)
        self._matrix = csr_array((np.ones(len(at[0])), at), shape=(self.size, 2 * self.columns))

    def expand(self, halves: np.ndarray) -> np.ndarray:
        """Turn the first axis, of length 2 × columns."""
        return np.asarray(self._matrix @ halves)

    def expand_square(self, halves: np.ndarray) -> np.ndarray:
        """Turn both axes of a symmetric matrix."""
        return self.expand(self.expand(halves).T)
