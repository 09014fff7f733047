"""Multiple-scattering maps with their analytic derivatives, for fitting one field.

The map of N point scatterers at one energy is (Fiete & Heller, Rev. Mod. Phys. 75, 933, 2003)::

    ρ(r)/ρ₀ − 1 = Re Σ_ij h_i(r) T_ij h_j(r),      T = (S⁻¹ − H)⁻¹ = S W,   W = (1 − H S)⁻¹,

with h_i = H₀(k L_i) and L_i the (optical) way from r to scatterer i. With the dressed wave y = W h, g = S y::

    ∂ρ/∂s_a = Re y_a²,     ∂ρ/∂r_a = 2 Re g_a (∂h_a + Σ_j ∂H_ja g_j),     ∂ρ/∂θ = Re Σ_a g_a (2 ∂h_a + Σ_j ∂H_aj g_j)

for a parameter θ of all ways, such as the wavevector. `friedel.physics.t_matrix_torch` makes the same maps in torch, in
batches and without derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import j0, y0

#: Spacing of the radial tables [px]: with straight lines between, waves are exact to 1e-3.
STEP = 0.02
#: Tables end at multiples of this [px], so that few differ.
REACH = 32
#: Ways shorter than this [px] are raised to it: H₀ diverges at 0.
NEAREST = 0.3
#: Ends nearer than this phase [rad] count as one: single precision cannot tell the way between.
LEAST_PHASE = 1e-2
#: Values P × N that are worked on at a time.
PART = 32_000
#: Parameters that all ways share: relative change of k, of Im k, and the herringbone's.
SHARED = ("k", "im_k", "cosine", "sine", "q_row", "q_column")


@dataclass(frozen=True)
class Ripple:
    """A weak periodic change of the local wavevector, k (1 + cosine·cos(q·r) + sine·sin(q·r)): the herringbone.

    Parameters
    ----------
    cosine, sine : float
        Relative amplitudes.
    q : (float, float)
        Wavevector along rows and columns [rad/px].
    """

    cosine: float = 0.0
    sine: float = 0.0
    q: tuple[float, float] = (0.0, 0.0)

    @property
    def amplitude(self) -> float:
        """Largest relative change of k."""
        return float(np.hypot(self.cosine, self.sine))


class Ways:
    """Optical ways from `a` (P, 2) to `b` (N, 2) [px] and their derivatives.

    Along a straight ray the phase is that of the way ∫(1 + change of k) ds, exact to first order in the ripple.

    Attributes
    ----------
    length : array, shape (P, N)
    """

    def __init__(self, a: np.ndarray, b: np.ndarray, ripple: Ripple) -> None:
        row, column = b[None, :, 0] - a[:, None, 0], b[None, :, 1] - a[:, None, 1]
        self.a, self.b, self.ripple = a, b, ripple
        self.distance = np.sqrt(row * row + column * column)
        np.maximum(self.distance, NEAREST, out=self.distance)
        self._apart = row, column
        self._by: dict[str, np.ndarray] = {}
        self.length = self.distance
        if ripple.amplitude:
            self._phases = _Phases(a, b, ripple.q)
            self._cosine, self._sine = self._phases.means()
            self._mean = ripple.cosine * self._cosine + ripple.sine * self._sine
            self.length = self.distance * (1 + self._mean)

    @cached_property
    def toward(self) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of the length by the row and by the column of `b`, shapes (P, N)."""
        unit = self._apart[0] / self.distance, self._apart[1] / self.distance
        if not self.ripple.amplitude:
            return unit
        change, stretch = self.distance * self._by_ends[1], 1 + self._mean
        first, second = (u * stretch + change * q for u, q in zip(unit, self.ripple.q, strict=True))
        return first, second

    @cached_property
    def _by_ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of the mean change of k by the phases at both ends; where these agree, half the local slope."""
        phases, ripple = self._phases, self.ripple
        start, end, inverse = phases.start, phases.end, phases.inverse
        at_start, at_end = (ripple.cosine * np.cos(p) + ripple.sine * np.sin(p) for p in (start, end))
        by_start, by_end = (self._mean - at_start[:, None]) * inverse, (at_end - self._mean) * inverse
        middle = end[phases.near[1]]
        slope = (ripple.sine * np.cos(middle) - ripple.cosine * np.sin(middle)) / 2
        by_start[phases.near] = by_end[phases.near] = slope
        return by_start, by_end

    @cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the lengths lie in a radial table: whole steps and the rest [px]."""
        place = (self.length * (1 / STEP)).astype(np.float32, copy=False)
        index = place.astype(np.intp)
        place -= index
        place *= STEP
        return index, place

    def by(self, name: str) -> np.ndarray:
        """Derivative of the length by one of the ripple's parameters, kept, since every map asks for it; or the length.

        A relative change of k is one of all lengths.
        """
        if name == "k":
            return self.length
        if name not in self._by:
            if name in ("cosine", "sine"):
                self._by[name] = self.distance * (self._cosine if name == "cosine" else self._sine)
            else:
                axis = ("q_row", "q_column").index(name)
                by_start, by_end = self._by_ends
                ends = by_start * self.a[:, axis, None], by_end * self.b[None, :, axis]
                self._by[name] = self.distance * (ends[0] + ends[1])
        return self._by[name]


