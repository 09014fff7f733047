"""Steps of a joint fit by multiple scattering: positions, amplitudes and the surface's own parameters at once.

Every map is a_v (ρ_v − 1) + an offset per row, with ρ_v from `friedel.physics.t_matrix_jacobian`. Eliminated by
projection: a_v, the rows' offsets and, where there is a herringbone, its stripes. Fitted by Levenberg–Marquardt steps
on the normal equations: positions, complex scattering amplitudes linear in energy, and shared parameters. An error of a
pixel that all maps share (jitter of the height) is weighted down by its share of the variance; pixels that the model
does not explain (cores) by their χ².
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.robust import deviation
from friedel._util.threads import each
from friedel.physics.optical_paths import OpticalPaths, Ripple
from friedel.physics.t_matrix_jacobian import Hankel
from friedel.refit import cholesky, core_masks, robust
from friedel.refit.joint_fit.evaluation import equations, evaluate, select, wavevectors
from friedel.refit.joint_fit.state import Curvature, FitState, Subset
from friedel.refit.joint_fit.unknowns import FIT, Free

if TYPE_CHECKING:
    from friedel.refit.joint_fit.data import FitData


def begin(
    data: FitData,
    points: np.ndarray,
    spread: np.ndarray,
    confident: np.ndarray | None = None,
    device: str | None = None,
) -> FitState:
    """The state before the first step, cores masked; parameters as `FitState.start`, and the state's device."""
    state = FitState.start(data, points, spread, confident)
    state.device = device
    select(data, state)
    return state


def step(
    data: FitData, state: FitState, *, positions: bool = True, shared: bool = True, check: bool = True
) -> None:
    """One Levenberg–Marquardt step.

    Parameters
    ----------
    data : FitData
    state : FitState
        Changed.
    positions : bool
        Fit the positions; if not, all but the amplitudes is held, at a quarter of the cost.
    shared : bool
        Fit the shared parameters that are active; they cost as much as all others.
    check : bool
        Take only a step that lowers the cost; without, for when the next iteration uses other maps, any.
    """
    free = Free(positions, state.active if shared and positions else ())
    select(data, state)
    cost = evaluate(data, state, free).cost
    sums = equations(data, state, free)
    normal, gradient = sums.matrix, sums.gradient
    before, shared_before = state.scatterers, state.shared
    state.curvature = Curvature(sums, len(before), data.n_coefficients, state.device) if positions else None
    for _ in range(FIT.max_attempts):
        change = cholesky.solve(normal + np.diag(state.damping * np.diag(normal)), gradient, state.device)
        state.scatterers, state.shared = before, shared_before
        _move(state, change, free)
        if not check:
            return
        if evaluate(data, state, free).cost < cost:
            state.damping = max(state.damping * 0.3, 1e-5)
            return
        state.damping = max(state.damping * 6, 1e-3)
    state.scatterers, state.shared = before, shared_before
    state.damping = 1e-2
    evaluate(data, state, free)


def _move(state: FitState, change: np.ndarray, free: Free) -> None:
    """Change the parameters by a step of limited length."""
    s = state.scatterers
    n, n_coefficients = s.coefficients.shape
    first = 2 * n if free.positions else 0
    last = first + 2 * n * n_coefficients
    if free.positions:
        moves = np.clip(change[:first].reshape(2, n).T, -FIT.max_move_px, FIT.max_move_px)
        state.update(position=s.position + moves)
    parts = change[first:last].reshape(n_coefficients, 2, n)
    amplitudes = (parts[:, 0] + 1j * parts[:, 1]).T
    amplitudes *= np.minimum(1, FIT.max_amplitude_step / np.maximum(np.abs(amplitudes[:, :1]), 1e-9))
    state.update(coefficients=s.coefficients + amplitudes)
    values = {
        name: getattr(state.shared, name) + float(value)
        for name, value in zip(free.shared, change[last:], strict=True)
    }
    state.move_shared(values)


def subsample(data: FitData, state: FitState, maps: np.ndarray, pixels: np.ndarray | None = None) -> None:
    """Use these maps, by index, and these of the pixels, (P,) bool, until others are chosen."""
    subset = Subset(np.asarray(maps), np.ones(len(data.pixels), bool) if pixels is None else pixels)
    if subset.same_as(state.subset):
        return
    state.subset, state.curvature, state.binning_correction = subset, None, None
    select(data, state)
    state.used = np.flatnonzero(state.outside & subset.pixels)
    if state.scatterers.coefficients.any():
        evaluate(data, state)


