"""Is a difference between paired trainings more than chance? An exact sign-flip test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from friedel._util.moved import renamed
from friedel.scoring.intervals import bootstrap


@dataclass(frozen=True)
class Paired:
    """A paired comparison.

    Parameters
    ----------
    difference : float
        Mean of first − second.
    interval : (float, float)
        95 %, bootstrap over the pairs.
    p : float
        Two-sided; the smallest possible is 2^(1−n). NaN for fewer than two pairs.
    pairs : int
    """

    difference: float
    interval: tuple[float, float]
    p: float
    pairs: int


def paired_test(first: Any, second: Any, *, draws: int = 20000, seed: int = 0) -> Paired:
    """Compare two lists of figures pair by pair.

    If neither is better, each pair's difference could as well have the other sign. All sign patterns are
    tried (up to 14 pairs; beyond, `draws` random ones): p is the share of them with a mean at least as far
    from 0.

    Parameters
    ----------
    first, second : array, shape (n,)
        Pairs with a NaN are left out.

    Returns
    -------
    Paired
    """
    difference = np.asarray(first, float) - np.asarray(second, float)
    difference = difference[np.isfinite(difference)]
    n = len(difference)
    mean = float(difference.mean()) if n else float("nan")
    if n < 2:
        return Paired(mean, (float("nan"), float("nan")), float("nan"), n)
    if n <= 14:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1, 1], (draws, n))
        signs[0] = 1  # what was seen is one of the patterns
    far = np.abs(signs @ difference) >= abs(difference.sum()) * (1 - 1e-12)
    return Paired(mean, bootstrap(difference), float(far.mean()), n)


def describe(claim: str, test: Paired, level: float = 0.05) -> str:
    """Say in a sentence whether a claim "the first is better" holds."""
    low, high = test.interval
    figures = (
        f"difference {test.difference:+.3f} ({low:+.3f} to {high:+.3f}), p = {test.p:.3f}, {test.pairs} pairs"
    )
    if not np.isfinite(test.p):
        return f"{claim}: cannot be decided, {test.pairs} pair(s) only."
    if 2.0 ** (1 - test.pairs) >= level:
        return f"{claim}: cannot be decided, {test.pairs} pairs are too few for p < {level:g} ({figures})."
    if test.p >= level:
        return f"{claim}: not shown ({figures})."
    if test.difference > 0:
        return f"{claim}: holds ({figures})."
    return f"{claim}: does not hold, the opposite is the case ({figures})."


#: Names of version 0.1.
__getattr__ = renamed(__name__, {"verdict": "describe"})
