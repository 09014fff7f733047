"""Gaussian means over maps with gaps.

A Gaussian filter with reflecting borders is a product in the cosine transform. For short lines it is one with a matrix.
The filter ends at four standard deviations, as that of `scipy.ndimage.gaussian_filter`, with whose result these agree.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

#: Where the filter ends [standard deviations].
TRUNCATE = 4.0
#: Means of axes up to this length are products with a matrix.
MATRIX_PX = 200


def blur(maps: np.ndarray, sigma: float, weight: np.ndarray | None = None) -> np.ndarray:
    """Gaussian mean over known pixels; NaN far from any known pixel.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        NaN where not known.
    sigma : float
        Standard deviation [px].
    weight : array, shape (bias, rows, columns), optional
        Of each pixel; 1 where known and 0 elsewhere if None.

    Returns
    -------
    array, shape (bias, rows, columns)
    """
    if weight is None:
        known = np.isfinite(maps)
        if known.all():
            return _smooth(maps, sigma)
        weight = known.astype(float)
        same = bool((known == known[:1]).all())
    else:
        same = False
    total = _smooth(np.where(weight > 0, maps, 0) * weight, sigma)
    share = _smooth(weight[:1] if same else weight, sigma)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 1e-6, total / share, np.nan)


def blur_at(plane: np.ndarray, sigma: float, at: np.ndarray) -> np.ndarray:
    """`blur` of one map at some pixels, flat indices; few of them are summed up one by one."""
    reach = reach_of(sigma)
    if len(at) * (2 * reach + 1) ** 2 > plane.size:
        return np.asarray(blur(plane[None], sigma)[0].reshape(-1)[at])
    offset = np.arange(-reach, reach + 1)
    line = np.exp(-0.5 * (offset / sigma) ** 2)
    line /= line.sum()
    row, column = (
        _reflected(index[:, None] + offset, n)
        for index, n in zip(np.divmod(at, plane.shape[1]), plane.shape, strict=True)
    )
    values = plane[row[:, :, None], column[:, None, :]]
    known = np.isfinite(values)
    total, share = (
        np.einsum("nij,i,j->n", one, line, line) for one in (np.where(known, values, 0), known * 1.0)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(share > 1e-6, total / share, np.nan))


def _reflected(index: np.ndarray, n: int) -> np.ndarray:
    """Indices beyond a line of n pixels, continued by its reflection."""
    index = index % (2 * n)
    return np.where(index < n, index, 2 * n - 1 - index)


def reach_of(sigma: float) -> int:
    """Distance beyond which a pixel has no part in the mean [px]."""
    return int(TRUNCATE * sigma + 0.5)


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter along rows and columns, with reflecting borders."""
    rows, columns = maps.shape[1:]
    if max(rows, columns) <= MATRIX_PX:
        return np.asarray(_gaussian(rows, sigma) @ maps @ _gaussian(columns, sigma).T)
    reach = reach_of(sigma)
    # Lengths of large factors take long: a line is continued by its reflection, and cut.
    size = [_fast_length(n, reach) for n in (rows, columns)]
    before = [0 if n == m else reach for n, m in zip((rows, columns), size, strict=True)]
    after = [m - n - b for n, m, b in zip((rows, columns), size, before, strict=True)]
    inside = tuple(slice(b, b + n) for b, n in zip(before, (rows, columns), strict=True))
    gain = _response(size[0], sigma)[:, None] * _response(size[1], sigma)
    out = np.empty(maps.shape)
    for plane, smooth in zip(maps, out, strict=True):
        longer = np.pad(plane, tuple(zip(before, after, strict=True)), mode="symmetric")
        smooth[:] = fft.idctn(fft.dctn(longer) * gain, overwrite_x=True)[inside]
    return out


def _fast_length(n: int, reach: int) -> int:
    """The same length if its cosine transform is fast, else a longer one with room for the filter on both sides."""
    fast = int(fft.next_fast_len(n, real=True))
    return fast if fast == n else int(fft.next_fast_len(n + 2 * reach, real=True))


@lru_cache(maxsize=16)
def _response(n: int, sigma: float) -> np.ndarray:
    """What the filter leaves of each cosine of a line of n pixels."""
    offset = np.arange(-reach_of(sigma), reach_of(sigma) + 1)
    weight = np.exp(-0.5 * (offset / sigma) ** 2)
    return np.asarray(np.cos(np.pi / n * np.outer(np.arange(n), offset)) @ (weight / weight.sum()))


@lru_cache(maxsize=16)
def _gaussian(n: int, sigma: float) -> np.ndarray:
    """The Gaussian filter of a line of n pixels as a matrix."""
    return np.asarray(ndimage.gaussian_filter1d(np.eye(n), sigma, axis=0, mode="reflect", truncate=TRUNCATE))
