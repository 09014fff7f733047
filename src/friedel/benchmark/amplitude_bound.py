"""Cramér-Rao bound of the scattering amplitudes, from the exact simulator by finite differences.

It shares nothing with the refit: `friedel.benchmark.t_matrix_exact` gives the maps at the true parameters and at
parameters that are changed a little, one after the other. Unknown are positions and amplitudes s(e) = c₀ + c₁ e of all
scatterers, the scale of every map and an offset per row and map. With J_v the change of map v by positions and
amplitudes, P_v the projection that removes row offsets and the map itself, and σ_v its white noise,

    N = Σ_v J_vᵀ P_v J_v / σ_v²,   covariance ≥ N⁻¹.

The jitter of the tip's height multiplies the spectrum of a pixel. Its part is taken away as in
`friedel.benchmark.cramer_rao`. The herringbone, drift and tip changes do not count, and core pixels are left out. Only
multiple scattering tells the common scale of the amplitudes, so that a lone scatterer's |s| has no bound but its prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.benchmark.cramer_rao import JITTER, PRIOR_PX, usable
from friedel.benchmark.instrument import pixels
from friedel.benchmark.t_matrix_exact import Places, Radial, distances, t_matrix

if TYPE_CHECKING:
    from friedel.benchmark.synthetic import SyntheticField

#: Prior standard deviation of the parts of an amplitude: it keeps what no pixel sees from making N singular.
PRIOR_AMPLITUDE = 2.0
#: Steps of the differences: of a position [px] and of an amplitude.
STEP_PX, STEP_AMPLITUDE = 0.02, 0.01
#: Scatterers farther outside the field than this are held at their true parameters [px].
REACH_PX = 6.0
#: Of so many pixels one is summed over.
PIXELS = 2


@dataclass(frozen=True, eq=False)
class AmplitudeBound:
    """Bound of the amplitudes of some scatterers.

    Parameters
    ----------
    index : array of int, shape (n,)
        Which scatterers of the field.
    coefficients : array of complex, shape (n, 2)
        True c₀ and c₁.
    covariance : array, shape (n, 4, 4)
        Of Re c₀, Im c₀, Re c₁, Im c₁.
    """

    index: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray


def amplitude_bound(field: SyntheticField, voltages: int = 5) -> AmplitudeBound:
    """Bound of the amplitudes of all scatterers in the field and just outside.

    Parameters
    ----------
    field : SyntheticField
        Of point scatterers.
    voltages : int
        N is summed over at most so many voltages, evenly chosen, and every second pixel, and scaled up: it is smooth.
    """
    shape, points = np.array(field.setting.shape), field.scatterers.position
    beyond = np.maximum(-0.5 - points, points - shape + 0.5).max(axis=1, initial=-np.inf)
    index = np.flatnonzero(beyond < REACH_PX)
    n, count = len(index), len(field.k)
    checks = pixels(field.setting.shape).sum(axis=1) % PIXELS == 0
    seen = np.flatnonzero(usable(field) & checks)
    place, rows = pixels(field.setting.shape)[seen], seen // field.setting.shape[1]
    energy = _energy(field)
    chosen = np.unique(np.linspace(0, count - 1, min(voltages, count)).round().astype(int))
    prior = np.repeat([PRIOR_PX, PRIOR_AMPLITUDE, PRIOR_AMPLITUDE], 2 * n) ** -2.0
    information, common = np.diag(prior), np.zeros((len(place), 6 * n))
    power = np.zeros(len(place))
    for v in chosen:
        density, change = _changes(field, place, index, int(v))
        columns = np.concatenate([change, energy[v] * change[:, 2 * n :]], axis=1)
        columns = _projected(columns, density, rows)
        weight = count / len(chosen) / field.noise[v] ** 2
        information += PIXELS * weight * columns.T @ columns
        jitter = JITTER * field.setting.jitter_pm * (1 + density)
        common += weight * jitter[:, None] * columns
        power += weight * jitter**2
    information -= PIXELS * common.T @ (common / (1 + power)[:, None])
    covariance = np.linalg.inv(information)
    block = np.arange(n)[:, None] + n * np.arange(2, 6)
    middle = np.array([np.interp(0, energy, part) for part in field.amplitude[:, index].T])
    slope = np.array([np.polyfit(energy, part, 1)[0] for part in field.amplitude[:, index].T])
    return AmplitudeBound(
        index, np.stack([middle, slope], axis=1), covariance[block[:, :, None], block[:, None, :]]
    )


def _energy(field: SyntheticField) -> np.ndarray:
    """Energy e of each voltage, linear in Re k, from −1 to 1, shape (V,)."""
    k = field.k.real
    return np.asarray((k - k.mean()) / max(float(np.ptp(k)) / 2, 1e-12))


def _changes(
    field: SyntheticField, place: np.ndarray, index: np.ndarray, v: int
) -> tuple[np.ndarray, np.ndarray]:
    """Map v, (P,), and its changes by rows, columns, Re s and Im s of the scatterers `index`, (P, 4 n)."""
    points, amplitude, k = field.scatterers.position, field.amplitude[v], field.k[v]
    away = Places(distances(place, points))
    table = Radial(k, away.reach + 1)
    waves, between = table(away), distances(points, points)

    def density(h: np.ndarray, apart: np.ndarray, s: np.ndarray) -> np.ndarray:
        matrix = t_matrix(apart, k, s).astype(np.complex64)
        return np.asarray(np.einsum("pn,pn->p", h @ matrix, h).real, float)

    out = np.empty((len(place), 4, len(index)))
    for column, one in enumerate(index):
        for axis in range(2):
            sides = []
            for sign in (1, -1):
                moved, h = points.copy(), waves.copy()
                moved[one, axis] += sign * STEP_PX
                h[:, one] = table(Places(distances(place, moved[one : one + 1])))[:, 0]
                sides.append(density(h, distances(moved, moved), amplitude))
            out[:, axis, column] = (sides[0] - sides[1]) / (2 * STEP_PX)
        for part, step in enumerate((STEP_AMPLITUDE, 1j * STEP_AMPLITUDE)):
            sides = []
            for sign in (1, -1):
                changed = amplitude.copy()
                changed[one] += sign * step
                sides.append(density(waves, between, changed))
            out[:, 2 + part, column] = (sides[0] - sides[1]) / (2 * STEP_AMPLITUDE)
    return density(waves, between, amplitude), out.reshape(len(place), -1)


def _projected(columns: np.ndarray, density: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The columns, (P, m), without an offset per row and without the map itself."""
    both = np.column_stack([density, columns])
    count = np.bincount(rows)
    for row in np.flatnonzero(count):
        both[rows == row] -= both[rows == row].mean(axis=0)
    unit = both[:, 0] / max(float(np.linalg.norm(both[:, 0])), 1e-12)
    rest = both[:, 1:]
    return np.asarray(rest - np.outer(unit, unit @ rest))
