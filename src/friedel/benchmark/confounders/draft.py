"""The values that pass from one stage of a confounded field to the next, and what a confounder is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.benchmark.synthetic import TYPICAL_RMS
from friedel.benchmark.t_matrix_exact import Scatterers, complex_wavevector

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from friedel.benchmark.greens import Wall
    from friedel.physics.dispersion import Dispersion

#: Strengths of every confounder.
LEVELS = ("moderate", "strong")


@dataclass(frozen=True)
class Layout:
    """What is where, before any wave is worked out.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
    bias_mv : array, shape (V,)
    band : Dispersion
        The true band.
    scatterers : Scatterers
        Inside and outside the field, positions in pixels.
    wall : Wall, optional
        A step edge.
    """

    shape: tuple[int, int]
    pixel_nm: float
    bias_mv: np.ndarray
    band: Dispersion
    scatterers: Scatterers
    wall: Wall | None = None

    @property
    def k(self) -> np.ndarray:
        """Complex wavevector [rad/px] at every bias, shape (V,)."""
        return self.wavevector(self.bias_mv)

    def wavevector(self, bias_mv: np.ndarray) -> np.ndarray:
        """Complex wavevector [rad/px] at other biases."""
        energy = np.asarray(bias_mv) - self.band.onset_mev
        return complex_wavevector(energy, self.band.mass, self.band.broadening_mev) * self.pixel_nm

    def amplitude(self, bias_mv: np.ndarray) -> np.ndarray:
        """Scattering amplitudes s, shape (V, N), at any biases."""
        middle = (self.bias_mv.min() + self.bias_mv.max()) / 2
        count = len(self.scatterers.position)
        return np.array([self.scatterers.amplitude(v - middle) for v in bias_mv]).reshape(len(bias_mv), count)


@dataclass(frozen=True)
class Picture:
    """Maps on their way from the surface to the file.

    Parameters
    ----------
    maps : array, shape (V, H, W)
        ρ/ρ₀, or what the instrument has made of it.
    rms : array, shape (V,)
        Root mean square of the waves, of impurities and edges; that of a typical field where there is none.
    points : array, shape (N, 2)
        Positions (row, column) [px] as recorded, also outside the field.
    bias_mv : array, shape (V,)
    k : array, shape (V,)
        Real wavevector [rad/px].
    pixel_nm : float
    noise_smoothing_px : float
        Standard deviation of the Gaussian that the noise was smoothed with; its rms stays.
    wall : Wall, optional
        A step edge.
    scanned : int, optional
        So many of the rows were scanned; all if None.
    """

    maps: np.ndarray
    rms: np.ndarray
    points: np.ndarray
    bias_mv: np.ndarray
    k: np.ndarray
    pixel_nm: float
    noise_smoothing_px: float = 0.0
    wall: Wall | None = None
    scanned: int | None = None

    @property
    def unit(self) -> np.ndarray:
        """The rms with the shape (V, 1, 1)."""
        return self.rms[:, None, None]


@dataclass(frozen=True)
class Told:
    """What the analyst is told: the band and the pixel pitch (rows, columns) [nm]."""

    band: Dispersion
    pixel_nm: tuple[float, float]


@dataclass(frozen=True)
class Confounder:
    """One thing that real fields contain; each stage is changed by at most one function of (value, level, random).

    Parameters
    ----------
    name, title, family : str
    moderate, strong : float
        The number that its functions get.
    layout : callable, optional
        Layout → Layout.
    waves : callable, optional
        Layout → maps of ρ/ρ₀ − 1, shape (V, H, W), instead of the plain waves.
    surface : callable, optional
        Picture → Picture before the cores and the instrument.
    tip : callable, optional
        Picture → Picture before row offsets and white noise.
    recorded : callable, optional
        Picture → Picture after the noise.
    told : callable, optional
        Told → Told.
    without : bool
        Whether a field of it without impurities is made, too.
    alone : bool
        Whether it is made only without impurities.
    """

    name: str
    title: str
    family: str
    moderate: float
    strong: float
    layout: Callable[[Layout, float, np.random.Generator], Layout] | None = None
    waves: Callable[[Layout, float, np.random.Generator], np.ndarray] | None = None
    surface: Callable[[Picture, float, np.random.Generator], Picture] | None = None
    tip: Callable[[Picture, float, np.random.Generator], Picture] | None = None
    recorded: Callable[[Picture, float, np.random.Generator], Picture] | None = None
    told: Callable[[Told, float, np.random.Generator], Told] | None = None
    without: bool = True
    alone: bool = False

    def strength(self, level: str) -> float:
        """The number of a level."""
        return self.moderate if level == "moderate" else self.strong


@dataclass(frozen=True)
class Confounded:
    """A field with a confounder and the whole truth about it.

    Parameters
    ----------
    stack : xarray.Dataset
        Channel ``LockinX``.
    positions : array, shape (n, 2)
        True impurities (row, column) [px] in the field or within 1 px of its border.
    optional : array of bool, shape (n,)
        Those within 1 px of the border, on either side: a point on one is neither right nor false.
    band : Dispersion
        The band that the analyst is told.
    true_band : Dispersion
        The band that made the waves.
    name, level, family : str
    seed : int
    """

    stack: xr.Dataset
    positions: np.ndarray
    optional: np.ndarray
    band: Dispersion
    true_band: Dispersion
    name: str
    level: str
    family: str
    seed: int


def waves_rms(waves: np.ndarray) -> np.ndarray:
    """Root mean square of each map of waves (V, H, W), whatever makes them; `TYPICAL_RMS` where nothing does."""
    rms = waves.std(axis=(1, 2))
    return np.where(rms > 0, rms, TYPICAL_RMS)
