"""Multiple-scattering maps with their analytic derivatives, for fitting one field.

The map of N point scatterers at one energy is (Fiete & Heller, Rev. Mod. Phys. 75, 933, 2003)::

    ρ(r)/ρ₀ − 1 = Re Σ_ij h_i(r) T_ij h_j(r),      T = (S⁻¹ − H)⁻¹ = S W,   W = (1 − H S)⁻¹,

with h_i = H₀(k L_i) and L_i the optical path from r to scatterer i. With the dressed wave y = W h, g = S y::

    ∂ρ/∂s_a = Re y_a²,     ∂ρ/∂r_a = 2 Re g_a (∂h_a + Σ_j ∂H_ja g_j),     ∂ρ/∂θ = Re Σ_a g_a (2 ∂h_a + Σ_j ∂H_aj g_j)

for a parameter θ of all paths, such as the wavevector. `friedel.physics.optical_paths` has the paths;
`friedel.physics.t_matrix_torch` makes the same maps in torch, in batches and without derivatives.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import j0, y0

from friedel.physics.optical_paths import NEAREST, STEP, OpticalPaths

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Tables end at multiples of this [px], so that few differ.
REACH = 32
#: Values P × N that are worked on at a time.
PART = 32_000
#: Parameters that all paths share: relative change of k, of Im k, and the herringbone's.
SHARED = ("k", "im_k", "cosine", "sine", "q_row", "q_column")


class Hankel:
    """H₀(kr) on a radial grid, interpolated linearly, and its slope, that of the lines between.

    The imaginary part of k is taken as damping, and in the amplitude's √(1/k): exact to first order in Im k / Re k.

    Parameters
    ----------
    k : complex
        Wavevector [rad/px].
    reach : float
        Longest path [px].
    blur : float
        Standard deviation b of the wavevectors whose mean map is meant [rad/px]. The mean of e^{ik(L + L')} over them
        is smaller by exp(−b² (L + L')²/2); a factor exp(−b² L²) for each wave is the same where L = L', and exact to
        b² (L − L')²/2 elsewhere.
    """

    def __init__(self, k: complex, reach: float, blur: float = 0.0) -> None:
        self._k, self._blur = complex(k), float(blur)
        self._reach = int(np.ceil((reach + 2 * STEP) / REACH)) * REACH

    @property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """H₀ at the nodes, `STEP` apart from 0 px on, and the slope from each to the next, complex64."""
        return _table(self._k, self._reach, self._blur)

    def __call__(self, paths: OpticalPaths) -> tuple[np.ndarray, np.ndarray]:
        """H₀(kL) for the lengths L of `paths`, and its derivative by L, complex64."""
        value, slope = self.nodes
        index, rest = paths.nodes
        out, along = value.take(index), slope.take(index)
        out += along * rest
        return out, along


@lru_cache(maxsize=64)  # the steps of a fit ask for the same wavevectors again and again
def _table(k: complex, reach: int, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """H₀ at whole steps out to `reach` px, and the slope from each to the next."""
    r = np.maximum(np.arange(int(reach / STEP) + 1) * STEP, NEAREST)
    damped = np.exp(-k.imag * r - (blur * r) ** 2) * np.sqrt(k.real / k)
    value = (j0(k.real * r) + 1j * y0(k.real * r)) * damped
    return value.astype(np.complex64), (np.diff(value, append=0) / STEP).astype(np.complex64)


class Scattering:
    """N scatterers at one energy: what their waves have in common at all pixels.

    Parameters
    ----------
    between : OpticalPaths
        From scatterer to scatterer.
    k : complex
        Wavevector [rad/px].
    amplitude : array of complex, shape (N,)
        s_i = (e^{2iδ_i} − 1)/2.
    reach : float
        Longest path from a pixel to a scatterer [px].
    blur : float
        Standard deviation of the wavevectors that a mean map holds, as for `Hankel` [rad/px].
    """

    def __init__(
        self, between: OpticalPaths, k: complex, amplitude: np.ndarray, reach: float, blur: float = 0.0
    ) -> None:
        self.between, self.k, self.blur = between, k, blur
        self.amplitude = amplitude.astype(np.complex64)
        self.table = Hankel(k, max(reach, float(between.length.max(initial=0))) + 1, blur)
        off = (1 - np.eye(len(amplitude))).astype(np.float32)
        wave, slope = self.table(between)
        #: Derivative of H₀ from scatterer to scatterer by the path between them, shape (N, N).
        self.slope = slope * off
        matrix = wave * off * -self.amplitude
        matrix[np.diag_indices(len(amplitude))] += 1
        #: Wᵀ, by which the waves of all scatterers become dressed ones.
        self.dressing = np.ascontiguousarray(np.linalg.inv(matrix).T)

    @cached_property
    def inner(self) -> tuple[np.ndarray, np.ndarray]:
        """Half of `slope` times the change of the path with its end's row and column, shapes (N, N), complex64."""
        along_rows, along_columns = (
            (self.slope / 2 * toward).astype(np.complex64) for toward in self.between.toward
        )
        return along_rows, along_columns


class Waves:
    """The waves of N scatterers at one energy in P pixels.

    Quickest for a few thousand values P × N at a time, which stay in the processor's cache (`PART`).

    Parameters
    ----------
    away : OpticalPaths
        From the pixels to the scatterers.
    scattering : Scattering
    """

    def __init__(self, away: OpticalPaths, scattering: Scattering) -> None:
        self._to_pixels, self._scattering = away, scattering
        wave, self._slope = scattering.table(away)
        self._dressed = wave @ scattering.dressing
        self._twice = self._dressed * (2 * scattering.amplitude)  # 2 g
        #: ρ/ρ₀ − 1, shape (P,).
        self.density = _row_by_row(self._twice, wave).real / 2

    @cached_property
    def _amplitude_slope(self) -> np.ndarray:
        """2 g ∂h/∂L of every pixel and scatterer."""
        result: np.ndarray = self._twice * self._slope
        return result

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
            np.multiply(
                self._amplitude_slope.real, self._to_pixels.toward[axis], out=columns, casting="same_kind"
            )
            columns += part.real
            first += n
        square = self._dressed**2
        out[:, first : first + n] = square.real
        np.negative(square.imag, out=out[:, first + n : first + 2 * n])
        if shared:
            between = self._scattering.between
            kinds = list(dict.fromkeys("k" if name == "im_k" else name for name in shared))
            change = self.along([(self._to_pixels.by(kind), between.by(kind)) for kind in kinds])
            by = dict(zip(kinds, change.T, strict=True))
            for column, name in enumerate(shared, first + 2 * n):
                out[:, column] = -by["k"].imag if name == "im_k" else by[name].real
        return out

    def dressed_waves_at(self, away: OpticalPaths, between: OpticalPaths) -> np.ndarray:
        """Dressed waves y of M further points, complex, shape (P, M).

        With one of them a scatterer of small amplitude s, the density changes by Re s y².

        Parameters
        ----------
        away, between : OpticalPaths
            From the pixels and from the scatterers to the points.
        """
        reach = float(max(away.length.max(initial=0), between.length.max(initial=0)))
        table = Hankel(self._scattering.k, reach, self._scattering.blur)
        wave = table(away)[0]
        wave += self._twice @ (table(between)[0] / 2)
        return wave

    @property
    def shift(self) -> tuple[np.ndarray, np.ndarray]:
        """Change of the density with each scatterer's row and column, shapes (P, N); its path to others is held."""
        slope = self._amplitude_slope.real
        return slope * self._to_pixels.toward[0], slope * self._to_pixels.toward[1]

    @property
    def stretch(self) -> np.ndarray:
        """Change of the density with the relative change of each path from pixel to scatterer, shape (P, N).

        Paths between scatterers are held.
        """
        result: np.ndarray = self._amplitude_slope.real * self._to_pixels.distance
        return result

    def along(self, paths: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Complex changes of the density, of which the real part is seen, shape (P, number of paths).

        Parameters
        ----------
        paths : sequence of (away, between)
            Each a change of all paths, shapes (P, N) and (N, N).
        """
        change = np.empty((len(self._twice), len(paths)), np.complex64)
        for i, (away, between) in enumerate(paths):
            part = self._twice @ (self._scattering.slope / 4 * between).astype(np.complex64)
            part *= self._twice
            part += self._amplitude_slope * away.astype(np.float32, copy=False)
            change[:, i] = part.sum(axis=1)
        return change


def _row_by_row(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ_n a_pn b_pn."""
    result: np.ndarray = np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0]
    return result
