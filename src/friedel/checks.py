"""What can be wrong with a result, tested: each check has a value, a limit and a sentence.

A check whose fault the result was corrected for passes, and is noted: points of a step edge that were demoted, a second
band that was filtered out. The limits stand in `friedel.settings.checks`. ``benchmarks/checks.py`` measures how often
each check fails on bad and on good fields of `friedel.benchmark.confounders`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.detections import Check
from friedel.prepare.ghosts import ghosts
from friedel.prepare.lines import Line, edges, longest_line
from friedel.prepare.second_band import SecondBand
from friedel.settings.checks import CHECK_LIMITS as LIMITS

if TYPE_CHECKING:
    from friedel.prepare.ring_evidence import RingEvidence


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
    explained : float
        Share of the structure outside the cores that the fitted waves explain; NaN without a refit.
    calibrated : bool
        Whether probabilities are a network's.
    unregistered : float
        Share of separate scans whose shift to the one before could not be told; NaN for maps of one grid.
    doubtful : array, shape (m, 2)
        Candidates below the threshold that are not quite improbable [px].
    left : array, shape (l, 2)
        The impurities that are left after the demotion of points on lines and of points that repeat others [px].
    left_probability : array, shape (l,)
    suggested : str
        A sentence that names the materials whose wavevector the ring has, after a space; empty if there is none.
    withheld : bool
        Whether no probability is listed, because nothing tells of waves.
    """

    positions: np.ndarray
    left: np.ndarray
    left_probability: np.ndarray
    doubtful: np.ndarray
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
    explained: float
    calibrated: bool
    unregistered: float = float("nan")
    suggested: str = ""
    withheld: bool = False


def check_all(facts: Facts) -> tuple[Check, ...]:
    """Test a result; every check is listed, passed or not."""
    return (
        *_ring(facts),
        *_points(facts),
        *_places(facts),
        *_record(facts),
    )


def _ring(facts: Facts) -> list[Check]:
    if not facts.band_given:
        text = (
            "No surface band is known and the Fourier transform shows no ring: no probability is calibrated."
        )
        return [Check("ring", float("nan"), LIMITS.ring, False, text)]
    ring = facts.ring
    if not np.isfinite(ring.height):
        text = "The field is too small for a Fourier ring"
        text += ", and nothing else tells of waves." if facts.withheld else "."
        return [Check("ring", float("nan"), LIMITS.ring, not facts.withheld, text)]
    if np.isfinite(ring.beside):
        return _two_rings(ring, facts.explained)
    seen = ring.height >= LIMITS.ring
    text = (
        f"The Friedel ring at 2k stands out by {ring.height:.2f} (logarithm of power)."
        if seen
        else f"The Fourier transform shows no Friedel ring of this band (height {ring.height:.2f}, "
        f"at least {LIMITS.ring:g}): there may be no waves here, or the band is another."
    )
    checks = [Check("ring", ring.height, LIMITS.ring, bool(seen), text)]
    if np.isfinite(ring.excess):
        agrees = ring.excess <= LIMITS.other_ring
        text = (
            "No other wavevector has a higher ring."
            if agrees
            else f"The highest ring in the Fourier transform lies at {ring.elsewhere_factor:.2f} times the wavevector "
            "of the band. Check the material, the voltages and the pixel size."
        )
        checks.append(Check("band", ring.excess, LIMITS.other_ring, bool(agrees), text))
    if seen and np.isfinite(ring.k_ratio):
        checks += _wavevector(ring, min(facts.shape) / facts.half_px, facts.suggested)
    return checks


def _two_rings(ring: RingEvidence, explained: float) -> list[Check]:
    """The band's own ring is seen, but only a fit of its waves tells that the higher one is not the true one."""
    fitted = explained >= LIMITS.explained  # not with NaN: there is no fit
    own = f"The Friedel ring at 2k stands out by {ring.prominence:.2f} (logarithm of power) beside a higher one."
    return [
        Check("ring", ring.prominence, LIMITS.own_ring, True, own),
        Check("band", ring.excess, LIMITS.other_ring, fitted, SecondBand(ring.beside).sentence, noted=fitted),
    ]


def _wavevector(ring: RingEvidence, waves: float, suggested: str) -> list[Check]:
    """A field of few half wavelengths tells the wavevector less well."""
    wider = max(1.0, LIMITS.resolution / waves / LIMITS.wavevector)
    off, limit = abs(float(np.log(ring.k_ratio))), wider * LIMITS.wavevector
    agrees = off <= limit
    text = f"The ring lies at {ring.k_ratio:.2f} times the wavevector of the band"
    text += "." if agrees else f": check the material, the voltages and the pixel size.{suggested}"
    checks = [Check("wavevector", off, limit, agrees, text)]
    if np.isfinite(ring.slope):
        moves, most = abs(ring.slope), wider * LIMITS.dispersion
        text = f"The ring moves away from the band by {100 * moves:.0f} % over the voltages"
        text += "." if moves <= most else ": check the material, or fit the band."
        checks.append(Check("dispersion", moves, most, bool(moves <= most), text))
    return checks


