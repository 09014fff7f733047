"""Positions from a bound-state map by expectation-maximisation, as in arXiv 2006.15898.

Impurities that bind a state below the band onset show as peaks in the map taken there. The map's intensity is
read as a density: every pixel is a bundle of as many points as it is bright, drawn from Gaussians (one per
impurity) and a uniform background. Expectation-maximisation fits the mixture (Dempster, Laird, Rubin, J. R.
Stat. Soc. B 39, 1 (1977)); the Bayesian information criterion decides how many Gaussians the map supports
(Schwarz, Ann. Stat. 6, 461 (1978)).

Not every impurity binds a state, so a reference map is itself incomplete: what it lacks is not proof of
absence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import KDTree

from friedel._util.local_maxima import local_maxima
from friedel.errors import StackError
from friedel.reference.gaussian_mixture import (
    Mixture,
    criterion,
    fit_amplitudes,
    maximise,
    polish,
    position_inflation,
)

#: Rounds of splitting peaks that hold two impurities.
SPLITS = 2


def bound_state_positions(
    map: Any, pixel_nm: float | tuple[float, float] = 1.0, n: int | None = None
) -> pd.DataFrame:
    """Find the impurities in a bound-state map, to a fraction of a pixel.

    Parameters
    ----------
    map : array, shape (rows, columns)
        Bound-state map, bright where an impurity binds a state; NaN = not acquired.
    pixel_nm : float or (float, float)
        Pixel pitch [nm]; a pair is (along y, along x).
    n : int, optional
        Number of impurities; by the Bayesian information criterion if None.

    Returns
    -------
    pandas.DataFrame
        Strongest first: `row`, `column` [px], `x_nm`, `y_nm`, `sigma_px` (standard error of each coordinate from the
        map's noise and its correlation from pixel to pixel), `amplitude` (unit of the map), `width_px` (standard
        deviation of the peak), `bic_gain` (by how much the criterion would rise without this peak). ``attrs`` holds
        `bic`, `noise` and `background`.

    Raises
    ------
    StackError
        If the map is not two-dimensional, empty, or has no peak at all.
    """
    image = np.asarray(map, dtype=float)
    if image.ndim != 2:
        raise StackError(f"A bound-state map has two axes (rows, columns); this one has {image.ndim}.")
    known = np.isfinite(image)
    if known.sum() < 16:
        raise StackError("The bound-state map has fewer than 16 acquired pixels.")
    if n is not None and n < 1:
        raise StackError(f"The number of impurities must be at least 1, not {n}.")
    floor = float(np.percentile(image[known], 2))
    weight = np.where(known, np.clip(image - floor, 0, None), 0.0)
    if not weight.any():
        raise StackError("The bound-state map is constant: it shows no impurity.")
    unit = float(weight.max())  # the search is the same for a map in A and in nA
    return _in_unit(_search(image / unit, weight / unit, known, pixel_nm, n), unit)


def _search(
    image: np.ndarray,
    weight: np.ndarray,
    known: np.ndarray,
    pixel_nm: float | tuple[float, float],
    n: int | None,
) -> pd.DataFrame:
    """`bound_state_positions` of a map whose highest peak is 1."""
    mixture = _start(image, known)
    if len(mixture.centre) == 0:
        return _table(mixture, image, known, pixel_nm)
    mixture = _settle(mixture, image, weight, known, n)
    for _ in range(SPLITS):
        # Two impurities in one peak leave bright lobes in the residual: try them as peaks of their own.
        wider = _split(mixture, image, known)
        if len(wider.centre) == len(mixture.centre):
            break
        wider = _settle(wider, image, weight, known, n)
        if not criterion(wider, image, known)[4] < criterion(mixture, image, known)[4]:
            break
        mixture = wider
    return _table(mixture, image, known, pixel_nm)


def _in_unit(table: pd.DataFrame, unit: float) -> pd.DataFrame:
    """Amplitudes, noise and background in the unit of the map."""
    table["amplitude"] *= unit
    table.attrs.update(noise=table.attrs["noise"] * unit, background=table.attrs["background"] * unit)
    return table


def _settle(
    mixture: Mixture, image: np.ndarray, weight: np.ndarray, known: np.ndarray, n: int | None
) -> Mixture:
    """Fit the mixture and take away what the criterion (or the given number) does not support."""
    mixture = polish(maximise(mixture, weight, known, 60), image, known, 6)
    while len(mixture.centre):
        gain = criterion(mixture, image, known)[0]
        weak = np.flatnonzero(gain <= 0) if n is None else np.arange(len(gain))
        surplus = len(weak) if n is None else max(len(gain) - n, 0)
        if surplus == 0:
            break
        # Peaks share intensity: take the weakest away in portions and let the others settle between.
        drop = weak[np.argsort(gain[weak])[: max(1, surplus // 2)]]
        keep = np.setdiff1d(np.arange(len(gain)), drop)
        mixture = Mixture(mixture.centre[keep], mixture.width[keep], mixture.share[keep])
        mixture = polish(maximise(mixture, weight, known, 15), image, known, 3)
    return polish(mixture, image, known, 12)


def _split(mixture: Mixture, image: np.ndarray, known: np.ndarray) -> Mixture:
    """Add the residual's bright spots that lie on the flank of a peak, at half of that peak's share."""
    if len(mixture.centre) == 0:
        return mixture
    residual = _smooth(fit_amplitudes(mixture, image, known).residual, known, 0.8)
    spread = 1.4826 * float(np.median(np.abs(residual[known])))
    extra = local_maxima(np.where(known, residual, np.nan), floor=4 * spread).astype(float)
    if len(extra) == 0:
        return mixture
    distance, owner = KDTree(mixture.centre).query(extra)
    flank = (distance > 0.6 * mixture.width[owner]) & (distance < 3 * mixture.width[owner])
    extra, owner = extra[flank], owner[flank]
    share = mixture.share.copy()
    given = share[owner] / (2 * np.bincount(owner, minlength=len(share))[owner])
    np.subtract.at(share, owner, given)
    return Mixture(
        np.concatenate([mixture.centre, extra]),
        np.concatenate([mixture.width, mixture.width[owner]]),
        np.concatenate([share, given]),
    )


def _start(image: np.ndarray, known: np.ndarray) -> Mixture:
    """Local maxima of the smoothed map, and their typical width."""
    level = float(np.median(image[known]))
    smooth = _smooth(np.where(known, image - level, 0.0), known, 0.8)
    middle = float(np.median(smooth[known]))
    spread = 1.4826 * float(np.median(np.abs(smooth[known] - middle)))
    peaks = local_maxima(np.where(known, smooth, np.nan), floor=middle + 2.5 * spread)
    centre = peaks.astype(float)
    if len(centre) == 0:
        return Mixture(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    height = smooth[tuple(peaks.T)]
    # Half width at half maximum of the brightest quarter, along the four axes, the smaller side of each.
    best = centre[np.argsort(-height)][: max(3, len(centre) // 4)].astype(int)
    steps = np.arange(0, 13)
    halves = []
    for row, column in best:
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            line = smooth[
                np.clip(row + down * steps, 0, image.shape[0] - 1),
                np.clip(column + right * steps, 0, image.shape[1] - 1),
            ]
            below = np.flatnonzero(line < line[0] / 2)
            if len(below):
                j = below[0]
                halves.append(j - 1 + (line[j - 1] - line[0] / 2) / (line[j - 1] - line[j]))
    half = float(np.percentile(halves, 40)) if halves else 1.5
    width = float(np.clip(np.sqrt(max((half / 1.177) ** 2 - 0.8**2, 0.36)), 0.6, 6.0))
    share = np.clip(height, 0, None) * 2 * np.pi * width**2
    return Mixture(centre, np.full(len(centre), width), 0.5 * share / share.sum())


def _smooth(values: np.ndarray, known: np.ndarray, width: float) -> np.ndarray:
    """Gaussian smoothing that leaves unknown pixels out."""
    mass = ndimage.gaussian_filter(known.astype(float), width, mode="constant")
    result: np.ndarray = ndimage.gaussian_filter(values, width, mode="constant") / np.maximum(mass, 1e-3)
    return result


def _table(
    mixture: Mixture, image: np.ndarray, known: np.ndarray, pixel_nm: float | tuple[float, float]
) -> pd.DataFrame:
    pitch = np.broadcast_to(np.asarray(pixel_nm, dtype=float), (2,))
    names = ["row", "column", "x_nm", "y_nm", "sigma_px", "amplitude", "width_px", "bic_gain"]
    if len(mixture.centre) == 0:
        table = pd.DataFrame({name: pd.Series(dtype=float) for name in names})
        table.attrs.update(
            bic=float("nan"), noise=float(np.std(image[known])), background=float(np.mean(image[known]))
        )
        return table
    gain, amplitude, noise, background, bic = criterion(mixture, image, known)
    row, column = mixture.centre.T
    # Cramér-Rao bound of one Gaussian peak in white noise: σ √(2/π) / amplitude, whatever its width.
    sigma = noise * np.sqrt(2 / np.pi) / np.maximum(amplitude, 1e-300)
    residual = fit_amplitudes(mixture, image, known).residual
    sigma = sigma * np.sqrt(position_inflation(residual, mixture.width))
    columns = [row, column, column * pitch[1], row * pitch[0], sigma, amplitude, mixture.width, gain]
    table = pd.DataFrame(dict(zip(names, columns, strict=True)))
    table = table.sort_values("amplitude", ascending=False, ignore_index=True)
    table.attrs.update(bic=bic, noise=noise, background=background)
    return table
