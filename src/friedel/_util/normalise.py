"""Maps of mean 0 and root mean square 1, as every statistic and network takes them."""

from __future__ import annotations

import numpy as np


def normalise(maps: np.ndarray) -> np.ndarray:
    """Subtract each map's mean and divide by its root mean square, over acquired pixels (NaN-aware).

    Parameters
    ----------
    maps : array, shape (bias, y, x)

    Returns
    -------
    array, shape (bias, y, x), float32
        NaN stays NaN; a constant map becomes zeros.
    """
    maps = np.asarray(maps, dtype=np.float32)
    known = np.isfinite(maps)
    everywhere = bool(known.all())
    count = np.maximum(known.sum(axis=(-2, -1), keepdims=True), 1)
    filled = maps if everywhere else np.where(known, maps, 0)
    mean = filled.sum(axis=(-2, -1), keepdims=True, dtype=np.float64) / count
    centred = filled - mean
    if not everywhere:
        centred[~known] = 0
    scale = np.sqrt(np.einsum("...ij,...ij->...", centred, centred)[..., None, None] / count)
    # A spread below float32's resolution of the mean is rounding, not signal.
    flat = scale <= 1e-6 * np.abs(mean)
    centred /= np.where(flat | (scale == 0), np.inf, scale)
    if not everywhere:
        centred[~known] = np.nan
    single: np.ndarray = centred.astype(np.float32)
    return single
