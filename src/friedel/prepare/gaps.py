"""Means over maps with gaps, and interpolation across small gaps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage


def nearest_known(maps: np.ndarray) -> np.ndarray:
    """Give unknown pixels of each map the value of the nearest known pixel; a map without any becomes zeros."""
    out = np.array(maps)
    for plane in out:
        unknown = ~np.isfinite(plane)
        if unknown.all():
            plane[:] = 0
        elif unknown.any():
            at = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
            plane[:] = plane[tuple(at)]
    return out


#: Mean distance to a known pixel up to which a gap is one between scattered points: of a solid gap it is larger.
BETWEEN_POINTS_PX = 1.6
#: Gaussian means of axes up to this length are products with a matrix, which are several times as fast.
MATRIX_PX = 320


def blur(maps: np.ndarray, sigma: float, weight: np.ndarray | None = None) -> np.ndarray:
    """Gaussian mean over known pixels, shape (bias, rows, columns); `sigma` in px. NaN far from any known pixel."""
    known = np.isfinite(maps).astype(float) if weight is None else weight
    total = _smooth(np.where(known > 0, np.nan_to_num(maps), 0) * known, sigma)
    share = _smooth(known, sigma)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 1e-6, total / share, np.nan)


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter along rows and columns, with reflecting borders."""
    if max(maps.shape[1:]) > MATRIX_PX:
        return np.asarray(ndimage.gaussian_filter(maps, (0, sigma, sigma), mode="reflect"))
    down, right = (_gaussian(n, sigma) for n in maps.shape[1:])
    return np.asarray(down @ maps @ right.T)


@lru_cache(maxsize=16)
def _gaussian(n: int, sigma: float) -> np.ndarray:
    """The Gaussian filter of a line of n pixels as a matrix."""
    return np.asarray(ndimage.gaussian_filter1d(np.eye(n), sigma, axis=0, mode="reflect"))


def fill_gaps(maps: np.ndarray, reach: float) -> np.ndarray:
    """Interpolate gaps whose pixels all lie within `reach` px of known ones, map by map; larger gaps stay NaN.

    Spectra at scattered points leave one gap that runs between them everywhere. It is interpolated as far as `reach`.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    reach : float
        Largest distance to a known pixel [px].

    Returns
    -------
    array, shape (bias, rows, columns)
    """
    unknown = ~np.isfinite(maps)
    if reach <= 0 or not unknown.any():
        return maps
    out = np.array(maps)
    for index in np.flatnonzero(unknown.any(axis=(1, 2))):
        hole = unknown[index]
        if hole.all():
            continue
        label, count = ndimage.label(hole, structure=np.ones((3, 3)))
        depth = ndimage.distance_transform_edt(~np.pad(~hole, 1, mode="edge"))[1:-1, 1:-1]
        numbers = np.arange(1, count + 1)
        largest, mean = (np.asarray(of(depth, label, numbers)) for of in (ndimage.maximum, ndimage.mean))
        small = np.isin(label, numbers[largest <= reach])
        small |= np.isin(label, numbers[mean <= BETWEEN_POINTS_PX]) & (depth <= reach)
        if not small.any():
            continue
        plane = blur(maps[index][None], max(0.8, reach / 2))[0]
        # The nearest known pixels give the start; the mean over neighbours makes it smooth (Laplace's equation).
        filled = np.where(small, plane, np.nan_to_num(maps[index]))
        weight = np.isfinite(maps[index]) | small
        count = _neighbours(weight.astype(float))
        for _ in range(20):
            total = _neighbours(np.where(weight, filled, 0))
            mean = np.where(count > 0, total / np.maximum(count, 1), filled)
            filled = np.where(small, mean, filled)
        out[index][small] = filled[small]
    return out


def _neighbours(plane: np.ndarray) -> np.ndarray:
    """Sum over the four neighbours, 0 beyond the border."""
    out = np.zeros_like(plane)
    out[1:] += plane[:-1]
    out[:-1] += plane[1:]
    out[:, 1:] += plane[:, :-1]
    out[:, :-1] += plane[:, 1:]
    return out
