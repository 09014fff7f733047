"""Matched field with a joint refit: pick the strongest scatterers, fit all of them to every map, search the residual.

Orthogonal matching pursuit over positions. The waves of one scatterer raise the matched field everywhere around it;
once they are fitted together with everybody else's and subtracted, weaker scatterers stand out and false peaks go.
After every round the positions move too, by a Gauss-Newton step of the variable projection (amplitudes eliminated at
every voltage), whose curvature gives the Cramér-Rao standard deviation of each position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from friedel._util import chi2
from friedel._util.local_maxima import local_maxima
from friedel.candidates.peaks import refine
from friedel.classical.matched_field import Template, null_distribution, statistic
from friedel.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

#: Two points nearer than this [px] are one: their waves cannot be told apart.
CLOSEST = 0.7
#: Pixels this near to a point [px] are left out of the fit.
CORE = 1.5
#: Scatterers outside the field send waves into it: points may move this far out [px]; those are fitted, not reported.
MARGIN = 5.0
#: Least standard deviation of a residual, of maps of rms 1: a map may be all zeros.
LEAST_NOISE = 1e-6
#: Step [px] of the tabulated templates.
_STEP = 0.01


@dataclass(frozen=True)
class Fit:
    """What `iter_pursue` returns.

    positions : (n, 2) row and column [px]; sigma : (n,) their standard deviation per axis [px]; t : (n,) energy that
    is lost when the point alone is left out and all others are refitted, χ² with two degrees of freedom per voltage
    in white noise; probability : (n,) its significance over the field; residual : (bias, rows, columns).
    """

    positions: np.ndarray
    sigma: np.ndarray
    t: np.ndarray
    probability: np.ndarray
    residual: np.ndarray


class _Model:
    """All scatterers' waves, fitted to every map by linear least squares.

    Pixels within `CORE` of a point are left out: what a tip sees on top of an impurity is no wave.
    """

    def __init__(self, maps: np.ndarray, k: np.ndarray, known: np.ndarray, template: Template) -> None:
        self.known, self.k = known, np.asarray(k, dtype=float)
        self.pixels = np.argwhere(known).astype(np.float32)
        self.data = maps[:, known].astype(np.float32)
        self.residual = self.data.copy()
        self.used = np.ones(len(self.pixels), dtype=bool)
        # The wave and its slope along r as tables: 0.01 px is 0.02 rad at most.
        # As far as from one corner to a scatterer outside the opposite one.
        r = np.arange(0, np.hypot(*(np.array(known.shape) + MARGIN)) + 1, _STEP)
        self.wave = np.stack([template(r, float(k_)) for k_ in self.k]).astype(np.complex64)
        self.slope = np.gradient(self.wave, _STEP, axis=1)

    def noise(self, points: int) -> np.ndarray:
        """Standard deviation of each residual, corrected for what the fit has eaten."""
        pixels = int(self.used.sum())
        freedom = max(pixels - 2 * points - 1, pixels // 4)
        square = (self.residual[:, self.used].astype(float) ** 2).sum(axis=1) / freedom
        return np.asarray(np.maximum(np.sqrt(square), LEAST_NOISE))

    def residual_maps(self) -> np.ndarray:
        """Residual as maps, NaN where not used."""
        maps = np.full((len(self.k), *self.known.shape), np.nan, dtype=np.float32)
        maps[:, self.known] = np.where(self.used, self.residual, np.nan)
        return maps

    def fit(self, points: np.ndarray, *, curvature: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fit amplitudes at `points`; return (t of leaving one out, position steps, standard deviations)."""
        count = len(points)
        dropped = np.zeros(count)
        normal = np.zeros((2 * count, 2 * count))
        gradient = np.zeros(2 * count)
        self.used = cKDTree(points).query(self.pixels)[0] > CORE
        offset = self.pixels[self.used][:, None, :] - points[None].astype(np.float32)
        distance = np.hypot(offset[..., 0], offset[..., 1])
        direction = -offset / np.maximum(distance, 1e-3)[..., None]  # ∂r/∂position
        node = np.rint(distance / _STEP).astype(np.intp)
        noise = self.noise(count)
        basis = np.ones((len(node), 2 * count + 1), dtype=np.float32)
        for index in range(len(self.k)):
            wave = self.wave[index][node]
            basis[:, :count], basis[:, count:-1] = wave.real, wave.imag
            data = self.data[index, self.used]
            gram = (basis.T @ basis).astype(float)
            gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram)
            inverse = np.linalg.inv(gram)
            amplitude = inverse @ (basis.T @ data).astype(float)
            residual = data - basis @ amplitude.astype(np.float32)
            self.residual[index, self.used] = residual
            dropped += leave_one_out(amplitude, inverse, count) / noise[index] ** 2
            if curvature:
                slope = self.slope[index][node]
                c, s = amplitude[:count].astype(np.float32), amplitude[count:-1].astype(np.float32)
                change = slope.real * c + slope.imag * s
                moved = (change[..., None] * direction).reshape(len(change), -1)
                cross = (basis.T @ moved).astype(float)
                normal += ((moved.T @ moved).astype(float) - cross.T @ inverse @ cross) / noise[index] ** 2
                gradient += (moved.T @ residual).astype(float) / noise[index] ** 2
        if not curvature:
            return dropped, np.zeros((count, 2)), np.full(count, np.nan)
        normal[np.diag_indices_from(normal)] += 1e-3 * np.trace(normal) / len(normal)
        covariance = np.linalg.inv(normal)
        sigma = np.sqrt(np.diag(covariance).reshape(count, 2).mean(axis=1))
        return dropped, (covariance @ gradient).reshape(count, 2), sigma


