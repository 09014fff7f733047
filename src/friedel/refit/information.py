"""Shares of a scatterer's information: how much lies inside the field, how much is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import Curvature

#: Radius out to which waves are counted, in damping lengths 1/(2 Im k), and its limits [px].
DAMPING_LENGTHS, MIN_REACH, MAX_REACH = 1.0, 10.0, 100.0


def own_shares(curvature: Curvature) -> np.ndarray:
    """Variance of a position with all else known over that with all else fitted, mean of both axes, shape (N,).

    1/(N_ii (N⁻¹)_ii) with the normal matrix N: 1 for a scatterer that shares no wave with another.
    """
    count = 2 * curvature.count
    own = np.diag(curvature.sums.matrix)[:count] * np.diag(curvature.covariance)[:count]
    return np.asarray((1 / np.maximum(own, 1)).reshape(2, -1).mean(axis=0))


def inside_shares(data: FitData, position: np.ndarray) -> np.ndarray:
    """Share of Σ |H₀(kr)|⁴, the information in a scatterer's own wave, that lies in the pixels of the field, (N,).

    The sum is over a square lattice out to the damping length of the waves, with |H₀|⁴ ∝ r⁻² e^{−4 Im(k) r}.
    """
    damping = max(float(np.abs(data.k.imag).mean()), 1e-6)
    reach = float(np.clip(DAMPING_LENGTHS / (2 * damping), MIN_REACH, MAX_REACH))
    rows, columns = data.mask.shape
    pad = int(np.ceil(reach))
    row = np.arange(-pad, rows + pad)[:, None]
    column = np.arange(-pad, columns + pad)[None, :]
    inside = np.zeros((rows + 2 * pad, columns + 2 * pad), bool)
    inside[pad : pad + rows, pad : pad + columns] = data.mask
    out = np.zeros(len(position))
    for i, (y, x) in enumerate(position):
        # Beyond the padding a scatterer has no pixel within reach: its share is 0.
        distance = np.maximum(np.hypot(row - y, column - x), 1.0)
        density = np.where(distance <= reach, np.exp(-4 * damping * distance) / distance**2, 0)
        total = _whole_disc(damping, reach, (y % 1, x % 1))
        out[i] = min(1.0, float(density[inside].sum()) / total)
    return out


def _whole_disc(damping: float, reach: float, offset: tuple[float, float]) -> float:
    """The same sum over the whole lattice."""
    side = np.arange(-int(np.ceil(reach)) - 1, int(np.ceil(reach)) + 2)
    distance = np.maximum(np.hypot(side[:, None] - offset[0], side[None, :] - offset[1]), 1.0)
    return float(np.where(distance <= reach, np.exp(-4 * damping * distance) / distance**2, 0).sum())
