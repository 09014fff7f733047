"""The result of a refit: positions, amplitudes, Δχ² of every scatterer, and the model of every tile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from friedel.refit.joint_fit.unknowns import Shared


@dataclass(frozen=True, eq=False)
class Estimates:
    """What a fit says of N scatterers.

    Parameters
    ----------
    position : array, shape (N, 2)
        Row and column [px].
    sigma : array, shape (N,)
        Standard deviation per axis [px].
    coefficients : array of complex, shape (N, C)
        Energy coefficients of the scattering amplitude s: at the middle of the energies, and the change to the end.
    covariance : array, shape (N, 2 C, 2 C)
        Of real and imaginary part of each coefficient, in this order, with measured errors of the model.
    information_covariance : array, shape (N, 2 C, 2 C)
        The same without: the inverse information, a lower bound.
    delta_chi2 : array, shape (N,)
        By how much χ² would rise without the scatterer, to second order.
    own_share : array, shape (N,)
        Share of the information on the position that is the scatterer's own: the variance with all other parameters
        known over that with all fitted. Small where scatterers are crowded.
    inside_share : array, shape (N,)
        Share of the information in the scatterer's waves that lies inside the field.
    explained : array, shape (N,)
        Share of the structure around the scatterer that the fitted waves explain (`friedel.refit.goodness`).
    core : array, shape (N,)
        Radius of the core mask [px].
    p_wave_delta_chi2, p_wave_share : array, shape (N,)
        What a p wave would explain beside the s wave, and its amplitude over that of the s wave
        (`friedel.refit.p_waves`).
    """

    position: np.ndarray
    sigma: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    information_covariance: np.ndarray
    delta_chi2: np.ndarray
    own_share: np.ndarray
    inside_share: np.ndarray
    explained: np.ndarray
    core: np.ndarray
    p_wave_delta_chi2: np.ndarray
    p_wave_share: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def take(self, index: np.ndarray) -> Estimates:
        """Some of them, by index or by flag."""
        return Estimates(**{name: value[index] for name, value in vars(self).items()})

    def put(self, index: np.ndarray, values: Estimates) -> None:
        """Write `values` at `index`, in place."""
        for name, array in vars(self).items():
            array[index] = getattr(values, name)

    @classmethod
    def unknown(cls, position: np.ndarray, sigma: np.ndarray, n_coefficients: int) -> Estimates:
        """Of given positions, of which nothing else is known."""
        n, width = len(position), 2 * n_coefficients
        return cls(
            np.array(position, float),
            np.array(sigma, float),
            np.full((n, n_coefficients), np.nan + 0j),
            np.full((n, width, width), np.nan),
            np.full((n, width, width), np.nan),
            *(np.full(n, np.nan) for _ in range(7)),
        )

    @classmethod
    def joined(cls, parts: list[Estimates]) -> Estimates:
        """All of several."""
        return cls(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])})


@dataclass(frozen=True, eq=False)
class TileModel:
    """The model that was fitted to one tile of the field.

    Parameters
    ----------
    corner, shape : (int, int)
        First row and column of the tile [px], and its size.
    position : array, shape (N, 2)
        All scatterers, those outside the field included, in pixels of the field.
    coefficients : array of complex, shape (N, C)
    shared : Shared
        Wavevector, herringbone and drift, these with coordinates that count from `corner`.
    gain : array, shape (rows,)
        Of each row of the tile.
    core : array, shape (N,)
        Radius of the core masks [px].
    common_share : float
        Share of the variance of the errors that all maps have in common.
    unexplained_pixels : float
        Share of the pixels outside the cores that do not fit the model.
    explained_share : float
        Share of the structure outside the cores that the fitted waves explain.
    """

    corner: tuple[int, int]
    shape: tuple[int, int]
    position: np.ndarray
    coefficients: np.ndarray
    shared: Shared
    gain: np.ndarray
    core: np.ndarray
    common_share: float
    unexplained_pixels: float
    explained_share: float

    def summary(self) -> dict[str, Any]:
        """For the provenance."""
        return {
            "k_change": float(self.shared.k),
            "drift_px": [float(x) for x in self.shared.drift],
            "herringbone": float(self.shared.ripple.amplitude),
            "herringbone_q_rad_per_px": [float(x) for x in self.shared.ripple.q],
            "common_share": float(self.common_share),
            "unexplained_pixels": float(self.unexplained_pixels),
            "explained_share": float(self.explained_share),
        }


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `friedel.refit.driver.iter_refit` returns. The given points come first, then those that the fit added.

    Parameters
    ----------
    estimates : Estimates
        Of all points. A point that was kept or dropped has the position and σ that it was given.
    kept : array of bool, shape (n,)
        Given points that the fit does not explain: they stay where they were; their Δχ² is NaN.
    new : array of bool, shape (n,)
        Scatterers inside the field that were not among the given points and that the data support.
    k_middle, k_half : float
        Re k at the energy coefficients' origin, and from there to the end of their scale [rad/px].
    bias_bins : int
        Maps that were fitted.
    undetected : int
        Scatterers that were added in all tiles, those outside the field included.
    tiles : tuple of TileModel
    remarks : tuple of str
        What the user should know.
    s_waves : bool
        False if the waves near most impurities are not s waves of the band (`friedel.refit.p_waves`).
    """

    estimates: Estimates
    kept: np.ndarray
    new: np.ndarray
    k_middle: float
    k_half: float
    bias_bins: int
    undetected: int
    tiles: tuple[TileModel, ...]
    remarks: tuple[str, ...] = ()
    s_waves: bool = True

    @property
    def given(self) -> Estimates:
        """Estimates of the points that were given."""
        return self.estimates.take(~self.new)

    @property
    def added(self) -> Estimates:
        """Estimates of the scatterers inside the field that the fit added."""
        return self.estimates.take(self.new)

    @property
    def positions(self) -> np.ndarray:
        """Row and column of all points [px], shape (n, 2)."""
        return self.estimates.position

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviation of the positions per axis [px], shape (n,)."""
        return self.estimates.sigma

    @property
    def delta_chi2(self) -> np.ndarray:
        """Δχ² of all points; 0 for a point that was dropped, NaN for one that was kept."""
        return self.estimates.delta_chi2

    @property
    def explained_share(self) -> float:
        """Share of the structure outside the cores that the waves explain, mean of the tiles; NaN without a fit."""
        shares = [tile.explained_share for tile in self.tiles]
        return float(np.mean(shares)) if shares else float("nan")

    @property
    def dropped(self) -> np.ndarray:
        """Points that the data do not support, shape (n,)."""
        return np.asarray(self.delta_chi2 == 0)

    def with_remarks(self, *remarks: str) -> Fitted:
        """The same with more remarks."""
        return replace(self, remarks=(*self.remarks, *remarks))

    def summary(self) -> dict[str, Any]:
        """What was fitted, for the provenance."""
        return {
            "voltage_groups": self.bias_bins,
            "hidden": self.undetected,
            "tiles": [tile.summary() for tile in self.tiles],
            "kept": int(self.kept.sum()),
            "dropped": int(self.dropped[~self.new].sum()),
            "new": int(self.new.sum()),
            "s_waves": self.s_waves,
        }
