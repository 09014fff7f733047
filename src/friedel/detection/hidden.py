"""Scatterers that nobody reported: where the maps need one more.

Two ways. `by_residual` looks map by map at what a fit leaves over; it is quick. `by_fit` asks, to second order, by how
much χ² would fall if a scatterer of strength s were added at a place and everything else adapted itself (Rao's score
test): with D the change of all maps by the courses of s, J that by all parameters fitted so far, both without nuisance,

    2 gᵀs − sᵀMs,      M = DᵀD − DᵀJ N⁻¹ JᵀD,      g = Dᵀ·left − DᵀJ N⁻¹ Jᵀ·left,      N = JᵀJ + priors.

What is coherent over the voltages adds up, waves go by way of all other scatterers, and an impurity beyond the border
shows even where its neighbours have moved to make up for it. A place is believed by the odds of a scatterer there: the
likelihood averaged over the strengths that the field's impurities have, against that of none (a Bayes factor). The more
data speak, the more χ² must fall; and a weak wave is none where all impurities are strong.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial import KDTree
from scipy.stats import chi2

from friedel._util.threads import each
from friedel.candidates.peaks import local_maxima
from friedel.classical.matched_field import statistic
from friedel.detection.fit_layout import Layout
from friedel.detection.joint_fit import JointFit
from friedel.detection.normal_equations import moments_over_energy
from friedel.detection.strength_prior import StrengthPrior
from friedel.physics.t_matrix_jacobian import Waves, Ways

Where = Literal["outside", "anywhere"]

#: Scatterers outside are looked for up to this far out [px]: from residuals, and by the fit.
MARGIN, FAR = 12, 16
#: Believed from this significance on, or from these odds on (twice their logarithm): places are many, scatterers few.
CHANCE, ODDS = 1e-5, 5.0
#: Not nearer than this to a scatterer [px].
NEAR = 1.5
#: `by_fit` looks at places this far apart [px]; the half wave is 3 to 6 px.
PITCH = 2.0
#: It looks at the turn's maps, at so many pixels a map (more maps: later turns, for what is faint, look at more), and
#: compares so many times the wanted number of places with each other.
PIXELS, AMONG = 400, 3
#: Places that are worked on at a time.
BLOCK = 64


def by_residual(fit: JointFit, most: int, where: Where) -> np.ndarray:
    """Best places at which the residual's matched field shows a scatterer, shape (n, 2).

    Parameters
    ----------
    fit : JointFit
        After a step.
    most : int
        At most so many.
    where : {"outside", "anywhere"}
    """
    rows, columns = fit.mask.shape
    whole = np.full((len(fit.chosen), rows + 2 * MARGIN, columns + 2 * MARGIN), np.nan, np.float32)
    usable = _usable(fit)
    at = fit.pixels[fit.used[usable]].astype(int) + MARGIN
    whole[:, at[:, 0], at[:, 1]] = np.clip(fit.residual[:, usable], -4, 4)
    t = statistic(whole, fit.k[fit.chosen].real)
    if where == "outside":
        t[MARGIN:-MARGIN, MARGIN:-MARGIN] = np.nan
    least = float(chi2.isf(CHANCE, 2 * len(fit.chosen)))
    peaks = local_maxima(t, min_distance=3, floor=least)[:most].astype(float) - MARGIN
    return np.array([p for p in peaks if np.hypot(*(fit.position - p).T).min() > NEAR]).reshape(-1, 2)


def by_fit(fit: JointFit, most: int, where: Where) -> np.ndarray:
    """Places where one more scatterer would lower χ² most, all else adapting itself; as `by_residual`."""
    maps, sieve = fit.chosen, fit.sieve
    part = np.zeros(len(sieve), bool)
    usable = fit.used[_usable(fit)]
    # Others in every search: what one overlooks the next may see.
    part[np.random.default_rng(len(fit.position)).permutation(usable)[: PIXELS * len(maps)]] = True
    fit.choose(maps, part)
    fit.evaluate(slopes=False)  # at the present parameters, even if these maps and pixels were chosen before
    try:
        return ScoreTest(fit).best(most, where)
    finally:
        fit.choose(maps, sieve)


def in_field(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which of the points, (..., 2) [px], lie in the field of this mask, shape (...)."""
    return np.asarray(((points > -0.5) & (points < np.array(mask.shape) - 0.5)).all(axis=-1))


def _usable(fit: JointFit) -> np.ndarray:
    """Which of the used pixels to believe: ill-fitting ones close to a point are its core, elsewhere what is sought."""
    near = KDTree(fit.position).query(fit.pixels[fit.used])[0]
    return np.asarray((fit.weight[fit.used] > 0.3) | (near > 3))


