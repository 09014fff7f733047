"""A second band: its ring in the Fourier transform is filtered out, and the waves of the known band are left.

Electrons of two bands scatter at the same impurities, each with waves of its own wavevector. A method that is given
one band takes the other's waves for noise, which are as strong. In the Fourier transform they lie apart: on rings of
radius 2k and 2fk. If another ring is higher, if the band's own ring is seen beside it, and if the filter leaves that
one whole, each map m loses what lies on the other ring, with a Gaussian rim of width w on a scale of ln q::

    m → m − F⁻¹[g(|q|/2fk) F[m]],    g(u) = Φ(ln(u/u₁)/w) Φ(ln(u₂/u)/w)

Φ is the normal distribution function. The band's own ring tells a second band from a wrong one: without it, the only
ring lies elsewhere, and what is wrong is the band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.special import ndtr

from friedel._util.big_maps import parts, release
from friedel.prepare.background import clipped
from friedel.prepare.ring_evidence import INWARD, RingEvidence
from friedel.prepare.step import Step
from friedel.settings.checks import CHECK_LIMITS

#: The filter's ends u₁ and u₂ and its rim w, in units of the other ring's radius and of ln q. A ring of waves is wider
#: inwards.
STOP, RIM = (0.7, 1.2), 0.05
#: The band's own ring, in units of its radius: the filter leaves it whole.
OWN = (0.93, 1.08)
#: Values are clipped at so many robust standard deviations, and a map is mirrored at its border over so many of the
#: other band's wavelengths.
CLIP, REACH = 5.0, 3.0


@dataclass(frozen=True)
class SecondBand:
    """The ring of a second band.

    Parameters
    ----------
    factor : float
        Its wavevector over that of the known band.
    """

    factor: float

    @property
    def sentence(self) -> str:
        """What was done, and what else it could be."""
        return (
            f"The highest ring in the Fourier transform lies at {self.factor:.2f} times the band's wavevector, and "
            "was filtered out as that of a second band. If the surface has one band, check the material, the voltages "
            "and the pixel size."
        )

    def step(self) -> Step:
        """What to report."""
        return Step("second band", self.factor, self.sentence, notable=True)


def find_second_band(ring: RingEvidence) -> SecondBand | None:
    """Tell whether the maps show a second band, from the rings in their Fourier transform."""
    factor = ring.elsewhere_factor / INWARD
    apart = factor * STOP[1] <= OWN[0] or factor * STOP[0] >= OWN[1]
    higher = ring.excess > CHECK_LIMITS.other_ring
    if not (apart and higher and ring.prominence >= CHECK_LIMITS.own_ring):
        return None
    return SecondBand(factor)


def subtract_second_band(
    maps: np.ndarray, ground: np.ndarray, k: np.ndarray, pitch: tuple[float, float], second: SecondBand
) -> None:
    """Subtract from each map, in place, what lies on the ring of a second band.

    Parameters
    ----------
    maps, ground : array, shape (bias, rows, columns)
        NaN where not known; and their slow background, which stays.
    k : array, shape (bias,)
        Wavevector of the known band in each map [nm⁻¹]; maps without one stay as they are.
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    second : SecondBand
    """
    for part in parts(maps.shape):
        for v in range(part.start, part.stop):
            if np.isfinite(k[v]) and k[v] > 0:
                rest = clipped((maps[v] - ground[v])[None], CLIP)[0][0]
                maps[v] -= on_ring(rest, 2 * k[v] * second.factor, pitch)
        release(maps, ground)


def on_ring(plane: np.ndarray, radius: float, pitch: tuple[float, float]) -> np.ndarray:
    """What of a map lies on a ring of its Fourier transform, shape (rows, columns).

    Parameters
    ----------
    plane : array, shape (rows, columns)
        NaN where not known; counts as 0 there.
    radius : float
        Of the ring [nm⁻¹].
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    """
    rows, columns = plane.shape
    wave = REACH * 2 * np.pi / radius
    edge = [min(count - 1, int(np.ceil(wave / step))) for count, step in zip(plane.shape, pitch, strict=True)]
    wide = np.pad(np.nan_to_num(plane), [(n, n) for n in edge], mode="reflect").astype(np.float32)
    shape = [fft.next_fast_len(n, real=True) for n in wide.shape]
    q_row = 2 * np.pi * fft.fftfreq(shape[0], pitch[0]).astype(np.float32)
    q_column = 2 * np.pi * fft.rfftfreq(shape[1], pitch[1]).astype(np.float32)
    with np.errstate(divide="ignore"):
        place = np.log(np.hypot(q_row[:, None], q_column) / np.float32(radius))
    kept = ndtr((place - np.log(STOP[0])) / RIM) * ndtr((np.log(STOP[1]) - place) / RIM)
    ring = fft.irfft2(fft.rfft2(wide, shape) * kept.astype(np.float32), shape)
    return np.asarray(ring[edge[0] : edge[0] + rows, edge[1] : edge[1] + columns], dtype=plane.dtype)
