"""The iterations of a refit in the order of its schedule, and the final one after model selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from friedel.progress import Progress, share
from friedel.refit.common_scale import free_common_scale
from friedel.refit.fitted import Estimates
from friedel.refit.goodness import Goodness, goodness
from friedel.refit.herringbone import HERRINGBONE, iter_ripple
from friedel.refit.information import inside_shares, own_shares
from friedel.refit.joint_fit.evaluation import correct_binning
from friedel.refit.joint_fit.step import (
    add_scatterers,
    adjust_gain,
    drop_small_drift,
    fit_cores,
    guess_amplitudes,
    pool_amplitudes,
    remove_scatterers,
    step,
    subsample,
    update_weights,
)
from friedel.refit.pruning import DECISIONS, to_prune
from friedel.refit.source_search import by_residual, by_score_test, in_field

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.refit.error_model import AmplitudeErrors
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState
    from friedel.refit.joint_fit.unknowns import Scatterers
    from friedel.refit.p_waves import PWaves
    from friedel.refit.schedules import Iteration, Schedule


def iterate(
    data: FitData, state: FitState, schedule: Schedule, pixel_nm: float | None
) -> Generator[Progress, None, bool]:
    """Amplitudes first, then everything; scatterers outside and the herringbone are added between.

    Returns
    -------
    bool
        False if it was stopped, because the waves explain next to nothing of the structure in the maps.
    """
    total = len(schedule.iterations)
    for number, iteration in enumerate(schedule.iterations):
        before = state.scatterers
        _fit_once(data, state, iteration, number)
        yield Progress((number + 0.7) / total, f"refit: {len(state.scatterers)} scatterers")
        if number >= DECISIONS.shared_from:
            adjust_gain(data, state)
        if number == DECISIONS.shared_from and goodness(data, state).explained < DECISIONS.stop_below:
            return False
        if iteration.shared:
            drop_small_drift(state)
        if iteration.cores:
            fit_cores(data, state)
        if iteration.prune:
            remove_scatterers(data, state, to_prune(data, state, state.delta_chi2(), early=True))
            if not state.scatterers.given:
                return True
            continue
        if iteration.search is not None:
            search = by_score_test if schedule.score_test else by_residual
            add_scatterers(state, search(data, state, schedule.max_added, iteration.search))
        if iteration.ripple and pixel_nm is not None:
            work = _add_ripple(data, state, schedule, pixel_nm)
            yield from share(work, (number + 0.7) / total, (number + 1) / total)
        if (
            _uses_everything(data, state, iteration)
            and state.settled
            and _converged(before, state.scatterers)
        ):
            break
    if not state.settled:
        step(data, state)
    return True


def _converged(before: Scatterers, now: Scatterers) -> bool:
    """Whether the last step changed neither positions nor, on the whole, the amplitudes.

    The common scale of the amplitudes converges last: to first order the scales of the maps take its place.
    """
    given = now.given
    moved = np.abs(now.position[:given] - before.position[:given]).max()
    size = [np.median(np.abs(one.coefficients[:given, 0])) for one in (before, now)]
    return bool(
        moved < DECISIONS.converged_px and abs(size[1] - size[0]) < DECISIONS.converged_amplitude * size[1]
    )


def _fit_once(data: FitData, state: FitState, iteration: Iteration, number: int) -> None:
    """Subset, weights and step of one iteration."""
    subsample(data, state, *iteration.subset(number, len(data.k), data.pixels))
    if number == 0:
        guess_amplitudes(data, state)
    update_weights(data, state)
    if number == DECISIONS.shared_from:
        state.active = ("k", "im_k", *(("drift_row", "drift_column") if len(data.k) > 2 else ()))
    if iteration.pool_amplitudes:
        pool_amplitudes(state)
    if iteration.unbinned:
        correct_binning(data, state)
    check = iteration.check or _uses_everything(data, state, iteration)
    step(data, state, positions=iteration.positions, shared=iteration.shared, check=check)


def _uses_everything(data: FitData, state: FitState, iteration: Iteration) -> bool:
    return len(state.subset.maps) == len(data.k) and iteration.pixel_stride == 1


def _add_ripple(
    data: FitData, state: FitState, schedule: Schedule, pixel_nm: float
) -> Generator[Progress, None, None]:
    """Search for a herringbone, and fit it from now on if there is one."""
    ripple = yield from iter_ripple(data, state, 2 * np.pi / HERRINGBONE.period_nm * pixel_nm)
    if ripple is None:
        return
    amplitudes = {"cosine": ripple.cosine, "sine": ripple.sine}
    wavevector = {"q_row": ripple.q[0], "q_column": ripple.q[1]}
    state.move_shared(amplitudes | wavevector)
    state.shared_mean = state.shared_mean.with_values(wavevector)
    state.active += (*amplitudes, *(wavevector if schedule.fit_ripple_wavevector else ()))


def run_final_iteration(
    data: FitData,
    state: FitState,
    schedule: Schedule,
    supported: np.ndarray,
    fit: Goodness,
    beside: PWaves,
) -> Estimates:
    """Estimates of all scatterers after one more iteration, without those that are not supported.

    Model selection is done: Δχ² keeps its value, and weak scatterers outside the field are dropped, which makes
    the last iteration inexpensive. The previous estimates stay where it would still be expensive.
    """
    iteration = schedule.final_iteration
    estimates = _estimates(data, state, (schedule.sigma_scale, schedule.amplitude_errors), fit, beside)
    s = state.scatterers
    strong = estimates.delta_chi2 > DECISIONS.min_delta_chi2_outside
    counts = supported & ((s.number >= 0) | in_field(s.position, data.mask) | strong)
    if iteration is None or not (s.number[counts] >= 0).any():
        return estimates
    maps, pixels = iteration.subset(0, len(data.k), data.pixels)
    if len(maps) * int(pixels.sum()) * int(counts.sum()) ** 2 > schedule.final_max_cost:
        return estimates
    remove_scatterers(data, state, np.flatnonzero(~counts))
    state.use_common_errors = True
    if state.shared.ripple.amplitude:
        state.active = tuple(dict.fromkeys([*state.active, "q_row", "q_column"]))
    subsample(data, state, maps, pixels)
    update_weights(data, state)
    for everything in (False, True) if iteration.amplitudes_first else (True,):
        if iteration.unbinned:
            correct_binning(data, state)
        shared = everything and iteration.shared
        step(data, state, positions=everything, shared=shared, check=iteration.check)
    errors = schedule.final_sigma_scale, schedule.amplitude_errors
    final = _estimates(data, state, errors, fit.take(counts), beside.take(counts))
    final.delta_chi2[:] = estimates.delta_chi2[counts]
    estimates.put(counts, final)
    return estimates


def _estimates(
    data: FitData,
    state: FitState,
    errors: tuple[float, AmplitudeErrors],
    fit: Goodness,
    beside: PWaves,
) -> Estimates:
    """What the settled fit says of its scatterers."""
    curvature, s, (sigma_scale, amplitudes) = state.settled_curvature(), state.scatterers, errors
    coefficients, information = _freed(state)
    return Estimates(
        position=s.position.copy(),
        sigma=sigma_scale * curvature.sigma(),
        coefficients=coefficients,
        covariance=amplitudes.covariance(coefficients, information),
        information_covariance=information,
        delta_chi2=curvature.delta_chi2(s.coefficients),
        own_share=own_shares(curvature),
        inside_share=inside_shares(data, s.position),
        explained=fit.local,
        core=s.core.copy(),
        p_wave_delta_chi2=beside.delta_chi2,
        p_wave_share=beside.share,
    )


def _freed(state: FitState) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes without the prior's pull on their common scale, (N, C), and their covariance, (N, 2 C, 2 C)."""
    s, curvature = state.scatterers, state.settled_curvature()
    n, count = s.coefficients.shape
    tightness, distance = state.prior.terms(s.coefficients)
    values = np.stack([s.coefficients.real, s.coefficients.imag], axis=2)
    values = np.moveaxis(values, 0, -1).ravel()  # in the order of `terms`
    part = slice(2 * n, 2 * n + len(values))
    freed = free_common_scale(curvature.covariance[part, part], values, tightness, distance)
    parts = (values + freed.change).reshape(count, 2, n)
    block = np.arange(n)[:, None] + n * np.arange(2 * count)
    return (parts[:, 0] + 1j * parts[:, 1]).T, freed.covariance[block[:, :, None], block[:, None, :]]