def leave_one_out(amplitude: np.ndarray, inverse: np.ndarray, count: int) -> np.ndarray:
    """Rise of the squared residual when one scatterer's pair of amplitudes is forced to zero."""
    c, s = amplitude[:count], amplitude[count : 2 * count]
    first, second = np.arange(count), np.arange(count, 2 * count)
    v_cc, v_ss, v_cs = inverse[first, first], inverse[second, second], inverse[first, second]
    result: np.ndarray = (v_ss * c**2 - 2 * v_cs * c * s + v_cc * s**2) / np.maximum(
        v_cc * v_ss - v_cs**2, 1e-30
    )
    return result


def iter_pursue(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    template: Template | None = None,
    significance: float = 0.95,
    most: int | None = None,
) -> Generator[Progress, None, Fit]:
    """Find scatterers one after another until none is significant.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1; a field of at most about 128×128 px (larger ones are cut into tiles: the fit's cost
        grows with pixels × points²).
    k : array, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, optional
        Pixels to use.
    template : Template, optional
    significance : float
        A point is taken if the chance that the rest of the field is empty and yet shows such a peak is at most
        one minus this.
    most : int, optional
        Largest number of points; one per 16 px by default.

    Yields
    ------
    Progress
        Once a round.

    Returns
    -------
    Fit
    """
    template = template or Template()
    known = np.isfinite(maps).all(axis=0) if mask is None else np.asarray(mask, dtype=bool)
    known = known & np.isfinite(maps).all(axis=0)
    most = max(1, int(known.sum()) // 16) if most is None else most
    # A scatterer in a narrow gap is known by its waves on both sides.
    near = binary_dilation(known, iterations=3)
    model = _Model(maps, k, known, template)
    points = np.zeros((0, 2))
    scale, freedom = 1.0, 2.0 * len(k)
    for iteration in range(60):
        t = statistic(model.residual_maps(), k, template=template, noise=model.noise(len(points)))
        t = np.where(near, t, np.nan)
        scale, freedom = null_distribution(t[known].astype(float), 2 * len(k))
        new = _pick(t, points, known.sum(), scale, freedom, significance, np.pi / float(np.mean(k)))
        new = new[: most - len(points)]
        if not len(new):
            break
        points = _merge(np.vstack([points, new]))
        _, step, _ = model.fit(points, curvature=iteration % 2 == 1)
        if iteration % 2 == 1:
            points = _move(points, step, known.shape)
            model.fit(points, curvature=False)
        yield Progress(min(0.9, 1 - 0.8**iteration), f"{len(points)} scatterers fitted")
    t_point, sigma, probability = np.zeros(0), np.zeros(0), np.zeros(0)
    for iteration in range(6):
        if not len(points):
            break
        t_point, step, sigma = model.fit(points, curvature=True)
        probability = np.exp(-known.sum() * chi2.sf(t_point / scale, freedom))
        weak = probability < significance
        if iteration < 5:
            # Leaving one point out may lift its neighbour: drop the weakest part only, then fit again.
            weak &= t_point <= np.quantile(t_point, 0.2)
            points = _merge(_move(points, step, known.shape)[~weak])
        yield Progress(0.9 + 0.1 * (iteration + 1) / 6, f"{len(points)} scatterers refined")
    inside = ((points >= -0.5) & (points < np.array(known.shape) - 0.5)).all(axis=1)
    return Fit(points[inside], sigma[inside], t_point[inside], probability[inside], model.residual_maps())


def _pick(
    t: np.ndarray,
    points: np.ndarray,
    pixels: int,
    scale: float,
    freedom: float,
    significance: float,
    half_wavelength: float,
) -> np.ndarray:
    """The significant maxima of this round that cannot be side lobes of each other."""
    peaks = local_maxima(t, min_distance=half_wavelength)
    if not len(peaks):
        return np.zeros((0, 2))
    height = t[tuple(peaks.T)]
    chosen = peaks[
        (np.exp(-pixels * chi2.sf(height / scale, freedom)) >= significance) & (height >= 0.5 * height[0])
    ]
    places = refine(t, chosen)
    if len(points) and len(places):
        places = places[cKDTree(points).query(places)[0] >= CORE]
    return places


def _move(points: np.ndarray, step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Take the step, at most half a pixel; a point may leave the field by `MARGIN`."""
    result: np.ndarray = np.clip(points + np.clip(step, -0.5, 0.5), -MARGIN, np.array(shape) - 1 + MARGIN)
    return result


def _merge(points: np.ndarray) -> np.ndarray:
    """Of every pair closer than `CLOSEST` keep the first."""
    keep = np.ones(len(points), dtype=bool)
    for first, second in sorted(cKDTree(points).query_pairs(CLOSEST)):
        if keep[first]:
            keep[second] = False
    return points[keep]
