"""The search for bad data, some maps at a time: what one map must know of the others is gathered on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel._util.big_maps import allocate, release
from friedel.prepare.background import level
from friedel.prepare.bad_data import (
    TELLING,
    noisy_lines,
    repeated_in_maps,
    strangeness_of,
    wild_pixels,
    wild_spectra,
)
from friedel.prepare.step import Step

#: Spectra bad in so large a share of the maps are bad altogether.
MOST = 0.5


@dataclass(frozen=True)
class BadData:
    """Which values are bad, shape (bias, rows, columns), and what was found."""

    bad: np.ndarray
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class BadInMaps:
    """What is bad in some maps, each searched alone.

    Parameters
    ----------
    same : array of bool, shape (bias, rows, columns)
        Repeated values.
    lines : array of bool, shape (bias, rows)
        Noisy lines.
    wild : array of bool, shape (bias, rows, columns)
    strange : array, shape (some, rows, columns)
        Difference to the surroundings in units of the usual one, for those maps that are asked for.
    """

    same: np.ndarray
    lines: np.ndarray
    wild: np.ndarray
    strange: np.ndarray


def look_at_maps(values: np.ndarray, dead: np.ndarray, telling: np.ndarray) -> BadInMaps:
    """Find what is bad in maps, each searched alone.

    Parameters
    ----------
    values : array, shape (bias, rows, columns)
        As recorded, NaN where not acquired.
    dead : array of bool, shape (rows, columns)
        Spectra that are constant.
    telling : array of bool, shape (bias,)
        Maps of which `BadInMaps.strange` is asked for.
    """
    same = repeated_in_maps(values) | dead
    levelled = level(np.where(same, np.nan, values))
    lines = noisy_lines(levelled)
    levelled = np.where(lines[:, :, None], np.nan, levelled)
    wild = wild_pixels(levelled)
    strange = strangeness_of(np.where(wild, np.nan, levelled)[telling]) if telling.any() else levelled[:0]
    return BadInMaps(same, lines, wild, strange)


class BadSearch:
    """Bad data of a channel, some maps at a time: `add` them in their order, then `finish`.

    Parameters
    ----------
    shape : (int, int, int)
        Of all maps.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.bad = allocate(shape, bool)
        self.telling = np.zeros(shape[0], dtype=bool)
        if shape[0] >= 3:
            self.telling[:: max(1, shape[0] // TELLING)] = True
        self._strange = allocate((int(self.telling.sum()), *shape[1:]), np.float32)
        self._same = 0
        self._lines = np.zeros(shape[1], dtype=bool)
        self._wild = np.zeros(shape[1:], dtype=np.int32)

    def add(self, part: slice, found: BadInMaps) -> None:
        """Take what was found in a part of the maps."""
        self.bad[part] = found.same | found.wild | found.lines[:, :, None]
        before = int(self.telling[: part.start].sum())
        self._strange[before : before + len(found.strange)] = found.strange
        self._same += int(found.same.sum())
        self._lines |= found.lines.any(axis=0)
        self._wild += found.wild.sum(axis=0)
        release(self.bad, self._strange)

    def finish(self) -> BadData:
        """Add the spectra that are bad as a whole."""
        count, steps = len(self.bad), []
        if self._same:
            what = "hold one and the same number, as if filled or saturated"
            steps.append(_share("constant", self._same / self.bad.size, what))
        if self._lines.any():
            lines = int(self._lines.sum())
            text = f"{_some(lines, 'scan line')} with far more noise than usual."
            steps.append(Step("noisy lines", lines, text))
        spectra = wild_spectra(self._strange) | (self._wild >= MOST * count)
        if self._wild.any() or spectra.any():
            steps.append(_wild(self._wild, spectra, count))
        for index in range(count) if spectra.any() else ():
            self.bad[index] |= spectra
        release(self.bad)
        return BadData(self.bad, tuple(steps))


def _wild(wild: np.ndarray, spectra: np.ndarray, count: int) -> Step:
    """Say how many wild pixels and, where there are spectra, how many bad ones of them; `wild` counts maps."""
    share = float(np.where(spectra, count, wild).sum() / (wild.size * count))
    if count < 3:
        return Step("wild pixels", share, f"{_some(int(wild.sum()), 'wild pixel')}.")
    alone = int(((wild > 0) & ~spectra).sum())
    whole = _some(int(spectra.sum()), "bad spectrum", "bad spectra")
    return Step("wild pixels", share, f"{whole} and {_some(alone, 'pixel')} with wild values.")


def _share(name: str, share: float, what: str) -> Step:
    return Step(name, share, f"{100 * share:.2g} % of the values {what}.", notable=share > 0.001)


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
