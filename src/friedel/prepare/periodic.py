"""Periodic structures: atomic lattices, density waves, moiré patterns, hum.

A lattice is a few plane waves cos(q·r + φ), whose q is the same in all maps. In the Fourier transform each is one sharp
spot. The waves of impurities fill a ring, and their power there is a speckle: P(q) is exponentially distributed about
the ring's mean, so a spot of `SPOT` times the ring's median occurs by chance once in 2^`SPOT` cells. A step edge is a
line through q = 0, a ridge is no spot either: a spot stands alone. The plane waves of all spots are fitted together to
each map by least squares and subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from friedel._util.big_maps import row_parts
from friedel._util.robust import median, nanmedian
from friedel.prepare.background import clipped, level
from friedel.prepare.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Power of a spot over the median of all directions at its |q|.
SPOT = 30.0
#: The same over the highest power on a circle of `CIRCLE` resolutions around it.
ALONE, CIRCLE = 5.0, 3.0
#: Shorter wavevectors are background: so many periods fit into the field's shorter side.
PERIODS = 3.0
#: The Fourier transform is sampled so many times finer than the field's resolution.
FINE = 2
#: Most spots, and most rounds in which weaker ones appear once the stronger are subtracted.
MOST, ROUNDS = 60, 8
#: A refinement moves a wavevector by at most this over the number of rows.
MOST_STEP = 1.0
#: Added to normal equations, as a share of what an ordinary plane wave has there.
RIDGE = 1e-6
#: Maps that tell, and robust standard deviations at which they are clipped.
TELLING, CLIP = 24, 5.0
#: Shortest side [px] of a field in which a spot can be told from a ring.
SIDE = 24
#: Most pixels of a field: its plane waves are fitted as a whole.
LARGEST = 1200 * 1200
#: Least share of pixels that all maps know.
LEAST_KNOWN = 0.2


def telling(count: int) -> np.ndarray:
    """Indices of the maps that are searched, of so many."""
    return np.unique(np.linspace(0, count - 1, min(count, TELLING)).round().astype(int))


@dataclass(frozen=True)
class PlaneWaves:
    """Wavevectors of plane waves (row, column) [rad/px], shape (n, 2), and what to report."""

    q: np.ndarray
    steps: tuple[Step, ...] = ()


def search_periodic(values: np.ndarray, known: np.ndarray) -> PlaneWaves:
    """Find the wavevectors of a periodic structure: the spots of the Fourier transform that stand out.

    They are found before the lines are levelled: the median step from line to line, summed up, walks at random where a
    lattice is stronger than the rest.

    Parameters
    ----------
    values : array, shape (bias, rows, columns)
        The maps that tell.
    known : array of bool, shape (rows, columns)
        Pixels that every map knows.

    Returns
    -------
    PlaneWaves
        None where the field is smaller than `SIDE` or larger than `LARGEST` pixels, or hardly known.
    """
    q = np.zeros((0, 2))
    if min(known.shape) < SIDE or known.mean() < LEAST_KNOWN:
        return PlaneWaves(q)
    if known.size > LARGEST:
        text = "The field is too large for the search for periodic structures: a lattice is not subtracted."
        return PlaneWaves(q, (Step("periodic", 0.0, text),))
    tame, _ = _tamed(values, known)
    rest = tame
    for _ in range(ROUNDS):
        found = spots(rest)[: MOST - len(q)]
        if not len(found):
            break
        q = np.concatenate([q, found])
        rest = tame - _fitted(tame, q, known)
        q = _refined(rest, tame, q, known)
        rest = tame - _fitted(tame, q, known)
    if not len(q):
        return PlaneWaves(q)
    share = 1 - float((rest[:, known] ** 2).mean() / (tame[:, known] ** 2).mean())
    period = 2 * np.pi / float(np.median(np.hypot(*q.T)))
    count = "one plane wave" if len(q) == 1 else f"{len(q)} plane waves"
    text = (
        f"A periodic structure of {count} (period {period:.1f} px as sampled), {100 * share:.2g} % of the variance, is "
        "subtracted."
    )
    return PlaneWaves(q, (Step("periodic", share, text, notable=True),))


def waves_of(values: np.ndarray, known: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Plane waves of these wavevectors in each map, to be subtracted, shape (bias, rows, columns)."""
    if not len(q):
        return np.zeros_like(values)
    tame, scale = _tamed(values, known)
    return np.asarray(_fitted(tame, q, known) * scale)


