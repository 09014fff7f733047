"""The phase of the lock-in amplifier: a dI/dV that is negative throughout, and a signal shared by both quadratures."""

from __future__ import annotations

import numpy as np

from friedel._util.robust import nanmedian, spread
from friedel.prepare.step import Step

#: Every map's median must lie so many robust standard deviations below zero, and this share of its values, too.
NEGATIVE, SHARE = 1.0, 0.95


INVERTED = Step(
    "lock-in phase",
    180.0,
    "dI/dV is negative at every voltage: it is inverted, as if the lock-in phase were off by 180°.",
    notable=True,
)


def is_negative(values: np.ndarray) -> np.ndarray:
    """Whether a dI/dV is negative throughout, map by map: 1 or 0, NaN for a map without data, shape (bias,).

    If all maps are, the lock-in phase was off by 180°.
    """
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values).sum(axis=(1, 2))
        below = (values < 0).sum(axis=(1, 2)) >= SHARE * known
        out = np.where(known > 0, 0.0, np.nan)
        for index in np.flatnonzero(below & (known > 0)):
            centre, width = nanmedian(values[index]), spread(values[index])
            out[index] = float(centre) < -NEGATIVE * float(width)
        return out


def best_phase(first: np.ndarray, second: np.ndarray) -> float:
    """Phase that carries the signal [degree]: the first principal axis of both quadratures' variation.

    Rotating by it, ``first cos φ + second sin φ``, gives the largest variance; the sign makes the mean positive.

    Parameters
    ----------
    first, second : array, shape (bias, rows, columns)
        In-phase and out-of-phase signal, of one gain.

    Returns
    -------
    float
        −180 to 180.
    """
    x, y = (
        np.where(np.abs(rest) <= 4 * spread(rest, axis=(1, 2), keepdims=True), rest, np.nan)
        for rest in (one - nanmedian(one, axis=(1, 2), keepdims=True) for one in (first, second))
    )
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return 0.0
    x, y = x[known], y[known]
    angle = 0.5 * np.arctan2(2 * np.mean(x * y), np.mean(x**2) - np.mean(y**2))
    mean = float(np.nanmean(first) * np.cos(angle) + np.nanmean(second) * np.sin(angle))
    degrees = float(np.rad2deg(angle)) + (180.0 if mean < 0 else 0.0)
    return degrees - 360.0 if degrees > 180 else degrees


def rotate(first: np.ndarray, second: np.ndarray, degrees: float) -> np.ndarray:
    """Return ``first cos φ + second sin φ``."""
    angle = np.deg2rad(degrees)
    return np.asarray(first * np.cos(angle) + second * np.sin(angle))
