"""What a forward pass of the `friedel` network takes, and the symmetries under which it is repeated.

Everything here takes NumPy arrays or torch's tensors: `friedel.models.friedel_net` trains and runs with torch,
`friedel.models.light` runs the same network without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from friedel.models.base import Output
from friedel.models.matched_field import MatchedField, namespace, pool_voltages

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Symmetry:
    """A symmetry of the square lattice of pixels: the axes are exchanged first, then some are reversed."""

    exchanged: bool = False
    reversed_axes: tuple[int, ...] = ()  # −2: rows, −1: columns

    def of(self, field: Any) -> Any:
        """A field (..., H, W) as this symmetry shows it."""
        xp = namespace(field)
        return xp.flip(xp.swapaxes(field, -2, -1) if self.exchanged else field, self.reversed_axes)

    def back(self, field: Any) -> Any:
        """The inverse of `of`."""
        xp = namespace(field)
        field = xp.flip(field, self.reversed_axes)
        return xp.swapaxes(field, -2, -1) if self.exchanged else field

    def vectors_back(self, vectors: Any) -> Any:
        """The inverse for a field of vectors (row, column), (B, 2, H, W)."""
        vectors = self.back(vectors)
        signs = [-1.0 if axis in self.reversed_axes else 1.0 for axis in (-2, -1)]
        both = [vectors[:, number] * sign for number, sign in enumerate(signs)]
        return namespace(vectors).stack(both[::-1] if self.exchanged else both, 1)


#: In the order of `WaveConfig.n_augment`: the field, its rotations by 180°, 90° and 270°, and their mirror images.
SYMMETRIES = tuple(
    Symmetry(exchanged, axes)
    for exchanged, axes in (
        (False, ()),
        (False, (-2, -1)),
        (True, (-2,)),
        (True, (-1,)),
        (False, (-1,)),
        (False, (-2,)),
        (True, ()),
        (True, (-2, -1)),
    )
)


@dataclass(frozen=True)
class NetworkInput:
    """Prepared input: maps (B, G, H, W), their matched fields (B, G, R, 2, H, W), k (B, G) and mask (B, H, W)."""

    maps: Any
    waves: Any
    k: Any
    mask: Any

    def seen(self, by: Symmetry) -> NetworkInput:
        """The same under a symmetry; matched fields of isotropic waves turn with the maps."""
        return NetworkInput(by.of(self.maps), by.of(self.waves), self.k, by.of(self.mask))


def prepare(maps: Any, k: Any, mask: Any, groups: int, matched_field: MatchedField) -> NetworkInput:
    """Pool the voltages, normalise, and add the matched fields.

    Parameters
    ----------
    maps : array or Tensor, shape (B, V, H, W)
        Normalised, 0 where not acquired.
    k : array or Tensor, shape (B, V) [rad/px]
    mask : array or Tensor, shape (B, H, W)
        1 where acquired, else 0.
    groups : int
        Pooled voltages at most.
    matched_field : MatchedField
    """
    xp = namespace(maps)
    maps, k = pool_voltages(maps, k, groups)
    known = mask[:, None]
    count = xp.clip(_total(known), 1, None)
    maps = (maps - _total(maps * known) / count) * known
    maps = maps / xp.sqrt(_total(maps**2) / count + 1e-12)
    return NetworkInput(maps, matched_field(maps, k, mask), k, mask)


def _total(field: Any) -> Any:
    """Sum over the pixels, shape (B, G, 1, 1)."""
    return field.sum((-2, -1))[..., None, None]


def averaged(forward: Callable[[NetworkInput], Output], given: NetworkInput, count: int) -> Output:
    """Mean answer over the first `count` of `SYMMETRIES`, each brought back to the field as it was given.

    Parameters
    ----------
    forward : callable
        One forward pass.
    given : NetworkInput
    count : int
    """
    total: list[Any] = []
    for symmetry in SYMMETRIES[:count]:
        out = forward(given.seen(symmetry))
        one = [symmetry.back(out.s), symmetry.vectors_back(out.offset), symmetry.back(out.log_sigma)]
        total = [a + b for a, b in zip(total, one, strict=True)] if total else one
    return Output(*(x / count for x in total))
