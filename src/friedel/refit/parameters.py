"""The order of a joint fit's parameters: positions, energy coefficients of the amplitudes, shared parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Layout:
    """From the columns of single maps (positions, amplitudes there, shared) to the parameters of the fit.

    Map v adds its columns C_v as they are, and once more times its energy e_v: an amplitude is s + e_v s', a scatterer
    drifts by t_v times the displacement of the last map. The drift's derivative is taken with e_v for the time t_v:
    they differ by a few hundredths, which does not impair the steps. Sums over maps therefore come in two halves,
    Σ_v C_v and Σ_v e_v C_v.

    Parameters
    ----------
    n : int
        Scatterers.
    n_coefficients : int
        1 for amplitudes constant in energy, 2 for linear ones.
    active : sequence of str
        Shared parameters that are fitted, the drift's among them.
    positions : bool
        Whether positions are fitted; if they are held, so is the drift.
    """

    def __init__(self, n: int, n_coefficients: int, active: Sequence[str], *, positions: bool = True) -> None:
        self.positions = positions
        #: Shared parameters that have a column of their own.
        self.names = [name for name in active if not name.startswith("drift")]
        first = 2 * n if positions else 0
        last = first + 2 * n
        self.columns = last + len(self.names)
        self.size = first + 2 * n * n_coefficients + len(active)
        self._from = np.zeros(self.size, np.intp)  # which column of the halves a parameter has
        self._sums: list[tuple[int, slice]] = []  # and those that have the sum of many
        self._from[:last] = np.arange(last)
        if n_coefficients == 2:
            self._from[last : last + 2 * n] = self.columns + np.arange(first, last)
        for row, name in enumerate(active, first + 2 * n * n_coefficients):
            if name in self.names:
                self._from[row] = last + self.names.index(name)
            else:
                start = self.columns + (n if name == "drift_column" else 0)
                self._sums.append((row, slice(start, start + n)))

    def expand(self, halves: np.ndarray) -> np.ndarray:
        """Map the first axis, of length 2 × columns, to the parameters."""
        out = halves.take(self._from, axis=0)
        for row, where in self._sums:
            out[row] = halves[where].sum(axis=0)
        return out

    def expand_square(self, halves: np.ndarray) -> np.ndarray:
        """Map both axes of a symmetric matrix to the parameters."""
        half = self.expand(halves)
        out = half.take(self._from, axis=1)
        for column, where in self._sums:
            out[:, column] = half[:, where].sum(axis=1)
        return out
