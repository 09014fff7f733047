"""Refine a band: the right k(E) is the one whose waves around the scatterers explain the most.

A Fourier ring peaks a few percent inside or outside 2k, depending on the scatterers' phases (sin 2kr/r fills the disk,
cos 2kr/r its outside). Waves fitted around the scatterers, each with its own phase and all at once, have no such
bias: the energy that they explain, as a function of k, has its maximum at the true k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.distance import cdist

from friedel._util.moved import renamed
from friedel._util.robust import deviation
from friedel.candidates.peaks import candidates
from friedel.classical.matched_field import Template, pool, significance, statistic
from friedel.classical.omp import CORE, iter_pursue, leave_one_out
from friedel.dispersion_fit.band_errors import BandErrors, band_errors, band_of, maxima
from friedel.physics.dispersion import WAVEVECTOR_PER_SQRT_EV, Dispersion
from friedel.progress import drain
from friedel.resample import plan
from friedel.stack import normalise

#: k·pixel at which the waves are compared [rad/px].
K_RANGE = (0.65, 1.3)
#: How far k may move in one round.
_FACTORS = np.linspace(0.94, 1.06, 7)
#: Background wider than this is taken away, and what stands out more than this many robust σ is clipped: steps, islands
#: and wild pixels are no waves. In the sampling above a half wave is 2.4 to 4.8 px long.
_BACKGROUND_PX, _CLIP = 5.0, 6.0
_MOST_POINTS, _MOST_PURSUED, _MOST_GROUPS, _SIDE, _STEP, _FOLDS = 60, 40, 8, 96, 0.02, 8


class Refined(NamedTuple):
    """A band, its errors, and how many scatterers stand out of the matched field."""

    band: Dispersion
    errors: BandErrors
    significant: int


def refine_band(maps: np.ndarray, bias: np.ndarray, pitch: tuple[float, float], band: Dispersion) -> Refined:
    """Improve a band that is right within about five percent in k.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1, NaN where not acquired.
    bias : array, shape (bias,)
        Voltages [mV].
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    band : Dispersion
        First guess.

    Returns
    -------
    Refined

    Raises
    ------
    PhysicsError
        If the field cannot be brought to a sampling that shows the waves.
    """
    errors, significant = BandErrors(np.nan, np.nan, np.nan, "there are too few scatterers or voltages"), 0
    for iteration in range(2):
        scaling = plan(band.k(bias), pitch, (maps.shape[1], maps.shape[2]), K_RANGE, least_pixels=16)
        field, mask = scaling.resample(maps[scaling.keep])
        field, k = pool(_levelled(field, mask), scaling.k)
        thin = np.unique(np.linspace(0, len(k) - 1, _MOST_GROUPS).astype(int))
        field, k = field[thin], k[thin]
        t = statistic(field, k, mask)
        table = candidates(t, significance(t, 2 * len(k), mask), min_distance=3)
        significant = int((table["probability"] >= 0.99).sum())
        points = table.sort_values("s", ascending=False)[["row", "column"]].to_numpy()
        points = points[: max(8, int((table["probability"] >= 0.9).sum()))]
        field, mask, points = _cut(field, mask, points)
        if iteration:  # once k is nearly right, the joint refit gives better places and fewer false ones
            pursued = drain(iter_pursue(field, k, mask, most=_MOST_PURSUED)).positions
            points = pursued if len(pursued) > 1 else points
        if len(points) < 2 or len(k) < 2:
            break
        explained = _explained(field, k, mask, points)
        energy = band.onset_mev + (k / scaling.pixel_nm / WAVEVECTOR_PER_SQRT_EV) ** 2 / band.mass * 1e3
        before, ends = band, _ends(band, energy)
        best = _maximise(explained.sum(axis=2), before, energy, ends)
        folds = [np.arange(len(points)) % _FOLDS != fold for fold in range(min(_FOLDS, len(points)))]
        bands = [_maximise(explained[:, :, keep].sum(axis=2), before, energy, best) for keep in folds]
        own, at_end = maxima(explained.sum(axis=2), _FACTORS)
        left_out = np.array([band_of(one, energy) for one in bands])
        errors = band_errors(best, energy, own * before.k(energy), at_end, left_out)
        band = Dispersion(*band_of(best, energy), name="fitted")
    return Refined(band, errors, significant)


def _levelled(field: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Maps without what is wider or higher than waves are, normalised; NaN where not acquired."""
    weight = gaussian_filter(mask.astype(float), _BACKGROUND_PX)
    values = np.where(mask, field, 0.0)
    slow = gaussian_filter(values, (0, _BACKGROUND_PX, _BACKGROUND_PX)) / np.maximum(weight, 1e-3)
    flat = np.where(mask, values - slow, 0.0)
    for plane in flat:
        seen = plane[mask]
        limit = _CLIP * float(deviation(seen - np.median(seen))) + 1e-12
        plane[mask] = np.clip(seen - np.median(seen), -limit, limit)
    return normalise(np.where(mask, flat, np.nan))