def by_ripples(
    stretches: Sequence[np.ndarray], place: np.ndarray, position: np.ndarray, waves_q: np.ndarray
) -> np.ndarray:
    """How maps change with the two amplitudes of ripples along the direct ways, those between scatterers held.

    Parameters
    ----------
    stretches : sequence of array, shape (P, N)
        `Waves.stretch` of each map.
    place, position : array, shapes (P, 2) and (N, 2)
        Pixels and scatterers.
    waves_q : array, shape (D, 2)
        Wavevectors of the ripples [rad/px].

    Returns
    -------
    array, shape (V, P, 2 D)
        By cosine and by sine of the first ripple, of the second, and so on.
    """
    start = (place.astype(np.float32) @ waves_q.T).astype(np.float32)  # (P, D)
    end = (position @ waves_q.T).astype(np.float32).T  # (D, N)
    # Means along a way are (sin b − sin a)/(b − a) and (cos a − cos b)/(b − a): sums over scatterers are products.
    basis = np.stack([np.sin(end), np.cos(end), np.ones_like(end)], axis=2)
    stretch = np.stack(stretches)
    ratio = np.empty_like(stretch)
    sums = np.empty((len(stretch), len(place), len(end), 3), np.float32)
    for i in range(len(end)):
        apart = end[i] - start[:, i, None]
        apart[np.abs(apart) < LEAST_PHASE / 10] = np.inf  # ways along the wave fronts: too few to matter
        np.divide(stretch, apart, out=ratio)
        np.matmul(ratio, basis[i], out=sums[:, :, i])
    sine, cosine, whole = np.moveaxis(sums, 3, 0)
    out = np.empty((len(stretch), len(place), 2 * len(end)), np.float32)
    out[..., ::2] = sine - np.sin(start) * whole
    out[..., 1::2] = np.cos(start) * whole - cosine
    return out


class _Phases:
    """Phases q·r of a ripple at both ends of the ways from `a` (P, 2) to `b` (N, 2).

    Attributes
    ----------
    start, end : array, shapes (P,) and (N,)
    inverse : array, shape (P, N)
        1 over the phase between the ends; 1 where that is too small to divide by.
    near : tuple of arrays
        Indices of those ways.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray, q: Sequence[float] | np.ndarray) -> None:
        q = np.asarray(q, a.dtype)
        self.start, self.end = a @ q, b @ q
        apart = self.end - self.start[:, None]
        self.near = np.nonzero(np.abs(apart) < LEAST_PHASE)
        apart[self.near] = 1
        self.inverse = 1 / apart

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean of cosine and sine over each way."""
        start, end = self.start[:, None], self.end
        cosine = (np.sin(end) - np.sin(start)) * self.inverse
        sine = (np.cos(start) - np.cos(end)) * self.inverse
        middle = end[self.near[1]]
        cosine[self.near], sine[self.near] = np.cos(middle), np.sin(middle)
        return cosine, sine


class Hankel:
    """H₀(kr) on a radial grid, interpolated linearly, and its slope, that of the lines between.

    The imaginary part of k is taken as damping, and in the amplitude's √(1/k): exact to first order in Im k / Re k.

    Parameters
    ----------
    k : complex
        Wavevector [rad/px].
    reach : float
        Longest way [px].
    blur : float
        Standard deviation b of the wavevectors whose mean map is meant [rad/px]. The mean of e^{ik(L + L')} over them
        is smaller by exp(−b² (L + L')²/2); a factor exp(−b² L²) for each wave is the same where L = L', and exact to
        b² (L − L')²/2 elsewhere.
    """

    def __init__(self, k: complex, reach: float, blur: float = 0.0) -> None:
        self._k, self._blur = complex(k), float(blur)
        self._reach = int(np.ceil((reach + 2 * STEP) / REACH)) * REACH

    def __call__(self, ways: Ways) -> tuple[np.ndarray, np.ndarray]:
        """H₀(kL) for the lengths L of `ways`, and its derivative by L, complex64."""
        value, slope = _table(self._k, self._reach, self._blur)
        index, rest = ways.nodes
        out, along = value.take(index), slope.take(index)
        out += along * rest
        return out, along


