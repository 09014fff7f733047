"""Robust statistics by the median absolute deviation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

#: Standard deviations per median absolute deviation of normal errors.
MAD = 1.4826


def nanmedian(values: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """Median over known values; NaN, without a warning, where there is none."""
    if values.size and not np.isnan(values).any():  # several times as fast
        return np.asarray(np.median(values, axis=axis, keepdims=keepdims))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis, keepdims=keepdims))


def spread(values: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """Standard deviation by the median absolute deviation from the median, over known values."""
    centre = nanmedian(values, axis=axis, keepdims=True)
    return MAD * nanmedian(np.abs(values - centre), axis=axis, keepdims=keepdims)


def deviation(errors: np.ndarray) -> np.ndarray:
    """Standard deviation over the last axis by the median of |errors|, as if they were normal, with mean 0."""
    return np.asarray(MAD * np.median(np.abs(errors), axis=-1))
