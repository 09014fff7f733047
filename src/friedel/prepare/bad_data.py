"""Data that tell nothing of the sample: not recorded, constant, saturated, wild.

A value is tested by three comparisons that a tilt, a line's offset and a gain do not change: with the other values of
its map (repeated exactly), with the lines above and below (wild pixels, glitches along the fast axis, noisy lines), and
with the other voltages of its spectrum.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from friedel._util.big_maps import release, row_parts
from friedel._util.robust import nanmedian, spread
from friedel.prepare.gaps import fill_gaps, nearest_known
from friedel.prepare.local_median import local_median

#: A value is repeated too often if it occurs so many times as often as the usual value of the map, and so many times.
OFTEN, LEAST_COUNT = 10, 8
#: A map of no more values is quantised so coarsely that their counts tell nothing.
COARSE = 8
#: A wild pixel stands out from its surroundings by so many spreads of such differences, and so many of the map's own.
WILD, WILD_OF_MAP = 10.0, 7.0
#: Of its height so much is missing in the lines above and below: what is wider than a line belongs to the sample.
ALONE = 0.75
#: A bad spectrum's root mean square difference to its surroundings, in units of the usual one.
WILD_SPECTRUM = 6.0
#: A noisy line's spread, in units of the usual line's.
NOISY_LINE = 3.0
#: Pixels of a map whose differences give the usual one, and the share of far pixels up to which that is done.
SAMPLE, MOST_FAR = 500, 0.05
#: Voltages of which the bad spectra are told.
TELLING = 20
#: A map that holds one value in a larger share of its pixels is taken as it is.
MOST_CONSTANT = 0.9


def dead_spectra(values: np.ndarray) -> np.ndarray:
    """Spectra that are constant over three voltages or more, shape (rows, columns)."""
    if len(values) < 3:
        return np.zeros(values.shape[1:], dtype=bool)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.ptp(values, axis=0) == 0)


def repeated_in_maps(values: np.ndarray) -> np.ndarray:
    """Values that a map holds too often to be measured: filled with a constant, saturated, or a constant map.

    Shape (bias, rows, columns). Quantised maps repeat all of their values and are no reason for doubt: a value must be
    repeated more often than those next to it, too.
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
        if len(found) <= COARSE:
            continue
        # The usual count is that of the value that the median pixel holds, the most frequent values left out.
        order = np.sort(count)[::-1]
        rest = order[min(4, len(order) - 1) :]
        usual = rest[np.searchsorted(np.cumsum(rest), rest.sum() / 2)] if len(rest) else 1
        often = found[count >= np.maximum(LEAST_COUNT, OFTEN * np.maximum(usual, _next_to(count)))]
        # A map that holds hardly anything else is a simulation without noise, or it is dropped as a whole.
        if 0 < len(often) <= 4 and not (same := np.isin(plane, often))[known].mean() > MOST_CONSTANT:
            mark |= same
    return out


def _next_to(count: np.ndarray) -> np.ndarray:
    """The larger count of the next lower and the next higher value."""
    framed = np.pad(count, 1)
    return np.asarray(np.maximum(framed[:-2], framed[2:]))


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
        noisy: np.ndarray = (rough > NOISY_LINE * usual) & (rough > usual + 8 * width)
        return noisy


