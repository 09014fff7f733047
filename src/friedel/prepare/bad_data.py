"""Data that tell nothing of the sample: not recorded, constant, saturated, wild.

A value is judged by three comparisons that a tilt, a line's offset and a gain do not change: with the other values of
its map (repeated exactly), with the lines above and below (wild pixels, glitches along the fast axis, noisy lines), and
with the other voltages of its spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from friedel.prepare.gaps import fill_gaps, nanmedian, nearest_known, spread
from friedel.prepare.step import Step

#: A value is repeated too often if it occurs so many times as often as the usual value of the map, and so many times.
OFTEN, LEAST_COUNT = 10, 8
#: A wild pixel stands out from its surroundings by so many spreads of such differences, and so many of the map's own.
WILD, WILD_OF_MAP = 10.0, 7.0
#: Of its height so much is missing in the lines above and below: what is wider than a line belongs to the sample.
ALONE = 0.75
#: A bad spectrum's root mean square difference to its surroundings, in units of the usual one.
WILD_SPECTRUM = 6.0
#: A noisy line's spread, in units of the usual line's.
NOISY_LINE = 3.0
#: Spectra bad in so large a share of the maps are bad altogether.
MOST = 0.5
#: A map that holds one value in a larger share of its pixels is taken as it is.
MOST_CONSTANT = 0.9


@dataclass(frozen=True)
class BadData:
    """Which values are bad, shape (bias, rows, columns), and what was found."""

    bad: np.ndarray
    steps: tuple[Step, ...]


def find_bad(values: np.ndarray, level: np.ndarray) -> BadData:
    """Find bad values.

    Parameters
    ----------
    values : array, shape (bias, rows, columns)
        As recorded, NaN where not acquired.
    level : array, shape (bias, rows, columns)
        The same without plane and line offsets, NaN where `repeated` values are.

    Returns
    -------
    BadData
        `repeated` values included.
    """
    steps = []
    same = repeated(values)
    if same.any():
        steps.append(_share("constant", same, "hold one and the same number, as if filled or saturated"))
    level = np.where(same, np.nan, level)
    lines = noisy_lines(level)
    if lines.any():
        count = int(lines.any(axis=0).sum())
        steps.append(
            Step("noisy lines", count, f"{_some(count, 'scan line')} with far more noise than usual.")
        )
    bad = same | lines[:, :, None]
    level = np.where(bad, np.nan, level)
    wild = wild_pixels(level)
    spectra = wild_spectra(np.where(wild, np.nan, level)) | (wild.mean(axis=0) >= MOST)
    if wild.any() or spectra.any():
        steps.append(_wild(wild, spectra))
    return BadData(bad | wild | spectra, tuple(steps))


def _wild(wild: np.ndarray, spectra: np.ndarray) -> Step:
    """Say how many wild pixels and, where there are spectra, how many bad ones of them."""
    share = float((wild | spectra).mean())
    if len(wild) < 3:
        return Step("wild pixels", share, f"{_some(int(wild.sum()), 'wild pixel')}.")
    alone = int((wild & ~spectra).any(axis=0).sum())
    whole = _some(int(spectra.sum()), "bad spectrum", "bad spectra")
    return Step("wild pixels", share, f"{whole} and {_some(alone, 'pixel')} with wild values.")


def repeated(values: np.ndarray) -> np.ndarray:
    """Values that a map holds too often to be measured: filled with a constant, saturated, or a constant map.

    Shape (bias, rows, columns). Quantised maps repeat all of their values and are no reason for doubt. A spectrum that
    is constant over three voltages or more is dead.
    """
    out = np.zeros(values.shape, dtype=bool)
    for plane, mark in zip(values, out, strict=True):
        known = np.isfinite(plane)
        if known.sum() < LEAST_COUNT:
            continue
        if not (plane[:, 1:] == plane[:, :-1]).any() and not (plane[1:] == plane[:-1]).any():
            continue
        found, count = np.unique(plane[known], return_counts=True)
        if len(found) == 1:
            mark[known] = True
            continue
        # The usual count is that of the value that the median pixel holds, the most frequent values left out.
        order = np.sort(count)[::-1]
        rest = order[min(4, len(order) - 1) :]
        usual = rest[np.searchsorted(np.cumsum(rest), rest.sum() / 2)] if len(rest) else 1
        often = found[count >= max(LEAST_COUNT, OFTEN * usual)]
        # A map that holds hardly anything else is a simulation without noise, or it is dropped as a whole.
        if 0 < len(often) <= 4 and not (same := np.isin(plane, often))[known].mean() > MOST_CONSTANT:
            mark |= same
    if len(values) >= 3:
        with np.errstate(invalid="ignore"):
            out |= (np.ptp(values, axis=0) == 0)[None]
    return out


def noisy_lines(level: np.ndarray) -> np.ndarray:
    """Lines of each map that are far noisier than the others, shape (bias, rows)."""
    if level.shape[1] < 8:
        return np.zeros(level.shape[:2], dtype=bool)
    step = np.diff(level, axis=2)  # along the line: what its neighbours do has no part in it
    rough = spread(step, axis=2)
    usual = nanmedian(rough, axis=1, keepdims=True)
    # Waves and cores make some lines rougher than others.
    width = spread(rough, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return (rough > NOISY_LINE * usual) & (rough > usual + 8 * width)


def differences(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of each pixel to the median of its 5×5 surroundings, and the part that neighbouring lines lack.

    Returns
    -------
    excess, alone : array, shape (bias, rows, columns)
    """
    filled = nearest_known(level)
    excess = filled - ndimage.median_filter(filled, size=(1, 5, 5), mode="nearest")
    others = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)[None]
    above = ndimage.maximum_filter(filled, footprint=others, mode="nearest")
    below = ndimage.minimum_filter(filled, footprint=others, mode="nearest")
    alone = np.where(excess > 0, filled - above, below - filled)
    unknown = ~np.isfinite(level)
    excess[unknown] = np.nan
    alone[unknown] = np.nan
    return excess, alone


