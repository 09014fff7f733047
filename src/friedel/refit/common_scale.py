"""The common scale of the amplitudes, freed of the prior.

Every map has a free scale, so that the common scale λ of all amplitudes is known from multiple scattering alone. The
priors of N scatterers, each of which is weak, together pull it. For normal priors of inverse variances P and means μ
the force is F = −uᵀP(s − μ) along u = s, which makes |s| some per cent too small. The prior's part along u is taken
out; what is left of it is the inverse variance 1/τ² of λ. With w = P u::

    N' = N − (1 − 1/(τ² uᵀPu)) w wᵀ/(uᵀPu),     s' = s + N'⁻¹ w uᵀP(s − μ)/(uᵀPu)

N'⁻¹ follows from N⁻¹ by the formula of Sherman and Morrison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CommonScaleConstants:
    """Numbers of the common scale.

    Parameters
    ----------
    sigma : float
        Relative prior standard deviation τ of the common scale: it keeps the scale where hardly any wave is scattered
        twice.
    max_change : float
        Largest relative change.
    """

    sigma: float = 0.3
    max_change: float = 0.3


COMMON_SCALE = CommonScaleConstants()


@dataclass(frozen=True, eq=False)
class FreedAmplitudes:
    """Amplitudes without the prior's pull on their common scale.

    Parameters
    ----------
    change : array, shape (m,)
        By which the parameters change.
    covariance : array, shape (m, m)
    """

    change: np.ndarray
    covariance: np.ndarray


def free_common_scale(
    covariance: np.ndarray, values: np.ndarray, tightness: np.ndarray, distance: np.ndarray
) -> FreedAmplitudes:
    """Take the prior of the common scale out of a fit.

    Parameters
    ----------
    covariance : array, shape (m, m)
        N⁻¹ of the amplitudes, all other parameters profiled.
    values, tightness, distance : array, shape (m,)
        s, the diagonal of P, and s − μ.
    """
    weighted = tightness * values  # w
    total = float(values @ weighted)  # uᵀPu
    nothing = FreedAmplitudes(np.zeros(len(values)), covariance)
    if total <= COMMON_SCALE.sigma**-2:
        return nothing
    share = (1 - COMMON_SCALE.sigma**-2 / total) / total
    through = covariance @ weighted
    left = 1 - share * float(weighted @ through)
    if left <= 0:
        return nothing
    freed = covariance + share / left * np.outer(through, through)
    change = freed @ weighted * float(weighted @ distance) / total
    limit = COMMON_SCALE.max_change * np.sqrt(float(values @ values))
    change *= min(1.0, limit / max(float(np.sqrt(change @ change)), 1e-12))
    return FreedAmplitudes(change, freed)
