"""The reference map: bound states that scatterers split off below the band edge.

At the onset of the surface band a scatterer may bind a state ψ ∼ K₀(κr), κ = √(2m*|E_b|)/ħ; its LDOS |ψ|² marks the
impurity with a bright spot a few pixels wide. Not every scatterer binds one (cond-mat/0405397, cond-mat/0512616), so a
reference map is itself incomplete.
"""

from __future__ import annotations

import numpy as np
from scipy.special import k0

from friedel.physics.dispersion import WAVEVECTOR_PER_SQRT_EV


def decay_constant(mass: float, binding_mev: float) -> float:
    """κ of a bound state.

    Parameters
    ----------
    mass : float
        Effective mass in electron masses.
    binding_mev : float
        Binding energy |E_b| below the onset [meV].

    Returns
    -------
    float
        κ [nm⁻¹].
    """
    return WAVEVECTOR_PER_SQRT_EV * float(np.sqrt(abs(mass) * binding_mev * 1e-3))


def bound_state_map(
    points: np.ndarray,
    shape: tuple[int, int],
    kappa: float | np.ndarray,
    weights: np.ndarray,
    *,
    core: float = 1.0,
) -> np.ndarray:
    """LDOS of the bound states.

    Parameters
    ----------
    points : array, shape (n, 2)
        Row and column of each scatterer [px].
    shape : (int, int)
        Rows and columns of the map.
    kappa : float or array, shape (n,)
        Decay constant [1/px].
    weights : array, shape (n,)
        Peak height of each state; 0 for a scatterer that binds none.
    core : float
        Radius over which the logarithmic divergence of K₀ is smeared [px].

    Returns
    -------
    array, shape `shape`
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    kappa = np.broadcast_to(np.asarray(kappa, dtype=float), (len(points),))
    out = np.zeros(shape)
    for (row, column), decay, weight in zip(points, kappa, weights, strict=True):
        r = np.sqrt((rows - row) ** 2 + (columns - column) ** 2 + core**2)
        out += weight * (k0(decay * r) / k0(decay * core)) ** 2
    return out
