"""The Cramér-Rao bound: no unbiased estimator places a scatterer better than this.

Positions are wanted; at every voltage the amplitude and phase of each scatterer's wave and the mean are
nuisances. With D the derivative of the map by the positions and P the projection that removes {1, Re H₀², Im
H₀² of every scatterer},

    J = Σ_v D_vᵀ P_v D_v / σ_v²,   bound = (J⁻¹)

summed over voltages. The tip's height jitters: a pixel's whole spectrum ρ is multiplied by 1 + j, which is noise,
too, of covariance τ² ρ ρᵀ over the voltages of that pixel. Its part of J is taken away (Woodbury's identity, with P_v
as for white noise, which leaves J too large and the bound, if anything, too low). The derivative is that of the full
multiple-scattering map, written out: with g = T h, ∂ρ/∂r_a = 2 Re g_a (∂h_a + Σ_j ∂H_aj g_j). The voltages count as
independent: an estimator that uses the slow change of the phase with energy may do better. White noise and jitter
count; rows, drift, tip changes and the herringbone do not, so that the bound is low for a field that has them. Core
pixels are left out: they follow no law.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr
from scipy.spatial import KDTree
from scipy.special import hankel1

from friedel.benchmark.instrument import nearest, pixels
from friedel.benchmark.synthetic import REPLACED_NM, SyntheticField
from friedel.benchmark.t_matrix_exact import Places, Radial, distances, t_matrix

#: Standard deviation of what is known of a position beforehand [px]: it keeps outsiders from making J singular.
PRIOR_PX = 20.0
#: Relative change of a pixel's spectrum by a picometre of jitter (`friedel.benchmark.instrument.measure`).
JITTER = 0.022
#: A scatterer is isolated if no other is nearer than this many half wavelengths: from there on the bound of a pair is
#: that of a single one.
ISOLATED = 0.75


def position_bound(field: SyntheticField, border_px: float = 1.0, voltages: int = 24) -> np.ndarray:
    """Bound of each true position that `SyntheticField.truth` lists.

    Parameters
    ----------
    field : SyntheticField
    border_px : float
        As in `SyntheticField.truth`.
    voltages : int
        J is summed over at most so many voltages, evenly chosen, and scaled up: it is smooth in energy.

    Returns
    -------
    array, shape (n,)
        √(σ_row² + σ_column²) [px], to be compared with a root mean square distance.
    """
    points = field.scatterers.position
    if len(points) == 0:
        return np.zeros(0)
    place = pixels(field.setting.shape)
    place = place[usable(field)]
    information = np.eye(2 * len(points)) / PRIOR_PX**2
    count = len(field.k)
    chosen = np.unique(np.linspace(0, count - 1, min(voltages, count)).round().astype(int))
    away, between = Places(distances(place, points)), distances(points, points)
    common = np.zeros((len(place), 2 * len(points)))
    power = np.zeros(len(place))
    for v in chosen:
        spectrum, slopes = _slopes(place, points, away, between, field.k[v], field.amplitude[v])
        weight = count / len(chosen) / field.noise[v] ** 2
        information += weight * slopes.T @ slopes
        jitter = JITTER * field.setting.jitter_pm * spectrum
        common += weight * jitter[:, None] * slopes
        power += weight * jitter**2
    information -= common.T @ (common / (1 + power)[:, None])
    variance = np.diag(np.linalg.inv(information))
    wanted = field.truth(border_px)[0]
    index = KDTree(points).query(wanted)[1]
    result: np.ndarray = np.sqrt(variance[: len(points)] + variance[len(points) :])[index]
    return result


def isolated(field: SyntheticField, border_px: float = 1.0) -> np.ndarray:
    """Which true positions have no neighbour within `ISOLATED` half wavelengths, shape (n,)."""
    wanted, points = field.truth(border_px)[0], field.scatterers.position
    if len(points) < 2:
        return np.ones(len(wanted), bool)
    reach = ISOLATED * np.pi / float(np.mean(field.k.real))
    result: np.ndarray = KDTree(points).query(wanted, k=2)[0][:, 1] > reach
    return result


def usable(field: SyntheticField) -> np.ndarray:
    """Pixels outside all cores, flat."""
    shape, points = field.setting.shape, field.scatterers.position
    if field.setting.cores == "replaced":
        return (nearest(shape, points) > REPLACED_NM / field.setting.pixel_nm).ravel()
    usable = np.ones(shape[0] * shape[1], bool)
    tree = KDTree(pixels(shape))
    for near in tree.query_ball_point(points, field.core_px):
        usable[near] = False
    return usable


def _slopes(
    place: np.ndarray,
    points: np.ndarray,
    away: Places,
    between: np.ndarray,
    k: complex,
    amplitude: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """ρ/ρ₀ of one map, (P,), and its derivative without the nuisances, PD: all rows first, then columns, (P, 2N)."""
    n = len(points)
    table = Radial(k, away.reach)
    h, h1 = table(away), table(away, order=1)
    matrix = t_matrix(between, k, amplitude)
    g = h @ matrix.astype(np.complex64)
    apart = between + np.eye(n)
    radial = -k * hankel1(1, k * apart) * (1 - np.eye(n))
    derivative = np.empty((len(place), 2 * n))
    for axis in range(2):
        toward = (points[:, axis] - place[:, axis, None]) / np.maximum(
            np.hypot(*_differences(place, points)), 0.1
        )
        own = -np.complex64(k) * h1 * toward.astype(np.float32)
        others = radial * (points[:, None, axis] - points[None, :, axis]) / apart
        derivative[:, axis * n : (axis + 1) * n] = (2 * g * (own + g @ others.T.astype(np.complex64))).real
    square = h**2
    nuisance = np.concatenate([np.ones((len(place), 1)), square.real, square.imag], axis=1).astype(float)
    basis = qr(nuisance, mode="economic", overwrite_a=True, check_finite=False)[0]
    derivative -= basis @ (basis.T @ derivative)
    density = 1 + np.einsum("pn,pn->p", g, h).real.astype(float)
    return density, derivative


def _differences(place: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points[:, 0] - place[:, :1], points[:, 1] - place[:, 1:]