def differences(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of each pixel to the median of its 5×5 surroundings, and the part that neighbouring lines lack.

    Returns
    -------
    excess, alone : array, shape (bias, rows, columns)
    """
    filled = nearest_known(level)
    excess = filled - local_median(filled)
    alone = _alone(filled, excess)
    unknown = ~np.isfinite(level)
    excess[unknown] = np.nan
    alone[unknown] = np.nan
    return excess, alone


def _alone(filled: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Height of each pixel above, or depth below, all that the lines above and below hold beside it."""
    above, below = _extreme_beside(filled, np.maximum), _extreme_beside(filled, np.minimum)
    height: np.ndarray = np.where(excess > 0, filled - above, below - filled)
    return height


def _extreme_beside(filled: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Highest or lowest of the six values in the lines above and below, borders continued by their nearest pixel."""
    padded = np.pad(filled, ((0, 0), (1, 1), (1, 1)), mode="edge")
    along = extreme(extreme(padded[:, :, :-2], padded[:, :, 1:-1]), padded[:, :, 2:])
    return np.asarray(extreme(along[:, :-2], along[:, 2:]))


def wild_pixels(level: np.ndarray) -> np.ndarray:
    """Pixels and streaks along the fast axis that stand out from the lines above and below, map by map.

    Only maps with values far from their median are searched further: no pixel of another can be wild.
    """
    out = np.zeros(level.shape, dtype=bool)
    centre = nanmedian(level, axis=(1, 2), keepdims=True)
    own = spread(level, axis=(1, 2), keepdims=True, centre=centre)
    with np.errstate(invalid="ignore"):
        far = np.abs(level - centre) > WILD_OF_MAP / 2 * own
    for index in np.flatnonzero(far.any(axis=(1, 2))):
        out[index] = _wild_of_map(level[index], far[index], float(own[index, 0, 0]))
    return out


def _wild_of_map(level: np.ndarray, far: np.ndarray, own: float) -> np.ndarray:
    """Wild pixels of one map, of which the pixels `far` are far from the median.

    Where fewer than half of all 5×5 surroundings are far, only far pixels can be wild, and the usual difference
    follows from a sample: that saves the median filter.
    """
    crowded = ndimage.uniform_filter(far.astype(np.float32), 5, mode="nearest").max() > 0.5
    if crowded or far.mean() > MOST_FAR:
        excess, alone = (one[0] for one in differences(level[None]))
        usual = float(spread(excess))
        with np.errstate(invalid="ignore"):
            high = (np.abs(excess) > WILD * usual) & (np.abs(excess) > WILD_OF_MAP * own)
            return np.asarray(high & (alone > ALONE * np.abs(excess)))
    filled = nearest_known(level[None])[0]
    known = np.argwhere(np.isfinite(level))
    sample = known[:: max(1, len(known) // SAMPLE)]
    at = np.argwhere(far)
    excess_far, excess_sample = (filled[tuple(p.T)] - _local_median(filled, p) for p in (at, sample))
    usual = float(spread(excess_sample))
    size = np.abs(excess_far)
    high = (size > WILD * usual) & (size > WILD_OF_MAP * own)
    out = np.zeros(level.shape, dtype=bool)
    if high.any():
        excess = np.zeros(level.shape)
        excess[tuple(at.T)] = excess_far
        alone = _alone(filled[None], excess[None])[0][tuple(at.T)]
        out[tuple(at[high & (alone > ALONE * size)].T)] = True
    return out


def _local_median(plane: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Median of the 5×5 surroundings of each of the pixels, (n, 2)."""
    padded = np.pad(plane, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    return np.asarray(np.median(windows[tuple(pixels.T)].reshape(len(pixels), 25), axis=1))


def strangeness_of(levelled: np.ndarray) -> np.ndarray:
    """|Difference to the surroundings| in units of the usual one of the map, shape (bias, rows, columns)."""
    excess, _ = differences(levelled)
    usual = spread(excess, axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(np.where(usual > 0, excess / usual, np.nan)).astype(np.float32)


def wild_spectra(strangeness: np.ndarray) -> np.ndarray:
    """Pixels whose whole spectrum differs from its surroundings, shape (rows, columns); none without any map.

    Parameters
    ----------
    strangeness : array, shape (bias, rows, columns)
        Of some maps: the usual difference over many voltages is that over `TELLING` of them.
    """
    strange = np.full(strangeness.shape[1:], np.nan)
    if not len(strangeness):
        return np.zeros(strange.shape, dtype=bool)
    for rows in row_parts(strangeness.shape):
        strange[rows] = nanmedian(strangeness[:, rows], axis=0)
        release(strangeness)
    filled = nearest_known(strange[None])[0]
    around = _extreme_beside(filled[None], np.maximum)[0]
    middle = float(nanmedian(strange))
    with np.errstate(invalid="ignore"):
        wild: np.ndarray = (strange > WILD_SPECTRUM * middle) & (
            strange - around > ALONE * (strange - middle)
        )
        return wild


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
