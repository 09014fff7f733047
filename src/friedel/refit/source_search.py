"""Search for undetected scatterers, outside the field or missed by the network.

`by_residual` takes the matched field of the residual, map by map; it is quick. `by_score_test` asks, to second order,
by how much χ² would fall if a scatterer of amplitude s were added at a place, profiled over all other parameters (Rao's
score test): with D the change of all maps by the energy coefficients of s, J that by all parameters fitted so far, both
without nuisance,

    2 gᵀs − sᵀMs,      M = DᵀD − DᵀJ N⁻¹ JᵀD,      g = Dᵀ·residual − DᵀJ N⁻¹ Jᵀ·residual,      N = JᵀJ + priors.

What is coherent over the voltages adds up, waves that reach the place through all other scatterers are included, and
an impurity outside the field shows even where its neighbours have moved to compensate. A position is accepted if its
Bayes factor, the likelihood averaged over the amplitudes that the field's impurities have against that of no scatterer,
exceeds a limit. The more informative the data, the more χ² must fall; and a weak wave is not accepted as a scatterer
where all impurities are strong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from friedel._util import chi2
from friedel._util.local_maxima import local_maxima
from friedel._util.threads import each
from friedel.classical.matched_field import statistic
from friedel.physics.optical_paths import OpticalPaths
from friedel.refit.joint_fit.evaluation import evaluate, priors, wave_model
from friedel.refit.joint_fit.step import subsample
from friedel.refit.joint_fit.unknowns import Free
from friedel.refit.normal_equations import moments_over_energy
from friedel.refit.parameters import Layout
from friedel.refit.robust import ROBUST

if TYPE_CHECKING:
    from friedel.physics.t_matrix_jacobian import Waves
    from friedel.refit.amplitude_prior import AmplitudePrior
    from friedel.refit.core_profile import CoreProfile
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState

Where = Literal["outside", "everywhere"]


@dataclass(frozen=True)
class SearchConstants:
    """Numbers of the search.

    Parameters
    ----------
    residual_margin_px, score_margin_px : int
        How far outside the field scatterers are searched for, from the residual and by the score test.
    chance : float
        Significance of the residual's matched field from which on a place is accepted.
    min_log_odds : float
        Twice the logarithm of the Bayes factor from which on a place is accepted.
    min_distance_px : float
        No place nearer than this to a scatterer is tried.
    core_px : float
        An ill-fitting pixel nearer than this to a scatterer belongs to its core; elsewhere it is what is searched for.
    pitch_px : float
        Grid of the score test; the half wavelength is 3 to 6 px.
    pixels_per_map : int
        Pixels of the score test per map of the iteration: later ones, for weak scatterers, use more maps.
    compared : int
        So many times the wanted number of places are compared with each other.
    block : int
        Places that are worked on at a time.
    clip_sigma : float
        The residual is clipped at so many standard deviations.
    """

    residual_margin_px: int = 12
    score_margin_px: int = 16
    chance: float = 1e-5
    min_log_odds: float = 5.0
    min_distance_px: float = 1.5
    core_px: float = 3.0
    pitch_px: float = 2.0
    pixels_per_map: int = 400
    compared: int = 3
    block: int = 64
    clip_sigma: float = 4.0


SEARCH = SearchConstants()


def by_residual(data: FitData, state: FitState, most: int, where: Where) -> np.ndarray:
    """Best places at which the residual's matched field shows a scatterer, shape (n, 2).

    Parameters
    ----------
    data : FitData
    state : FitState
        After a step.
    most : int
        At most so many.
    where : {"outside", "everywhere"}
    """
    c, (rows, columns), maps = SEARCH, data.mask.shape, state.subset.maps
    margin = c.residual_margin_px
    whole = np.full((len(maps), rows + 2 * margin, columns + 2 * margin), np.nan, np.float32)
    reliable = _reliable_pixels(data, state)
    at = data.pixels[state.used[reliable]].astype(int) + margin
    residual = state.now().residual[:, reliable]
    whole[:, at[:, 0], at[:, 1]] = np.clip(residual, -c.clip_sigma, c.clip_sigma)
    t = statistic(whole, (data.k.real * (1 + state.shared.k))[maps])
    if where == "outside":
        t[margin:-margin, margin:-margin] = np.nan
    least = float(chi2.isf(c.chance, 2 * len(maps)))
    peaks = local_maxima(t, min_distance=3, floor=least)[:most].astype(float) - margin
    near = [np.hypot(*(state.scatterers.position - p).T).min() for p in peaks]
    return peaks[np.array(near, float).reshape(-1) > c.min_distance_px].reshape(-1, 2)


def by_score_test(data: FitData, state: FitState, most: int, where: Where) -> np.ndarray:
    """Places where one more scatterer would lower χ² most, all else refitted; as `by_residual`."""
    maps, pixels = state.subset.maps, state.subset.pixels
    part = np.zeros(len(pixels), bool)
    reliable = state.used[_reliable_pixels(data, state)]
    # Others in every search: what one overlooks the next may see.
    order = np.random.default_rng(len(state.scatterers)).permutation(reliable)
    part[order[: SEARCH.pixels_per_map * len(maps)]] = True
    subsample(data, state, maps, part)
    evaluate(data, state)  # at the present parameters, even if these maps and pixels were chosen before
    try:
        return ScoreTest(data, state).best(most, where)
    finally:
        subsample(data, state, maps, pixels)


def in_field(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which of the points, (..., 2) [px], lie in the field of this mask, shape (...)."""
    return np.asarray(((points > -0.5) & (points < np.array(mask.shape) - 0.5)).all(axis=-1))


