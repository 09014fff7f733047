"""Student-t weights of the pixels of a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RobustConstants:
    """Numbers of the pixel weights.

    Parameters
    ----------
    student_dof : float
        Degrees of freedom of Student's distribution.
    outlier_ratio : float
        A pixel whose χ² is so many times the median is an outlier.
    lost : float
        Weight of an outlier.
    fitting : float
        A pixel of more than this weight fits the model.
    """

    student_dof: float = 8.0
    outlier_ratio: float = 6.0
    lost: float = 0.02
    fitting: float = 0.3


ROBUST = RobustConstants()


def misfit(residual: np.ndarray, common: np.ndarray, share: float) -> np.ndarray:
    """χ² of each pixel, shape (P,).

    Parameters
    ----------
    residual : array, shape (V, P)
        Data minus model, in standard deviations of each map.
    common : array, shape (V,)
        Pattern over the maps of the errors that all of them have in common, of norm 1.
    share : float
        Their share of the variance along it: what lies along it counts for 1 − `share`.
    """
    return np.asarray((residual**2).sum(axis=0) - share * (common @ residual) ** 2)


def weights(chi2: np.ndarray, maps: int) -> np.ndarray:
    """Student-t weight of each pixel by its χ² of so many maps, shape (P,), but next to none for an outlier."""
    ratio = chi2 / max(float(np.median(chi2)), 1e-9)
    dof = ROBUST.student_dof
    weight = np.minimum(1, (dof + maps) / (dof + maps * ratio))
    return np.where(ratio > ROBUST.outlier_ratio, ROBUST.lost, weight)
