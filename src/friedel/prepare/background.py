"""Background of a map: plane, line offsets, slow variation, outliers.

All of it is estimated robustly, and so that adding a plane, a constant per line or a gain to a map leaves the result
the same. Lengths are in units of the half Friedel wavelength: the waves vary over one of them, the slow background over
more.
"""

from __future__ import annotations

import numpy as np

from friedel._util.robust import MAD, nanmedian, spread
from friedel.prepare.blur import blur
from friedel.prepare.gaps import nearest_known

#: Values further from the slow background than this many robust standard deviations have no part in its estimate.
REJECT = 3.0
#: Rounds of that rejection.
ROUNDS = 3


def level(maps: np.ndarray, *, plane: bool = True, rows: bool = True) -> np.ndarray:
    """Subtract a robust plane and the offset of each line, without knowledge of the waves.

    The slope is the median of differences over half of the field, so that neither atoms nor offsets count in it. The
    offset of a line is the median of its values once the slow background of the map is subtracted.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        NaN where not known.
    plane, rows : bool
        Which of both is subtracted.

    Returns
    -------
    array, shape (bias, rows, columns)
        Of median 0.
    """
    out = np.array(maps, dtype=float)
    if plane:
        out = out - _slope(out, 2) * np.arange(out.shape[2])
        # The offsets of the lines follow any slope along the slow axis.
        out = out - (0.0 if rows else _slope(out, 1)) * np.arange(out.shape[1])[:, None]
    if rows:
        out = out - coarse_offsets(out)[:, :, None]
    centred: np.ndarray = out - np.nan_to_num(nanmedian(out, axis=(1, 2), keepdims=True))
    return centred


def _slope(maps: np.ndarray, axis: int) -> np.ndarray:
    """Median slope along an axis, per pixel, shape (bias, 1, 1)."""
    count = maps.shape[axis]
    lag = max(1, count // 2)
    if count < 2:
        return np.zeros((len(maps), 1, 1))
    along = np.moveaxis(maps, axis, 0)
    ahead, behind = along[lag:], along[: count - lag]
    slope: np.ndarray = np.nan_to_num(
        nanmedian(np.moveaxis(ahead - behind, 0, axis), axis=(1, 2), keepdims=True) / lag
    )
    return slope


def coarse_offsets(maps: np.ndarray) -> np.ndarray:
    """Offset of each line by the median difference between neighbouring lines, summed up, shape (bias, rows).

    Differences do not see islands and terraces, which a median of the line would follow. Lines without data continue
    the line before.
    """
    step = nanmedian(np.diff(nearest_known_lines(maps), axis=1), axis=2)
    offsets = np.cumsum(np.nan_to_num(step), axis=1)
    return np.concatenate([np.zeros((len(maps), 1)), offsets], axis=1)


def nearest_known_lines(maps: np.ndarray) -> np.ndarray:
    """Give lines without any data the values of the nearest line with data."""
    known = np.isfinite(maps).any(axis=2)
    if known.all():
        return maps
    out = np.array(maps)
    for plane, seen in zip(out, known, strict=True):
        have = np.flatnonzero(seen)
        if len(have):
            nearest = have[np.abs(have[:, None] - np.arange(len(seen))).argmin(axis=0)]
            plane[:] = plane[nearest]
    return out


def slow_background(maps: np.ndarray, sigma: float, start: np.ndarray | None = None) -> np.ndarray:
    """Gaussian mean over what is no outlier, shape (bias, rows, columns).

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    sigma : float
        Standard deviation of the Gaussian [px].
    start : array, shape (bias, rows, columns), optional
        The slow background of nearly the same maps: then one round of rejection is enough.
    """
    ground = nearest_known(blur(maps, sigma)) if start is None else start
    for _ in range(ROUNDS if start is None else 1):
        rest = maps - ground
        rest -= nanmedian(rest, axis=(1, 2), keepdims=True)
        np.abs(rest, out=rest)
        width = MAD * nanmedian(rest, axis=(1, 2), keepdims=True)
        with np.errstate(invalid="ignore"):
            weight = (rest <= REJECT * width).astype(float)
        ground = nearest_known(blur(maps, sigma, weight))
    return ground


def line_offsets(rest: np.ndarray) -> np.ndarray:
    """Median of each line of what the slow background leaves over, shape (bias, rows, 1)."""
    offsets: np.ndarray = np.nan_to_num(nanmedian(rest, axis=2, keepdims=True))
    return offsets


def clipped(maps: np.ndarray, limit: float) -> tuple[np.ndarray, float]:
    """Clip at `limit` robust standard deviations from each map's median; also the share of clipped values."""
    if limit <= 0:
        return maps, 0.0
    centre = nanmedian(maps, axis=(1, 2), keepdims=True)
    reach = limit * spread(maps, axis=(1, 2), keepdims=True, centre=centre)
    reach = np.where(reach > 0, reach, np.inf)
    with np.errstate(invalid="ignore"):
        beyond = np.abs(maps - centre) > reach
    return np.clip(maps, centre - reach, centre + reach), float(beyond.mean())
