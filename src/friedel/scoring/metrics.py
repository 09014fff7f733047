"""How good found points are: precision, recall, F1, average precision, RMSE, the paper's share, chance.

The paper counts the reference points that have a peak within one pixel. That figure has no price on false
peaks: a peak in every pixel scores 1. It is always given here together with precision, with one-to-one recall
and with the share that as many random points would reach.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from friedel._util.arguments import numbers_of
from friedel.errors import SettingsError
from friedel.scoring.chance import chance_recall, covered
from friedel.scoring.intervals import f1_interval, wilson
from friedel.scoring.matching import Matching, as_points, growing_matches, match, optional_points

__all__ = ["Curve", "Matching", "Scores", "best_cut", "evaluate", "match", "precision_recall"]


@dataclass(frozen=True)
class Scores:
    """Figures of merit of one field.

    Parameters
    ----------
    n_found, n_truth : int
        Found points and true points that count.
    right, false, missed, ignored : int
        Pairs, found points without partner, true points without partner, found points on optional true
        points.
    precision, recall, f1 : float
        One-to-one. Precision is NaN if nothing was found, recall if there was nothing to find; F1 is NaN if
        both.
    precision_interval, recall_interval, f1_interval : (float, float)
        95 %: Wilson's for the shares, bootstrap over the points for F1.
    average_precision : float
        Area under the precision-recall curve as the threshold falls; NaN without scores.
    rmse : float
        Root mean square distance of the pairs, in the unit of the points. Only pairs within the tolerance
        count, so it cannot exceed the tolerance.
    paper_share : float
        Share of true points with a found point within the tolerance (not one-to-one).
    chance_recall : float
        What as many random points reach in `paper_share`; no less than they reach in `recall`. NaN without a
        shape.
    tolerance : float
        In the unit of the points.
    """

    n_found: int
    n_truth: int
    right: int
    false: int
    missed: int
    ignored: int
    precision: float
    recall: float
    f1: float
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]
    f1_interval: tuple[float, float]
    average_precision: float
    rmse: float
    paper_share: float
    chance_recall: float
    tolerance: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; figures that do not exist are None."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Curve:
    """Precision and recall as the threshold falls.

    Parameters
    ----------
    threshold : array, shape (n,)
        Distinct scores, falling; the points at or above each one are counted.
    precision, recall, f1 : array, shape (n,)
    average_precision : float
        Σ (recall step) × precision, without interpolation.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    average_precision: float


def evaluate(
    found: Any,
    truth: Any,
    tolerance: float = 1.0,
    shape: tuple[int, int] | None = None,
    scores: Any = None,
    *,
    optional: Any = None,
    candidates: Any = None,
) -> Scores:
    """Score found points against true ones.

    Parameters
    ----------
    found : array, shape (n, 2)
        Found points (row, column) [px], or any unit that `truth` and `tolerance` share.
    truth : array, shape (m, 2)
        True points.
    tolerance : float
        Largest distance of a pair.
    shape : (int, int), optional
        Rows and columns of the field in pixels, for `chance_recall`.
    scores : array, shape (n,), optional
        Score of each found point (of each candidate, if `candidates` are given), for the average precision.
    optional : array of bool, shape (m,), optional
        True points that need not be found and make no found point false, for example on the border.
    candidates : array, shape (c, 2), optional
        All points that were ever considered, below the threshold too: the average precision is theirs.

    Returns
    -------
    Scores

    Raises
    ------
    SettingsError
        If points are not finite pairs, or scores do not fit to the points.
    """
    found, truth = as_points(found, "found points"), as_points(truth, "true points")
    loose = optional_points(optional, len(truth))
    pairs = match(found, truth, tolerance, optional=loose)
    right, false, missed = len(pairs), len(pairs.false), len(pairs.missed)
    required = truth[~loose]
    ranked = found if candidates is None else as_points(candidates, "candidates")
    area = float("nan")
    if scores is not None and len(required):
        area = precision_recall(ranked, scores, truth, tolerance, optional=loose).average_precision
    return Scores(
        n_found=len(found),
        n_truth=len(required),
        right=right,
        false=false,
        missed=missed,
        ignored=len(pairs.ignored),
        precision=_ratio(right, right + false),
        recall=_ratio(right, right + missed),
        f1=_ratio(2 * right, 2 * right + false + missed),
        precision_interval=wilson(right, right + false),
        recall_interval=wilson(right, right + missed),
        f1_interval=f1_interval(right, false, missed),
        average_precision=area,
        rmse=float(np.sqrt(np.mean(pairs.distance**2))) if right else float("nan"),
        paper_share=float(covered(found, required, tolerance).mean()) if len(required) else float("nan"),
        chance_recall=float("nan")
        if shape is None
        else chance_recall(required, len(found), tolerance, shape),
        tolerance=float(tolerance),
    )


def precision_recall(found: Any, scores: Any, truth: Any, tolerance: float, *, optional: Any = None) -> Curve:
    """Precision and recall at every threshold, each with its own best one-to-one matching.

    Parameters
    ----------
    found : array, shape (n, 2)
    scores : array, shape (n,)
        Higher is better; points of equal score enter together.
    truth, tolerance, optional
        As in `evaluate`.

    Returns
    -------
    Curve

    Raises
    ------
    SettingsError
        If `scores` does not have one finite value per point.
    """
    found = as_points(found, "found points")
    values = numbers_of(scores, "scores", "one number per point").reshape(-1)
    if len(values) != len(found) or not np.isfinite(values).all():
        raise SettingsError(f"{len(found)} points need as many finite scores; {len(values)} were given.")
    truth = as_points(truth, "true points")
    order = np.argsort(-values, kind="stable")
    values = values[order]
    right, ignored = growing_matches(found[order], truth, tolerance, optional=optional)
    last = np.flatnonzero(np.r_[np.diff(values) != 0, True]) if len(values) else np.zeros(0, int)
    right, counted = right[last], (last + 1) - ignored[last]
    required = len(truth) if optional is None else int((~optional_points(optional, len(truth))).sum())
    precision = right / np.maximum(counted, 1)
    recall = right / max(required, 1)
    f1 = 2 * right / np.maximum(counted + required, 1)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision)) if required else float("nan")
    return Curve(values[last], precision, recall, f1, area)


def best_cut(curves: list[Curve]) -> tuple[float, float]:
    """The one threshold that gives the highest mean F1 over several fields, and that F1.

    A baseline is scored at the cut that suits it best, which needs the truth; a user never has it.

    Parameters
    ----------
    curves : list of Curve
        One per field.

    Returns
    -------
    threshold, f1 : float
        NaN if no field has a point.
    """
    cuts = np.unique(np.concatenate([curve.threshold for curve in curves])) if curves else np.zeros(0)
    if len(cuts) == 0:
        return float("nan"), float("nan")
    total = np.zeros(len(cuts))
    for curve in curves:
        # Points at or above the cut: the last place of the falling thresholds that is not below it.
        place = np.searchsorted(-curve.threshold, -cuts, side="right") - 1
        total += np.where(place >= 0, np.r_[curve.f1, 0.0][place], 0.0)
    best = int(np.argmax(total))
    return float(cuts[best]), float(total[best] / len(curves))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
