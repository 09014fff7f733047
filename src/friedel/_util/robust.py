"""Robust statistics by the median absolute deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Standard deviations per median absolute deviation of normal errors.
MAD = 1.4826
#: Values of a line beyond which its median is taken alone.
ALONE = 1 << 14


def nanmedian(values: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """Median over known values; NaN, without a warning, where there is none.

    The numbers are those of ``np.nanmedian``. One value that is partitioned off is several times as fast as the two or
    three for which NumPy asks.
    """
    values = np.asarray(values)
    axes = tuple(range(values.ndim)) if axis is None else tuple(np.atleast_1d(axis) % values.ndim)
    rest = tuple(one for one in range(values.ndim) if one not in axes)
    shape = tuple(values.shape[one] for one in rest)
    lines = values.transpose(*rest, *axes).reshape(*shape, int(np.prod([values.shape[one] for one in axes])))
    if len(lines) > 1 and lines.ndim == 2 and lines.shape[1] > ALONE:  # a copy of one at a time, not of all
        found = np.array([_known_median(one) for one in lines])
    else:
        found = _known_median(lines)
    return np.asarray(np.expand_dims(found, axes) if keepdims else found)


def _known_median(lines: np.ndarray) -> np.ndarray:
    lines = lines if lines.dtype.kind == "f" else lines.astype(float)
    unknown = np.isnan(lines)
    return _median_with_gaps(lines, unknown) if unknown.any() else median(lines)


def median(lines: np.ndarray) -> np.ndarray:
    """Median over the last axis of numbers that are all known; NaN of nothing."""
    count = lines.shape[-1]
    if not count:
        return np.full(lines.shape[:-1], np.nan, lines.dtype)
    middle = count // 2
    parted = np.partition(lines, middle, axis=-1)
    upper = parted[..., middle]
    if count % 2:
        return np.asarray(upper)
    return np.asarray((parted[..., :middle].max(axis=-1) + upper) / 2)


def _median_with_gaps(lines: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Median over what is known of the last axis."""
    flat, gaps = lines.reshape(-1, lines.shape[-1]), unknown.reshape(-1, lines.shape[-1])
    out, whole = np.empty(len(flat), lines.dtype), ~gaps.any(axis=1)
    out[whole] = median(flat[whole])
    if len(flat) <= flat.shape[1]:
        for index in np.flatnonzero(~whole):
            out[index] = median(flat[index][~gaps[index]])
    else:  # many short lines: sorted, NaN comes last
        ordered, count = np.sort(flat[~whole], axis=1), (~gaps[~whole]).sum(axis=1)
        at = np.arange(len(ordered))
        low, high = (ordered[at, np.maximum(index, 0)] for index in ((count - 1) // 2, count // 2))
        out[~whole] = np.where(count % 2, high, (low + high) / 2)
        out[np.flatnonzero(~whole)[count == 0]] = np.nan
    return out.reshape(lines.shape[:-1])


def spread(
    values: np.ndarray, axis: Any = None, keepdims: bool = False, centre: np.ndarray | None = None
) -> np.ndarray:
    """Standard deviation by the median absolute deviation from the median, over known values.

    Parameters
    ----------
    values : array
    axis : int or tuple of int, optional
    keepdims : bool
    centre : array, optional
        The median where it is known already, with the axes kept.
    """
    if centre is None:
        centre = nanmedian(values, axis=axis, keepdims=True)
    return MAD * nanmedian(np.abs(values - centre), axis=axis, keepdims=keepdims)


def deviation(errors: np.ndarray) -> np.ndarray:
    """Standard deviation over the last axis by the median of |errors|, as if they were normal, with mean 0."""
    return np.asarray(MAD * np.median(np.abs(errors), axis=-1))
