"""How much the pixels around a scatterer count in a fit: next to nothing in its core, less than others at its rim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState

#: Reach of the profile and width of its bins [px].
REACH_PX, STEP_PX = 4.0, 0.5


@dataclass(frozen=True, eq=False)
class CoreProfile:
    """Weight of the pixels around a scatterer, over that of pixels far from any: next to nothing in its core.

    Parameters
    ----------
    distance : array, shape (n,)
        Ascending [px].
    weight : array, shape (n,)
        From 0 to 1; that of the last distance holds beyond.
    """

    distance: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, data: FitData, state: FitState) -> CoreProfile:
        """Mean profile of the scatterers of a fit, masked pixels counted as 0."""
        weight = np.zeros(len(data.pixels))
        weight[state.used] = state.errors.weight[state.used]
        away = KDTree(state.scatterers.position).query(data.pixels)[0]
        edges = np.arange(0, REACH_PX + STEP_PX / 2, STEP_PX)
        bins = np.digitize(away, edges) - 1
        count, total = np.bincount(bins, minlength=len(edges)), np.bincount(bins, weight, len(edges))
        known = count > 0
        mean = total[known] / count[known]
        level = np.clip(mean / max(float(mean[-1]), 1e-9), 0, 1)
        return cls((edges + STEP_PX / 2)[known], level)

    def root_weight(self, distance: np.ndarray) -> np.ndarray:
        """Root of the weight at these distances [px], float32, of the same shape."""
        return np.asarray(np.sqrt(np.interp(distance, self.distance, self.weight)), np.float32)
