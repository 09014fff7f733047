"""Noise of the opened sample and its correlation from pixel to pixel, separated from the standing waves.

Waves change little from one voltage to the next, noise does not: differences along the bias axis, taken at the right
order, leave the noise. What of the waves gets through lies on the ring q = 2k of the Fourier plane, which is left out.
Noise need not be white in space: an amplifier's slow response correlates it along the fast axis, resampling to smaller
pixels along both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb
from typing import NamedTuple

import numpy as np

#: Orders of the differences that are tried; each sees the noise and some of the waves, so that the least one counts.
ORDERS = (1, 2, 3, 4)
#: The Fourier plane is cut into CELLS × CELLS cells of |q_rows| and |q_columns|; within one the noise is even.
CELLS = 5
#: Half width of the ring that is left out [rad/px].
RING = 0.35
#: Correlations of neighbours below this cannot be separated from leakage of the waves, and count as none.
LEAST_CORRELATION = 0.2


class Correlation(NamedTuple):
    """Correlation of the noise of neighbouring pixels, from 0 to 0.95.

    Parameters
    ----------
    rows : float
        From row to row (slow axis).
    columns : float
        From column to column (fast axis).
    """

    rows: float = 0.0
    columns: float = 0.0


@dataclass(frozen=True)
class Noise:
    """Noise that is independent from voltage to voltage.

    Parameters
    ----------
    share : float
        Its standard deviation as a share of the maps' root mean square, from 0.02 to 1.
    correlation : Correlation
    """

    share: float
    correlation: Correlation = field(default_factory=Correlation)


class _Spectrum(NamedTuple):
    power: float
    rows: float
    columns: float


def measure_noise(maps: np.ndarray, k: np.ndarray) -> Noise:
    """Measure the noise of maps at neighbouring voltages.

    Parameters
    ----------
    maps : array, shape (V, H, W)
        By rising or falling k; NaN where not acquired.
    k : array, shape (V,)
        Wavevectors [rad/px].

    Returns
    -------
    Noise
        An upper bound in the mean, close where the waves change slowly from voltage to voltage. Of a single map: from
        what lies beyond the ring, which cores fill as well. Where nothing can be told, half of the root mean square.
    """
    known = np.isfinite(maps).all(axis=0)
    if known.sum() < 64:
        return Noise(0.5)
    centred = np.where(
        known, maps - np.where(known, maps, 0).sum(axis=(1, 2), keepdims=True) / known.sum(), 0
    )
    rms = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True) / known.sum())
    used = rms[:, 0, 0] > 0
    unit, k = centred[used] / rms[used], np.asarray(k, dtype=float)[used]
    orders = [n for n in ORDERS if n < len(unit)] or [0][: len(unit)]
    tried = [_spectrum(*_difference(unit, k, n), known, n) for n in orders]
    found = [one for one in tried if one is not None]
    if not found:
        return Noise(0.5)
    least = min(found, key=lambda one: one.power)
    rows, columns = (
        float(min(r, 0.95)) if r >= LEAST_CORRELATION else 0.0 for r in (least.rows, least.columns)
    )
    return Noise(float(np.clip(np.sqrt(least.power), 0.02, 1.0)), Correlation(rows, columns))


def _difference(maps: np.ndarray, k: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences along the first axis, scaled to keep white noise's variance, and the k in their middle."""
    weights = np.array([(-1.0) ** j * comb(order, j) for j in range(order + 1)])
    number = len(maps) - order
    out = sum(w * maps[j : j + number] for j, w in enumerate(weights / np.sqrt((weights**2).sum())))
    return np.asarray(out), np.convolve(k, np.full(order + 1, 1 / (order + 1)), "valid")


def _spectrum(maps: np.ndarray, k: np.ndarray, known: np.ndarray, order: int) -> _Spectrum | None:
    """Variance of the noise and its correlations, from the medians of the Fourier power in cells off the ring."""
    q_rows, q_columns = np.meshgrid(
        *(2 * np.pi * np.abs(np.fft.fftfreq(n)) for n in known.shape), indexing="ij"
    )
    rows, columns = (np.minimum((q / np.pi * CELLS).astype(int), CELLS - 1) for q in (q_rows, q_columns))
    cell = rows * CELLS + columns
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in known.shape)) * known
    power = (
        np.abs(np.fft.fft2((maps - (maps * known).sum(axis=(1, 2), keepdims=True) / known.sum()) * window))
        ** 2
    )
    power /= (window**2).sum()
    away = np.hypot(q_rows, q_columns) - 2 * k[:, None, None]
    off = away > RING if order == 0 else np.abs(away) > RING
    total = np.zeros(3)
    weight = 0.0
    for index in range(CELLS**2):
        here = cell == index
        seen = power[off & here]
        if len(seen) < 8:
            continue
        # The median of an exponential distribution is ln 2 times its mean; single peaks do not count.
        level = float(np.median(seen)) / np.log(2) * here.sum()
        total += level * np.array([1.0, np.cos(q_rows[here]).mean(), np.cos(q_columns[here]).mean()])
        weight += here.sum()
    if weight < 20 or not total[0] > 0:
        return None
    return _Spectrum(total[0] / weight, total[1] / total[0], total[2] / total[0])