def update_weights(data: FitData, state: FitState) -> None:
    """Robust noise of every map, share of the errors that all maps have in common, weights of the pixels."""
    before, v = state.used, state.subset.maps
    select(data, state)
    if state.used is not before:  # a pixel that comes out of a core needs a weight before it counts
        evaluate(data, state)
    errors = state.errors
    left = state.now().residual * errors.noise[v, None]
    noise, common, common_share = errors.noise.copy(), errors.common.copy(), errors.common_share
    noise[v] = np.maximum(deviation(left), 1e-3)
    left /= noise[v, None]
    direction = np.abs(state.scale[v] / noise[v])
    direction /= max(float(np.linalg.norm(direction)), 1e-12)
    if len(left) > 1:
        common[v] = direction
        common_share = max(0.0, 1 - 1 / max(float(deviation(direction @ left)) ** 2, 1.0))
    weight = np.ones(len(data.pixels))
    weight[state.used] = robust.weights(robust.misfit(left, direction, common_share), len(left))
    state.errors = replace(errors, noise=noise, common=common, common_share=common_share, weight=weight)


def pool_amplitudes(state: FitState) -> None:
    """Shrink amplitudes towards the median of the confident impurities (hierarchical prior)."""
    s = state.scatterers
    state.prior = state.prior.pooled(s.coefficients, s.number < 0)


def fit_cores(data: FitData, state: FitState) -> None:
    """Mask what belongs to cores and no more: with robust weights alone their rims bias the positions."""
    masked, errors = ~state.outside, state.errors
    # Cores must not bias scales and offsets.
    state.errors = replace(errors, weight=np.where(masked, robust.ROBUST.lost, errors.weight))
    state.update(core=np.full(len(state.scatterers), core_masks.CORES.min_px))
    select(data, state)
    residual = evaluate(data, state).residual
    chi2 = robust.misfit(residual, errors.common[state.subset.maps], errors.common_share)
    usual = max(float(np.median(chi2[~masked[state.used]])), 1e-9)
    radius = core_masks.fitted(state.scatterers.position, data.pixels[state.used], chi2 / usual)
    state.update(core=radius)


def drop_small_drift(state: FitState) -> None:
    """Leave the drift out for good if it is negligible: a map whose points do not move is far quicker to compute."""
    if "drift_row" in state.active and np.abs(state.shared.drift).max() < FIT.min_drift_px:
        state.active = tuple(name for name in state.active if not name.startswith("drift"))
        state.move_shared({"drift_row": 0.0, "drift_column": 0.0})


def adjust_gain(data: FitData, state: FitState) -> None:
    """Gain of every row: a tip that changes while it scans scales all that comes after."""
    rows, gain = data.pixels[state.used, 0].astype(int), state.errors.gain
    top, below = (np.bincount(rows, x, len(gain)) for x in state.now().gain_sums)
    gain = gain * (1 + (top + (1 - gain) / FIT.gain_variance) / (below + 1 / FIT.gain_variance))
    state.errors = replace(state.errors, gain=gain / gain.mean())


def guess_amplitudes(data: FitData, state: FitState) -> None:
    """Amplitudes from single scattering, with a scale that makes the typical one `FitConstants.typical_amplitude`."""
    position, v = state.scatterers.position, state.subset.maps
    paths = OpticalPaths(data.pixels[state.used].astype(np.float32), position.astype(np.float32), Ripple())
    reach = float(paths.length.max(initial=0)) + 1
    n, k = len(position), wavevectors(data, state)
    amplitude = np.zeros((len(v), n), complex)

    def fill(index: int) -> None:
        one = Hankel(k[v[index]], reach, data.blur[v[index]])(paths)[0] ** 2  # of each scatterer alone
        columns = np.concatenate([one.real, -one.imag, np.ones((len(one), 1), np.float32)], axis=1)
        values = data.values[v[index], state.used]
        normal = (columns.T @ columns).astype(float)
        normal += np.diag(np.r_[np.full(2 * n, 2.0 * max(float(np.var(values)), 1e-6)), 1e-6])
        fit = np.linalg.solve(normal, (columns.T @ values).astype(float))
        amplitude[index] = fit[:n] + 1j * fit[n : 2 * n]

    each(fill, range(len(amplitude)))
    typical = np.maximum(np.median(np.abs(amplitude), axis=1, keepdims=True), 1e-9)
    scaled = amplitude / (typical / FIT.typical_amplitude)
    coefficients = np.linalg.lstsq(data.basis[v], scaled, rcond=None)[0].T
    limit = np.minimum(1, FIT.max_amplitude / np.maximum(np.abs(coefficients[:, :1]), 1e-9))
    state.update(coefficients=coefficients * limit)
    evaluate(data, state)


def add_scatterers(state: FitState, places: np.ndarray) -> None:
    """Add scatterers at `places`, (n, 2) [px], that were not among the given points."""
    if not len(places):
        return
    state.curvature = state.binning_correction = None
    state.scatterers = state.scatterers.extended(places)
    state.prior = state.prior.extended(len(places))


def remove_scatterers(data: FitData, state: FitState, which: np.ndarray) -> None:
    """Take scatterers out of the model, by index."""
    if not len(which):
        return
    state.curvature = state.binning_correction = None
    state.scatterers = state.scatterers.without(which)
    state.prior = state.prior.without(which)
    evaluate(data, state)
