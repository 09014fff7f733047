"""What a joint fit is given: maps, wavevectors, pixels. Nothing here changes during the fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from friedel.refit.bias_binning import BinnedMaps


@dataclass(frozen=True, eq=False)
class FitData:
    """The data of one field.

    Parameters
    ----------
    mask : array of bool, shape (rows, columns)
        Pixels to use.
    values : array, shape (V, P)
        The maps at these pixels.
    k : array of complex, shape (V,)
        Wavevectors before the fit [rad/px]; the imaginary part is the damping of the amplitude.
    blur : array, shape (V,)
        Standard deviation of the wavevectors that each map is the mean of [rad/px].
    time : array, shape (V,)
        When each map was taken, from about −1 to 1.
    """

    mask: np.ndarray
    values: np.ndarray
    k: np.ndarray
    blur: np.ndarray
    time: np.ndarray

    @classmethod
    def from_maps(cls, binned: BinnedMaps, mask: np.ndarray) -> FitData:
        """The pixels of `mask` of some maps, shape (V, rows, columns)."""
        values = binned.maps[:, mask].astype(np.float32)
        return cls(mask, values, np.asarray(binned.k, complex), binned.blur, binned.time)

    @cached_property
    def pixels(self) -> np.ndarray:
        """Rows and columns of the pixels [px], shape (P, 2)."""
        return np.argwhere(self.mask).astype(float)

    @cached_property
    def tree(self) -> KDTree:
        """For neighbours among the pixels."""
        return KDTree(self.pixels)

    @cached_property
    def energy(self) -> np.ndarray:
        """Energy of each map on a linear scale in Re k, from −1 to 1, shape (V,)."""
        middle, half = self.k.real.mean(), max(float(np.ptp(self.k.real)) / 2, 1e-9)
        return np.asarray((self.k.real - middle) / half)

    @property
    def n_coefficients(self) -> int:
        """Energy coefficients of a scattering amplitude: 1 (constant) or, for more than two maps, 2 (linear)."""
        return 2 if len(self.k) > 2 else 1

    @cached_property
    def basis(self) -> np.ndarray:
        """From energy coefficients to amplitudes, shape (V, n_coefficients)."""
        return np.stack([self.energy**power for power in range(self.n_coefficients)], axis=1)
