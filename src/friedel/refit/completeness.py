"""Completeness: where one more scatterer would raise the likelihood enough, and how weak one could stay undetected.

Both are the score test of `friedel.refit.source_search`, over a grid of places, with all other parameters profiled out.
With M the information on the amplitude of one more scatterer at a place and P, μ the prior of the field's impurities,
data of an impurity of amplitude a·u (u of norm 1, constant in energy) give on average g = M a u, and twice the
logarithm of the Bayes factor is a quadratic function of a::

    A a² + B a + C,     Q = M (M + P)⁻¹ M,     A = uᵀQu,     B = 2 (uᵀMμ − uᵀQμ),
    C = μᵀQμ − μᵀMμ − log det(M + P) + log det P.

The detectable amplitude is the largest root of A a² + B a + C = limit, at the phase of u for which it is largest: in
half of the cases an impurity of this amplitude, whatever its phase, is accepted by the search.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from friedel.refit.amplitude_prior import AmplitudePrior
from friedel.refit.bias_binning import average_into
from friedel.refit.fitted import Fitted, TileModel
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.evaluation import evaluate
from friedel.refit.joint_fit.state import FitState
from friedel.refit.joint_fit.step import begin, update_weights
from friedel.refit.source_search import SEARCH, ScoreTest, log_odds_alone


@dataclass(frozen=True)
class CompletenessConstants:
    """Numbers of the completeness map.

    Parameters
    ----------
    pitch_px : float
        Grid of the places.
    phases : int
        Phases of the amplitude that are tried.
    max_amplitude : float
        No larger amplitude is given: |s| ≤ 1 for every scatterer that creates no electrons.
    min_information : float
        Smaller eigenvalues of M are raised to this: single precision cannot tell them from 0.
    """

    pitch_px: float = 2.0
    phases: int = 8
    max_amplitude: float = 1.0
    min_information: float = 1e-3


COMPLETENESS = CompletenessConstants()


@dataclass(frozen=True, eq=False)
class Completeness:
    """What could still be in a field.

    Parameters
    ----------
    log_odds : array, shape (rows, columns)
        Twice the logarithm of the Bayes factor of one more scatterer at each pixel, against none. NaN at the scatterers
        of the fit, and where nothing was fitted.
    amplitude : array, shape (rows, columns)
        Amplitude |s| below which an impurity at the pixel would be missed in more than half of the cases; 1 where any
        would be. NaN like `log_odds`. A lower limit: planted impurities of several times this amplitude were missed.
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


def completeness(fitted: Fitted, maps: np.ndarray, k: np.ndarray, mask: np.ndarray) -> Completeness:
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
    """
    binned = average_into(maps, np.asarray(k, complex), fitted.bias_bins)
    odds, amplitude = np.full(mask.shape, np.nan), np.full(mask.shape, np.nan)
    row, column = np.mgrid[: mask.shape[0], : mask.shape[1]]
    nearest = np.full(mask.shape, np.inf)
    for tile in fitted.tiles:
        at = tuple(slice(first, first + size) for first, size in zip(tile.corner, tile.shape, strict=True))
        middle = np.array(tile.corner) + (np.array(tile.shape) - 1) / 2
        away = np.maximum(np.abs(row[at] - middle[0]), np.abs(column[at] - middle[1]))
        own = away < nearest[at]
        data = FitData.from_maps(binned.crop((at[0], at[1])), mask[at])
        if not len(tile.position) or not len(data.pixels):
            continue
        nearest[at][own] = away[own]
        found = _of_tile(data, tile)
        for whole, part in zip((odds, amplitude), found, strict=True):
            whole[at][own] = part[own]
    return Completeness(odds, amplitude)


def _of_tile(data: FitData, tile: TileModel) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and detectable amplitude on the pixels of one tile."""
    state = _fitted_state(data, tile)
    test, c = ScoreTest(data, state), COMPLETENESS
    axes = [np.arange(0, size - 1 + c.pitch_px, c.pitch_px) for size in data.mask.shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    odds, least = np.empty(len(places)), np.empty(len(places))
    for start in range(0, len(places), SEARCH.block):
        part = slice(start, start + SEARCH.block)
        g, matrix = test.profiled(places[part])
        every = np.arange(len(g))
        own = _positive(matrix[every, :, every])
        odds[part] = log_odds_alone(g, own, state.prior)
        least[part] = detectable_amplitude(own, state.prior)
    shape = tuple(len(axis) for axis in axes)
    grid = np.indices(data.mask.shape) / c.pitch_px
    at_scatterer = KDTree(state.scatterers.position).query(np.argwhere(np.ones(data.mask.shape, bool)))[0]
    masked = (at_scatterer <= SEARCH.min_distance_px).reshape(data.mask.shape) | ~data.mask
    out = []
    for values in (odds, np.log(least)):
        spread = map_coordinates(values.reshape(shape), grid, order=1, mode="nearest")
        out.append(np.where(masked, np.nan, spread))
    return out[0], np.exp(out[1])


def detectable_amplitude(matrix: np.ndarray, prior: AmplitudePrior) -> np.ndarray:
    """Amplitude from which on an impurity is accepted on average, whatever its phase, shape (n,).

    Parameters
    ----------
    matrix : array, shape (n, size, size)
        M of each place.
    prior : AmplitudePrior
        Of an undetected impurity of the field.
    """
    c, mean = COMPLETENESS, prior.typical.ravel()
    tight = np.diag(prior.typical_spread.ravel() ** -2.0)
    posterior = matrix + tight
    pull = matrix @ np.linalg.solve(posterior, matrix)  # Q
    at_zero = mean @ (pull - matrix) @ mean - np.linalg.slogdet(posterior)[1] + np.linalg.slogdet(tight)[1]
    angle = np.arange(c.phases) * 2 * np.pi / c.phases
    unit = np.zeros((c.phases, matrix.shape[1]))
    unit[:, 0], unit[:, 1] = np.cos(angle), np.sin(angle)
    square = np.einsum("ui,nij,uj->nu", unit, pull, unit)
    linear = 2 * np.einsum("ui,nij,j->nu", unit, matrix - pull, mean)
    rest = SEARCH.min_log_odds - at_zero[:, None]
    inside = np.maximum(linear**2 + 4 * square * rest, 0)
    root = (np.sqrt(inside) - linear) / (2 * np.maximum(square, 1e-12))
    return np.asarray(np.clip(root.max(axis=1), 1e-6, c.max_amplitude))


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
