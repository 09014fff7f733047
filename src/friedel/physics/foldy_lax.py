"""Multiple-scattering maps with their analytic derivatives, for fitting one field.

The map of N point scatterers at one energy is (Fiete & Heller, Rev. Mod. Phys. 75, 933, 2003)::

    ρ(r)/ρ₀ − 1 = Re Σ_ij h_i(r) T_ij h_j(r),      T = (S⁻¹ − H)⁻¹ = S W,   W = (1 − H S)⁻¹,

with h_i = H₀(k L_i) and L_i the (optical) way from r to scatterer i. With the dressed wave y = W h, g = S y::

    ∂ρ/∂s_a = Re y_a²,     ∂ρ/∂r_a = 2 Re g_a (∂h_a + Σ_j ∂H_ja g_j),     ∂ρ/∂θ = Re Σ_a g_a (2 ∂h_a + Σ_j ∂H_aj g_j)

for a parameter θ of all ways, such as the wavevector. `friedel.physics.scattering` makes the same maps in torch, in
batches and without derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import j0, j1, y0, y1

#: Spacing of the radial tables [px]: with straight lines between, waves are exact to 1e-3.
STEP = 0.02
#: Ways shorter than this [px] are raised to it: H₀ diverges at 0.
NEAREST = 0.3
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
    toward : tuple of two arrays, shape (P, N)
        Derivative by the row and by the column of `b`.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray, ripple: Ripple) -> None:
        row, column = b[None, :, 0] - a[:, None, 0], b[None, :, 1] - a[:, None, 1]
        self.a, self.b, self.ripple = a, b, ripple
        self.distance = np.maximum(np.hypot(row, column), NEAREST)
        unit = row / self.distance, column / self.distance
        self.length, self.toward = self.distance, unit
        if ripple.amplitude == 0:
            return
        q = np.asarray(ripple.q, self.distance.dtype)
        start, end = a @ q, b @ q
        self._cosine, self._sine = self._means(start, end)
        mean = ripple.cosine * self._cosine + ripple.sine * self._sine
        # The mean's derivative by the phases at both ends; where these agree it is half the local slope.
        apart = end - start[:, None]
        near = np.abs(apart) < 1e-2
        apart = np.where(near, 1, apart)
        middle = (start[:, None] + end) / 2
        slope = (ripple.sine * np.cos(middle) - ripple.cosine * np.sin(middle)) / 2
        at_start, at_end = (ripple.cosine * np.cos(p) + ripple.sine * np.sin(p) for p in (start, end))
        self._by_end = np.where(near, slope, (at_end - mean) / apart)
        self._by_start = np.where(near, slope, (mean - at_start[:, None]) / apart)
        self.length = self.distance * (1 + mean)
        first, second = (u * (1 + mean) + self.distance * self._by_end * q[i] for i, u in enumerate(unit))
        self.toward = first, second

    @staticmethod
    def _means(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of cosine and sine over each way: that in the middle, times sinc of half the phase between."""
        middle, half = (start[:, None] + end) / 2, (end - start[:, None]) / 2
        sinc = np.sinc(half / np.pi)
        return np.cos(middle) * sinc, np.sin(middle) * sinc

    def by_amplitudes(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of the length by cosine and sine of a ripple of wavevector `q`."""
        q = np.asarray(q, self.distance.dtype)
        cosine, sine = self._means(self.a @ q, self.b @ q)
        return self.distance * cosine, self.distance * sine

    def by(self, name: str) -> np.ndarray:
        """Derivative of the length by one of the ripple's parameters."""
        if name in ("cosine", "sine"):
            return self.distance * (self._cosine if name == "cosine" else self._sine)
        axis = ("q_row", "q_column").index(name)
        return self.distance * (self._by_start * self.a[:, axis, None] + self._by_end * self.b[None, :, axis])


class Hankel:
    """H₀(kr) and H₁(kr) on a radial grid, interpolated linearly.

    The imaginary part of k is taken as damping, and in the amplitude's √(1/k): exact to first order in Im k / Re k.
    """

    def __init__(self, k: complex, reach: float) -> None:
        r = np.maximum(np.arange(int(reach / STEP) + 3) * STEP, NEAREST)
        self._tables = [
            (table.astype(np.complex64), np.diff(table, append=table[-1:]).astype(np.complex64))
            for table in (_hankel(order, k, r) for order in (0, 1))
        ]

    def __call__(self, r: np.ndarray, order: int) -> np.ndarray:
        """H_order(kr), complex64."""
        place = (r * (1 / STEP)).astype(np.float32)
        index = place.astype(np.int32)
        place -= index
        value, rise = self._tables[order]
        out = rise.take(index)
        out *= place
        out += value.take(index)
        return out


def _hankel(order: int, k: complex, r: np.ndarray) -> np.ndarray:
    x = k.real * r
    value = j0(x) + 1j * y0(x) if order == 0 else j1(x) + 1j * y1(x)
    return value * np.exp(-k.imag * r) * np.sqrt(k.real / k)


class Waves:
    """The waves of N scatterers at one energy.

    Parameters
    ----------
    away : Ways
        From P pixels to the scatterers.
    between : Ways
        From scatterer to scatterer.
    k : complex
        Wavevector [rad/px].
    strength : array of complex, shape (N,)
        s_i = (e^{2iδ_i} − 1)/2.
    slopes : bool
        Whether derivatives will be asked for.
    """

    def __init__(
        self, away: Ways, between: Ways, k: complex, strength: np.ndarray, *, slopes: bool = True
    ) -> None:
        self._away, self._between = away, between
        n = len(strength)
        off = 1 - np.eye(n)
        way = between.length + np.eye(n)
        dressing = np.linalg.inv(np.eye(n) - _hankel(0, k, way) * off * strength)
        table = Hankel(k, float(away.length.max(initial=0)) + 1)
        wave = table(away.length, 0)
        self._dressed = wave @ dressing.T.astype(np.complex64)
        self._out = self._dressed * strength.astype(np.complex64)
        #: ρ/ρ₀ − 1, shape (P,).
        self.density = np.einsum("pn,pn->p", self._out, wave).real
        if slopes:
            self._inner_slope = -k * _hankel(1, k, way) * off
            self._slope = table(away.length, 1)
            self._slope *= np.complex64(-k)
            turn = 2 * self._out * self._slope
            self._turn = np.ascontiguousarray(turn.real), np.ascontiguousarray(turn.imag)

    @staticmethod
    def single(place: np.ndarray, points: np.ndarray, k: complex) -> np.ndarray:
        """H₀(kr)² from each place (P, 2) to each of `points` (N, 2), complex64: the wave of one scatterer alone."""
        length = Ways(place, points, Ripple()).length
        return Hankel(k, float(length.max(initial=0)) + 1)(length, 0) ** 2

    def derivative(self, shared: Sequence[str] = ()) -> np.ndarray:
        """Derivatives of `density`, shape (P, 4N + shared): rows, columns, Re s, Im s, then `shared` parameters."""
        n = self._out.shape[1]
        out = np.empty((len(self._out), 4 * n + len(shared)), np.float32)
        for axis in (0, 1):
            part = self._out @ (self._inner_slope * self._between.toward[axis]).astype(np.complex64)
            part += self._slope * self._away.toward[axis].astype(np.float32)
            part *= self._out
            out[:, axis * n : (axis + 1) * n] = 2 * part.real
        square = self._dressed**2
        out[:, 2 * n : 3 * n], out[:, 3 * n : 4 * n] = square.real, -square.imag
        by_k = np.zeros(len(out), complex)
        if "k" in shared or "im_k" in shared:
            by_k = self.along(self._away.length, self._between.length)
        for column, name in enumerate(shared, 4 * n):
            if name == "k":
                out[:, column] = by_k.real
            elif name == "im_k":
                out[:, column] = -by_k.imag
            else:
                out[:, column] = self.along(self._away.by(name), self._between.by(name)).real
        return out

    def along(self, away: np.ndarray, between: np.ndarray) -> np.ndarray:
        """Complex change of the density for given changes of the ways, shape (P,); its real part is seen."""
        away = away.astype(np.float32, copy=False)
        real, imag = (np.einsum("pn,pn->p", part, away) for part in self._turn)
        change = real + 1j * imag
        inner = self._out @ (self._inner_slope * between).astype(np.complex64)
        return change + np.einsum("pn,pn->p", inner, self._out)
