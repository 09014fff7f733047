"""How far found points and a reference agree: which match, which are missed, which are false, and chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from friedel.scoring.chance import chance_recall
from friedel.scoring.matching import as_points, match

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Found points against reference points.

    Parameters
    ----------
    matched : pandas.DataFrame
        One row a pair: `found`, `reference` (indices), `row`, `column` (found), `reference_row`,
        `reference_column`, `distance_px`.
    missed : array, shape (n, 2)
        Reference points (row, column) that no found point matches.
    false : array, shape (n, 2)
        Found points (row, column) that match no reference point.
    precision, recall, f1 : float
        One-to-one; NaN where undefined.
    chance : float
        Recall that as many random points in the field would reach at most; NaN if its shape is not known.
    tolerance_px : float
        Largest distance of a pair [px].
    """

    matched: pd.DataFrame
    missed: np.ndarray
    false: np.ndarray
    precision: float
    recall: float
    f1: float
    chance: float
    tolerance_px: float

    def __str__(self) -> str:
        return (
            f"{len(self.matched)} of {len(self.matched) + len(self.missed)} reference points found within "
            f"{self.tolerance_px:g} px (recall {self.recall:.2f}, by chance {self.chance:.2f}), "
            f"{len(self.false)} others (precision {self.precision:.2f}), F1 {self.f1:.2f}"
        )


def agreement(
    found: Any, reference: Any, tolerance_px: float = 1.0, shape: tuple[int, int] | None = None
) -> Agreement:
    """Compare found points with a reference.

    Parameters
    ----------
    found, reference : array, shape (n, 2), or pandas.DataFrame
        Positions (row, column) [px]; a table needs those columns.
    tolerance_px : float
        Largest distance of a pair [px].
    shape : (int, int), optional
        Rows and columns of the field, for `chance`.

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If positions are not finite or the tolerance is not positive.
    """
    a, b = _positions(found), _positions(reference)
    pairs = match(a, b, tolerance_px)
    right, false, missed = len(pairs), len(pairs.false), len(pairs.missed)
    matched = pd.DataFrame(
        {
            "found": pairs.found,
            "reference": pairs.truth,
            "row": a[pairs.found, 0],
            "column": a[pairs.found, 1],
            "reference_row": b[pairs.truth, 0],
            "reference_column": b[pairs.truth, 1],
            "distance_px": pairs.distance,
        }
    )
    nan = float("nan")
    chance = nan
    if shape is not None and len(b):
        chance = chance_recall(b, len(a), tolerance_px, shape)
    return Agreement(
        matched=matched,
        missed=b[pairs.missed],
        false=a[pairs.false],
        precision=right / len(a) if len(a) else nan,
        recall=right / len(b) if len(b) else nan,
        f1=2 * right / (2 * right + false + missed) if right + false + missed else nan,
        chance=chance,
        tolerance_px=float(tolerance_px),
    )


def _positions(points: Any) -> np.ndarray:
    if isinstance(points, pd.DataFrame):
        points = points[["row", "column"]].to_numpy()
    return as_points(points)
