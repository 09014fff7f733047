"""Fit the surface band to the data themselves: the ring of radius q = 2k in the Fourier transform of every map.

The power spectrum of each map (Hann window) becomes a radial profile by the **median** over the angle: a ring is
isotropic, whereas the spots of an atomic lattice, scan lines and herringbone are not. Against the profile's smooth
background the ring is a ridge in the (voltage, q) plane, and the band is the parabola k² = 2m*(E − E₀)/ħ² on which the
ridge stands highest, summed over all voltages. The matched field then refines it
(`friedel.dispersion_fit.matched_field_fit`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d, map_coordinates, median_filter

from friedel._util.moved import renamed
from friedel._util.robust import deviation, median
from friedel.dispersion_fit.band_errors import BandErrors, band_of
from friedel.dispersion_fit.matched_field_fit import refine_band
from friedel.errors import PhysicsError
from friedel.physics.dispersion import WAVEVECTOR_PER_SQRT_EV, Dispersion
from friedel.stack import didv, normalise, pixel_pitch, validate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

#: Effective masses searched.
MASSES = (0.03, 3.0)
#: Least mean height of the ridge, in standard deviations of one bin of one profile and as the logarithm of a power
#: ratio. A pattern common to all voltages (z-jitter) makes the bins of all voltages rise together, so averaging over
#: voltages is not counted as a gain.
LEAST_HEIGHT, CLEAR_HEIGHT = 2.0, 3.5
LEAST_CONTRAST = 0.2
_MOST_PIXELS = 160 * 160 * 126


@dataclass(frozen=True)
class RingFit:
    """The band that the Fourier ring shows.

    Parameters
    ----------
    onset_mev, mass : float
        E₀ [meV] and m* [electron masses]; negative for a band that opens downwards; NaN if not found.
    onset_error, mass_error : float
        Standard errors, see `friedel.dispersion_fit.band_errors`. E₀ and m* are strongly correlated: k inside the
        range of the voltages is known far better than either.
    found : bool
        Whether there is a ring on a parabola.
    bias_mv : array
        Voltages [mV].
    k_per_bias : array
        k [nm⁻¹] of the fitted band at each voltage; NaN if not found.
    height : float
        Mean height of the ridge in standard deviations of a bin.
    q : array, shape (bins,)
        Radii of the profiles [nm⁻¹].
    profiles : array, shape (bias, bins)
        Logarithm of the median power, background subtracted.
    scatter : float
        Relative scatter of the voltages' own wavevectors about the band's; NaN where it is not known.
    reason : str
        Why no band is given; empty if one is.
    """

    onset_mev: float
    mass: float
    onset_error: float
    mass_error: float
    found: bool
    bias_mv: np.ndarray = field(repr=False)
    k_per_bias: np.ndarray = field(repr=False)
    height: float
    q: np.ndarray = field(repr=False)
    profiles: np.ndarray = field(repr=False)
    scatter: float = float("nan")
    reason: str = ""

    @property
    def dispersion(self) -> Dispersion:
        """The band.

        Raises
        ------
        PhysicsError
            If no ring was found.
        """
        if not self.found:
            if self.reason:
                raise PhysicsError(
                    f"No parabolic band fits these maps: {self.reason}. "
                    "Give the material, or its band onset and effective mass."
                )
            raise PhysicsError(
                "The Fourier transforms of these maps show no Friedel ring, so no band can be fitted; "
                "give the material, or its band onset and effective mass."
            )
        return Dispersion(self.onset_mev, self.mass, name="fitted")

    def __str__(self) -> str:
        if self.reason:
            return f"a Friedel ring, but no parabolic band: {self.reason}"
        if not self.found:
            return f"no Friedel ring in the Fourier transforms (height {self.height:.1f} of {LEAST_HEIGHT} needed)"
        return (
            f"E₀ = {self.onset_mev:.0f} ± {self.onset_error:.0f} meV, m* = {self.mass:.3f} ± {self.mass_error:.3f}; "
            f"k = {np.nanmin(self.k_per_bias):.3f} to {np.nanmax(self.k_per_bias):.3f} nm⁻¹"
        )


def fit_ring(stack: xr.Dataset, channel: str | None = None) -> RingFit:
    """Fit E₀ and m* to the Fourier ring of a stack, of its maps as they are.

    `friedel.prepare.band.fit_dispersion` cleans them before.

    Parameters
    ----------
    stack : xarray.Dataset
        Two voltages at least; pixels need not be square, gaps may be NaN.
    channel : str, optional
        As in `friedel.stack.didv`.

    Returns
    -------
    RingFit
        With ``found=False`` where there is no isotropic ring: in noise, or for an atomic lattice alone.
    """
    data = didv(validate(stack), channel)
    values, bias = data.to_numpy(), stack["bias"].to_numpy().astype(float)
    chosen = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
    stride = -(-values[chosen].size // _MOST_PIXELS) if chosen.size else 1
    chosen = chosen[::stride]
    maps = normalise(values[chosen])
    resolution = (
        2 * np.pi / max(min(n * p for n, p in zip(maps.shape[1:], pixel_pitch(stack), strict=True)), 1e-9)
    )
    q, profiles = radial_profiles(maps, pixel_pitch(stack), resolution)
    if len(chosen) < 2 or len(q) < 12:
        return _nothing(bias, q, np.zeros((len(bias), len(q))), 0.0)
    ridge = _ridge(profiles, q)
    spread = float(deviation((ridge - np.median(ridge)).ravel())) + 1e-9
    energy = bias[chosen]
    start, height = _search(ridge, q, energy, resolution)
    contrast, height = height, height / spread
    if start is None or height < LEAST_HEIGHT or contrast < LEAST_CONTRAST:
        return _nothing(bias, q, ridge, float(height))
    onset, mass = band_of(_climb(ridge, q, energy, start, resolution), energy)
    if not MASSES[0] * 1.02 < abs(mass) < MASSES[1] * 0.98:
        return _nothing(bias, q, ridge, float(height))
    try:
        sharp = refine_band(maps, energy, pixel_pitch(stack), Dispersion(onset, mass, name="fitted"))
    except PhysicsError:  # no sampling of this field shows the waves
        return _nothing(bias, q, ridge, float(height))
    # A faint ring counts if scatterers stand out at its wavevector.
    if height < CLEAR_HEIGHT and not sharp.significant:
        return _nothing(bias, q, ridge, float(height))
    band, errors = sharp.band, sharp.errors
    if errors.reason:
        return _nothing(bias, q, ridge, float(height), errors)
    k = band.k(bias)
    found = (band.onset_mev, band.mass, errors.onset, errors.mass, True)
    return RingFit(*found, bias, k, float(height), q, ridge, errors.scatter)


def _nothing(
    bias: np.ndarray, q: np.ndarray, ridge: np.ndarray, height: float, errors: BandErrors | None = None
) -> RingFit:
    nan = float("nan")
    scatter, reason = (nan, "") if errors is None else (errors.scatter, errors.reason)
    k = np.full(len(bias), nan)
    return RingFit(nan, nan, nan, nan, False, bias, k, height, q, ridge, scatter, reason)


@dataclass(frozen=True, eq=False)
class _Rings:
    """Bins of one power spectrum, in rings of one resolution's width, in steps of half of it."""

    window: np.ndarray
    shape: tuple[int, int]
    order: np.ndarray
    edges: np.ndarray
    centres: np.ndarray

    @classmethod
    def of(cls, size: tuple[int, int], pitch: tuple[float, float], resolution: float) -> _Rings:
        window = np.hanning(size[0] + 2)[1:-1, None] * np.hanning(size[1] + 2)[None, 1:-1]
        shape = fft.next_fast_len(2 * size[0], real=True), fft.next_fast_len(2 * size[1], real=True)
        qy = 2 * np.pi * fft.fftfreq(shape[0], pitch[0])
        qx = 2 * np.pi * fft.rfftfreq(shape[1], pitch[1])
        radius = np.hypot(qy[:, None], qx[None, :]).ravel()
        largest = min(np.abs(qy).max(), qx.max())
        centres = np.arange(1.5 * resolution, largest - 0.5 * resolution, resolution / 2)
        order = np.argsort(radius)
        ends = np.stack([centres - resolution / 2, centres + resolution / 2], axis=1)
        return cls(window, shape, order, np.searchsorted(radius[order], ends), centres)

    def profile(self, plane: np.ndarray) -> np.ndarray:
        """Logarithm of the median power in each ring, shape (bins,)."""
        values = np.where(np.isfinite(plane), plane, 0) * self.window
        power = (np.abs(fft.rfft2(values, s=self.shape)) ** 2).astype(np.float32).ravel()[self.order]
        found = [median(power[low:high]) for low, high in self.edges]
        return np.asarray(np.log(np.array(found, dtype=np.float32) + np.finfo(np.float32).tiny))