def _points(facts: Facts) -> list[Check]:
    count = len(facts.positions)
    density = count / max(facts.area_px, 1.0) * facts.half_px**2
    text = f"There are {density:.2f} impurities per square of half a wavelength"
    text += (
        "." if density <= LIMITS.density else f", more than the waves can tell apart ({LIMITS.density:g})."
    )
    checks = [Check("density", float(density), LIMITS.density, bool(density <= LIMITS.density), text)]
    if np.isfinite(facts.dropped):
        good = facts.dropped <= LIMITS.dropped
        text = f"The refit dropped {100 * facts.dropped:.0f} % of the network's impurities"
        text += "." if good else ": their waves are not in the maps."
        checks.append(Check("dropped", facts.dropped, LIMITS.dropped, bool(good), text))
    if np.isfinite(facts.explained) and count:
        good = facts.explained >= LIMITS.explained
        text = f"The fitted waves explain {100 * facts.explained:.0f} % of the structure outside the cores"
        text += "." if good else ": most of it is no wave of this band."
        checks.append(Check("explained", facts.explained, LIMITS.explained, bool(good), text))
    if facts.calibrated and len(facts.left) >= LIMITS.few:
        false = float(1 - facts.left_probability.mean())
        text = f"By their own probabilities {100 * false:.0f} % of the impurities are none"
        checks.append(_most("probabilities", false, LIMITS.expected_false, text))
    if facts.calibrated and facts.voltages >= 3 and count >= LIMITS.few:
        checks.append(_sure(float((facts.probability > LIMITS.certain).mean()), facts.explained))
    return checks


def _sure(share: float, explained: float) -> Check:
    """Scatterers of another kind make few sure impurities; a fit of waves that holds tells that they are some."""
    text = f"{100 * share:.0f} % of the impurities have a probability above 0.99"
    if share >= LIMITS.sure:
        return Check("sure", share, LIMITS.sure, True, f"{text}.")
    fitted = bool(explained >= LIMITS.explained)  # not with NaN: there is no fit
    text += ": so few are typical of a field unlike the training data"
    text += ", but the fitted waves explain the maps." if fitted else "."
    return Check("sure", share, LIMITS.sure, fitted, text, noted=fitted)


def _places(facts: Facts) -> list[Check]:
    """Points on a line, and points that are seen twice; those of a line are left out there.

    Both pass if what is left after the demotion of such points passes.
    """
    found = edges(facts.positions, facts.probability, facts.doubtful, facts.shape, facts.half_px)
    if not found:
        most = longest_line(facts.positions, facts.shape, facts.half_px).excess
        none = Check("line", most, LIMITS.line, True, "No line of points.")
        return [none, _twice(facts, facts.positions)]
    members = found[0].members
    rest = np.delete(facts.positions, members[members < len(facts.positions)], axis=0)
    return [_straight(facts, found[0]), _twice(facts, rest)]


def _straight(facts: Facts, line: Line) -> Check:
    text = (
        f"{len(line.members)} points lie on a line: a step edge or a scan line, rather than impurities. Points on "
        "such lines are listed with the probability that chance leaves to them."
    )
    impurities = facts.positions[line.members[line.members < len(facts.positions)]]
    listed = bool((facts.left[:, None] == impurities).all(axis=2).any())
    gone = not listed and longest_line(facts.left, facts.shape, facts.half_px).excess <= LIMITS.line
    limit = LIMITS.line if line.excess > LIMITS.line else LIMITS.doubtful_line
    return Check("line", line.excess, limit, bool(gone), text, noted=bool(gone))


def _twice(facts: Facts, points: np.ndarray) -> Check:
    twice, left = (ghosts(one, facts.shape, facts.half_px) for one in (points, facts.left))
    taken_out = twice.share > LIMITS.ghosts_in_order >= left.share
    if twice.share <= LIMITS.ghosts and not taken_out:
        return Check("double tip", twice.share, LIMITS.ghosts, True, "No two impurities lie alike.")
    text = (
        f"{twice.pairs} pairs of impurities lie at one and the same distance and direction, "
        f"({twice.apart[0]:+.1f}, {twice.apart[1]:+.1f}) px as sampled: a double tip shows everything twice, or they "
        "are a lattice. Where one of each pair is always the weaker one, it is listed with the probability that chance "
        "leaves to it."
    )
    gone = bool(left.share <= LIMITS.ghosts)
    return Check("double tip", twice.share, LIMITS.ghosts, gone, text, noted=gone)


def _record(facts: Facts) -> list[Check]:
    waves = min(facts.shape) / facts.half_px
    return [
        _least(
            "field size",
            waves,
            LIMITS.field_size,
            f"The field is {waves:.1f} half wavelengths wide",
            "a larger field is needed",
        ),
        _least(
            "sampling",
            facts.recorded_half_px,
            LIMITS.sampling,
            f"Half a wavelength takes {facts.recorded_half_px:.1f} recorded pixels",
            "a finer grid is needed",
        ),
        _most(
            "voltages",
            facts.voltages_out,
            LIMITS.voltages_out,
            f"{100 * facts.voltages_out:.0f} % of the maps lie off the band",
        ),
        *_scans(facts),
        _lost(facts.lost),
    ]


def _lost(share: float) -> Check:
    """A field that was scanned in part is searched in that part alone."""
    text = f"{100 * share:.1f} % of the values are bad or missing."
    good = bool(share <= LIMITS.lost)
    return Check("bad data", float(share), LIMITS.lost, good, text, noted=good and share > LIMITS.lost_noted)


def _scans(facts: Facts) -> list[Check]:
    if not np.isfinite(facts.unregistered):
        return []
    text = f"{100 * facts.unregistered:.0f} % of the shifts between separate scans could not be told"
    return [_most("scans", facts.unregistered, LIMITS.unregistered, text)]


def _least(name: str, value: float, limit: float, text: str, advice: str) -> Check:
    good = bool(value >= limit)
    return Check(name, float(value), limit, good, f"{text}." if good else f"{text}: {advice} ({limit:g}).")


def _most(name: str, value: float, limit: float, text: str) -> Check:
    return Check(name, float(value), limit, bool(value <= limit), f"{text}.")
