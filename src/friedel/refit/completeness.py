"""Completeness: where one more scatterer would raise the likelihood enough, and how weak one could stay undetected.

Both come from the score test of `friedel.refit.source_search`, over a grid of places, with all other parameters
profiled out. It gives M, the information on the amplitude of one more scatterer at a place.

A detection accepts an impurity if the network proposes it and its Δχ² is large enough for the field
(`friedel.refit.model_selection.required_delta_chi2`, the network undecided). Δχ² of an amplitude a·u (u of norm 1,
constant in energy) follows a noncentral χ² distribution with as many degrees of freedom as the amplitude has parts. The
detectable amplitude is that at which Δχ² is large enough in nine of ten cases, at the phase that is hardest to see::

    a² = λ / (f min_u uᵀMu),     Pr(χ'²(λ) > required Δχ²) = 0.9.

It is no smaller than `friedel.refit.pruning.DecisionConstants.min_amplitude`: a weaker scatterer is pruned unless the
network is sure of it. An undecided network is sure of one of two, so that of impurities of the detectable amplitude
about half are found, and of twice this amplitude nearly all. f is the share of the maps and pixels from which the refit
takes Δχ², times a measured factor. M has the new impurity's core left out: the pixels around it are weighted as those
around the fitted scatterers are on average (`friedel.refit.core_profile`). The source of Wald's test and its noncentral
distribution is A. Wald, Trans. Am. Math. Soc. 54, 426 (1943).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree
from scipy.special import chndtrinc

from friedel.refit.bias_binning import average_into
from friedel.refit.core_profile import CoreProfile
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.evaluation import evaluate
from friedel.refit.joint_fit.step import begin, update_weights
from friedel.refit.model_selection import required_delta_chi2, typical_delta_chi2
from friedel.refit.pruning import DECISIONS
from friedel.refit.schedules import SCHEDULES
from friedel.refit.source_search import SEARCH, ScoreTest, log_odds_alone

if TYPE_CHECKING:
    from friedel.refit.fitted import Fitted, TileModel
    from friedel.refit.joint_fit.state import FitState


@dataclass(frozen=True)
class CompletenessConstants:
    """Numbers of the completeness map.

    Parameters
    ----------
    pitch_px : float
        Grid of the places.
    max_amplitude : float
        No larger amplitude is given: |s| ≤ 1 for every scatterer that creates no electrons.
    min_information : float
        Smaller eigenvalues of M are raised to this: single precision cannot tell them from 0.
    sure : float
        Share of the impurities of the detectable amplitude whose Δχ² is large enough.
    realised : float
        Δχ² of planted impurities after the refit over f a² uᵀMu: their positions are fitted, too, and errors that all
        maps share count less. Measured on simulated fields that ``benchmarks/completeness.py`` does not use.
    """

    pitch_px: float = 2.0
    max_amplitude: float = 1.0
    min_information: float = 1e-3
    sure: float = 0.9
    realised: float = 0.8


COMPLETENESS = CompletenessConstants()


@dataclass(frozen=True)
class Acceptance:
    """How a detection accepts an impurity.

    Parameters
    ----------
    kind : {"quick", "full"}
        Which refit.
    threshold : float
        Least probability.
    """

    kind: str = "full"
    threshold: float = 0.5

    def required(self, fitted: Fitted) -> float:
        """Δχ² that an impurity of the field of this fit needs."""
        typical = typical_delta_chi2(fitted.given.delta_chi2)
        return required_delta_chi2(typical, self.kind, self.threshold)

    def share(self, data: FitData) -> float:
        """Share of maps and pixels from which the refit takes Δχ²: those of its last iteration."""
        iterations = SCHEDULES[self.kind].iterations
        maps, pixels = iterations[-1].subset(len(iterations) - 1, len(data.k), data.pixels)
        return float(len(maps) / len(data.k) * pixels.mean())


@dataclass(frozen=True, eq=False)
class Completeness:
    """What could still be in a field.

    Parameters
    ----------
    log_odds : array, shape (rows, columns)
        Twice the logarithm of the Bayes factor of one more scatterer at each pixel, against none. NaN at the scatterers
        of the fit, and where nothing was fitted.
    amplitude : array, shape (rows, columns)
        Amplitude |s| at which about half of the impurities at the pixel would be found, from
        `friedel.refit.pruning.DecisionConstants.min_amplitude` on; 1 where none would be. NaN like `log_odds`.
    limit : float
        Scatterers with `log_odds` above this are accepted.
    """

    log_odds: np.ndarray
    amplitude: np.ndarray
    limit: float = SEARCH.min_log_odds

    @property
    def missing(self) -> np.ndarray:
        """Pixels at which the data ask for one more scatterer, (rows, columns) bool."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.log_odds > self.limit)


