"""The first half of the preparation, which needs no band: bad data, the sign of dI/dV, plane and line offsets.

Maps are worked on some at a time, in three passes: their sign and the spectra that are constant; bad data; levelling
and small gaps. What one map must know of the others is gathered between the passes, so that neither the memory nor the
result depends on how many are worked on at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from friedel._util.big_maps import allocate, fits, parts, read_parts, release, take
from friedel._util.work import HERE, Work
from friedel.prepare.background import level
from friedel.prepare.bad_data import choose_maps, mend, repeated_in_maps
from friedel.prepare.bad_search import BadSearch, look_at_maps
from friedel.prepare.lockin_phase import INVERTED, is_negative
from friedel.prepare.periodic import LARGEST, search_periodic, telling, waves_of
from friedel.prepare.scan_registration import ScanShifts, find_shifts, shifted_back
from friedel.prepare.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from friedel.prepare.settings import PrepareSettings


class Maps(Protocol):
    """Maps of shape (bias, rows, columns): an array, or what reads some of them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Bias, rows, columns."""

    def __getitem__(self, part: slice, /) -> np.ndarray:
        """The maps of a part of the first axis."""


@dataclass(frozen=True)
class Cleaned:
    """Maps without bad data, plane and line offsets.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Small gaps are interpolated; NaN where not known.
    keep : array of int, shape (bias,)
        Index of each map among those given.
    filled : array of bool, shape (bias, rows, columns)
        What was interpolated.
    lost : float
        Share of the given values that were bad or not recorded.
    steps : tuple of Step
    shifts : ScanShifts, optional
        How separate scans lay to each other.
    """

    maps: np.ndarray
    keep: np.ndarray
    filled: np.ndarray
    lost: float
    steps: tuple[Step, ...]
    shifts: ScanShifts | None = None

    def chosen(self, which: np.ndarray) -> Cleaned:
        """Return the maps of these indices only."""
        return replace(
            self, maps=take(self.maps, which), filled=take(self.filled, which), keep=self.keep[which]
        )


@dataclass(frozen=True)
class _Read:
    """The given maps, read once: NaN where not acquired."""

    values: np.ndarray
    dead: np.ndarray
    negative: bool


def clean(
    values: Maps, settings: PrepareSettings, *, didv: bool = True, separate: bool = False, work: Work = HERE
) -> Cleaned:
    """Find bad data, invert a negative dI/dV, choose the maps that share most of the area.

    Parameters
    ----------
    values : array, shape (bias, rows, columns)
        NaN where not acquired.
    settings : PrepareSettings
    didv : bool
        Whether the values are dI/dV, which is positive on the whole.
    separate : bool
        Whether each map is a scan of its own; they are registered to each other.
    work : Work
        Where the work is done.

    Returns
    -------
    Cleaned
        Without any map if no value is good.
    """
    read, steps = _read(values, invert=settings.invert and didv), []
    if read.negative:
        steps.append(INVERTED)
    if settings.periodic:
        steps += _subtract_periodic(read, settings)
    bad = None
    if settings.bad_data:
        search = BadSearch(read.values.shape)
        for part, found in zip(
            parts(read.values.shape), work.each(look_at_maps, _pieces(read, search.telling)), strict=True
        ):
            search.add(part, found)
            release(read.values)
        result = search.finish()
        bad = result.bad
        steps += result.steps
    maps, filled, lost = _mended(read, bad, settings, work)
    known = _known(maps)
    seen = np.flatnonzero(known.any(axis=(1, 2)))
    keep = seen[choose_maps(take(known, seen))] if len(seen) else seen
    if len(keep) < len(maps):
        count = len(maps) - len(keep)
        text = f"{count} of {len(maps)} maps are left out: they lack data that the others have."
        steps.append(Step("maps", count, text, notable=True))
    cleaned = Cleaned(take(maps, keep), keep, take(filled, keep), lost, tuple(steps))
    return _onto_each_other(cleaned) if separate and settings.register_scans and len(keep) > 1 else cleaned


def _onto_each_other(cleaned: Cleaned) -> Cleaned:
    """Return maps of separate scans on the pixels of the first."""
    shifts = find_shifts(cleaned.maps)
    filled = shifted_back(cleaned.filled.astype(float), shifts) > 0.01
    return replace(
        cleaned,
        maps=shifted_back(cleaned.maps, shifts),
        filled=filled,
        steps=(*cleaned.steps, shifts.step()),
        shifts=shifts,
    )


def _read(values: Maps, *, invert: bool) -> _Read:
    """Read the maps once, with what concerns all of them."""
    count, *rest = values.shape
    dtype = values.dtype if isinstance(values, np.ndarray) else np.float32
    small = fits(values.shape)
    out = allocate((count, *rest), np.float64 if small else dtype)
    low, high = np.full(rest, np.inf), np.full(rest, -np.inf)
    negative = np.zeros(count)
    for part in read_parts(out.shape):
        piece = values[part]
        out[part] = np.where(np.isfinite(piece), piece, np.nan)
        np.minimum(low, piece.min(axis=0), out=low)
        np.maximum(high, piece.max(axis=0), out=high)
        release(out)
    for part in parts(out.shape) if invert else ():
        negative[part] = is_negative(out[part])
        release(out)
    known = np.isfinite(negative)
    inverted = invert and bool(known.any() and negative[known].all())
    if inverted:
        for part in parts(out.shape):
            out[part] *= -1
            release(out)
    return _Read(out, (low == high) & (count >= 3), inverted)


def _subtract_periodic(read: _Read, settings: PrepareSettings) -> tuple[Step, ...]:
    """Subtract a periodic structure in place; what is repeated stays as it is, to be found later."""
    values, known = read.values, np.ones(read.values.shape[1:], dtype=bool)
    same = allocate(values.shape, bool)
    for part in parts(values.shape):
        same[part] = (repeated_in_maps(values[part]) | read.dead) & settings.bad_data
        known &= (np.isfinite(values[part]) & ~same[part]).all(axis=0)
        release(values, same)
    which = telling(len(values))
    tell = values[which] if known.size <= LARGEST else values[:0]
    found = search_periodic(np.where(same[which], np.nan, tell) if len(tell) else tell, known)
    for part in parts(values.shape) if len(found.q) else ():
        piece, kept = np.asarray(values[part], dtype=np.float64), same[part]
        waves = waves_of(np.where(kept, np.nan, piece), known, found.q)
        values[part] = np.where(kept, piece, piece - waves)
        release(values, same)
    return found.steps


def _pieces(read: _Read, telling: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for part in parts(read.values.shape):
        yield np.asarray(read.values[part]), read.dead, telling[part]


def _mended(
    read: _Read, bad: np.ndarray | None, settings: PrepareSettings, work: Work
) -> tuple[np.ndarray, np.ndarray, float]:
    """Levelled maps with small gaps interpolated, what was interpolated, and the share that is bad."""
    shape = read.values.shape
    maps, filled = allocate(shape), allocate(shape, bool)
    pieces = (
        (np.asarray(read.values[part]), None if bad is None else np.asarray(bad[part]), settings)
        for part in parts(shape)
    )
    lost = 0
    for part, (levelled, gaps, count) in zip(parts(shape), work.each(_mend, pieces), strict=True):
        maps[part], filled[part] = levelled, gaps
        lost += count
        release(read.values, maps, filled, *(() if bad is None else (bad,)))
    return maps, filled, lost / filled.size


def _mend(
    values: np.ndarray, bad: np.ndarray | None, settings: PrepareSettings
) -> tuple[np.ndarray, np.ndarray, int]:
    """Level maps without their bad data; also how many values are bad."""
    wrong = ~np.isfinite(values)
    if bad is not None:
        wrong |= bad
    plane, rows = settings.background != "none", settings.row_offsets
    maps = level(np.where(wrong, np.nan, values), plane=plane, rows=rows)
    maps, filled = mend(maps, wrong, settings.fill_px if settings.bad_data else 0.0)
    return maps, filled, int(wrong.sum())


def _known(maps: np.ndarray) -> np.ndarray:
    """Where each map holds data, shape (bias, rows, columns)."""
    known = allocate(maps.shape, bool)
    for part in parts(maps.shape):
        known[part] = np.isfinite(maps[part])
        release(maps, known)
    return known
