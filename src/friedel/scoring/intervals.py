"""Confidence intervals: Wilson's for shares, Garwood's for counts, the bootstrap for everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from friedel._util import chi2

if TYPE_CHECKING:
    from collections.abc import Callable


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a share (Wilson, J. Am. Stat. Assoc. 22, 209 (1927)).

    Parameters
    ----------
    successes, trials : int
        For example found impurities of all impurities.
    level : float
        Coverage.

    Returns
    -------
    low, high : float
        ``(0, 1)`` if nothing was tried.
    """
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def poisson(count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of the expected number behind a Poisson count (Garwood, Biometrika 28, 437 (1936)).

    Parameters
    ----------
    count : int
    level : float
        Coverage of the central interval.

    Returns
    -------
    low, high : float
        The low end is 0, and the high one 3.7 at 95 %, for a count of 0.
    """
    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * (count + 1))) / 2


def mean_count(counts: Any, exposure: Any = 1.0, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of counts per exposure: the bootstrap's over the fields or Poisson's, the wider at each end.

    The bootstrap knows how much fields differ, and nothing of what a few fields with the same count leave open: of
    fields without any it would say that there is none.

    Parameters
    ----------
    counts : array of int, shape (n,)
        Of independent fields.
    exposure : float or array, shape (n,)
        For example the area of each.
    level : float
        Coverage.

    Returns
    -------
    low, high : float
        NaN without any field.
    """
    counts = np.asarray(counts, float)
    if not len(counts):
        return float("nan"), float("nan")
    exposure = np.broadcast_to(np.asarray(exposure, float), counts.shape)
    low, high = (end / float(exposure.sum()) for end in poisson(int(counts.sum()), level))
    between = bootstrap(counts / exposure, level=level)
    return float(np.fmin(low, between[0])), float(np.fmax(high, between[1]))


def bootstrap(
    values: Any,
    statistic: Callable[..., Any] = np.mean,
    *,
    level: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of independent values, for example one per seed.

    Parameters
    ----------
    values : array, shape (n,)
        NaN are left out.
    statistic : callable
        Called with an array of shape (draws, n) and ``axis=-1``.
    level, draws, seed
        Coverage, number of resamples, seed of the resampling.

    Returns
    -------
    low, high : float
        NaN if there are fewer than two values: one value tells nothing about its spread.
    """
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if len(array) < 2:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(array), (draws, len(array)))
    figures = np.asarray(statistic(array[picks], axis=-1))
    low, high = np.quantile(figures, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def f1_interval(
    right: int, false: int, missed: int, *, level: float = 0.95, draws: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of F1 over one field: pairs, false and missed points are redrawn together.

    Returns
    -------
    low, high : float
        ``(0, 1)`` if there is no point at all.
    """
    total = right + false + missed
    if total == 0:
        return 0.0, 1.0
    counts = np.random.default_rng(seed).multinomial(total, np.array([right, false, missed]) / total, draws)
    figures = 2 * counts[:, 0] / (2 * counts[:, 0] + counts[:, 1] + counts[:, 2])
    low, high = np.quantile(figures, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