class ScoreTest:
    """The score test in the chosen maps and pixels of a fit, all of whose parameters may adapt themselves.

    Parameters
    ----------
    fit : JointFit
        Evaluated at its present parameters.
    """

    def __init__(self, fit: JointFit) -> None:
        self.fit, self.model, self.weights = fit, fit.model(), fit.weights
        fit.free, fit.fitted = True, fit.active  # the next step chooses anew
        self.layout = Layout(len(fit.position), fit.courses, fit.fitted)
        w, count, m = self.weights, len(fit.chosen), self.layout.columns
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
        self.energy = fit.energy[fit.chosen]
        halves = np.stack([np.ones(count), self.energy])
        moments = moments_over_energy(square, self.energy)
        tightness, distance = fit.priors()
        normal = self.layout.expand_square(moments) + np.diag(tightness)
        gradient = self.layout.expand((halves @ slope).ravel()) - tightness * distance
        self.root = np.linalg.cholesky(normal).astype(np.float32)
        self.pull = solve_triangular(self.root, gradient.astype(np.float32), lower=True)

    def best(self, most: int, where: Where) -> np.ndarray:
        """Best places, each found with those before it in the fit."""
        fit = self.fit
        rows, columns = (np.arange(-FAR, size + FAR, PITCH) for size in fit.mask.shape)
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        free = KDTree(fit.position).query(grid)[0] > NEAR
        if where == "outside":
            free &= ~in_field(grid, fit.mask)
        places = grid[free]
        found, seen = np.empty(len(places)), np.full(free.shape, np.nan)

        def fill(start: int) -> None:
            found[start : start + BLOCK] = odds(*self.adapted(places[start : start + BLOCK]), fit.prior)

        each(fill, range(0, len(places), BLOCK))
        seen[free] = found
        peaks = local_maxima(seen, min_distance=2, floor=ODDS)[: AMONG * most]
        places = grid[tuple(peaks.T)]
        if not len(places):
            return places
        return places[_one_by_one(*self.adapted(places), fit.prior, most)]

    def adapted(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """g, (n, size), and DᵀD − DᵀJ N⁻¹ JᵀD, (n, size, n, size), of one more scatterer at each of n places.

        The size is that of a strength: real and imaginary part of every course, in this order.

        Parameters
        ----------
        places : array, shape (n, 2)
            Row and column [px].
        """
        fit, n, width = self.fit, len(places), 2 * self.fit.courses
        slope = np.zeros((fit.courses, 2 * n))
        square = np.zeros((fit.courses, 2 * n, fit.courses, 2 * n), np.float32)
        along = np.zeros((fit.courses, 2 * n, 2, self.layout.columns), np.float32)
        to = Ways(fit.position, places, fit.ripple)
        for v, basis in enumerate(fit.basis[fit.chosen].astype(np.float32)):
            moved = (places + self.model.drift[v]).astype(np.float32)
            wave = self.waves[v].reaching(Ways(self.model.place, moved, fit.ripple), to) ** 2
            change = np.concatenate([wave.real, -wave.imag], axis=1) * self.factor[v][:, None]
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
        order = np.arange(size).reshape(width, n).T  # course, part, place → place, course and part
        g = (slope.ravel() - share.T @ self.pull)[order]
        return g, matrix[order[:, :, None, None], order]


def odds(g: np.ndarray, matrix: np.ndarray, prior: StrengthPrior) -> np.ndarray:
    """Twice the logarithm of the odds of each scatterer alone against none, shape (n,).

    The likelihood exp(gᵀs − sᵀMs/2) averaged over the strengths that the field's impurities have: normal distributions
    give it in closed form.

    Parameters
    ----------
    g, matrix
        As `ScoreTest.adapted` gives them.
    prior : StrengthPrior
        What it has learnt is expected.
    """
    every = np.arange(len(g))
    own = matrix[every, :, every]
    usual, tight = _expected(prior)
    left = g - own @ usual
    posterior = own + np.diag(tight)
    best = np.linalg.solve(posterior, left[..., None])[..., 0]  # strengths beside the usual one
    gained = (g + left) @ usual + (left * best).sum(axis=1)
    return np.asarray(gained - np.linalg.slogdet(posterior)[1] + np.log(tight).sum())


def _expected(prior: StrengthPrior) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a strength that nobody has seen yet, and 1/variance, shapes (size,)."""
    return prior.typical.ravel(), prior.typical_spread.ravel() ** -2.0


def _one_by_one(g: np.ndarray, matrix: np.ndarray, prior: StrengthPrior, most: int) -> list[int]:
    """The best one, then the best one beside it, and so on, as long as the odds are for it."""
    chosen: list[int] = []
    usual, tight = _expected(prior)
    while len(chosen) < min(most, len(g)):
        likely = odds(g, matrix, prior)
        likely[chosen] = -np.inf
        best = int(likely.argmax())
        if likely[best] <= ODDS:
            break
        chosen.append(best)
        # The others with this one in the fit.
        taken = matrix[:, :, best, :] @ np.linalg.inv(matrix[best, :, best, :] + np.diag(tight))
        g = g - taken @ (g[best] + tight * usual)
        matrix = matrix - np.einsum("iab,bjc->iajc", taken, matrix[best])
    return chosen
