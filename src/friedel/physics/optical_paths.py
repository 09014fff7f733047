"""Optical paths from pixels to scatterers and between scatterers, with their derivatives.

The optical path of a straight ray is ∫(1 + relative change of k) ds. The change is a weak periodic modulation of the
wavevector, the herringbone; to first order in it the path is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Spacing of the radial tables [px]: with linear interpolation, waves are exact to 1e-3.
STEP = 0.02
#: Shorter paths are raised to this [px]: H₀ diverges at 0.
NEAREST = 0.3
#: Ends nearer than this phase [rad] count as one: single precision cannot resolve the path between them.
LEAST_PHASE = 1e-2


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


class OpticalPaths:
    """Optical paths from `a` (P, 2) to `b` (N, 2) [px] and their derivatives.

    Along a straight ray the phase is k ∫(1 + relative change of k) ds, exact to first order in the ripple.

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
            result: np.ndarray = self.length
            return result
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
    """How maps change with the two amplitudes of ripples along the direct paths, with those between scatterers held.

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
    # Means along a path are (sin b − sin a)/(b − a) and (cos a − cos b)/(b − a): sums over scatterers are products.
    basis = np.stack([np.sin(end), np.cos(end), np.ones_like(end)], axis=2)
    stretch = np.stack(stretches)
    ratio = np.empty_like(stretch)
    sums = np.empty((len(stretch), len(place), len(end), 3), np.float32)
    for i in range(len(end)):
        apart = end[i] - start[:, i, None]
        apart[np.abs(apart) < LEAST_PHASE / 10] = np.inf  # paths along the wave fronts: too few to matter
        np.divide(stretch, apart, out=ratio)
        np.matmul(ratio, basis[i], out=sums[:, :, i])
    sine, cosine, whole = np.moveaxis(sums, 3, 0)
    out = np.empty((len(stretch), len(place), 2 * len(end)), np.float32)
    out[..., ::2] = sine - np.sin(start) * whole
    out[..., 1::2] = np.cos(start) * whole - cosine
    return out


class _Phases:
    """Phases q·r of a ripple at both ends of the paths from `a` (P, 2) to `b` (N, 2).

    Attributes
    ----------
    start, end : array, shapes (P,) and (N,)
    inverse : array, shape (P, N)
        1 over the phase between the ends; 1 where that is too small to divide by.
    near : tuple of arrays
        Indices of those paths.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray, q: Sequence[float] | np.ndarray) -> None:
        q = np.asarray(q, a.dtype)
        self.start, self.end = a @ q, b @ q
        apart = self.end - self.start[:, None]
        self.near = np.nonzero(np.abs(apart) < LEAST_PHASE)
        apart[self.near] = 1
        self.inverse = 1 / apart

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean of cosine and sine over each path."""
        start, end = self.start[:, None], self.end
        cosine = (np.sin(end) - np.sin(start)) * self.inverse
        sine = (np.cos(start) - np.cos(end)) * self.inverse
        middle = end[self.near[1]]
        cosine[self.near], sine[self.near] = np.cos(middle), np.sin(middle)
        return cosine, sine
