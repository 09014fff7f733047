"""Maps of separate scans brought onto each other: between two scans the sample drifts.

Each map is registered to its neighbour in the voltage, which it resembles most, by `friedel.reference.registration` on
what the maps share: atoms and waves, without the slow background. A shift counts only if its correlation stands out of
those at all other shifts and if two halves of the map agree on it; the shifts are added up from the first map on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from friedel.errors import StackError
from friedel.prepare.background import clipped
from friedel.prepare.blur import blur
from friedel.prepare.step import Step
from friedel.reference.registration import Shift, register

#: Slow background that is no part of what is compared [px], and where values are clipped [robust σ].
BACKGROUND_PX, CLIP = 6.0, 5.0
#: Largest shift within which the search goes, as a share of the shorter side.
FARTHEST = 0.25
#: A smaller shift changes nothing [px].
LEAST_PX = 0.15
#: The halves of a map may disagree by so much [px] before the shift is in doubt, at least or as a share of the shift.
DISAGREE_PX, DISAGREE_SHARE = 0.5, 0.15


@dataclass(frozen=True, eq=False)
class ScanShifts:
    """How the scans lie to the first of them.

    Parameters
    ----------
    shift : array, shape (bias, 2)
        Add it to a (row, column) of the first map to get the same place in each map [px].
    known : array of bool, shape (bias,)
        Maps whose shift to the neighbour before could be told; true for the first.
    """

    shift: np.ndarray
    known: np.ndarray

    @property
    def unknown_share(self) -> float:
        """Share of the neighbours whose shift could not be told."""
        return float(1 - self.known[1:].mean()) if len(self.known) > 1 else 0.0

    @property
    def largest_px(self) -> float:
        """Largest distance from the first map [px]."""
        return float(np.hypot(*self.shift.T).max())

    def step(self) -> Step:
        """What was done, for the user."""
        count = int((np.hypot(*self.shift.T) > 0).sum())
        text = f"{count} of {len(self.shift)} maps are separate scans that lie up to {self.largest_px:.1f} px off"
        text = (
            f"{text} the first, and are shifted back." if count else "The separate scans lie on each other."
        )
        missing = int((~self.known).sum())
        if missing:
            text += f" For {missing} no shift stands out; they are left where they are."
        return Step("registration", self.largest_px, text, notable=bool(count or missing))


def find_shifts(maps: np.ndarray) -> ScanShifts:
    """Find the shifts between maps of separate scans.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Without plane and line offsets, in the order of the voltages; NaN where not known.
    """
    flat = clipped(maps - blur(maps, BACKGROUND_PX), CLIP)[0]
    steps = [_between(before, after) for before, after in pairwise(flat)]
    known = np.array([True, *(one is not None for one in steps)])
    moves = np.array([(0.0, 0.0), *((0.0, 0.0) if one is None else one for one in steps)])
    total = np.cumsum(moves, axis=0)
    total[np.hypot(*total.T) < LEAST_PX] = 0.0
    return ScanShifts(total, known)


def _between(before: np.ndarray, after: np.ndarray) -> tuple[float, float] | None:
    """Shift from a map to the next; None if none stands out."""
    farthest = FARTHEST * min(before.shape)
    try:
        found = register(before, after, max_shift=farthest)
        if not found.trusted:
            return None
        along = int(np.argmax(before.shape))
        halves = [
            register(
                *(np.array_split(one, 2, axis=along)[part] for one in (before, after)), max_shift=farthest
            )
            for part in (0, 1)
        ]
    except StackError:  # a map without anything in it
        return None
    allowed = max(DISAGREE_PX, DISAGREE_SHARE * float(np.hypot(found.rows, found.columns)))
    apart = [_distance(one, found) for one in halves]
    if max(apart) > allowed:
        return None
    # A shift that the halves do not tell from none is none.
    if np.hypot(found.rows, found.columns) < max(LEAST_PX, 2 * float(np.mean(apart))):
        return 0.0, 0.0
    return found.rows, found.columns


def _distance(one: Shift, other: Shift) -> float:
    return float(np.hypot(one.rows - other.rows, one.columns - other.columns))


def shifted_back(maps: np.ndarray, shifts: ScanShifts) -> np.ndarray:
    """The maps on the pixels of the first; NaN where a map does not reach.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    shifts : ScanShifts
    """
    out = np.array(maps)
    for plane, shift in zip(out, shifts.shift, strict=True):
        if not shift.any():
            continue
        known = np.isfinite(plane)
        centre = float(np.median(plane[known])) if known.any() else 0.0
        values = ndimage.shift(np.where(known, plane - centre, 0.0), -shift, order=3, mode="nearest") + centre
        seen = ndimage.shift(known.astype(float), -shift, order=1, mode="constant")
        plane[:] = np.where(seen > 0.9, values, np.nan)
    return out