def radial_profiles(
    planes: Iterable[np.ndarray], pitch: tuple[float, float], resolution: float
) -> tuple[np.ndarray, np.ndarray]:
    """Power spectra (Hann window) of maps, taken one by one, as profiles over |q|.

    Parameters
    ----------
    planes : iterable of array, shape (rows, columns)
        NaN where not known; all of one shape.
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    resolution : float
        Width of a ring [nm⁻¹]; the rings lie half of it apart.

    Returns
    -------
    q : array, shape (bins,)
        Radii [nm⁻¹].
    profiles : array, shape (bias, bins)
        Logarithm of the median power.
    """
    rings: _Rings | None = None
    found = []
    for plane in planes:
        rings = rings or _Rings.of((plane.shape[0], plane.shape[1]), pitch, resolution)
        found.append(rings.profile(plane))
    return (np.zeros(0), np.zeros((0, 0))) if rings is None else (rings.centres, np.stack(found))


def _ridge(profiles: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Profiles minus their smooth background: a running median over twelve resolutions."""
    bins = min(25, 2 * (len(q) // 2) - 1)
    background = gaussian_filter1d(median_filter(profiles, size=(1, bins), mode="nearest"), 4, axis=1)
    ridge: np.ndarray = profiles - background
    return ridge


def _heights(ridge: np.ndarray, q: np.ndarray, energy: np.ndarray, parabola: np.ndarray) -> np.ndarray:
    """Height of the ridge at q = 2k for parabolas (…, 2): k² at the lowest and highest energy."""
    share = (energy - energy.min()) / np.ptp(energy)
    k2 = parabola[..., :1] + (parabola[..., 1:] - parabola[..., :1]) * share
    place = (2 * np.sqrt(np.maximum(k2, 0)) - q[0]) / (q[1] - q[0])
    valid = (k2 > 0) & (place >= 0) & (place <= len(q) - 1)
    index = np.broadcast_to(np.arange(len(energy), dtype=float), place.shape)
    values = map_coordinates(ridge, [index, np.clip(place, 0, len(q) - 1)], order=1, mode="nearest")
    # A parabola that leaves the plane gains nothing there, and must explain at least half of the voltages.
    total = np.where(valid, values, 0).sum(axis=-1) / len(energy)
    return np.where(valid.mean(axis=-1) >= 0.5, total, -np.inf)


def _search(
    ridge: np.ndarray, q: np.ndarray, energy: np.ndarray, resolution: float
) -> tuple[np.ndarray | None, float]:
    """Best parabola on a grid, for electron- and hole-like bands, and its mean height."""
    nodes = np.arange(q[0], q[-1], resolution / 3) / 2
    at_top, span = nodes[:, None] ** 2, np.ptp(energy) * 1e-3 * WAVEVECTOR_PER_SQRT_EV**2
    best, height = None, -np.inf
    for sign in (1, -1):
        # The slope of k²(E) is proportional to m*.
        slope = sign * np.geomspace(*MASSES, 90)[None, :] * span
        ends = np.stack(np.broadcast_arrays(at_top - slope, at_top), axis=-1)
        if sign < 0:
            ends = np.stack(np.broadcast_arrays(at_top, at_top + slope), axis=-1)
        heights = _heights(ridge, q, energy, ends)
        index = np.unravel_index(np.argmax(heights), heights.shape)
        if heights[index] > height:
            best, height = ends[index], float(heights[index])
    return best, height


def _climb(
    ridge: np.ndarray, q: np.ndarray, energy: np.ndarray, start: np.ndarray, resolution: float
) -> np.ndarray:
    """Refine a parabola to the top of the ridge."""
    smooth = gaussian_filter1d(ridge, 1.0, axis=1)
    step = resolution * np.sqrt(np.abs(start).max())
    simplex = start + step * np.array([[0, 0], [1, 0.3], [0.3, 1]])

    def cost(ends: np.ndarray) -> float:
        height = float(_heights(smooth, q, energy, ends[None])[0])
        return -height if np.isfinite(height) else 1e3

    from scipy.optimize import minimize  # takes long to load, and a known band needs none

    found = minimize(cost, start, method="Nelder-Mead", options={"initial_simplex": simplex, "maxiter": 200})
    return found.x if found.fun < 1e2 else start


#: Until version 0.2 this was the public one.
__getattr__ = renamed(__name__, {"fit_dispersion": "fit_ring"})
