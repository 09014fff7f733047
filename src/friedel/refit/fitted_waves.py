"""Model and residual of every recorded map, from the fitted waves, computed one map at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from friedel.physics.optical_paths import OpticalPaths
from friedel.physics.t_matrix_jacobian import PART, Scattering, Waves
from friedel.refit.bias_binning import even_times
from friedel.refit.completeness import Acceptance, Completeness, completeness

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion
    from friedel.refit.fitted import Fitted, TileModel
    from friedel.resample import Scaling

#: Smallest positive number: a sum of squares is divided by no less, whatever the unit of the data.
TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class FittedMaps:
    """The maps of a refit, recorded and prepared.

    Parameters
    ----------
    recorded : array, shape (V, rows, columns)
        dI/dV as recorded, NaN where not acquired.
    bias_mv : array, shape (V,)
    band : Dispersion
    prepared : array, shape (V, new rows, new columns)
        Mean 0, root mean square 1, as they were fitted.
    mask : array of bool, shape (new rows, new columns)
        Pixels that were fitted.
    k : array of complex, shape (V,)
        Wavevectors before the fit [rad/px of the prepared maps].
    scaling : Scaling
        From recorded to prepared pixels.
    """

    recorded: np.ndarray
    bias_mv: np.ndarray
    band: Dispersion
    prepared: np.ndarray
    mask: np.ndarray
    k: np.ndarray
    scaling: Scaling


@dataclass(frozen=True, eq=False)
class FittedWaves:
    """The fitted waves on the recorded pixels.

    Parameters
    ----------
    fitted : Fitted
        In pixels of the prepared maps.
    maps : FittedMaps
        What was fitted.
    acceptance : Acceptance
        How the detection accepts an impurity.
    """

    fitted: Fitted
    maps: FittedMaps
    acceptance: Acceptance

    @property
    def recorded(self) -> np.ndarray:
        """dI/dV as recorded, NaN where not acquired, shape (V, rows, columns)."""
        return self.maps.recorded

    @property
    def bias_mv(self) -> np.ndarray:
        """Voltage of each map [mV], shape (V,)."""
        return self.maps.bias_mv

    @property
    def k(self) -> np.ndarray:
        """Wavevectors before the fit [rad/px of the prepared maps], complex, shape (V,)."""
        return self.maps.k

    @property
    def scaling(self) -> Scaling:
        """From recorded to prepared pixels."""
        return self.maps.scaling

    def completeness(self) -> Completeness:
        """What could still be in the field, on the recorded pixels; takes about as long as a step of the fit."""
        found = completeness(self.fitted, self.maps.prepared, self.maps.k, self.maps.mask, self.acceptance)
        back = self.scaling.back
        return Completeness(back(found.log_odds), back(found.amplitude), found.limit)

    def density(self, index: int) -> np.ndarray:
        """ρ/ρ₀ − 1 of map `index`, shape (rows, columns), rows' gains included."""
        shape = self.recorded.shape[1:]
        grid = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 2)
        place = self.scaling.to_new(grid)
        tiles = self.fitted.tiles
        centres = [np.array(tile.corner) + (np.array(tile.shape) - 1) / 2 for tile in tiles]
        out = np.zeros(len(place))
        if not tiles:
            return out.reshape(shape)
        owner = KDTree(np.array(centres)).query(place)[1]
        for number, tile in enumerate(tiles):
            mine = owner == number
            out[mine] = self._tile_density(tile, place[mine], index)
        return out.reshape(shape)

    def _tile_density(self, tile: TileModel, place: np.ndarray, index: int) -> np.ndarray:
        shared, corner = tile.shared, np.array(tile.corner)
        k = self.k[index] + self.k[index].real * (shared.k + 1j * shared.im_k)
        energy = (self.k[index].real - self.fitted.k_middle) / self.fitted.k_half
        powers = energy ** np.arange(tile.coefficients.shape[1])
        position, place = tile.position - corner, place - corner
        between = OpticalPaths(position, position, shared.ripple)
        ends = np.concatenate([place, position])
        reach = float(np.hypot(*np.ptp(ends, axis=0))) * (1 + shared.ripple.amplitude) + 4
        scattering = Scattering(between, k, tile.coefficients @ powers, reach)
        moved = (position + even_times(self.k)[index] * shared.drift).astype(np.float32)
        out, size = np.empty(len(place)), max(16, PART // max(1, len(position)))
        for start in range(0, len(place), size):
            part = slice(start, start + size)
            paths = OpticalPaths(place[part].astype(np.float32), moved, shared.ripple)
            out[part] = Waves(paths, scattering).density
        row = np.clip(place[:, 0], 0, len(tile.gain) - 1)
        return np.asarray(out * np.interp(row, np.arange(len(tile.gain)), tile.gain))

    def model(self, index: int) -> np.ndarray:
        """Fitted map `index` in the units of the data, shape (rows, columns): a (ρ/ρ₀ − 1) + an offset per row.

        The scale a and the offsets are fitted by least squares to the pixels outside the cores.
        """
        data, density, use = self.recorded[index], self.density(index), self.outside_cores()
        use &= np.isfinite(data)
        centred = (_without_row_means(values, use) for values in (np.nan_to_num(data), density))
        seen, wave = (values * use for values in centred)
        scale = float((seen * wave).sum() / max(float((wave**2).sum()), TINY))
        count = np.maximum(use.sum(axis=1, keepdims=True), 1)
        rest = np.where(use, np.nan_to_num(data) - scale * density, 0)
        offset = rest.sum(axis=1, keepdims=True) / count
        return np.asarray(scale * density + offset)

    def residual(self, index: int) -> np.ndarray:
        """Data minus model of map `index`, shape (rows, columns)."""
        return np.asarray(self.recorded[index] - self.model(index))

    def explained_variance(self, index: int) -> float:
        """Share of the variance of map `index` outside the cores that the waves explain, rows' offsets taken out."""
        data, use = self.recorded[index], self.outside_cores()
        use &= np.isfinite(data)
        whole = (_without_row_means(np.nan_to_num(data), use) * use) ** 2
        left = (_without_row_means(np.nan_to_num(self.residual(index)), use) * use) ** 2
        return float(1 - left.sum() / max(float(whole.sum()), TINY))

    def outside_cores(self) -> np.ndarray:
        """Recorded pixels outside all core masks, (rows, columns) bool."""
        shape = self.recorded.shape[1:]
        place = self.scaling.to_new(np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 2))
        out, tree = np.ones(len(place), bool), KDTree(place)
        for tile in self.fitted.tiles:
            for inside in tree.query_ball_point(tile.position, tile.core):
                out[inside] = False
        return out.reshape(shape)


def _without_row_means(values: np.ndarray, use: np.ndarray) -> np.ndarray:
    count = np.maximum(use.sum(axis=1, keepdims=True), 1)
    return np.asarray(values - (values * use).sum(axis=1, keepdims=True) / count)
