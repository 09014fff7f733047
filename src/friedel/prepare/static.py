"""A structure that all maps share: soliton walls, steps, adsorbates that are seen at every voltage.

Waves change their length with the voltage, so that one image explains little of their maps. A structure of the surface
looks the same in all of them, stronger or weaker. With the maps m_v, of rms 1 and without their slow background, and
the largest eigenvalue λ₁ and its eigenvector a of their correlations::

    share = λ₁/Σλ,    M(r) = Σ_v a_v m_v(r),    m_v → m_v − M ⟨m_v, M⟩/⟨M, M⟩

That image is subtracted where it holds most of the variance, and where waves could not: their own share follows from
the wavevectors. A scatterer's wave falls with its square as r⁻² on r dr of the area, so that two maps correlate by
C_vw = ∫ cos(2 (k_v − k_w) r) dr/r, from the core, a quarter of half a wavelength, to half of the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel._util.big_maps import parts, release
from friedel._util.robust import spread
from friedel.prepare.periodic import telling
from friedel.prepare.step import Step

#: The image is subtracted if it holds a larger share of the variance than `LEAST`, and than waves by `MARGIN`, and if
#: that of waves is below `MOST_WAVES`: else it would be the waves. Simulated waves without noise hold up to .06 more
#: than their wavevectors tell, and at most .56, on the standard scenes.
LEAST, MARGIN, MOST_WAVES = 0.6, 0.1, 0.6
#: Distance from a scatterer at which its waves begin [half wavelengths].
CORE = 0.25
#: Fewer maps do not tell.
FEW = 6
#: Values are clipped at so many robust standard deviations: an outlier is no structure.
CLIP = 5.0
#: Most pixels that the correlations are taken from.
PIXELS = 1 << 18
#: Distances at which the waves' correlation is summed.
DISTANCES = 200


@dataclass(frozen=True, eq=False)
class Static:
    """The image that all maps share.

    Parameters
    ----------
    image : array, shape (rows, columns)
        0 where not known.
    share : float
        Share of the maps' variance that it holds.
    """

    image: np.ndarray
    share: float

    def step(self) -> Step:
        """What to report."""
        text = (
            f"One image that all maps share, {100 * self.share:.2g} % of the variance, is subtracted: waves change "
            "with the voltage, a structure of the surface does not."
        )
        return Step("static", self.share, text, notable=True)


def waves_share(k: np.ndarray, reach: float) -> float:
    """Share of the variance of waves that one image holds.

    Parameters
    ----------
    k : array, shape (bias,)
        Wavevector of each map [nm⁻¹].
    reach : float
        Half of the field's shorter side [nm].
    """
    k = np.asarray(k, dtype=float)
    nearest = CORE * np.pi / float(np.median(k))
    # Equal steps of ln r: the weight dr/r is the same for all of them.
    distance = np.geomspace(nearest, max(reach, 2 * nearest), DISTANCES)
    change = np.cos(2 * (k[:, None] - k)[:, :, None] * distance).mean(axis=2)
    return float(np.linalg.eigvalsh(change)[-1] / len(k))


def find_static(
    maps: np.ndarray, ground: np.ndarray, k: np.ndarray, pitch: tuple[float, float]
) -> Static | None:
    """Find an image that explains most of all maps, as waves cannot.

    Parameters
    ----------
    maps, ground : array, shape (bias, rows, columns)
        NaN where not known; and their slow background.
    k : array, shape (bias,)
        Wavevector of each map [nm⁻¹]; NaN outside the band.
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    """
    inside = np.flatnonzero(np.isfinite(k) & (k > 0))
    if len(inside) < FEW:
        return None
    some = inside[telling(len(inside))]
    side = min(count * step for count, step in zip(maps.shape[1:], pitch, strict=True))
    alone = waves_share(k[some], side / 2)
    if alone > MOST_WAVES:
        return None
    stride = max(1, int(np.ceil(np.sqrt(maps[0].size / PIXELS))))
    coarse = np.s_[::stride, ::stride]
    values = np.array([_tame(maps[v][coarse], ground[v][coarse])[0].ravel() for v in some])
    eigenvalue, vector = np.linalg.eigh(values @ values.T)
    share = float(eigenvalue[-1] / max(eigenvalue.sum(), 1e-300))
    if share <= max(LEAST, alone + MARGIN):
        return None
    image = np.zeros(maps.shape[1:])
    for weight, v in zip(vector[:, -1], some, strict=True):
        image += weight * _tame(maps[v], ground[v])[0]
        release(maps, ground)
    return Static(image, share)


def subtract_static(maps: np.ndarray, ground: np.ndarray, static: Static) -> None:
    """Subtract from each map, in place, what the image explains of it; parameters as `find_static`."""
    power = float((static.image**2).sum())
    for part in parts(maps.shape):
        for v in range(part.start, part.stop):
            tame, size = _tame(maps[v], ground[v])
            maps[v] -= size * float((tame * static.image).sum()) / power * static.image
        release(maps, ground)


def _tame(plane: np.ndarray, ground: np.ndarray) -> tuple[np.ndarray, float]:
    """A map without its slow background, over its robust standard deviation, clipped, 0 where not known; and that.

    The standard deviation of a constant map is taken as 1.
    """
    rest = plane - ground
    known = np.isfinite(rest)
    if not known.any():
        return np.zeros(rest.shape), 1.0
    size = float(spread(rest[None], axis=(1, 2))[0])
    size = size if size > 0 else 1.0
    centred = np.where(known, rest - np.median(rest[known]), 0.0)
    return np.clip(centred / size, -CLIP, CLIP), size