def _reliable_pixels(data: FitData, state: FitState) -> np.ndarray:
    """Which of the used pixels to keep: ill-fitting ones close to a scatterer are its core."""
    near = KDTree(state.scatterers.position).query(data.pixels[state.used])[0]
    return np.asarray((state.errors.weight[state.used] > ROBUST.fitting) | (near > SEARCH.core_px))


class ScoreTest:
    """The score test in the used maps and pixels of a fit, profiled over all its parameters.

    Parameters
    ----------
    data : FitData
    state : FitState
        Evaluated at its present parameters.
    """

    def __init__(self, data: FitData, state: FitState) -> None:
        self.data, self.state = data, state
        self.model, self.weights = wave_model(data, state), state.now().weights
        free = Free(True, state.active)
        self.layout = Layout(len(state.scatterers), data.n_coefficients, free.shared)
        w, count, m = self.weights, len(state.subset.maps), self.layout.columns
        self.factor = (w.map[:, None] * w.pixel).astype(np.float32)
        self.waves: list[Waves] = list(self.model.waves(slice(None)))
        #: Rows' offsets, stripes and the scale of each map, orthonormal; what a map changes by is taken without.
        self.nuisance = [np.column_stack([w.nuisance.toarray(), unit]) for unit in w.unit]
        self.columns = np.empty((count, len(self.model.place), m), np.float32)
        square, slope = np.empty((count, m, m)), np.empty((count, m))

        def fill(v: int) -> None:
            out = self.columns[v]
            self.waves[v].derivative(self.layout.names, out)
            out *= self.factor[v][:, None]
            out -= self.nuisance[v] @ (self.nuisance[v].T @ out)
            square[v], slope[v] = out.T @ out, w.left[v] @ out

        each(fill, range(count))
        self.energy = data.energy[state.subset.maps]
        halves = np.stack([np.ones(count), self.energy])
        moments = moments_over_energy(square, self.energy)
        tightness, distance = priors(state, free)
        normal = self.layout.expand_square(moments) + np.diag(tightness)
        gradient = self.layout.expand((halves @ slope).ravel()) - tightness * distance
        self.root = np.linalg.cholesky(normal).astype(np.float32)
        self.pull = solve_triangular(self.root, gradient.astype(np.float32), lower=True)

    def best(self, most: int, where: Where) -> np.ndarray:
        """Best places, each found with those before it in the fit."""
        c, state = SEARCH, self.state
        margin, mask, prior = c.score_margin_px, self.data.mask, state.prior
        rows, columns = (np.arange(-margin, size + margin, c.pitch_px) for size in mask.shape)
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        free = KDTree(state.scatterers.position).query(grid)[0] > c.min_distance_px
        if where == "outside":
            free &= ~in_field(grid, mask)
        places = grid[free]
        found, seen = np.empty(len(places)), np.full(free.shape, np.nan)

        def fill(start: int) -> None:
            end = start + c.block
            found[start:end] = log_odds(*self.profiled(places[start:end]), prior)

        each(fill, range(0, len(places), c.block))
        seen[free] = found
        peaks = local_maxima(seen, min_distance=2, floor=c.min_log_odds)[: c.compared * most]
        places = grid[tuple(peaks.T)]
        if not len(places):
            return np.zeros((0, 2))
        return np.asarray(places[_one_by_one(*self.profiled(places), prior, most)])

    def profiled(self, places: np.ndarray, core: CoreProfile | None = None) -> tuple[np.ndarray, np.ndarray]:
        """g, (n, size), and DᵀD − DᵀJ N⁻¹ JᵀD, (n, size, n, size), of one more scatterer at each of n places.

        The size is that of an amplitude: real and imaginary part of every energy coefficient, in this order.

        Parameters
        ----------
        places : array, shape (n, 2)
            Row and column [px].
        core : CoreProfile, optional
            Weights of the pixels around the new scatterer; as everywhere else if None.
        """
        count, n = self.data.n_coefficients, len(places)
        width, ripple = 2 * count, self.state.shared.ripple
        slope = np.zeros((count, 2 * n))
        square = np.zeros((count, 2 * n, count, 2 * n), np.float32)
        along = np.zeros((count, 2 * n, 2, self.layout.columns), np.float32)
        to = OpticalPaths(self.state.scatterers.position, places, ripple)
        near = None if core is None else core.root_weight(cdist(self.model.place, places))
        for v, basis in enumerate(self.data.basis[self.state.subset.maps].astype(np.float32)):
            moved = (places + self.model.drift[v]).astype(np.float32)
            wave = self.waves[v].dressed_waves_at(OpticalPaths(self.model.place, moved, ripple), to) ** 2
            change = np.concatenate([wave.real, -wave.imag], axis=1) * self.factor[v][:, None]
            if near is not None:
                change *= np.concatenate([near, near], axis=1)
            # The columns are without nuisance already: only the square needs what nuisance explains.
            explained = self.nuisance[v].T @ change
            slope += basis[:, None] * (self.weights.left[v] @ change)
            own = change.T @ change - explained.T @ explained
            square += np.einsum("c,d,ij->cidj", basis, basis, own)
            halves = np.array([1, self.energy[v]], np.float32)
            along += np.einsum("c,h,ij->cihj", basis, halves, change.T @ self.columns[v])
        size = width * n
        expanded = self.layout.expand(along.reshape(size, -1).T).astype(np.float32)
        share = solve_triangular(self.root, expanded, lower=True, overwrite_b=True)
        matrix = (square.reshape(size, size) - share.T @ share).astype(float)
        order = np.arange(size).reshape(width, n).T  # coefficient, part, place → place, coefficient and part
        g = (slope.ravel() - share.T @ self.pull)[order]
        return g, matrix[order[:, :, None, None], order]


