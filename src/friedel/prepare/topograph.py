"""The wavevector of a constant-current topograph: it integrates from 0 to V, so k(V) or k_F may show.

The ring in the map decides between both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.prepare.ring_evidence import RingEvidence, ring_evidence
from friedel.settings.checks import CHECK_LIMITS

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion

#: The ring at k_F must be higher than that at k(V) by so much, as the logarithm of a power.
CLEARER = 0.3


@dataclass(frozen=True)
class TopographWave:
    """At which energy the waves of a topograph are.

    Parameters
    ----------
    energy_mev : float
        V for k(V), 0 for k_F.
    sentence : str
    """

    energy_mev: float
    sentence: str


def wave_of(
    levelled: np.ndarray, bias_mv: float, band: Dispersion, pitch: tuple[float, float]
) -> TopographWave:
    """Choose between k(V) and k_F by the ring in the map.

    Parameters
    ----------
    levelled : array, shape (rows, columns)
        Without plane and line offsets.
    bias_mv : float
        V.
    band : Dispersion
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].

    Returns
    -------
    TopographWave
    """
    at_bias, at_fermi = (_evidence(levelled, float(band.k([energy])[0]), pitch) for energy in (bias_mv, 0.0))
    clearer = at_fermi.height > at_bias.height + CLEARER or not np.isfinite(at_bias.height)
    stands = at_fermi.height >= CHECK_LIMITS.ring and at_fermi.sigma >= CHECK_LIMITS.ring_sigma
    fermi = clearer and (stands or not np.isfinite(at_bias.height)) and np.isfinite(at_fermi.height)
    name, other = ("k_F", f"k at {bias_mv:.4g} mV") if fermi else (f"k at {bias_mv:.4g} mV", "k_F")
    heights = (at_fermi, at_bias) if fermi else (at_bias, at_fermi)
    sentence = (
        f"The topograph's waves are taken at {name}: the height of its ring in the Fourier transform is "
        f"{_text(heights[0])}, that at {other} {_text(heights[1])}."
    )
    return TopographWave(0.0 if fermi else float(bias_mv), sentence)


def _evidence(levelled: np.ndarray, k: float, pitch: tuple[float, float]) -> RingEvidence:
    # Without two pixels per half wavelength there is no ring to see.
    if not np.isfinite(k) or k * max(pitch) > np.pi / 2:
        return RingEvidence(float("nan"), float("nan"))
    return ring_evidence(levelled[None], np.array([k]), pitch)


def _text(evidence: RingEvidence) -> str:
    return f"{evidence.height:.1f}" if np.isfinite(evidence.height) else "not defined"