def wild_pixels(level: np.ndarray) -> np.ndarray:
    """Pixels and streaks along the fast axis that stand out from the lines above and below, map by map."""
    excess, alone = differences(level)
    usual, own = spread(excess, axis=(1, 2), keepdims=True), spread(level, axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore"):
        high = (np.abs(excess) > WILD * usual) & (np.abs(excess) > WILD_OF_MAP * own)
        return high & (alone > ALONE * np.abs(excess))


def wild_spectra(level: np.ndarray) -> np.ndarray:
    """Pixels whose whole spectrum differs from its surroundings, shape (rows, columns); for three maps and more."""
    if len(level) < 3:
        return np.zeros(level.shape[1:], dtype=bool)
    excess, _ = differences(level)
    usual = spread(excess, axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(usual > 0, excess / usual, np.nan)
    strange = nanmedian(np.abs(ratio), axis=0)
    filled = nearest_known(strange[None])[0]
    others = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)
    around = ndimage.maximum_filter(filled, footprint=others, mode="nearest")
    middle = float(nanmedian(strange))
    with np.errstate(invalid="ignore"):
        return (strange > WILD_SPECTRUM * middle) & (strange - around > ALONE * (strange - middle))


def choose_maps(known: np.ndarray) -> np.ndarray:
    """Indices of the maps to keep, so that many maps share a large area.

    A pixel counts only where every kept map knows it. What is maximised is the shared area times the fourth root of
    the number of maps: a strip that one map lacks costs that map, not the area.

    Parameters
    ----------
    known : array of bool, shape (bias, rows, columns)
    """
    order = np.argsort(-known.mean(axis=(1, 2)), kind="stable")
    shared = np.ones(known.shape[1:], dtype=bool)
    best, keep = 0.0, order[:1]
    for count, index in enumerate(order, start=1):
        shared = shared & known[index]
        gain = float(shared.mean()) * count**0.25
        if gain >= best:
            best, keep = gain, order[:count]
    return np.sort(keep)


def mend(values: np.ndarray, bad: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate small gaps and give the gaps' pixels of each map back: maps, interpolated."""
    holes = np.where(bad, np.nan, values)
    filled = fill_gaps(holes, reach)
    return filled, ~np.isfinite(holes) & np.isfinite(filled)


def _share(name: str, bad: np.ndarray, what: str) -> Step:
    share = float(bad.mean())
    return Step(name, share, f"{100 * share:.2g} % of the values {what}.", notable=share > 0.001)


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