def log_odds(g: np.ndarray, matrix: np.ndarray, prior: AmplitudePrior) -> np.ndarray:
    """Twice the logarithm of the odds of each scatterer alone against none, shape (n,).

    The likelihood exp(gᵀs − sᵀMs/2) averaged over the amplitudes that the field's impurities have: normal distributions
    give it in closed form.

    Parameters
    ----------
    g, matrix
        As `ScoreTest.profiled` gives them.
    prior : AmplitudePrior
        Its typical impurity is expected.
    """
    every = np.arange(len(g))
    return log_odds_alone(g, matrix[every, :, every], prior)


def log_odds_alone(g: np.ndarray, own: np.ndarray, prior: AmplitudePrior) -> np.ndarray:
    """The same from the matrices of each place alone, `own`, shape (n, size, size)."""
    usual, tight = _expected(prior)
    left = g - own @ usual
    posterior = own + np.diag(tight)
    best = np.linalg.solve(posterior, left[..., None])[..., 0]  # amplitudes beside the usual one
    gained = (g + left) @ usual + (left * best).sum(axis=1)
    return np.asarray(gained - np.linalg.slogdet(posterior)[1] + np.log(tight).sum())


def _expected(prior: AmplitudePrior) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the amplitude of an undetected impurity, and 1/variance, shapes (size,)."""
    return prior.typical.ravel(), prior.typical_spread.ravel() ** -2.0


def _one_by_one(g: np.ndarray, matrix: np.ndarray, prior: AmplitudePrior, most: int) -> list[int]:
    """The best place, then the best one beside it, and so on, as long as the odds favour it."""
    chosen: list[int] = []
    usual, tight = _expected(prior)
    while len(chosen) < min(most, len(g)):
        likely = log_odds(g, matrix, prior)
        likely[chosen] = -np.inf
        best = int(likely.argmax())
        if likely[best] <= SEARCH.min_log_odds:
            break
        chosen.append(best)
        # The others with this one in the fit.
        taken = matrix[:, :, best, :] @ np.linalg.inv(matrix[best, :, best, :] + np.diag(tight))
        g = g - taken @ (g[best] + tight * usual)
        matrix = matrix - np.einsum("iab,bjc->iajc", taken, matrix[best])
    return chosen
