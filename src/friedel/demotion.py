"""Points that their places give away: a step edge is a line of points, a double tip shows points twice.

Both are found among the impurities after the refit. Their probability is multiplied by the share of them that chance
puts into such places; the rest of the table stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.prepare.ghosts import ghosts, repeated
from friedel.prepare.lines import edges
from friedel.refit.flags import PointFlag
from friedel.settings.checks import CHECK_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from friedel.candidates.result import Candidates
    from friedel.prepare.prepared import Prepared
    from friedel.settings import DetectSettings


@dataclass(frozen=True, eq=False)
class _Group:
    """Points that lie as impurities do not: indices among the impurities, share that chance puts there, flag."""

    members: np.ndarray
    share: float
    flag: PointFlag


def demoted(found: Candidates, prepared: Prepared, settings: DetectSettings) -> pd.DataFrame:
    """The table with the probability of such points times the share of them that chance puts there, sorted anew.

    Where a line, or one displacement between two points, holds n points and chance puts m there, m/n may be impurities.

    Parameters
    ----------
    found : Candidates
    prepared : Prepared
        Its mask and half wavelength.
    settings : DetectSettings
        `demote_lines` and `demote_doubles`.
    """
    table = found.table
    probability = table["probability"].to_numpy(float).copy()
    sure, doubtful = sure_and_doubtful(table, found.threshold)
    flags = table["flags"].to_numpy(copy=True) if "flags" in table else None
    asked = np.concatenate([sure, doubtful])
    for group in _groups(table.iloc[asked], len(sure), prepared, settings):
        members = asked[group.members]
        probability[members] *= group.share
        if flags is not None:
            flags[members] |= int(group.flag)
    table = table.assign(probability=probability)
    if flags is not None:
        table = table.assign(flags=flags)
    return table.sort_values(["probability", "s"], ascending=False, kind="stable", ignore_index=True)


def sure_and_doubtful(table: pd.DataFrame, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the impurities, and of the candidates below the threshold that may lie on a line with them."""
    probability = table["probability"].to_numpy(float)
    below = (probability < threshold) & (probability >= CHECK_LIMITS.doubtful)
    return np.flatnonzero(probability >= threshold), np.flatnonzero(below)


def _groups(
    candidates: pd.DataFrame, count: int, prepared: Prepared, settings: DetectSettings
) -> Iterator[_Group]:
    """Such groups among candidates of which the first `count` are impurities."""
    places, half = candidates[["row", "column"]].to_numpy(float), prepared.half_wave_px
    points, impurities = places[:count], candidates.iloc[:count]
    shape = int(prepared.mask.shape[0]), int(prepared.mask.shape[1])
    rest = np.ones(count, dtype=bool)
    sure = impurities["probability"].to_numpy(float)
    for line in edges(points, sure, places[count:], shape, half):
        rest[line.members[line.members < count]] = False
        if settings.demote_lines:
            yield _Group(line.members, min(1.0, line.expected / len(line.members)), PointFlag.LINE)
    if not settings.demote_doubles:
        return
    others = np.flatnonzero(rest)  # neighbours on a line repeat each other, too
    twice = ghosts(points[others], shape, half)
    if twice.share <= CHECK_LIMITS.ghosts_in_order:
        return
    # A close group has any amplitudes, and S of two neighbours follows the fit's order by half only.
    strength = impurities["amplitude" if "amplitude" in impurities else "s"].to_numpy(float)[others]
    again = others[repeated(points[others], strength, twice, half)]
    if len(again):
        yield _Group(again, min(1.0, twice.expected / twice.pairs), PointFlag.DOUBLE)
