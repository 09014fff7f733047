"""Whether a map shows the Friedel ring: the power at q = 2k above its surroundings in the Fourier transform.

Atoms and outliers are clipped first, so that the waves are what is left. The median over the angle leaves out lattice
spots and scan lines, as in `friedel.dispersion_fit.fourier_ring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.big_maps import release
from friedel.dispersion_fit.fourier_ring import radial_profiles
from friedel.prepare.background import clipped
from friedel.stack import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Outliers are clipped so tightly here that atoms count hardly more than waves [robust standard deviations].
CLIP = 2.5
#: The ring may lie off by this share of k, for a band that is not quite right.
TOLERANCE = 0.1
#: The wavevector itself is searched in this range, in units of k.
NEAR = (0.7, 1.4)
#: The median over the angle and the slope of the surroundings move the maximum inward. This is where the true band puts
#: it in synthetic fields of Au(111), Ag(111) and Cu(111), within 0.04.
INWARD = 0.975
#: Other wavevectors are tried in this range, in units of k.
SCAN = (0.4, 2.6)
#: The ring itself, and the places beside it, in units of 2k, from which its prominence is taken: so near that the ring
#: of another band is hardly felt.
AT, BESIDE = (0.93, 1.0), (0.83, 1.15)
#: Surroundings of the ring, in units of 2k: where a straight line through ln(power) over ln(q) is fitted.
BELOW, ABOVE = (0.45, 0.78), (1.28, 1.9)


@dataclass(frozen=True)
class RingEvidence:
    """Height of the ring.

    Parameters
    ----------
    height : float
        Logarithm of the power at the ring over that of its surroundings, mean over the maps.
    sigma : float
        The same in standard deviations.
    elsewhere : float
        Height of the highest ring at another wavevector.
    elsewhere_factor : float
        Its k over the assumed k.
    k_ratio : float
        Wavevector that the ring tells over the assumed one: the highest place within `NEAR`. NaN where no map shows
        that range.
    prominence : float
        Logarithm of the power at the ring over the mean of that at both sides, near by: it tells the band's own ring
        beside a higher one. NaN where no map shows both sides.
    slope : float
        Logarithm of `k_ratio` of the maps of the highest wavevectors over that of the lowest, a third of the maps each:
        0 if the ring follows the band. NaN with fewer than three maps.
    beside : float
        Wavevector of a second band whose ring was filtered out, over the assumed one; NaN if none was.
    """

    height: float
    sigma: float
    elsewhere: float = float("nan")
    elsewhere_factor: float = 1.0
    k_ratio: float = float("nan")
    prominence: float = float("nan")
    slope: float = float("nan")
    beside: float = float("nan")

    @property
    def excess(self) -> float:
        """By how much the highest ring at another wavevector is higher than that of the band."""
        return self.elsewhere - self.height


def ring_evidence(maps: np.ndarray, k: np.ndarray, pitch: tuple[float, float]) -> RingEvidence:
    """Measure the ring of radius 2k.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Without plane and line offsets; NaN where not known.
    k : array, shape (bias,)
        Wavevector of each map [nm⁻¹].
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].

    Returns
    -------
    RingEvidence
        NaN heights where the field is too small for a profile.
    """
    k = np.asarray(k, dtype=float)
    some = np.unique(np.linspace(0, len(maps) - 1, min(len(maps), 24)).astype(int))
    k = k[some]
    side = min(count * step for count, step in zip(maps.shape[1:], pitch, strict=True))
    resolution = 2 * np.pi / side
    q, profiles = radial_profiles(_planes(maps, some), pitch, resolution)
    nothing = RingEvidence(float("nan"), float("nan"))
    if len(q) < 8:
        return nothing
    factors = np.geomspace(*SCAN, 95)
    heights = np.array(
        [_heights(q, profile, 2 * kv * factors) for kv, profile in zip(k, profiles, strict=True)]
    )
    known = np.isfinite(heights[:, np.abs(factors - 1) <= TOLERANCE]).all(axis=1)
    if not known.any():
        return nothing
    mean = _mean(heights[known])
    near = np.abs(factors - 1) <= TOLERANCE
    best = int(np.where(near, np.nan_to_num(mean, nan=-np.inf), -np.inf).argmax())
    other = int(np.where(near, -np.inf, np.nan_to_num(mean, nan=-np.inf)).argmax())
    # One bin holds the median of so many independent powers; its logarithm errs by 1.44 over the root of them.
    cells = np.pi * 2 * float(np.median(k[known])) / resolution
    error = 1.44 / np.sqrt(max(cells, 1.0))
    height = float(mean[best])
    return RingEvidence(
        height,
        height / error,
        float(mean[other]),
        float(factors[other]),
        _k_ratio(factors, mean),
        _prominence(q, profiles[known], k[known]),
        _slope(factors, heights[known], k[known]),
    )


def _mean(heights: np.ndarray) -> np.ndarray:
    """Mean over the maps; a wavevector is tested where half of them can show its ring."""
    seen = np.isfinite(heights)
    mean = np.nansum(heights, axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen.mean(axis=0) >= 0.5, mean, np.nan)


def _slope(factors: np.ndarray, heights: np.ndarray, k: np.ndarray) -> float:
    """How the ring moves away from the band, from the lowest to the highest third of the wavevectors."""
    third, order = len(k) // 3, np.argsort(k, kind="stable")
    if not third:
        return float("nan")
    low, high = (_k_ratio(factors, _mean(heights[some])) for some in (order[:third], order[-third:]))
    return float(np.log(high / low))


def _prominence(q: np.ndarray, profiles: np.ndarray, k: np.ndarray) -> float:
    """How high the ring stands above the places on both sides of it, mean over the maps."""
    places = np.array([*np.linspace(*AT, 4), *BESIDE])
    shown = (2 * k * BESIDE[0] > q[0]) & (2 * k * BESIDE[1] < q[-1])
    if not shown.any():
        return float("nan")
    pairs = zip(profiles[shown], k[shown], strict=True)
    power = np.mean([np.interp(2 * kv * places, q, profile) for profile, kv in pairs], axis=0)
    return float(power[:4].max() - power[4:].mean())


def _k_ratio(factors: np.ndarray, mean: np.ndarray) -> float:
    """Where the ring is highest within `NEAR`, by a parabola through the maximum and its neighbours."""
    tried = (factors >= NEAR[0]) & (factors <= NEAR[1]) & np.isfinite(mean)
    if not tried.any():
        return float("nan")
    best = int(np.where(tried, mean, -np.inf).argmax())
    x, y = np.log(factors[best - 1 : best + 2]), mean[best - 1 : best + 2]
    bend = 2 * y[1] - y[0] - y[2]
    offset = 0.5 * (y[2] - y[0]) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(np.exp(x[1] + np.clip(offset, -0.5, 0.5) * (x[2] - x[1])) / INWARD)


def _planes(maps: np.ndarray, some: np.ndarray) -> Iterator[np.ndarray]:
    """These maps one by one, without outliers, normalised."""
    for index in some:
        yield normalise(clipped(np.asarray(maps[index : index + 1]), CLIP)[0])[0]
        release(maps)


def _heights(q: np.ndarray, profile: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Height of a profile at each place above the line through its surroundings, shape (places,)."""
    x, y, step = np.log(q), profile, q[1] - q[0]
    low, high = (
        (np.searchsorted(q, first * place, "left"), np.searchsorted(q, last * place, "right"))
        for first, last in (BELOW, ABOVE)
    )
    seen = (low[1] > low[0]) & (high[1] > high[0]) & (q[0] < place) & (place < q[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        (x0, y0), (x1, y1) = ([_means(one, *part) for one in (x, y)] for part in (low, high))
        ground = y0 + (y1 - y0) * (np.log(place) - x0) / (x1 - x0)
        at = np.interp(place + np.array([[-step / 2], [0.0], [step / 2]]), q, y).mean(axis=0)
        return np.where(seen, at - ground, np.nan)


def _means(values: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean of the values from each index up to each other one."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    return np.asarray((total[end] - total[first]) / (end - first))