def _tamed(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of mean 0 and rms 1 without plane and the median of each line, clipped, 0 where not known; and their rms."""
    flat = level(np.where(known, values, np.nan), rows=False)
    flat = flat - np.nan_to_num(nanmedian(flat, axis=2, keepdims=True))
    tame = np.where(known, clipped(flat, CLIP)[0], 0.0)
    tame = np.where(known, tame - tame[:, known].mean(axis=1)[:, None, None], 0.0)
    scale = np.sqrt((tame[:, known] ** 2).mean(axis=1))[:, None, None]
    return tame / np.where(scale > 0, scale, 1.0), scale


def spots(maps: np.ndarray) -> np.ndarray:
    """Wavevectors of the spots in the mean power of some maps, the strongest first, shape (n, 2) [rad/px].

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Of mean 0 and rms 1, 0 where not known.
    """
    rows, columns = maps.shape[1:]
    window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[None, 1:-1]
    shape = (FINE * rows, FINE * columns)
    power = _power(maps, window, shape)
    index = [np.arange(count) - count // 2 for count in shape]
    qy, qx = (2 * np.pi * i / count for i, count in zip(index, shape, strict=True))
    q = np.hypot(qy[:, None], qx)
    resolution = 2 * np.pi / min(rows, columns)
    high = (power > SPOT * _usual(power, q / resolution)) & (q > PERIODS * resolution)
    # q and −q are the same plane wave.
    high &= (qy[:, None] > 0) | ((qy[:, None] == 0) & ((qx > 0) | (qx == qx[0]))) | (qy[:, None] == qy[0])
    places = _alone(power, np.argwhere(high))
    places = places[np.argsort(-power[tuple(places.T)], kind="stable")]
    steps = np.array([2 * np.pi / count for count in shape])
    return np.array([(np.array([qy[i], qx[j]]) + _summit(power, i, j) * steps) for i, j in places]).reshape(
        -1, 2
    )


def _power(maps: np.ndarray, window: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mean power of maps, q = 0 in the middle, of an even shape."""
    half = np.zeros((shape[0], shape[1] // 2 + 1))
    for one in maps:
        half += np.abs(fft.rfft2(one * window, shape)) ** 2
    half = fft.fftshift(half / len(maps), axes=0)
    # The power at −q is that at q: columns from −n/2 to −1, then those from 0 on.
    negative = np.roll(half[::-1, :0:-1], 1, axis=0)
    return np.concatenate([negative, half[:, :-1]], axis=1)


def _usual(power: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Median of the power in the ring of a pixel; `radius` in widths of a ring."""
    number = (radius + 0.5).astype(np.uint16).ravel()
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number))
    values = power.ravel()[order]
    middle = np.array([median(one) for one in np.split(values, ends[:-1])])
    return np.asarray(middle[number].reshape(power.shape))


def _alone(power: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Those of some pixels, (n, 2), that are the highest nearby and far higher than all on a circle around."""
    radius = CIRCLE * FINE
    reach = int(np.ceil(radius + 1))
    offset = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    at = np.hypot(*offset)
    for near, factor in ((offset[:, at <= 2 * FINE], 1.0), (offset[:, np.abs(at - radius) <= 0.75], ALONE)):
        row, column = ((places[:, i, None] + near[i]) % power.shape[i] for i in (0, 1))
        around, own = power[row, column].max(axis=1, initial=-np.inf), power[tuple(places.T)]
        places = places[own >= around if factor == 1 else own > factor * around]
    return places


def _summit(power: np.ndarray, i: int, j: int) -> np.ndarray:
    """Offset of the maximum from a pixel, by a parabola through ln(power) along each axis [px]."""
    height, width = power.shape
    column = np.log(power[[(i - 1) % height, i, (i + 1) % height], j] + 1e-300)
    row = np.log(power[i, [(j - 1) % width, j, (j + 1) % width]] + 1e-300)
    offset = [(line[2] - line[0]) / 2 / max(2 * line[1] - line[0] - line[2], 1e-12) for line in (column, row)]
    return np.asarray(np.clip(offset, -0.5, 0.5))


def _refined(rest: np.ndarray, maps: np.ndarray, q: np.ndarray, known: np.ndarray) -> np.ndarray:
    """One Gauss–Newton step of each wavevector, from what the plane waves leave of the maps, shape (n, 2)."""
    count = int(known.sum())
    axes = [np.arange(n) - (known.sum(axis=1 - i) @ np.arange(n)) / count for i, n in enumerate(known.shape)]
    left = rest.reshape(len(rest), -1)
    out = q.copy()
    for i, one in enumerate(q):
        # 0 where not known: such pixels have no part in any sum.
        wave = np.where(known, _waves(q[i : i + 1], slice(0, known.shape[0]), known.shape[1])[0], 0)
        basis = np.stack([wave.real, wave.imag]).reshape(2, -1)
        # Together with the map's own plane wave, as it is fitted alone.
        seen = left @ basis.T + _amplitudes(maps, q[i : i + 1], known).T @ (basis @ basis.T)
        cosine, sine = (seen * 2 / count).T
        amplitude = cosine - 1j * sine
        # ∂ Re(A exp(iq·r)) / ∂q = Re(i A exp(iq·r)) r, about the middle of the field; summed over the maps.
        along, across = (np.stack([cosine, -sine]) @ left).reshape(2, *known.shape)
        slope = -(along * wave.imag + across * wave.real)
        weight = ((np.abs(amplitude) ** 2).sum() * (known > 0) - ((amplitude @ amplitude) * wave**2).real) / 2
        right = np.array([slope.sum(axis=1) @ axes[0], slope.sum(axis=0) @ axes[1]])
        mixed = axes[0] @ weight @ axes[1]
        square = [weight.sum(axis=1) @ axes[0] ** 2, weight.sum(axis=0) @ axes[1] ** 2]
        # A wave of two pixels to a period stands still at the pixels: it has no derivative.
        least = [RIDGE * (np.abs(amplitude) ** 2).sum() * count * (axis**2).mean() for axis in axes]
        step = np.linalg.solve([[square[0] + least[0], mixed], [mixed, square[1] + least[1]]], right)
        out[i] = one + np.clip(step, -MOST_STEP / known.shape[0], MOST_STEP / known.shape[0])
    return out


def _waves(q: np.ndarray, rows: slice, columns: int) -> np.ndarray:
    """Plane waves exp(iq·r) in some rows, shape (n, rows, columns)."""
    down = np.exp(1j * np.outer(q[:, 0], np.arange(rows.start, rows.stop)))
    right = np.exp(1j * np.outer(q[:, 1], np.arange(columns)))
    return np.asarray(down[:, :, None] * right[:, None, :])


def _bases(q: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[slice, np.ndarray]]:
    """Cosines and sines in some rows at a time, shape (2n, rows, columns)."""
    for rows in row_parts((4 * len(q), *shape)):
        waves = _waves(q, rows, shape[1])
        yield rows, np.concatenate([waves.real, waves.imag])


def _amplitudes(maps: np.ndarray, q: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Amplitudes of cosines and sines that fit each map best, shape (2n, bias)."""
    normal, right = np.zeros((2 * len(q), 2 * len(q))), np.zeros((2 * len(q), len(maps)))
    everywhere = bool(known.all())
    for rows, basis in _bases(q, known.shape):
        seen = basis.reshape(len(basis), -1) if everywhere else basis[:, known[rows]]
        values = maps[:, rows].reshape(len(maps), -1) if everywhere else maps[:, rows][:, known[rows]]
        normal += seen @ seen.T
        right += seen @ values.T
    # The sine of a wave of two pixels to a period is 0 at every pixel.
    normal[np.diag_indices_from(normal)] += RIDGE * known.sum() / 2
    return np.asarray(np.linalg.solve(normal, right))


def _fitted(maps: np.ndarray, q: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Plane waves of these wavevectors that fit each map best, shape (bias, rows, columns)."""
    amplitude, out = _amplitudes(maps, q, known), np.empty(maps.shape)
    for rows, basis in _bases(q, known.shape):
        out[:, rows] = np.tensordot(amplitude.T, basis, 1)
    return out
