"""Standard deviations of the scattering amplitudes beyond the inverse information.

The inverse of the normal matrix takes the model to be true and the fit to be converged. On simulated fields with
disturbances (cores, row offsets, jitter, herringbone, scatterers outside) errors are larger, in two ways:

- each scatterer by itself: the covariance is multiplied by a factor;
- all scatterers together: the common scale of the amplitudes is fixed by multiple scattering alone, since every map has
  a free scale. What the model lacks there is an error in proportion to s, of the covariance τ² s sᵀ.

The numbers are measured on four fields per scene of the seeds from 7000 of ``benchmarks/phase_shift.py``, some 870
impurities of 28 fields for each refit; its tables are of other seeds. What is left of the bias of |s| counts as a part
of τ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AmplitudeErrors:
    """Measured errors of the amplitudes beyond the inverse information.

    Parameters
    ----------
    scale : float
        Factor of the standard deviations.
    common : float
        Relative standard deviation τ of the common scale.
    slope_scale : float
        Further factor of the standard deviations of the energy slopes.
    """

    scale: float = 1.0
    common: float = 0.0
    slope_scale: float = 1.0

    def covariance(self, coefficients: np.ndarray, information: np.ndarray) -> np.ndarray:
        """Covariance of real and imaginary part of each energy coefficient, shape (N, 2 C, 2 C).

        Parameters
        ----------
        coefficients : array of complex, shape (N, C)
        information : array, shape (N, 2 C, 2 C)
            Inverse of the normal matrix.
        """
        factor = np.full(information.shape[1], self.scale)
        factor[2:] *= self.slope_scale
        parts = np.stack([coefficients.real, coefficients.imag], axis=2).reshape(len(coefficients), -1)
        return np.asarray(
            information * np.outer(factor, factor) + self.common**2 * parts[:, :, None] * parts[:, None]
        )


#: By the name of the refit.
QUICK_AMPLITUDES = AmplitudeErrors(scale=1.23, common=0.027, slope_scale=0.82)
FULL_AMPLITUDES = AmplitudeErrors(scale=1.15, common=0.03)
