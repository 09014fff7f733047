"""Fit of a whole field by multiple scattering: positions, strengths and the surface's own parameters at once.

Every map is a_v (ρ_v − 1) + an offset a row, with ρ_v from `friedel.physics.t_matrix_jacobian`. Eliminated by projection:
a_v, the rows' offsets and, where there is a ripple, its stripes. Fitted by Levenberg-Marquardt steps on the normal
equations: positions, complex strengths with a straight course over energy, and shared parameters. A pixel's error
that all voltages have in common (the height's jitter) is weighed down by its share of the variance; pixels that the
model does not explain (cores) by their χ².
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from friedel._util.threads import each
from friedel.detection import cores, positive, robust
from friedel.detection.fit_layout import Layout
from friedel.detection.groups import even_times
from friedel.detection.normal_equations import FieldModel, Weights, normal_equations, offsets_and_stripes
from friedel.detection.strength_prior import StrengthPrior
from friedel.physics.t_matrix_jacobian import Hankel, Ripple, Ways

#: Pixels nearer than this to a point [px] are left out until its core is fitted.
CORE = 1.5
#: Shared parameters and what is known of them beforehand (standard deviations; relative, relative, -, -, rad/px, px).
PRIOR = {
    "k": 0.01, "im_k": 0.005, "cosine": 0.05, "sine": 0.05,
    "q_row": 0.03, "q_column": 0.03, "drift_row": 0.7, "drift_column": 0.7,
}  # fmt: skip
#: Standard deviation of the position of a scatterer that nobody reported [px].
HIDDEN_SPREAD = 2.0
#: Drift smaller than this [px] is none; cores that move by less leave out the same pixels.
LEAST_DRIFT, TRIFLE = 0.05, 0.05


class JointFit:
    """A field, its scatterers, and steps that fit one to the other.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    k : array of complex, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, shape (rows, columns)
        Pixels to use.
    points : array, shape (n, 2)
        Where scatterers were found [px].
    spread : array, shape (n,)
        Standard deviation of these positions per axis [px], the prior.
    sure : array of bool, shape (n,), optional
        Points that are impurities, others may be none; all are, if None.
    blur : array, shape (bias,), optional
        Standard deviation of the wavevectors that each map is the mean of [rad/px]; 0 if None.
    time : array, shape (bias,), optional
        When each map was taken, from about −1 to 1, in the order of k; at equal intervals if None.
    """

    def __init__(
        self,
        maps: np.ndarray,
        k: np.ndarray,
        mask: np.ndarray,
        points: np.ndarray,
        spread: np.ndarray,
        sure: np.ndarray | None = None,
        blur: np.ndarray | None = None,
        time: np.ndarray | None = None,
    ) -> None:
        self.mask, self.k0 = mask, np.asarray(k, dtype=complex)
        self.blur = np.zeros(len(k)) if blur is None else np.asarray(blur, float)
        self.time = even_times(self.k0) if time is None else np.asarray(time, float)
        self.pixels = np.argwhere(mask).astype(float)
        self._tree = KDTree(self.pixels)
        self.data = maps[:, mask].astype(np.float32)
        #: Index of each scatterer among the given points, −1 for those that nobody reported; these come last.
        self.number = np.arange(len(points))
        self.position, self.start = np.array(points, float), np.array(points, float)
        self.spread = np.asarray(spread, float)
        self.core = np.full(len(points), CORE)
        middle, half = self.k0.real.mean(), max(float(np.ptp(self.k0.real)) / 2, 1e-9)
        self.energy = (self.k0.real - middle) / half
        self.courses = 2 if len(k) > 2 else 1
        self.basis = np.stack([self.energy**c for c in range(self.courses)], axis=1)
        self.course = np.zeros((len(points), self.courses), complex)
        self.prior = StrengthPrior(np.ones(len(points), bool) if sure is None else sure, self.courses)
        self.shared = dict.fromkeys(PRIOR, 0.0)
        self.around = dict(self.shared)  # where the priors of the shared parameters lie
        #: Shared parameters that are free, and those of them that the present step fits.
        self.active: list[str] = []
        self.fitted: list[str] = []
        #: Whether the present step fits the positions.
        self.free = True
        count = len(self.k0)
        #: Maps that are looked at, and which of the pixels; the others are as good, and cost as much.
        self.chosen, self.sieve = np.arange(count), np.ones(len(self.pixels), bool)
        self.noise, self.scale = np.ones(count), np.ones(count)
        #: Whether errors that all maps have in common count; small beside the rest, they are as dear as it.
        self.sharing = True
        self.common, self.common_share = np.ones(count) / np.sqrt(count), 0.0
        self.weight = np.ones(len(self.pixels))
        self.gain = np.ones(mask.shape[0])
        self.damping = 1e-3
        self.normal: np.ndarray = np.eye(1)
        self._inverse = self._inverted = self.normal
        #: Whether `normal` is that of the present scatterers: `sigma` and `evidence` need it.
        self.settled = False
        self._cores = np.zeros((0, 3))
        self._outside = self.sieve
        self.used = np.arange(len(self.pixels))
        self._made_from: tuple[tuple[object, ...], tuple[float, ...]] = (None,) * 4, ()
        self.select()

    # --- the model -------------------------------------------------------------------------------------------------

    @property
    def reported(self) -> int:
        """How many of the given points are still fitted."""
        return int((self.number >= 0).sum())

    @property
    def sure(self) -> np.ndarray:
        """Which scatterers are surely impurities, shape (N,)."""
        return self.prior.sure

    @property
    def ripple(self) -> Ripple:
        """The herringbone as fitted so far."""
        s = self.shared
        return Ripple(s["cosine"], s["sine"], (s["q_row"], s["q_column"]))

    @property
    def drift(self) -> np.ndarray:
        """Way of the pattern from the middle to the last map [px], rows and columns."""
        return np.array([self.shared["drift_row"], self.shared["drift_column"]])

    @property
    def k(self) -> np.ndarray:
        """Complex wavevectors as fitted so far [rad/px]."""
        return self.k0 + self.k0.real * (self.shared["k"] + 1j * self.shared["im_k"])

    @property
    def strength(self) -> np.ndarray:
        """Complex strengths, shape (bias, N)."""
        return self.basis @ self.course.T

    def model(self, voltages: np.ndarray | None = None) -> FieldModel:
        """The model of the chosen maps, or of others; that of the last call if nothing has changed since."""
        v = self.chosen if voltages is None else voltages
        # Arrays are replaced, never changed in place: the same object is the same value.
        arrays, shared = (self.position, self.course, self.used, v), tuple(self.shared.values())
        made_from, around = self._made_from
        if shared != around or any(a is not b for a, b in zip(arrays, made_from, strict=True)):
            way = self.time[v, None] * self.drift
            place, strength = self.pixels[self.used], self.strength[v]
            self._model = FieldModel(
                place, self.position, strength, self.k[v], self.ripple, way, self.blur[v]
            )
            self._made_from = arrays, shared
        return self._model

    def select(self) -> None:
        """Choose the pixels outside all cores; anew only if points have come or have moved by more than a trifle."""
        discs = np.column_stack([self.position, self.core])
        if discs.shape == self._cores.shape and np.abs(discs - self._cores).max(initial=0) < TRIFLE:
            return
        self._cores, self._outside = discs, np.ones(len(self.pixels), bool)
        for inside in self._tree.query_ball_point(self.position, self.core):
            self._outside[inside] = False
        self.used = np.flatnonzero(self._outside & self.sieve)

    def nuisance(self) -> sparse.csr_array:
        """What every map may have besides waves: offsets of the rows and stripes, orthonormal columns (P, Q)."""
        place, ripple = self.pixels[self.used], self.ripple
        phase = place @ np.asarray(ripple.q) if ripple.amplitude else None
        return offsets_and_stripes(place[:, 0].astype(int), self.weight[self.used], phase)

    def compare(
        self, density: np.ndarray, nuisance: sparse.csr_array, voltages: np.ndarray | None = None
    ) -> Weights:
        """Scale maps of the model, (V, P), to the data, and weigh what is left."""
        v = self.chosen if voltages is None else voltages
        root = np.sqrt(self.weight[self.used]).astype(np.float32)
        pixel = root * self.gain[self.pixels[self.used, 0].astype(int)].astype(np.float32)
        wave, data = density * pixel, self.data[np.ix_(v, self.used)] * root
        for maps in (wave, data):
            maps -= (nuisance @ (nuisance.T @ maps.T)).T
        power = np.einsum("vp,vp->v", wave, wave) + 1e-9
        scale = np.einsum("vp,vp->v", wave, data) / power
        left = (data - scale[:, None] * wave) / self.noise[v, None].astype(np.float32)
        size = scale / self.noise[v]
        seen = wave * size[:, None].astype(np.float32)
        # Of few maps, they are small.
        common_share = self.common_share if self.sharing and len(v) == len(self.k0) else 0.0
        return Weights(pixel, size, nuisance, seen, left, self.common[v], common_share)

    # --- cost and normal equations ---------------------------------------------------------------------------------

    def evaluate(self, *, slopes: bool) -> tuple[float, np.ndarray, np.ndarray]:
        """Cost (χ² and priors), and with `slopes` the normal matrix and the gradient, else empty ones."""
        model = self.model()
        self.weights = weights = self.compare(model.density(), self.nuisance())
        left = weights.left
        self.scale[self.chosen] = weights.map * self.noise[self.chosen]
        self._gain_sums = (weights.seen * left).sum(axis=0), (weights.seen**2).sum(axis=0)
        shared = weights.common @ left
        self.residual = left / np.maximum(np.sqrt(self.weight[self.used]), 1e-6).astype(np.float32)
        self.chi2 = float((left.astype(float) ** 2).sum() - weights.share * (shared**2).sum())
        tightness, distance = self.priors()
        cost = self.chi2 + float((tightness * distance**2).sum())
        if not slopes:
            return cost, np.zeros((0, 0)), np.zeros(0)
        layout = Layout(len(self.position), self.courses, self.fitted, positions=self.free)
        normal, gradient = normal_equations(model, layout, weights, self.energy[self.chosen])
        normal[np.diag_indices(layout.size)] += tightness
        return cost, normal, gradient - tightness * distance

    def priors(self) -> tuple[np.ndarray, np.ndarray]:
        """1/variance and distance from what is known beforehand, for every parameter that the step fits."""
        tight: list[np.ndarray] = []
        distance: list[np.ndarray] = []
        if self.free:
            tight, distance = [self.spread**-2.0] * 2, list((self.position - self.start).T)
        for terms, values in zip((tight, distance), self.prior.terms(self.course), strict=True):
            terms.append(values)
        tight.append(np.array([PRIOR[name] ** -2.0 for name in self.fitted]))
        distance.append(np.array([self.shared[name] - self.around[name] for name in self.fitted]))
        return np.concatenate(tight), np.concatenate(distance)

    # --- steps -----------------------------------------------------------------------------------------------------

    def step(
        self, *, positions: bool = True, shared: bool = True, check: bool = True, longest: float = 0.3
    ) -> None:
        """One Levenberg-Marquardt step.

        Shared parameters are held if `shared` is False: these cost as much as all others. If `positions` is False,
        all but the strengths is held, at a quarter of the cost.
        Without `check` the step is taken whether the cost falls or not, which is for when other maps come next.
        """
        self.free, self.fitted = positions, self.active if shared and positions else []
        self.select()
        cost, normal, gradient = self.evaluate(slopes=True)
        n, before = len(self.position), (self.position, self.course, dict(self.shared))
        self.normal, self.settled = normal, positions
        first = 2 * n if positions else 0
        last = first + 2 * n * self.courses
        for _ in range(6):
            step = positive.solve(normal + np.diag(self.damping * np.diag(normal)), gradient)
            if positions:
                self.position = before[0] + np.clip(step[:first].reshape(2, n).T, -longest, longest)
            change = step[first:last].reshape(self.courses, 2, n)
            turn = (change[:, 0] + 1j * change[:, 1]).T
            turn *= np.minimum(1, 0.4 / np.maximum(np.abs(turn[:, :1]), 1e-9))
            self.course = before[1] + turn
            for name, value in zip(self.fitted, step[last:], strict=True):
                self.shared[name] = before[2][name] + value
            if not check:
                return
            new = self.evaluate(slopes=False)[0]
            if new < cost:
                self.damping = max(self.damping * 0.3, 1e-5)
                return
            self.damping = max(self.damping * 6, 1e-3)
        self.position, self.course, self.shared = before
        self.damping = 1e-2
        self.evaluate(slopes=False)

    def choose(self, maps: np.ndarray, sieve: np.ndarray | None = None) -> None:
        """Look at these maps only, by index, and at these of the pixels, until others are chosen."""
        sieve = np.ones(len(self.pixels), bool) if sieve is None else sieve
        if np.array_equal(maps, self.chosen) and np.array_equal(sieve, self.sieve):
            return
        self.chosen, self.sieve, self.settled = np.asarray(maps), sieve, False
        self.select()
        self.used = np.flatnonzero(self._outside & sieve)
        if self.course.any():
            self.evaluate(slopes=False)

    def weigh(self) -> None:
        """Robust noise of every map, share of the errors that all voltages have in common, weights of the pixels."""
        before, v = self.used, self.chosen
        self.select()
        if self.used is not before:  # what comes out of a core is not believed unseen
            self.evaluate(slopes=False)
        left = self.residual * self.noise[v, None]
        self.noise[v] = np.maximum(robust.deviation(left), 1e-3)
        left /= self.noise[v, None]
        common = np.abs(self.scale[v] / self.noise[v])
        common /= max(float(np.linalg.norm(common)), 1e-12)
        if len(left) > 1:
            self.common[v] = common
            self.common_share = max(0.0, 1 - 1 / max(float(robust.deviation(common @ left)) ** 2, 1.0))
        self.weight = np.ones(len(self.pixels))
        self.weight[self.used] = robust.weights(robust.misfit(left, common, self.common_share), len(left))

    def learn_strengths(self) -> None:
        """Expect of scatterers of one kind what its sure impurities have in common."""
        self.prior.learn(self.course, self.number < 0)

    def fit_cores(self) -> None:
        """Leave out what belongs to cores, and no more: robust weights alone let their rims pull at the positions."""
        unseen = ~self._outside
        self.weight = np.where(unseen, robust.LOST, self.weight)  # cores shall not pull at scales and offsets
        self.core = np.full(len(self.core), cores.LEAST)
        self.select()
        self.evaluate(slopes=False)
        chi2 = robust.misfit(self.residual, self.common[self.chosen], self.common_share)
        usual = max(float(np.median(chi2[~unseen[self.used]])), 1e-9)
        self.core = cores.fitted(self.position, self.pixels[self.used], chi2 / usual)

    def drop_small_drift(self) -> None:
        """Leave the drift out for good if there is hardly any: a map whose points stay put is far quicker made."""
        if "drift_row" in self.active and np.abs(self.drift).max() < LEAST_DRIFT:
            self.active = [name for name in self.active if not name.startswith("drift")]
            self.shared["drift_row"] = self.shared["drift_column"] = 0.0

    def adjust_gain(self) -> None:
        """Gain of every row: a tip that changes while it scans scales all that comes after."""
        rows = self.pixels[self.used, 0].astype(int)
        top, below = (np.bincount(rows, x, len(self.gain)) for x in self._gain_sums)
        self.gain = self.gain * (1 + (top + (1 - self.gain) / 0.01) / (below + 1 / 0.01))
        self.gain /= self.gain.mean()

    def guess_strengths(self) -> None:
        """Strengths from single scattering, with a scale that makes the typical one 0.6."""
        ways = Ways(self.pixels[self.used].astype(np.float32), self.position.astype(np.float32), Ripple())
        reach = float(ways.length.max(initial=0)) + 1
        n = len(self.position)
        amplitude = np.zeros((len(self.chosen), n), complex)

        def fill(index: int) -> None:
            v = self.chosen[index]
            one = Hankel(self.k[v], reach, self.blur[v])(ways)[0] ** 2  # of each scatterer alone
            columns = np.concatenate([one.real, -one.imag, np.ones((len(one), 1), np.float32)], axis=1)
            data = self.data[v, self.used]
            normal = (columns.T @ columns).astype(float)
            normal += np.diag(np.r_[np.full(2 * n, 2.0 * max(float(np.var(data)), 1e-6)), 1e-6])
            fit = np.linalg.solve(normal, (columns.T @ data).astype(float))
            amplitude[index] = fit[:n] + 1j * fit[n : 2 * n]

        each(fill, range(len(amplitude)))
        scale = np.maximum(np.median(np.abs(amplitude), axis=1, keepdims=True), 1e-9) / 0.6
        course = np.linalg.lstsq(self.basis[self.chosen], amplitude / scale, rcond=None)[0].T
        self.course = course * np.minimum(1, 0.9 / np.maximum(np.abs(course[:, :1]), 1e-9))
        self.evaluate(slopes=False)

    def add_hidden(self, places: np.ndarray) -> None:
        """Add scatterers that are fitted and not reported."""
        if not len(places):
            return
        self.settled = False
        self.position = np.vstack([self.position, places])
        self.start = np.vstack([self.start, places])
        self.course = np.vstack([self.course, np.zeros((len(places), self.courses))])
        self.core = np.append(self.core, np.full(len(places), CORE))
        self.spread = np.append(self.spread, np.full(len(places), HIDDEN_SPREAD))
        self.prior.add(len(places))
        self.number = np.append(self.number, np.full(len(places), -1))

    def remove(self, which: np.ndarray) -> None:
        """Take scatterers out of the model."""
        if not len(which):
            return
        self.settled = False
        for name in ("position", "start", "course", "core", "spread", "number"):
            setattr(self, name, np.delete(getattr(self, name), which, axis=0))
        self.prior.remove(which)
        self.evaluate(slopes=False)

    @property
    def _covariance(self) -> np.ndarray:
        """Inverse of the normal matrix, of which evidence and σ are read off."""
        if self._inverted is not self.normal:
            self._inverse, self._inverted = positive.inverse(self.normal), self.normal
        return self._inverse

    def evidence(self) -> np.ndarray:
        """By how much χ² would rise, to second order, without each scatterer (Wald's test of its strength), (N,).

        To be asked for when the fit has `settled`.
        """
        n = len(self.position)
        block = 2 * n + np.arange(n)[:, None] + n * np.arange(2 * self.courses)  # each one's strength
        covariance = self._covariance[block[:, :, None], block[:, None, :]]
        value = np.stack([self.course.real, self.course.imag], axis=2).reshape(n, -1, 1)
        return np.asarray((value * np.linalg.solve(covariance, value)).sum(axis=(1, 2)))

    def sigma(self) -> np.ndarray:
        """Standard deviation of the positions per axis [px], from the posterior's curvature, shape (N,)."""
        variance = np.diag(self._covariance)[: 2 * len(self.start)].reshape(2, -1)
        return np.sqrt(variance.mean(axis=0))
