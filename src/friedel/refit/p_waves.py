"""Whether a scatterer scatters s waves alone: what a p wave would explain beside it.

A p wave of amplitude s₁ changes the density by Re 2 s₁ H₁(kr)², the sum of m = ±1. Far away H₁² ≈ −H₀² (1 + i/kr): an
s wave of the amplitude −2 s₁ explains it, and positions and probabilities hold. Within about a wavelength it does not,
and the phase shift of that s wave is none of the scatterer. An adsorbate that is no point differs there, too.

In the pixels around each scatterer its own parameters (position, energy coefficients of s) and s₁ are solved for at
once, all other scatterers held, with g the columns, r the residual over the noise and m its mean square::

    N = gᵀg,    s₁ = (N⁻¹ gᵀr)₁,    Δχ² = s₁ᵀ ((N⁻¹)₁₁)⁻¹ s₁ / max(m, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.special import j1, y1

from friedel.refit.joint_fit.evaluation import all_pixels, compare, nuisance, wave_model, wavevectors

if TYPE_CHECKING:
    from friedel.refit.fitted import Estimates
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState


@dataclass(frozen=True)
class PWaveConstants:
    """Numbers of the search for p waves.

    Parameters
    ----------
    begins, half_wavelengths : float
        Radii of the ring around a scatterer in which a p wave is searched for [half wavelengths]: what is nearer may be
        the rim of a core.
    min_pixels : int
        Pixels that the ring must hold for the answer to be known.
    ridge : float
        Share of each entry that is added to the diagonal of the normal matrix: two columns may be alike.
    max_delta_chi2, max_share, few : float, float, int
        If a p wave at the median impurity of a field explains more and is larger than both, its impurities scatter more
        than s waves; fewer impurities do not tell. In the standard scenes, in clusters and on the development fields of
        ``benchmarks/phase_shift.py`` the medians of s waves are at most 7.5 and .08, or 5.2 and .23, and those of p
        waves and discs at least 7.2 and .29.
    """

    begins: float = 0.45
    half_wavelengths: float = 2.0
    min_pixels: int = 12
    ridge: float = 1e-7
    max_delta_chi2: float = 6.0
    max_share: float = 0.25
    few: int = 5


P_WAVES = PWaveConstants()
#: What to say of a field of such impurities.
NO_S_WAVES = (
    "The waves near the impurities are not those of s-wave scatterers in this band, but of p waves, of extended "
    "scatterers or of a second band: amplitudes and phase shifts do not hold."
)


@dataclass(frozen=True, eq=False)
class PWaves:
    """What a p wave would explain at each of N scatterers; NaN where too few pixels are around it.

    Parameters
    ----------
    delta_chi2 : array, shape (N,)
        By how much χ² would fall, over the mean squared residual around the scatterer where that is above 1.
    share : array, shape (N,)
        |s₁| over the |s| that was fitted without it.
    """

    delta_chi2: np.ndarray
    share: np.ndarray

    def take(self, index: np.ndarray) -> PWaves:
        """The same of some of the scatterers."""
        return PWaves(self.delta_chi2[index], self.share[index])


def p_wave(distance: np.ndarray, k: complex) -> np.ndarray:
    """2 H₁(kr)² at some distances [px], damped as the s waves are.

    Parameters
    ----------
    distance : array, shape (P,)
    k : complex
        Wavevector [rad/px].
    """
    r = np.maximum(distance, 0.5 / k.real)
    wave = (j1(k.real * r) + 1j * y1(k.real * r)) * np.exp(-k.imag * r)
    return np.asarray(2 * wave**2)


def p_waves(data: FitData, state: FitState) -> PWaves:
    """Search for a p wave at every scatterer of a settled fit, in the maps of its last iteration."""
    s, maps = state.scatterers, state.subset.maps
    with all_pixels(state):
        model = wave_model(data, state, maps)
        weights = compare(data, state, model.density(), nuisance(data, state), maps)
        place = data.pixels[state.used]
        waves = list(model.waves(slice(None)))
    half = np.pi / float(data.k.real.mean())
    discs = _rings(place, s.position, half)
    width = 2 + 2 * data.n_coefficients + 2
    normal, gradient = np.zeros((len(s), width, width)), np.zeros((len(s), width))
    square, k = np.zeros(len(s)), wavevectors(data, state)[maps]
    for v, wave in enumerate(waves):
        factor = weights.pixel * weights.map[v]
        amplitude = wave.derivative(positions=False)
        shift = wave.shift
        for j, disc in enumerate(discs):
            by_s = amplitude[disc][:, [j, len(s) + j]]
            added = p_wave(np.hypot(*(place[disc] - s.position[j]).T), k[v])
            columns = [shift[0][disc, j, None], shift[1][disc, j, None]]
            columns += [by_s * basis for basis in data.basis[maps[v]]]
            columns += [added.real[:, None], -added.imag[:, None]]
            g = np.concatenate(columns, axis=1) * factor[disc, None]
            left = weights.left[v, disc]
            normal[j] += g.T @ g
            gradient[j] += g.T @ left
            square[j] += left @ left
    known = np.array([len(disc) >= P_WAVES.min_pixels for disc in discs], bool)
    misfit = square / np.maximum([len(disc) * len(maps) for disc in discs], 1)
    chi2, share = np.full(len(s), np.nan), np.full(len(s), np.nan)
    for j in np.flatnonzero(known).tolist():
        largest = np.diag(np.maximum(normal[j].diagonal(), 1e-12)) * P_WAVES.ridge
        inverse = np.linalg.inv(normal[j] + largest)
        amplitudes = (inverse @ gradient[j])[-2:]
        chi2[j] = amplitudes @ np.linalg.solve(inverse[-2:, -2:], amplitudes) / max(misfit[j], 1)
        share[j] = np.hypot(*amplitudes) / max(abs(s.coefficients[j, 0]), 1e-6)
    return PWaves(chi2, share)


def _rings(place: np.ndarray, position: np.ndarray, half: float) -> list[np.ndarray]:
    """Indices of the pixels in the ring around each scatterer; `half` is half a wavelength [px]."""
    tree = KDTree(place)
    discs = tree.query_ball_point(position, P_WAVES.half_wavelengths * half)
    rims = tree.query_ball_point(position, P_WAVES.begins * half)
    return [np.setdiff1d(disc, rim).astype(int) for disc, rim in zip(discs, rims, strict=True)]


def scatters_s_waves(estimates: Estimates) -> bool:
    """Whether s waves explain what is near the impurities of a field; yes if they are too few to tell."""
    known = np.isfinite(estimates.p_wave_delta_chi2)
    if known.sum() < P_WAVES.few:
        return True
    delta_chi2, share = (
        float(np.median(one[known])) for one in (estimates.p_wave_delta_chi2, estimates.p_wave_share)
    )
    return delta_chi2 < P_WAVES.max_delta_chi2 or share < P_WAVES.max_share