def _cut(
    field: np.ndarray, mask: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The square around the middle of what was acquired, which is enough and bounds the cost."""
    middle = np.argwhere(mask).mean(axis=0)
    low = [max(0, min(round(m - _SIDE / 2), n - _SIDE)) for m, n in zip(middle, mask.shape, strict=True)]
    at = np.s_[low[0] : low[0] + _SIDE, low[1] : low[1] + _SIDE]
    shifted = points - low
    inside = ((shifted > -0.5) & (shifted < np.array(mask[at].shape) - 0.5)).all(axis=1)
    return field[(slice(None), *at)], mask[at], shifted[inside][:_MOST_POINTS]


def _explained(field: np.ndarray, k: np.ndarray, mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Energy that each point's waves explain beyond all others', (groups, factors on k, points)."""
    template = Template()
    pixels = np.argwhere(mask).astype(np.float32)
    distance = cdist(pixels, points).astype(np.float32)
    used = distance.min(axis=1) > CORE
    distance, pixels = distance[used], np.argwhere(mask)[used]
    node = np.rint(distance / _STEP).astype(np.intp)
    r = np.arange(0, distance.max() + 1, _STEP)
    count = len(points)
    basis = np.ones((len(node), 2 * count + 1), dtype=np.float32)
    out = np.zeros((len(k), len(_FACTORS), count))
    for i, plane in enumerate(field):
        data = plane[tuple(pixels.T)]
        for j, factor in enumerate(_FACTORS):
            wave = template(r, float(k[i] * factor)).astype(np.complex64)[node]
            basis[:, :count], basis[:, count:-1] = wave.real, wave.imag
            gram = (basis.T @ basis).astype(float)
            gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram)
            inverse = np.linalg.inv(gram)
            out[i, j] = leave_one_out(inverse @ (basis.T @ data).astype(float), inverse, count)
    return out


def _ends(band: Dispersion, energy: np.ndarray) -> np.ndarray:
    """k² [nm⁻²] at the lowest and highest energy."""
    return band.k([energy.min(), energy.max()]) ** 2


def _maximise(explained: np.ndarray, before: Dispersion, energy: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Ends of the parabola that explains most; `explained` is (groups, factors)."""
    old = before.k(energy)
    share = (energy - energy.min()) / np.ptp(energy)
    index = np.arange(len(energy), dtype=float)

    def cost(ends: np.ndarray) -> float:
        new = np.sqrt(np.maximum(ends[0] + (ends[1] - ends[0]) * share, 1e-9))
        place = (new / old - _FACTORS[0]) / (_FACTORS[1] - _FACTORS[0])
        # Off the table the value falls, so that the search turns back.
        beyond = np.abs(place - np.clip(place, 0, len(_FACTORS) - 1)).sum()
        values = map_coordinates(explained, [index, place], order=3, mode="nearest")
        return float(-values.sum() * (1 - 0.1 * min(beyond, 9)))

    step = 0.04 * np.abs(start).max()
    simplex = start + step * np.array([[0.0, 0.0], [1.0, 0.3], [0.3, 1.0]])
    options = {"initial_simplex": simplex, "maxiter": 200, "xatol": 1e-5 * step, "fatol": 1e-9}
    from scipy.optimize import minimize  # takes long to load, and a known band needs none

    best: np.ndarray = minimize(cost, start, method="Nelder-Mead", options=options).x
    return best


#: Names of version 0.1.
__getattr__ = renamed(__name__, {"Sharpened": "Refined", "sharpen": "refine_band"})
