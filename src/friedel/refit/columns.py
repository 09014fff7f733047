"""What the fit says of each scatterer, as columns of the table.

With the complex scattering amplitude s(e) = c₀ + c₁ e of a scatterer, e = (Re k − k_m)/k_h, and the S-matrix element
z = 1 + 2 s = e^{2iδ}, at the middle of the energies (e = 0)::

    amplitude     |s|                    phase_rad                     arg s
    phase shift   Re δ = ½ arg z         phase_shift_slope_per_ev      dδ/dE = Im(c₁/z)·de/dE
    absorption    1 − |z|²

with de/dE = k_m / (2 (E − E₀) k_h) for a parabolic band. Standard deviations are propagated linearly from the
covariance
of Re c₀, Im c₀, Re c₁, Im c₁. The definitions are those of Fiete and Heller, Rev. Mod. Phys. 75, 933 (2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from friedel.detections import FIT_COLUMNS
from friedel.physics.dispersion import WAVEVECTOR_PER_SQRT_EV, Dispersion
from friedel.refit.flags import PointFlag
from friedel.refit.joint_fit.unknowns import FIT

if TYPE_CHECKING:
    from friedel.refit.fitted import Estimates, Fitted


@dataclass(frozen=True)
class FlagConstants:
    """Limits of the flags.

    Parameters
    ----------
    half_wavelengths : float
        A point nearer to the border than this has the flag BORDER.
    own_share : float
        A point with a smaller one has the flag CROWDED.
    moved_px : float
        A point that has moved by more has the flag MOVED.
    max_amplitude : float
        A larger one has the flag OUTSIDE_PRIOR: |s| ≤ 1 for every scatterer that creates no electrons.
    explained : float
        A point with a smaller explained share has the flag UNEXPLAINED.
    p_wave_delta_chi2, p_wave_share : float
        A point at which a p wave would explain more than both has the flag NOT_S_WAVE, and every point of a field of
        such points.
    same_px : float
        What the fits of neighbouring tiles put nearer together than this is one scatterer.
    bad_px : float
        A point nearer than this to the middle of a pixel of the field without data has the flag BAD_DATA.
    """

    half_wavelengths: float = 1.0
    own_share: float = 0.3
    moved_px: float = 1.0
    max_amplitude: float = 1.0
    explained: float = 0.5
    p_wave_delta_chi2: float = 25.0
    p_wave_share: float = 0.35
    same_px: float = 0.5
    bad_px: float = 1.0


FLAGS = FlagConstants()


@dataclass(frozen=True, eq=False)
class Phases:
    """Amplitude, phase, phase shift and absorption of n scatterers with their standard deviations, each of shape (n,).

    Parameters
    ----------
    amplitude, phase, shift, shift_slope, absorption : array
        |s|, arg s [rad], Re δ [rad], dδ/de [rad], 1 − |e^{2iδ}|².
    sigma : array, shape (n, 5)
        Standard deviations in the same order.
    """

    amplitude: np.ndarray
    phase: np.ndarray
    shift: np.ndarray
    shift_slope: np.ndarray
    absorption: np.ndarray
    sigma: np.ndarray


def phases(coefficients: np.ndarray, covariance: np.ndarray) -> Phases:
    """Phase shifts from energy coefficients.

    Parameters
    ----------
    coefficients : array of complex, shape (n, C)
        C is 1 or 2.
    covariance : array, shape (n, 2 C, 2 C)
        Of real and imaginary part of each coefficient, in this order.
    """
    n, count = coefficients.shape
    s = coefficients[:, 0]
    slope = coefficients[:, 1] if count > 1 else np.zeros(n, complex)
    z, size = 1 + 2 * s, np.maximum(np.abs(s), 1e-12)
    inverse = 1 / np.where(np.abs(z) > 1e-12, z, 1e-12)
    gradient = np.zeros((n, 5, 2 * count))
    gradient[:, 0, :2] = np.stack([s.real, s.imag], axis=1) / size[:, None]
    gradient[:, 1, :2] = np.stack([-s.imag, s.real], axis=1) / size[:, None] ** 2
    gradient[:, 2, :2] = np.stack([inverse.imag, inverse.real], axis=1)
    gradient[:, 4, :2] = -4 * np.stack([z.real, z.imag], axis=1)
    if count > 1:
        bend = -2 * slope * inverse**2
        gradient[:, 3, :2] = np.stack([bend.imag, bend.real], axis=1)
        gradient[:, 3, 2:4] = np.stack([inverse.imag, inverse.real], axis=1)
    variance = np.einsum("nai,nij,naj->na", gradient, covariance, gradient)
    return Phases(
        amplitude=np.abs(s),
        phase=np.angle(s),
        shift=np.angle(z) / 2,
        shift_slope=(slope * inverse).imag,
        absorption=1 - np.abs(z) ** 2,
        sigma=np.sqrt(np.maximum(variance, 0)),
    )


def fit_columns(
    fitted: Fitted, point: np.ndarray, start: np.ndarray, mask: np.ndarray, per_ev: float
) -> pd.DataFrame:
    """The columns of `FIT_COLUMNS` for the rows of a table.

    Parameters
    ----------
    fitted : Fitted
    point : array of int, shape (n,)
        Index of each row among the points of `fitted`, −1 where it was not fitted: its row is NaN, its flags 0.
    start : array, shape (m, 2)
        Positions that were given to the fit [px].
    mask : array of bool, shape (rows, columns)
        Pixels of the maps that were fitted.
    per_ev : float
        de/dE at the middle of the energies [1/eV].
    """
    known, every = point >= 0, fitted.estimates
    values = phases(every.coefficients, every.covariance)
    scale = np.array([1, 1, 1, abs(per_ev), 1])
    listed = {
        "amplitude": values.amplitude,
        "phase_rad": values.phase,
        "phase_shift_rad": values.shift,
        "phase_shift_slope_per_ev": values.shift_slope * per_ev,
        "absorption": values.absorption,
        "delta_chi2": every.delta_chi2,
        "inside_share": every.inside_share,
        "own_share": every.own_share,
    }
    for index, name in enumerate(list(listed)[:5]):
        listed[f"sigma_{name}"] = values.sigma[:, index] * scale[index]
    table = {name: np.full(len(point), np.nan) for name in listed}
    for name, column in listed.items():
        table[name][known] = column[point[known]]
    flags = np.zeros(len(point), int)
    flags[known] = point_flags(fitted, start, mask)[point[known]]
    return pd.DataFrame({**table, "flags": flags})[list(FIT_COLUMNS)]


def energy_scale(fitted: Fitted, band: Dispersion, pixel_nm: float) -> tuple[float, float]:
    """Energy above the onset at which phase shifts are given [eV], and de/dE there [1/eV].

    Parameters
    ----------
    fitted : Fitted
    band : Dispersion
    pixel_nm : float
        Pitch of the maps that were fitted.
    """
    k = fitted.k_middle / pixel_nm
    energy = float((k / WAVEVECTOR_PER_SQRT_EV) ** 2 / band.mass)
    return energy, fitted.k_middle / (2 * energy * fitted.k_half)


def point_flags(fitted: Fitted, start: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Flags of all points of a fit, (n,) int; parameters as `fit_columns`."""
    every: Estimates = fitted.estimates
    count = len(every)
    out = np.zeros(count, int)
    half = np.pi / fitted.k_middle
    border = np.minimum(every.position + 0.5, np.array(mask.shape) - 0.5 - every.position).min(
        axis=1, initial=np.inf
    )
    moved = np.zeros(count)
    moved[: len(start)] = np.hypot(*(every.position[: len(start)] - start).T)
    with np.errstate(invalid="ignore"):
        conditions = {
            PointFlag.KEPT: fitted.kept,
            PointFlag.ADDED: fitted.new,
            PointFlag.BORDER: border < FLAGS.half_wavelengths * half,
            PointFlag.CORE: (every.core > FIT.core_px) | beside_core(fitted),
            PointFlag.CROWDED: every.own_share < FLAGS.own_share,
            PointFlag.MOVED: moved > FLAGS.moved_px,
            PointFlag.OUTSIDE_PRIOR: np.abs(every.coefficients[:, 0]) > FLAGS.max_amplitude,
            PointFlag.UNEXPLAINED: every.explained < FLAGS.explained,
            PointFlag.NOT_S_WAVE: not_s_waves(every) | (not fitted.s_waves),
            PointFlag.BAD_DATA: beside_bad_data(every.position, mask),
        }
    for flag, where in conditions.items():
        out[np.asarray(where, bool)] |= int(flag)
    return out


