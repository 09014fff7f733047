"""An exact multiple-scattering LDOS in numpy, on its own: it cross-checks the simulator that training uses.

    ρ(r, E)/ρ₀ = 1 + Re Σ_ij H₀(k|r − r_i|) T_ij H₀(k|r_j − r|)
    T = (S⁻¹ − H)⁻¹,   s_i = (η_i e^{2iδ_i} − 1)/2

with H₀ the Hankel function of the first kind, H_ij = H₀(k r_ij) off the diagonal and 0 on it (Fiete and
Heller, Rev. Mod. Phys. 75, 933 (2003)). Nothing here is shared with `friedel.physics.t_matrix_torch`, on purpose:
the standard scenes must not inherit a mistake of the scenes a network was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import hankel1

#: √(2 mₑ · 1 meV)/ħ in nm⁻¹.
WAVEVECTOR = 0.162008773
#: Distances below this are not told apart [px]: H₀ diverges at 0, and the core is no wave anyway.
NEAREST = 0.1
#: Spacing of the radial tables [px]: their error stays below 1e-4 beyond 0.3 px.
STEP = 0.01
#: Points worked on at a time.
CHUNK = 512


def complex_wavevector(energy_mev: np.ndarray, mass: float, broadening_mev: float) -> np.ndarray:
    """K = √(2m*(E + iΓ/2))/ħ [nm⁻¹] with E counted from the band onset [meV]."""
    return WAVEVECTOR * np.sqrt(mass * (np.asarray(energy_mev) + 0.5j * broadening_mev))


@dataclass(frozen=True)
class Scatterers:
    """Point scatterers.

    Parameters
    ----------
    position : array, shape (N, 2)
        (row, column) [px]; outside the field too.
    delta : array, shape (N,)
        Phase shift at the middle of the energy range [rad].
    slope : array, shape (N,)
        By how much it moves [rad/eV].
    elasticity : array, shape (N,)
        η = |e^{2iδ}|, 1 for an elastic scatterer, 0 for a black dot.
    """

    position: np.ndarray
    delta: np.ndarray
    slope: np.ndarray
    elasticity: np.ndarray

    def amplitude(self, offset_mev: float) -> np.ndarray:
        """s_i at an energy `offset_mev` above the middle, shape (N,)."""
        delta = self.delta + self.slope * offset_mev * 1e-3
        result: np.ndarray = (self.elasticity * np.exp(2j * delta) - 1) / 2
        return result


class Places:
    """Where distances lie in a radial table; made once for all wavevectors.

    Parameters
    ----------
    distance : array, shape (P, N)
        [px].
    """

    def __init__(self, distance: np.ndarray) -> None:
        place = np.maximum(distance, NEAREST) / STEP
        self.index = place.astype(np.intp)
        self.weight = (place - self.index).astype(np.float32)
        self.reach = float(distance.max()) if distance.size else 0.0

    def __len__(self) -> int:
        return len(self.index)


class Radial:
    """H₀(kr) and H₁(kr) of one wavevector, tabulated every `STEP` and interpolated linearly.

    Parameters
    ----------
    k : complex
        Wavevector [rad/px].
    reach : float
        Largest distance [px].
    """

    def __init__(self, k: complex, reach: float) -> None:
        self.k = k
        self._grid = np.arange(0, int(np.ceil(reach / STEP)) + 3) * STEP
        self._grid[0] = STEP / 2
        self._tables: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, places: Places, part: slice = slice(None), order: int = 0) -> np.ndarray:
        """Return H_order(kr), complex64, shape (P, N) or that of the part of the rows asked for."""
        if order not in self._tables:
            values = hankel1(order, self.k * self._grid)
            self._tables[order] = values.astype(np.complex64), np.diff(values, append=0).astype(np.complex64)
        low, rise = self._tables[order]
        index = places.index[part]
        value = rise.take(index)
        value *= places.weight[part]
        value += low.take(index)
        result: np.ndarray = value
        return result


def t_matrix(between: np.ndarray, k: complex, amplitude: np.ndarray) -> np.ndarray:
    """T = (S⁻¹ − H)⁻¹ of scatterers at mutual distances `between` [px], shape (N, N)."""
    apart = ~np.eye(len(amplitude), dtype=bool)
    hankel = np.zeros(between.shape, complex)
    hankel[apart] = hankel1(0, k * np.maximum(between[apart], NEAREST))
    # (1 − S H)⁻¹ S is the same and stays defined where s = 0.
    return np.linalg.solve(np.eye(len(amplitude)) - amplitude[:, None] * hankel, np.diag(amplitude))


def scattered(places: Places, between: np.ndarray, k: complex, amplitude: np.ndarray) -> np.ndarray:
    """ρ/ρ₀ − 1 at points.

    Parameters
    ----------
    places : Places
        Of the distances from each of P points to each of N scatterers.
    between : array, shape (N, N)
        Distances between the scatterers [px].
    k : complex
        Wavevector [rad/px].
    amplitude : array, shape (N,)
        s_i.

    Returns
    -------
    array, shape (P,), float64
    """
    density = np.zeros(len(places))
    if len(amplitude) == 0:
        return density
    table, matrix = Radial(k, places.reach), t_matrix(between, k, amplitude).astype(np.complex64)
    for start in range(0, len(places), CHUNK):  # so that a chunk stays in the processor's cache
        part = slice(start, start + CHUNK)
        h = table(places, part)
        density[part] = np.einsum("pn,pn->p", h @ matrix, h).real
    return density


@dataclass(frozen=True)
class Ripple:
    """A weak periodic change of the wavevector along one direction: Au(111)'s herringbone.

    The local k is k (1 + ε cos(q·r + φ)); along a straight ray the phase is that of the longer or shorter path
    ∫(1 + ε cos) ds (eikonal, exact to first order in ε).

    Parameters
    ----------
    amplitude : float
        ε.
    wave : (float, float)
        q along rows and columns [rad/px].
    phase : float
        φ [rad].
    """

    amplitude: float
    wave: tuple[float, float]
    phase: float

    def cosine(self, points: np.ndarray) -> np.ndarray:
        """cos(q·r + φ) at points of shape (..., 2)."""
        result: np.ndarray = np.cos(points @ np.asarray(self.wave) + self.phase)
        return result

    def stretch(self, start: np.ndarray, end: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Optical length of the paths from `start` (P, 2) to `end` (N, 2), given their lengths (P, N) [px]."""
        a, b = start @ np.asarray(self.wave) + self.phase, end @ np.asarray(self.wave) + self.phase
        middle, half = (a[:, None] + b) / 2, (b - a[:, None]) / 2
        # The mean of cos over the path is cos(middle)·sin(half)/half.
        result: np.ndarray = distance * (1 + self.amplitude * np.cos(middle) * np.sinc(half / np.pi))
        return result


def distances(points: np.ndarray, others: np.ndarray, ripple: Ripple | None = None) -> np.ndarray:
    """Optical distance from each of `points` (P, 2) to each of `others` (N, 2) [px]."""
    length = np.hypot(points[:, :1] - others[:, 0], points[:, 1:] - others[:, 1])
    return length if ripple is None else ripple.stretch(points, others, length)
