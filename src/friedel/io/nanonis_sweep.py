"""The sweep of a Nanonis grid: which of header, record and recorded bias is right about its axis.

Headers keep the settings of sweeps that were not run. `Filetype` says which kind was; the limits in each record and the
recorded channel `Bias` confirm it.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.errors import FriedelWarning, StackError
from friedel.io.axes import single

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SEGMENTS = re.compile(r"Segment Start.*Segment End", re.IGNORECASE)
#: A recorded bias may differ from the axis by this share of the sweep, or by two of its steps.
_AGREES = 0.02


@dataclass(frozen=True)
class SweepAxis:
    """Points of the sweep to keep, their values in the sweep's unit, and where they come from."""

    keep: np.ndarray
    values: np.ndarray
    origin: str

    def agrees_with(self, recorded: np.ndarray) -> bool:
        """Whether a bias that was recorded during the sweep, shape (points,), follows this axis."""
        steps = np.abs(np.diff(self.values))
        allowed = max(
            _AGREES * float(np.ptp(self.values)), 2 * float(steps.max()) if len(steps) else 0.0, 1e-9
        )
        return bool(np.abs(recorded[self.keep] - self.values).max() <= allowed)


def sweep_axis(
    header: Mapping[str, str],
    limits: tuple[float, float] | None,
    recorded: np.ndarray | None,
    points: int,
    path: Path,
) -> SweepAxis:
    """Find the axis of a sweep.

    Parameters
    ----------
    header : mapping
    limits : (float, float) or None
        Start and end that the records hold.
    recorded : array, shape (points,), or None
        The bias as it was recorded during the sweep, in the sweep's unit.
    points : int
    path : Path
        For messages.

    Raises
    ------
    StackError
        If nothing gives an axis of so many points.
    """
    candidates: list[SweepAxis] = []
    problem: StackError | None = None
    multi = header.get("Filetype", "").strip().upper() == "MLS"
    own = next((v for k, v in header.items() if _SEGMENTS.search(k) and ">" not in k), None)
    table = own or next((v for k, v in header.items() if _SEGMENTS.search(k)), None)
    linear_first = not multi and ("Filetype" in header or own is None)
    for kind in ("linear", "segments") if linear_first else ("segments", "linear"):
        try:
            candidates.append(
                _linear(limits, points, path) if kind == "linear" else _segments(table, points, path)
            )
        except StackError as error:
            problem = problem or error
    if not candidates or (problem is not None and multi and candidates[0].origin == "limits"):
        raise problem or StackError(f"{path}: the sweep's axis is not known.")
    return _judged(candidates, recorded, limits, path)


def _judged(
    candidates: list[SweepAxis], recorded: np.ndarray | None, limits: tuple[float, float] | None, path: Path
) -> SweepAxis:
    first = candidates[0]
    if recorded is not None and np.isfinite(recorded).all():
        for candidate in candidates:
            if candidate.agrees_with(recorded):
                if candidate is not first:
                    _say(f"{path}: the header names a sweep ({_ends(first)}) that the recorded bias contradicts; "
                         f"the {candidate.origin} are used ({_ends(candidate)}).")  # fmt: skip
                return candidate
        _say(
            f"{path}: the recorded bias runs from {recorded[0]:g} to {recorded[-1]:g}, the sweep in the header from "
            f"{first.values[0]:g} to {first.values[-1]:g}; the header's is used."
        )
    elif limits is not None and first.origin == "segments":
        span = np.ptp(first.values)
        if not np.allclose(
            sorted(limits), [first.values.min(), first.values.max()], atol=_AGREES * span + 1e-12
        ):
            _say(f"{path}: the segments of the sweep ({_ends(first)}) do not reach its limits ({limits[0]:g} to "
                 f"{limits[1]:g}); the segments are used.")  # fmt: skip
    return first


def _ends(candidate: SweepAxis) -> str:
    return f"{candidate.values[0]:g} to {candidate.values[-1]:g}"


def _say(text: str) -> None:
    warnings.warn(text, FriedelWarning, stacklevel=2)


def _linear(limits: tuple[float, float] | None, points: int, path: Path) -> SweepAxis:
    if limits is None:
        raise StackError(f"{path}: the header does not say where the sweep's start and end are stored.")
    start, end = limits
    if not (np.isfinite([start, end]).all() and max(abs(start), abs(end)) < 1e6):
        raise StackError(f"{path}: the sweep's limits are damaged ({start:g} to {end:g}).")
    if start == end and points > 1:
        raise StackError(f"{path}: the sweep starts and ends at the same value ({start:g}).")
    return SweepAxis(np.arange(points), np.linspace(single(start), single(end), points), "limits")


def _segments(table: str | None, points: int, path: Path) -> SweepAxis:
    """Build the axis of a multi-segment sweep; neighbours may store the voltage they share once or twice."""
    if table is None:
        raise StackError(f"{path}: a multi-segment sweep whose segments the header does not list.")
    try:
        rows = [[float(word) for word in row.split(",")] for row in re.split(r"[;\n]", table) if row.strip()]
        parts = [np.linspace(row[0], row[1], int(row[4])) for row in rows if 0 < row[4] <= points]
    except (ValueError, IndexError, OverflowError):
        raise StackError(f"{path}: the segments of the sweep are damaged: {table[:80]!r}.") from None
    if len(parts) != len(rows) or not parts:
        raise StackError(f"{path}: the segments of the sweep do not fit its {points} points.")
    for shared_once in (False, True):
        joined = [parts[0]]
        for part in parts[1:]:
            shared = shared_once and np.isclose(part[0], joined[-1][-1], atol=1e-9)
            joined.append(part[1:] if shared else part)
        axis = np.concatenate(joined)
        if len(axis) == points:
            # The shared voltage was measured twice: the first of the two is kept.
            _, keep = np.unique(np.round(axis, 9), return_index=True)
            keep = np.sort(keep)
            return SweepAxis(keep, axis[keep], "segments")
    raise StackError(f"{path}: the sweep's segments have {sum(map(len, parts))} points, its data {points}.")
