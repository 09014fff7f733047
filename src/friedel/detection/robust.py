"""Noise and weights that a few pixels cannot spoil: those that the model does not explain count little."""

from __future__ import annotations

import numpy as np

#: Student's degrees of freedom of the pixels' weights; beyond OUTLIER × the usual χ² a pixel counts for LOST only.
STUDENT, OUTLIER, LOST = 8.0, 6.0, 0.02


def deviation(errors: np.ndarray) -> np.ndarray:
    """Standard deviation over the last axis by the median of |errors|, as if they were normal, with mean 0."""
    return np.asarray(1.4826 * np.median(np.abs(errors), axis=-1))


def misfit(left: np.ndarray, common: np.ndarray, share: float) -> np.ndarray:
    """χ² of each pixel, shape (P,).

    Parameters
    ----------
    left : array, shape (V, P)
        What the model leaves over, in standard deviations of each map.
    common : array, shape (V,)
        Pattern over the maps of the errors that all of them have in common, of norm 1.
    share : float
        Their share of the variance along it: what lies along it counts for 1 − `share`.
    """
    return np.asarray((left**2).sum(axis=0) - share * (common @ left) ** 2)


def weights(chi2: np.ndarray, maps: int) -> np.ndarray:
    """Weight of each pixel by its χ² of so many maps, shape (P,): Student's, but next to none for an outlier."""
    ratio = chi2 / max(float(np.median(chi2)), 1e-9)
    weight = np.minimum(1, (STUDENT + maps) / (STUDENT + maps * ratio))
    return np.where(ratio > OUTLIER, LOST, weight)