def completeness(
    fitted: Fitted, maps: np.ndarray, k: np.ndarray, mask: np.ndarray, acceptance: Acceptance
) -> Completeness:
    """Completeness of a refit, on the pixels of the maps that were fitted.

    Parameters
    ----------
    fitted : Fitted
    maps : array, shape (bias, rows, columns)
        The maps that were fitted.
    k : array of complex, shape (bias,)
        Their wavevectors before the fit [rad/px].
    mask : array of bool, shape (rows, columns)
        The pixels that were fitted.
    acceptance : Acceptance
        Of the detection.
    """
    binned = average_into(maps, np.asarray(k, complex), fitted.bias_bins)
    odds, amplitude = np.full(mask.shape, np.nan), np.full(mask.shape, np.nan)
    row, column = np.mgrid[: mask.shape[0], : mask.shape[1]]
    nearest, required = np.full(mask.shape, np.inf), acceptance.required(fitted)
    for tile in fitted.tiles:
        at = tuple(slice(first, first + size) for first, size in zip(tile.corner, tile.shape, strict=True))
        middle = np.array(tile.corner) + (np.array(tile.shape) - 1) / 2
        away = np.maximum(np.abs(row[at] - middle[0]), np.abs(column[at] - middle[1]))
        own = away < nearest[at]
        data = FitData.from_maps(binned.crop((at[0], at[1])), mask[at])
        if not len(tile.position) or not len(data.pixels):
            continue
        nearest[at][own] = away[own]
        found = _of_tile(data, tile, required, acceptance.share(data))
        for whole, part in zip((odds, amplitude), found, strict=True):
            whole[at][own] = part[own]
    return Completeness(odds, amplitude)


def _of_tile(data: FitData, tile: TileModel, required: float, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and detectable amplitude on the pixels of one tile."""
    state = _fitted_state(data, tile)
    test, c = ScoreTest(data, state), COMPLETENESS
    core = CoreProfile.of(data, state)
    axes = [np.arange(0, size - 1 + c.pitch_px, c.pitch_px) for size in data.mask.shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    odds, least = np.empty(len(places)), np.empty(len(places))
    for start in range(0, len(places), SEARCH.block):
        part = slice(start, start + SEARCH.block)
        g, matrix = test.profiled(places[part])
        every = np.arange(len(g))
        own = _positive(matrix[every, :, every])
        odds[part] = log_odds_alone(g, own, state.prior)
        beside_core = _positive(test.profiled(places[part], core)[1][every, :, every])
        least[part] = detectable_amplitude(share * c.realised * beside_core, required)
    shape = tuple(len(axis) for axis in axes)
    grid = np.indices(data.mask.shape) / c.pitch_px
    at_scatterer = KDTree(state.scatterers.position).query(np.argwhere(np.ones(data.mask.shape, bool)))[0]
    masked = (at_scatterer <= SEARCH.min_distance_px).reshape(data.mask.shape) | ~data.mask
    out = []
    for values in (odds, np.log(least)):
        spread = map_coordinates(values.reshape(shape), grid, order=1, mode="nearest")
        out.append(np.where(masked, np.nan, spread))
    return out[0], np.exp(out[1])


def detectable_amplitude(matrix: np.ndarray, required: float) -> np.ndarray:
    """Amplitude at which Δχ² is large enough in nine of ten cases (`CompletenessConstants.sure`), whatever its phase.

    Parameters
    ----------
    matrix : array, shape (n, size, size)
        Information on real and imaginary part of each energy coefficient, in this order, from which Δχ² is taken.
    required : float
        Least Δχ² of an accepted impurity.

    Returns
    -------
    array, shape (n,)
    """
    # 0 where noise alone exceeds it so often.
    noncentrality = float(np.nan_to_num(chndtrinc(required, matrix.shape[1], 1 - COMPLETENESS.sure)))
    hardest = np.linalg.eigvalsh(matrix[:, :2, :2])[:, 0]
    amplitude = np.sqrt(noncentrality / np.maximum(hardest, 1e-12))
    return np.asarray(np.clip(amplitude, DECISIONS.min_amplitude, COMPLETENESS.max_amplitude))


def _positive(matrix: np.ndarray) -> np.ndarray:
    """The matrices with no eigenvalue below `CompletenessConstants.min_information`."""
    value, vector = np.linalg.eigh((matrix + matrix.swapaxes(1, 2)) / 2)
    value = np.maximum(value, COMPLETENESS.min_information)
    return np.asarray((vector * value[:, None, :]) @ vector.swapaxes(1, 2))


def _fitted_state(data: FitData, tile: TileModel) -> FitState:
    """The state of the fit of a tile, evaluated at its parameters."""
    count = len(tile.position)
    state = begin(data, tile.position - tile.corner, np.ones(count), np.ones(count, bool))
    state.update(coefficients=tile.coefficients, core=tile.core)
    state.shared = state.shared_mean = tile.shared
    active = ["k", "im_k"]
    if tile.shared.drift.any():
        active += ["drift_row", "drift_column"]
    if tile.shared.ripple.amplitude:
        active += ["cosine", "sine"]
    state.active = tuple(active)
    state.errors = replace(state.errors, gain=tile.gain)
    evaluate(data, state)
    for _ in range(2):  # the noise needs the weights, and these the noise
        update_weights(data, state)
        evaluate(data, state)
    state.prior = state.prior.pooled(state.scatterers.coefficients, np.zeros(count, bool))
    return state
