"""The phase shift of one scatterer as a function of energy, with its standard deviation.

With s(e) = c₀ + c₁ e, e = (Re k − k_m)/k_h, and z = 1 + 2 s = e^{2iδ}::

    Re δ(e) = ½ arg z(e),     ∂δ/∂(Re c₀, Im c₀, Re c₁, Im c₁) = (Im 1/z, Re 1/z, e Im 1/z, e Re 1/z)

The standard deviation is propagated linearly with the covariance of these four numbers. δ is known modulo π: the curve
is unwrapped from the middle of the energies, where it has the table's value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.errors import FriedelError

if TYPE_CHECKING:
    from friedel.refit.fitted_waves import FittedWaves

#: A point this near to a fitted scatterer is that scatterer [px of the fitted maps].
SAME_PX = 0.75


@dataclass(frozen=True, eq=False)
class PhaseCurve:
    """Phase shift against energy, V voltages.

    Parameters
    ----------
    bias_mv : array, shape (V,)
        Rising.
    shift, sigma : array, shape (V,)
        Re δ and its standard deviation [rad].
    """

    bias_mv: np.ndarray
    shift: np.ndarray
    sigma: np.ndarray


def phase_shift(
    coefficients: np.ndarray, covariance: np.ndarray, energy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Re δ of one scatterer and its standard deviation [rad], both of shape (V,).

    Parameters
    ----------
    coefficients : array of complex, shape (C,)
        C is 1 or 2.
    covariance : array, shape (2 C, 2 C)
        Of real and imaginary part of each coefficient, in this order.
    energy : array, shape (V,)
        On the scale of the energy coefficients, rising.
    """
    powers = energy[:, None] ** np.arange(len(coefficients))
    z = 1 + 2 * (powers @ coefficients)
    inverse = 1 / np.where(np.abs(z) > 1e-12, z, 1e-12)
    gradient = np.stack([inverse.imag, inverse.real], axis=1)
    gradient = (powers[:, :, None] * gradient[:, None]).reshape(len(energy), -1)
    variance = np.einsum("vi,ij,vj->v", gradient, covariance, gradient)
    shift = np.unwrap(np.angle(z)) / 2
    middle = np.abs(energy).argmin() if len(energy) else 0
    shift += np.pi * np.round((np.angle(z[middle]) / 2 - shift[middle]) / np.pi) if len(energy) else 0.0
    return shift, np.sqrt(np.maximum(variance, 0))


def phase_curve(waves: FittedWaves, row: float, column: float) -> PhaseCurve:
    """The curve of the fitted scatterer at a place.

    Parameters
    ----------
    waves : FittedWaves
    row, column : float
        Where it is [px of the searched area].

    Raises
    ------
    FriedelError
        If no scatterer with a fitted amplitude lies there.
    """
    fitted, k = waves.fitted, waves.k.real
    every = fitted.estimates
    place = waves.scaling.to_new(np.array([[row, column]], float))[0]
    away = np.hypot(*(every.position - place).T)
    known = np.isfinite(every.coefficients[:, 0])
    away = np.where(known, away, np.inf)
    if not len(away) or away.min() > SAME_PX:
        raise FriedelError("The fit has no amplitude for this point: it was left out, or lies elsewhere.")
    index = int(away.argmin())
    order = np.argsort(waves.bias_mv, kind="stable")
    energy = (k[order] - fitted.k_middle) / fitted.k_half
    rising = np.argsort(energy, kind="stable")
    values = phase_shift(every.coefficients[index], every.covariance[index], energy[rising])
    back = np.argsort(rising, kind="stable")
    return PhaseCurve(np.asarray(waves.bias_mv, float)[order], values[0][back], values[1][back])
