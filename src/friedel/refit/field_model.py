"""The maps of all scatterers of a field, and their waves part by part."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.threads import cores, each
from friedel.physics.optical_paths import OpticalPaths, Ripple
from friedel.physics.t_matrix_jacobian import PART, Scattering, Waves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Waves of a model are kept, for the slopes, if they are at most so many numbers, all maps together.
KEPT = 2_000_000


class FieldModel:
    """The maps of all scatterers at given parameters.

    Parameters
    ----------
    place : array, shape (P, 2)
        Pixels.
    position : array, shape (N, 2)
        Scatterers half-way through the series of maps [px].
    amplitude : array of complex, shape (V, N)
    k : array of complex, shape (V,)
        Wavevectors [rad/px].
    ripple : friedel.physics.optical_paths.Ripple
    drift : array, shape (V, 2)
        By how much the scatterers have moved in each map [px].
    blur : array, shape (V,)
        Standard deviation of the wavevectors that each map is the mean of [rad/px].
    """

    def __init__(
        self,
        place: np.ndarray,
        position: np.ndarray,
        amplitude: np.ndarray,
        k: np.ndarray,
        ripple: Ripple,
        drift: np.ndarray,
        blur: np.ndarray,
    ) -> None:
        self.place = place.astype(np.float32)  # single precision is enough for distances, and twice as fast
        self.position, self.ripple, self.drift = position, ripple, drift
        #: Optical paths from scatterer to scatterer.
        self.between = OpticalPaths(position, position, ripple)
        everything = np.concatenate([place, position])
        reach = float(np.hypot(*np.ptp(everything, axis=0))) + float(np.abs(drift).max(initial=0))
        reach *= 1 + ripple.amplitude
        made: dict[int, Scattering] = {}

        def make(v: int) -> None:
            made[v] = Scattering(self.between, k[v], amplitude[v], reach, blur[v])

        each(make, range(len(k)))
        self.scattering = [made[v] for v in range(len(k))]
        self._keeps = len(k) * len(place) * len(position) <= KEPT
        self._kept: dict[tuple[int, int], list[Waves]] = {}
        self._density: np.ndarray | None = None

    def parts(self) -> list[slice]:
        """Slices of pixels that are quickly worked on, equally many on every core."""
        largest = max(16, PART // max(1, len(self.position)))
        count = -(-len(self.place) // (largest * cores())) * cores()
        ends = np.linspace(0, len(self.place), count + 1).round().astype(int).tolist()
        return [slice(first, last) for first, last in pairwise(ends) if last > first]

    def waves(self, part: slice) -> Iterable[Waves]:
        """The waves of every map in a part of the pixels."""
        if not self._keeps:
            return self._made(part)
        at = part.start, part.stop
        if at not in self._kept:
            self._kept[at] = list(self._made(part))
        return self._kept[at]

    def _made(self, part: slice) -> Iterator[Waves]:
        still = not self.drift.any()
        away = (
            OpticalPaths(self.place[part], self.position.astype(np.float32), self.ripple) if still else None
        )
        for v, scattering in enumerate(self.scattering):
            moved = (self.position + self.drift[v]).astype(np.float32)
            yield Waves(away or OpticalPaths(self.place[part], moved, self.ripple), scattering)

    def density(self) -> np.ndarray:
        """ρ/ρ₀ − 1, shape (V, P), float32; made once."""
        if self._density is None:
            self._density = self._made_density()
        return self._density

    def _made_density(self) -> np.ndarray:
        out = np.empty((len(self.scattering), len(self.place)), np.float32)

        def fill(part: slice) -> None:
            for v, waves in enumerate(self.waves(part)):
                out[v, part] = waves.density

        each(fill, self.parts())
        return out
