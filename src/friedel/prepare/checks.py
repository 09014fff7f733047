"""What can be wrong with a result, tested: each check has a value, a limit and a sentence.

``benchmarks/checks.py`` measures how often they fail on bad and on good fields of `friedel.benchmark.confounders`. The
limits are first values, to be set on its even seeds and tested on its odd ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel.detections import Check
from friedel.prepare.lines import longest_line
from friedel.prepare.ring_evidence import RingEvidence

#: Least height of the ring at 2k, as the logarithm of a power ratio, and in standard deviations.
RING = 0.25
#: A ring at another wavevector may be higher than that of the band by so much.
OTHER_RING = 0.4
#: Largest share of the network's impurities that the refit drops.
DROPPED = 0.25
#: Least share of impurities with a probability above .99, where the network has several voltages.
SURE = 0.6
#: Most impurities per square of half a wavelength.
DENSITY = 0.3
#: Most points on a line beyond those that chance puts there, in standard deviations.
LINE = 5.0
#: Least half wavelengths along the shorter side; least pixels per half wavelength; most lost data.
FIELD, SAMPLING, LOST = 4.0, 2.0, 0.25
#: Fewer points than this say nothing about shares and lines.
FEW = 5


@dataclass(frozen=True)
class Facts:
    """What the checks rest on.

    Parameters
    ----------
    positions : array, shape (n, 2)
        Impurities [px of the network's maps].
    probability : array, shape (n,)
    shape : (int, int)
        Rows and columns of the network's maps.
    area_px : float
        Pixels that were searched.
    half_px : float
        Half Friedel wavelength [px of the network's maps].
    recorded_half_px : float
        The same in recorded pixels, the larger pitch.
    voltages : int
        Maps that were used.
    voltages_out : float
        Share of the maps outside the band.
    lost : float
        Share of bad or missing values.
    band_given : bool
        Whether there is a surface band.
    ring : RingEvidence
    dropped : float
        Share of the network's impurities that the refit dropped; NaN without a refit.
    calibrated : bool
        Whether probabilities are a network's.
    """

    positions: np.ndarray
    probability: np.ndarray
    shape: tuple[int, int]
    area_px: float
    half_px: float
    recorded_half_px: float
    voltages: int
    voltages_out: float
    lost: float
    band_given: bool
    ring: RingEvidence
    dropped: float
    calibrated: bool


def check_all(facts: Facts) -> tuple[Check, ...]:
    """Test a result; every check is listed, passed or not."""
    return (
        *_ring(facts),
        *_points(facts),
        _line(facts),
        *_record(facts),
    )


def _ring(facts: Facts) -> list[Check]:
    if not facts.band_given:
        text = (
            "No surface band is known and the Fourier transform shows no ring: no probability is calibrated."
        )
        return [Check("ring", float("nan"), RING, False, text)]
    ring = facts.ring
    if not np.isfinite(ring.height):
        text = "The field is too small for a Fourier ring."
        return [Check("ring", float("nan"), RING, True, text)]
    seen = ring.height >= RING
    text = (
        f"The Friedel ring at 2k stands out by {ring.height:.2f} (logarithm of power)."
        if seen
        else f"The Fourier transform shows no Friedel ring of this band (height {ring.height:.2f}, at least {RING:g}): "
        "there may be no waves here, or the band is another."
    )
    checks = [Check("ring", ring.height, RING, bool(seen), text)]
    excess = ring.elsewhere - ring.height
    if np.isfinite(excess):
        agrees = excess <= OTHER_RING
        text = (
            "No other wavevector has a higher ring."
            if agrees
            else f"The highest ring in the Fourier transform lies at {ring.elsewhere_factor:.2f} times the wavevector "
            "of the band. Check the material, the voltages and the pixel size."
        )
        checks.append(Check("band", excess, OTHER_RING, bool(agrees), text))
    return checks


def _points(facts: Facts) -> list[Check]:
    count = len(facts.positions)
    density = count / max(facts.area_px, 1.0) * facts.half_px**2
    text = f"There are {density:.2f} impurities per square of half a wavelength"
    text += "." if density <= DENSITY else f", more than the waves can tell apart ({DENSITY:g})."
    checks = [Check("density", float(density), DENSITY, bool(density <= DENSITY), text)]
    if np.isfinite(facts.dropped):
        good = facts.dropped <= DROPPED
        text = f"The refit dropped {100 * facts.dropped:.0f} % of the network's impurities"
        text += "." if good else ": their waves are not in the maps."
        checks.append(Check("dropped", facts.dropped, DROPPED, bool(good), text))
    if facts.calibrated and facts.voltages >= 3 and count >= FEW:
        sure = float((facts.probability > 0.99).mean())
        text = f"{100 * sure:.0f} % of the impurities have a probability above .99"
        text += "." if sure >= SURE else ": so few are typical of a field unlike the training data."
        checks.append(Check("sure", sure, SURE, bool(sure >= SURE), text))
    return checks


def _line(facts: Facts) -> Check:
    line = longest_line(facts.positions, facts.shape, facts.half_px)
    good = line.excess <= LINE
    text = (
        "No line of points."
        if good
        else f"{len(line.members)} points lie on a line: a step edge or a scan line, rather than impurities. Points on "
        "such lines are listed with the probability that chance leaves to them."
    )
    return Check("line", line.excess, LINE, bool(good), text)


def _record(facts: Facts) -> list[Check]:
    waves = min(facts.shape) / facts.half_px
    return [
        _least(
            "field size",
            waves,
            FIELD,
            f"The field is {waves:.1f} half wavelengths wide",
            "a larger field is needed",
        ),
        _least(
            "sampling",
            facts.recorded_half_px,
            SAMPLING,
            f"Half a wavelength takes {facts.recorded_half_px:.1f} recorded pixels",
            "a finer grid is needed",
        ),
        _most(
            "voltages",
            facts.voltages_out,
            0.5,
            f"{100 * facts.voltages_out:.0f} % of the maps lie off the band",
        ),
        _most("bad data", facts.lost, LOST, f"{100 * facts.lost:.1f} % of the values are bad or missing"),
    ]


def _least(name: str, value: float, limit: float, text: str, advice: str) -> Check:
    good = bool(value >= limit)
    return Check(name, float(value), limit, good, f"{text}." if good else f"{text}: {advice} ({limit:g}).")


def _most(name: str, value: float, limit: float, text: str) -> Check:
    return Check(name, float(value), limit, bool(value <= limit), f"{text}.")