def not_s_waves(estimates: Estimates) -> np.ndarray:
    """Scatterers around which an s wave does not explain the maps and a p wave would, (n,)."""
    with np.errstate(invalid="ignore"):
        clear = estimates.p_wave_delta_chi2 > FLAGS.p_wave_delta_chi2
        return np.asarray(clear & (estimates.p_wave_share > FLAGS.p_wave_share))


def beside_core(fitted: Fitted) -> np.ndarray:
    """Points that lie in the core mask of another scatterer of the fit, (n,)."""
    out = np.zeros(len(fitted.estimates), bool)
    if not fitted.tiles:
        return out
    place = np.concatenate([tile.position for tile in fitted.tiles])
    core = np.concatenate([tile.core for tile in fitted.tiles])
    if not len(place):
        return out
    tree, largest = KDTree(place), float(core.max())
    # Neighbouring tiles hold the same scatterer, fitted twice: what is nearer than two impurities can be is the same.
    for index, point in enumerate(fitted.positions):
        near = np.array(tree.query_ball_point(point, largest), int)
        away = np.hypot(*(place[near] - point).T)
        out[index] = bool(((away > FLAGS.same_px) & (away < core[near])).any())
    return out


def beside_bad_data(position: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Points next to a pixel of the field that was not fitted because it holds no data, (n,)."""
    bad = np.argwhere(~np.asarray(mask, bool))
    if not len(bad) or not len(position):
        return np.zeros(len(position), bool)
    return np.asarray(KDTree(bad).query(position)[0] < FLAGS.bad_px)