@lru_cache(maxsize=64)  # the steps of a fit ask for the same wavevectors again and again
def _table(k: complex, reach: int, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """H₀ at whole steps out to `reach` px, and its slope on the way to the next."""
    r = np.maximum(np.arange(int(reach / STEP) + 1) * STEP, NEAREST)
    damped = np.exp(-k.imag * r - (blur * r) ** 2) * np.sqrt(k.real / k)
    value = (j0(k.real * r) + 1j * y0(k.real * r)) * damped
    return value.astype(np.complex64), (np.diff(value, append=0) / STEP).astype(np.complex64)


class Scattering:
    """N scatterers at one energy: what their waves have in common at all pixels.

    Parameters
    ----------
    between : Ways
        From scatterer to scatterer.
    k : complex
        Wavevector [rad/px].
    strength : array of complex, shape (N,)
        s_i = (e^{2iδ_i} − 1)/2.
    reach : float
        Longest way from a pixel to a scatterer [px].
    blur : float
        Standard deviation of the wavevectors that a mean map holds, as for `Hankel` [rad/px].
    """

    def __init__(
        self, between: Ways, k: complex, strength: np.ndarray, reach: float, blur: float = 0.0
    ) -> None:
        self.between, self.k, self.blur = between, k, blur
        self.strength = strength.astype(np.complex64)
        self.table = Hankel(k, max(reach, float(between.length.max(initial=0))) + 1, blur)
        off = (1 - np.eye(len(strength))).astype(np.float32)
        wave, slope = self.table(between)
        #: Derivative of H₀ from scatterer to scatterer by the way between them, shape (N, N).
        self.slope = slope * off
        matrix = wave * off * -self.strength
        matrix[np.diag_indices(len(strength))] += 1
        #: Wᵀ, by which the waves of all scatterers become dressed ones.
        self.dressing = np.ascontiguousarray(np.linalg.inv(matrix).T)

    @cached_property
    def inner(self) -> tuple[np.ndarray, np.ndarray]:
        """Half of `slope` times the change of the way with its end's row and column, shapes (N, N), complex64."""
        along_rows, along_columns = (
            (self.slope / 2 * toward).astype(np.complex64) for toward in self.between.toward
        )
        return along_rows, along_columns


class Waves:
    """The waves of N scatterers at one energy in P pixels.

    Quickest for a few thousand values P × N at a time, which stay in the processor's cache (`PART`).

    Parameters
    ----------
    away : Ways
        From the pixels to the scatterers.
    scattering : Scattering
    """

    def __init__(self, away: Ways, scattering: Scattering) -> None:
        self._away, self._scattering = away, scattering
        wave, self._slope = scattering.table(away)
        self._dressed = wave @ scattering.dressing
        self._twice = self._dressed * (2 * scattering.strength)  # 2 g
        #: ρ/ρ₀ − 1, shape (P,).
        self.density = _row_by_row(self._twice, wave).real / 2

    @cached_property
    def _turn(self) -> np.ndarray:
        """2 g ∂h/∂L of every pixel and scatterer."""
        return self._twice * self._slope

    def derivative(
        self, shared: Sequence[str] = (), out: np.ndarray | None = None, *, positions: bool = True
    ) -> np.ndarray:
        """Derivatives of `density`, shape (P, 4N + shared): rows, columns, Re s, Im s, then `shared` parameters.

        Written into `out` where it is given. Without `positions` the first 2N are left out, which is far quicker.
        """
        n, first = self._twice.shape[1], 0
        if out is None:
            out = np.empty((len(self._twice), (4 if positions else 2) * n + len(shared)), np.float32)
        for axis in (0, 1) if positions else ():
            part = self._twice @ self._scattering.inner[axis]
            part *= self._twice
            columns = out[:, first : first + n]
            np.multiply(self._turn.real, self._away.toward[axis], out=columns, casting="same_kind")
            columns += part.real
            first += n
        square = self._dressed**2
        out[:, first : first + n] = square.real
        np.negative(square.imag, out=out[:, first + n : first + 2 * n])
        if shared:
            between = self._scattering.between
            kinds = list(dict.fromkeys("k" if name == "im_k" else name for name in shared))
            change = self.along([(self._away.by(kind), between.by(kind)) for kind in kinds])
            by = dict(zip(kinds, change.T, strict=True))
            for column, name in enumerate(shared, first + 2 * n):
                out[:, column] = -by["k"].imag if name == "im_k" else by[name].real
        return out

    def reaching(self, away: Ways, between: Ways) -> np.ndarray:
        """Dressed waves y of M further points, complex, shape (P, M).

        With one of them a scatterer of small strength s, the density changes by Re s y².

        Parameters
        ----------
        away, between : Ways
            From the pixels and from the scatterers to the points.
        """
        reach = float(max(away.length.max(initial=0), between.length.max(initial=0)))
        table = Hankel(self._scattering.k, reach, self._scattering.blur)
        wave = table(away)[0]
        wave += self._twice @ (table(between)[0] / 2)
        return wave

    @property
    def stretch(self) -> np.ndarray:
        """Change of the density with the relative change of each way from pixel to scatterer, shape (P, N).

        Ways between scatterers are held.
        """
        return self._turn.real * self._away.distance

    def along(self, ways: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Complex changes of the density, of which the real part is seen, shape (P, number of ways).

        Parameters
        ----------
        ways : sequence of (away, between)
            Each a change of all ways, shapes (P, N) and (N, N).
        """
        change = np.empty((len(self._twice), len(ways)), np.complex64)
        for i, (away, between) in enumerate(ways):
            part = self._twice @ (self._scattering.slope / 4 * between).astype(np.complex64)
            part *= self._twice
            part += self._turn * away.astype(np.float32, copy=False)
            change[:, i] = part.sum(axis=1)
        return change


def _row_by_row(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ_n a_pn b_pn."""
    return np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0]
