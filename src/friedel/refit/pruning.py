"""Which scatterers of a fit to prune, and which of its points to accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from friedel.refit.robust import ROBUST
from friedel.refit.source_search import in_field

if TYPE_CHECKING:
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState


@dataclass(frozen=True)
class DecisionConstants:
    """Numbers by which a refit decides.

    Parameters
    ----------
    min_prior_sigma_px : float
        Least prior standard deviation of a position: a network's σ comes from the same data, and has outliers.
    held_sigma_px : float
        The same of a position that is held.
    max_move_px, max_move_sigmas, certain_px : float
        A point that would move by more than `max_move_px`, or by more than so many prior standard deviations unless the
        fit gives its position to `certain_px`, stays where it was.
    min_distance_px : float
        Of two points nearer than this the one of less Δχ² is pruned.
    doubtful_weight, clear_ratio : float
        What the Δχ² of a doubtful point counts beside that of a confident one; the Δχ² of a clear scatterer over the
        median of the confident ones.
    min_fitting_share, ring_px, min_share : float
        A point that moves needs this share of fitting pixels around its core, out to `ring_px`; the least share by
        which its σ is widened.
    min_pixels : int
        Pixels outside all cores that a fit needs.
    converged_px, converged_amplitude : float
        Move, and relative change of the median amplitude, below which a fit has converged.
    min_amplitude : float
        Amplitude below which a doubtful scatterer is pruned.
    min_delta_chi2 : float
        Δχ² per energy coefficient below which it is pruned in the middle of a fit: beside an impurity it takes a part
        of the wave, and biases both.
    min_delta_chi2_outside : float
        Δχ² below which a scatterer outside the field is left out of the final iteration.
    shared_from : int
        First iteration that fits wavevector, drift and row gains.
    stop_below : float
        Explained share of the structure below which the fit stops after that iteration.
    """

    min_prior_sigma_px: float = 0.3
    held_sigma_px: float = 1e-4
    max_move_px: float = 2.0
    max_move_sigmas: float = 2.0
    certain_px: float = 0.2
    min_distance_px: float = 1.0
    doubtful_weight: float = 0.3
    clear_ratio: float = 0.1
    min_fitting_share: float = 0.4
    ring_px: float = 2.5
    min_share: float = 0.05
    min_pixels: int = 64
    converged_px: float = 0.004
    converged_amplitude: float = 0.002
    min_amplitude: float = 0.15
    min_delta_chi2: float = 7.5
    min_delta_chi2_outside: float = 30.0
    shared_from: int = 2
    stop_below: float = 0.2


DECISIONS = DecisionConstants()


def to_prune(data: FitData, state: FitState, delta_chi2: np.ndarray, *, early: bool = False) -> np.ndarray:
    """Indices of weak doubtful scatterers, and of two closer than atoms sit the one of less Δχ².

    `early`, two clear ones may still separate, and a scatterer of hardly any Δχ² must not bias the others.
    """
    c, s = DECISIONS, state.scatterers
    inside, confident, given = in_field(s.position, data.mask), state.confident, s.number >= 0
    weak = np.abs(s.coefficients[:, 0]) < c.min_amplitude
    if early:
        weak |= delta_chi2 < c.min_delta_chi2 * data.n_coefficients
    gone = ~confident & (inside | given) & weak
    clear = float(c.clear_ratio * np.median(delta_chi2[confident])) if confident.any() else np.inf
    weight = delta_chi2 * np.where(confident, 1, np.where(given, c.doubtful_weight, 0))
    for pair in KDTree(s.position).query_pairs(c.min_distance_px):
        if gone[list(pair)].any():
            continue
        less = min(pair, key=lambda i: weight[i])
        apart = np.hypot(*(s.position[pair[0]] - s.position[pair[1]]))
        gone[less] = not early or apart < c.min_distance_px / 2 or weight[less] < clear
    return np.flatnonzero(gone)


def consistent(
    data: FitData, state: FitState, width: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the given points to accept, and by how much their σ is too small; all have the shape (n,).

    Where few of the pixels around a point fit the model, as beside a large core, its position is known less well than
    the curvature says, and a point that has moved by more than `width` [px] is not accepted.
    """
    c, s, count = DECISIONS, state.scatterers, state.scatterers.given
    move = np.hypot(*(s.position[:count] - s.start[:count]).T)
    good = (move <= c.max_move_px) & ((move <= c.max_move_sigmas * width) | (sigma <= c.certain_px))
    share = np.zeros(count)
    fits = state.errors.weight[state.used] > ROBUST.fitting
    radius = s.core[:count] + c.ring_px
    around = KDTree(data.pixels[state.used]).query_ball_point(s.position[:count], radius)
    for i, near in enumerate(around):
        if len(near) >= 4:
            share[i] = fits[near].mean()
    good &= (share >= c.min_fitting_share) | (move <= width)
    return good, 1 / np.sqrt(np.clip(share, c.min_share, 1))
