"""The model of a field at the present parameters, its comparison with the data, cost and normal equations."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from friedel.refit.field_model import FieldModel
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.state import Evaluation, FitState
from friedel.refit.joint_fit.unknowns import FIT, SHARED_PRIOR, Free
from friedel.refit.normal_equations import (
    MakeSums,
    NormalEquations,
    Weights,
    normal_equations,
    offsets_and_stripes,
)
from friedel.refit.parameters import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scipy import sparse

    from friedel.refit.joint_fit.data import FitData

#: Parts of a bin of voltages by which its mean is computed; the error falls with their square.
SUB_BINS = 3


def wavevectors(data: FitData, state: FitState) -> np.ndarray:
    """Complex wavevectors as fitted so far [rad/px], shape (V,)."""
    return np.asarray(data.k + data.k.real * (state.shared.k + 1j * state.shared.im_k))


def wave_model(data: FitData, state: FitState, maps: np.ndarray | None = None) -> FieldModel:
    """The model of the maps in use, or of others; that of the last call if nothing has changed since."""
    v = state.subset.maps if maps is None else maps
    s = state.scatterers
    # Arrays are replaced, never changed in place: the same object is the same value.
    arrays = (s.position, s.coefficients, state.used, v)
    cached = state.cached_model
    if (
        cached is not None
        and cached[1] == state.shared
        and all(a is b for a, b in zip(arrays, cached[0], strict=True))
    ):
        return cached[2]
    displacement = data.time[v, None] * state.shared.drift
    amplitude = (data.basis @ s.coefficients.T)[v]
    model = _field_model(
        state,
        data.pixels[state.used],
        s.position,
        amplitude,
        wavevectors(data, state)[v],
        state.shared.ripple,
        displacement,
        data.blur[v],
    )
    state.cached_model = arrays, state.shared, model
    return model


def _field_model(state: FitState, *given: Any) -> FieldModel:
    """A `FieldModel` of what is given, on the device of the state if it has one."""
    if state.device is None:
        return FieldModel(*given)
    from friedel.refit.device_sums import DeviceModel

    return DeviceModel(state.device, *given)


@contextmanager
def all_pixels(state: FitState) -> Iterator[None]:
    """All pixels outside the cores are in use, and afterwards those that were."""
    used = state.used
    state.used = np.flatnonzero(state.outside)
    try:
        yield
    finally:
        state.used = used


def correct_binning(data: FitData, state: FitState) -> None:
    """Correct the maps in use for the difference between a mean over voltages and the blurred model.

    The blur of `friedel.physics.t_matrix_jacobian.Hankel` is exact for a wave to a scatterer and back; of longer paths
    over several scatterers it damps too little, and amplitudes come out too small. Here each bin is the mean of
    `SUB_BINS` of equal width, each of so many times less blur, with the amplitudes at their own energies. The
    difference is computed at the present parameters and held until the next call: a deferred correction.
    """
    state.binning_correction = None
    v = state.subset.maps
    if not data.blur[v].any():
        return
    s, pixels = state.scatterers, np.flatnonzero(state.subset.pixels)
    # Centres of equal parts of an even distribution of standard deviation 1, whose half width is √3.
    centre = np.sqrt(3) * (2 * np.arange(SUB_BINS) + 1 - SUB_BINS) / SUB_BINS
    shift = (centre[:, None] * data.blur[v]).ravel()
    every = np.tile(v, SUB_BINS)
    k = wavevectors(data, state)
    displacement = data.time[:, None] * state.shared.drift
    half = max(float(np.ptp(data.k.real)) / 2, 1e-9)
    energy = data.energy[every] + shift / half
    powers = energy[:, None] ** np.arange(data.n_coefficients)

    def maps(which: np.ndarray, amplitude: np.ndarray, k: np.ndarray, blur: np.ndarray) -> np.ndarray:
        place, ripple = data.pixels[pixels], state.shared.ripple
        moved = displacement[which]
        return _field_model(state, place, s.position, amplitude, k, ripple, moved, blur).density()

    fine = maps(every, powers @ s.coefficients.T, k[every] + shift, data.blur[every] / SUB_BINS)
    coarse = maps(v, (data.basis @ s.coefficients.T)[v], k[v], data.blur[v])
    correction = np.zeros((len(data.k), len(data.pixels)), np.float32)
    correction[np.ix_(v, pixels)] = fine.reshape(SUB_BINS, len(v), -1).mean(axis=0) - coarse
    state.binning_correction = correction


def _density(data: FitData, state: FitState) -> np.ndarray:
    """The maps of the model, corrected for the binning, (v, p)."""
    density = wave_model(data, state).density()
    if state.binning_correction is None:
        return density
    return np.asarray(density + state.binning_correction[np.ix_(state.subset.maps, state.used)])


def select(data: FitData, state: FitState) -> None:
    """Use the pixels outside all cores; masks are made anew only if scatterers have come or have moved."""
    s = state.scatterers
    discs = np.column_stack([s.position, s.core])
    if discs.shape == state.discs.shape and np.abs(discs - state.discs).max(initial=0) < FIT.core_move_px:
        return
    state.discs, state.outside = discs, np.ones(len(data.pixels), bool)
    for inside in data.tree.query_ball_point(s.position, s.core):
        state.outside[inside] = False
    state.used = np.flatnonzero(state.outside & state.subset.pixels)


def nuisance(data: FitData, state: FitState) -> sparse.csr_array:
    """What every map may have besides waves: offsets of the rows and stripes, orthonormal columns (p, Q)."""
    place, ripple = data.pixels[state.used], state.shared.ripple
    phase = place @ np.asarray(ripple.q) if ripple.amplitude else None
    return offsets_and_stripes(place[:, 0].astype(int), state.errors.weight[state.used], phase)


def compare(
    data: FitData,
    state: FitState,
    density: np.ndarray,
    without: sparse.csr_array,
    maps: np.ndarray | None = None,
) -> Weights:
    """Scale maps of the model, `density` (v, p), to the data, both projected free of the columns of `without`."""
    v, errors = state.subset.maps if maps is None else maps, state.errors
    root = np.sqrt(errors.weight[state.used]).astype(np.float32)
    pixel = root * errors.gain[data.pixels[state.used, 0].astype(int)].astype(np.float32)
    wave, seen = density * pixel, data.values[np.ix_(v, state.used)] * root
    for values in (wave, seen):
        values -= (without @ (without.T @ values.T)).T
    power = np.einsum("vp,vp->v", wave, wave) + 1e-9
    scale = np.einsum("vp,vp->v", wave, seen) / power
    left = (seen - scale[:, None] * wave) / errors.noise[v, None].astype(np.float32)
    size = scale / errors.noise[v]
    share = errors.common_share if state.use_common_errors and len(v) == len(data.k) else 0.0
    return Weights(
        pixel, size, without, wave * size[:, None].astype(np.float32), left, errors.common[v], share
    )


def evaluate(data: FitData, state: FitState, free: Free | None = None) -> Evaluation:
    """Compare the model with the data at the present parameters; the cost has the priors of what is `free`."""
    weights = compare(data, state, _density(data, state), nuisance(data, state))
    left, v = weights.left, state.subset.maps
    scale = weights.map * state.errors.noise[v]
    state.scale = state.scale.copy()
    state.scale[v] = scale
    gain_sums = (weights.seen * left).sum(axis=0), (weights.seen**2).sum(axis=0)
    shared = weights.common @ left
    root = np.maximum(np.sqrt(state.errors.weight[state.used]), 1e-6).astype(np.float32)
    chi2 = float((left.astype(float) ** 2).sum() - weights.share * (shared**2).sum())
    tightness, distance = priors(state, free or Free())
    cost = chi2 + float((tightness * distance**2).sum())
    state.evaluation = Evaluation(weights, left / root, chi2, cost, scale, gain_sums)
    return state.evaluation


def equations(data: FitData, state: FitState, free: Free) -> NormalEquations:
    """Normal equations at the last evaluation, with the priors."""
    s, weights = state.scatterers, state.now().weights
    layout = Layout(len(s), data.n_coefficients, free.shared, positions=free.positions)
    model = wave_model(data, state)
    sums_of: MakeSums | None = None
    if state.device is not None:
        from friedel.refit.device_sums import sums_on

        sums_of = sums_on
    sums = normal_equations(model, layout, weights, data.energy[state.subset.maps], sums_of)
    tightness, distance = priors(state, free)
    matrix = sums.matrix + np.diag(tightness)
    return NormalEquations(matrix, sums.gradient - tightness * distance, sums.by_scale)


def priors(state: FitState, free: Free) -> tuple[np.ndarray, np.ndarray]:
    """1/variance and distance from the centre of the prior, for every parameter that is fitted."""
    s = state.scatterers
    tight: list[np.ndarray] = []
    distance: list[np.ndarray] = []
    if free.positions:
        tight, distance = [s.spread**-2.0] * 2, list((s.position - s.start).T)
    for terms, values in zip((tight, distance), state.prior.terms(s.coefficients), strict=True):
        terms.append(values)
    tight.append(np.array([getattr(SHARED_PRIOR, name) ** -2.0 for name in free.shared]))
    away = [getattr(state.shared, name) - getattr(state.shared_mean, name) for name in free.shared]
    distance.append(np.array(away))
    return np.concatenate(tight), np.concatenate(distance)
