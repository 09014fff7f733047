"""What random points would reach: the figure of merit of a method that knows nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from friedel._util.arguments import numbers_of
from friedel.errors import SettingsError
from friedel.scoring.matching import as_points, match


def disc_in_field(points: Any, radius: float, shape: tuple[int, int]) -> np.ndarray:
    """Area of the disc around each point that lies inside the field.

    Parameters
    ----------
    points : array, shape (n, 2)
        (row, column) in pixels; the field reaches from −½ to rows − ½ and columns − ½.
    radius : float
        In pixels.
    shape : (int, int)
        Rows and columns of the field.

    Returns
    -------
    array, shape (n,)
        In square pixels.
    """
    points = as_points(points)
    # Chords along the columns, integrated over the rows by Gauss-Legendre; the substitution u = sin t removes
    # the square-root ends of the chord, so that 64 nodes are exact to 1e-6 away from the field's corners.
    node, weight = np.polynomial.legendre.leggauss(64)
    t = node * np.pi / 2
    rows = points[:, :1] + radius * np.sin(t)
    half = radius * np.cos(t)
    low = np.maximum(points[:, 1:] - half, -0.5)
    high = np.minimum(points[:, 1:] + half, shape[1] - 0.5)
    inside = (rows >= -0.5) & (rows <= shape[0] - 0.5)
    chord = np.where(inside, np.clip(high - low, 0, None), 0)
    result: np.ndarray = (chord * radius * np.cos(t) * weight * np.pi / 2).sum(axis=1)
    return result


def chance_recall(truth: Any, n_found: int, tolerance: float, shape: tuple[int, int]) -> float:
    """Expected share of true points that have one of `n_found` uniformly random points within the tolerance.

    Closed form, mean over the true points of ``1 − (1 − a/A)ⁿ`` with a the part of the tolerance disc that
    lies inside the field of area A. It is exact for the paper's share and an upper limit for one-to-one
    recall, which lets each random point serve once only (`chance_matching` simulates that).

    Parameters
    ----------
    truth : array, shape (m, 2)
        True points (row, column) [px].
    n_found : int
        Number of random points.
    tolerance : float
        In pixels.
    shape : (int, int)
        Rows and columns of the field.

    Returns
    -------
    float
        NaN if there is no true point.

    Raises
    ------
    SettingsError
        If the field has no rows and columns.
    """
    size = numbers_of(shape, "shape", "rows and columns of the field")
    if size.shape != (2,) or not (np.isfinite(size).all() and (size > 0).all()):
        raise SettingsError(
            f"shape must be rows and columns of the field, not {shape!r:.60}.", settings="shape"
        )
    truth = as_points(truth, "true points")
    if len(truth) == 0:
        return float("nan")
    share = disc_in_field(truth, tolerance, shape) / (shape[0] * shape[1])
    return float(np.mean(-np.expm1(n_found * np.log1p(-np.minimum(share, 1 - 1e-12)))))


def chance_matching(
    truth: Any, n_found: int, tolerance: float, shape: tuple[int, int], *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """One-to-one recall and the paper's share of uniformly random points, by simulation.

    Returns
    -------
    recall, share : float
        Means over `draws` fields of `n_found` random points.
    """
    truth = as_points(truth, "true points")
    if len(truth) == 0:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    recall, share = 0.0, 0.0
    for _ in range(draws):
        points = random.uniform(-0.5, np.asarray(shape) - 0.5, (n_found, 2))
        recall += len(match(points, truth, tolerance)) / len(truth)
        share += covered(points, truth, tolerance).mean()
    return recall / draws, float(share / draws)


def covered(found: Any, truth: Any, tolerance: float) -> np.ndarray:
    """Whether each true point has a found point within the tolerance; one found point may serve several.

    Returns
    -------
    array of bool, shape (m,)
    """
    found, truth = as_points(found, "found points"), as_points(truth, "true points")
    if len(found) == 0 or len(truth) == 0:
        return np.zeros(len(truth), bool)
    from scipy.spatial import KDTree

    result: np.ndarray = KDTree(found).query(truth)[0] <= tolerance * (1 + 1e-12)
    return result
