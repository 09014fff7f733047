"""The preparation in two parts: `clean`, which needs no band, and `flatten`, which knows the half wavelength."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from friedel._util.robust import spread
from friedel.prepare.background import clipped, level, line_offsets, slow_background
from friedel.prepare.bad_data import choose_maps, find_bad, mend, repeated
from friedel.prepare.extended import find_extended, report
from friedel.prepare.flattened import Flattened
from friedel.prepare.lockin_phase import upright
from friedel.prepare.periodic import find_periodic
from friedel.prepare.ring_evidence import RingEvidence, ring_evidence
from friedel.prepare.settings import PrepareSettings
from friedel.prepare.step import Step

#: A map shows a ring if the power there is so many times (as a logarithm) that of its surroundings, and if it stands
#: out by so many standard deviations. Pure noise reaches about 0.4 over the tolerated wavevectors.
RING_HEIGHT, RING_SIGMA = 0.5, 3.0
#: The slow background dominates a map from this ratio of its standard deviation to that of the rest.
SLOW = 0.3
#: A pixel interpolated in more than this share of the maps has no part in a refit.
FILLED = 0.1


@dataclass(frozen=True)
class Cleaned:
    """Maps without bad data, plane and line offsets.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Small gaps are interpolated; NaN where not known.
    keep : array of int, shape (bias,)
        Index of each map among those given.
    filled : array of bool, shape (bias, rows, columns)
        What was interpolated.
    lost : float
        Share of the given values that were bad or not recorded.
    steps : tuple of Step
    """

    maps: np.ndarray
    keep: np.ndarray
    filled: np.ndarray
    lost: float
    steps: tuple[Step, ...]

    def chosen(self, which: np.ndarray) -> Cleaned:
        """Return the maps of these indices only."""
        return replace(self, maps=self.maps[which], filled=self.filled[which], keep=self.keep[which])


def clean(values: np.ndarray, settings: PrepareSettings, *, didv: bool = True) -> Cleaned:
    """Find bad data, invert a negative dI/dV, choose the maps that share most of the area.

    Parameters
    ----------
    values : array, shape (bias, rows, columns)
        NaN where not acquired.
    settings : PrepareSettings
    didv : bool
        Whether the values are dI/dV, which is positive on the whole.

    Returns
    -------
    Cleaned
        Without any map if no value is good.
    """
    values = np.asarray(values, dtype=np.float64)
    steps: list[Step] = []
    bad = ~np.isfinite(values)
    if didv:
        values, turned = upright(values)
        steps += turned
    plane, rows = settings.background != "none", settings.row_offsets
    same = repeated(values) if settings.bad_data else np.zeros(values.shape, dtype=bool)
    if settings.periodic:
        pattern = find_periodic(np.where(same, np.nan, values))
        values = np.where(same, values, values - pattern.waves)
        steps += pattern.steps
    if settings.bad_data:
        found = find_bad(values, level(np.where(same, np.nan, values)), same)
        bad |= found.bad
        steps += found.steps
    lost = float(bad.mean())
    maps = level(np.where(bad, np.nan, values), plane=plane, rows=rows)
    maps, filled = mend(maps, bad, settings.fill_px if settings.bad_data else 0.0)
    seen = np.flatnonzero(np.isfinite(maps).any(axis=(1, 2)))
    keep = seen[choose_maps(np.isfinite(maps[seen]))] if len(seen) else seen
    if len(keep) < len(values):
        count = len(values) - len(keep)
        text = f"{count} of {len(values)} maps are left out: they lack data that the others have."
        steps.append(Step("maps", count, text, notable=True))
    return Cleaned(maps[keep], keep, filled[keep], lost, tuple(steps))


def flatten(
    cleaned: Cleaned, k: np.ndarray | None, pitch: tuple[float, float], settings: PrepareSettings
) -> Flattened:
    """Subtract the background, level terraces, clip outliers.

    Parameters
    ----------
    cleaned : Cleaned
    k : array, shape (bias,), or None
        Wavevector of each map of `cleaned` [nm⁻¹]; None where no band is known: then there is no high-pass.
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    settings : PrepareSettings

    Returns
    -------
    Flattened
    """
    maps, steps = cleaned.maps, list(cleaned.steps)
    known = np.zeros(0) if k is None else k[np.isfinite(k) & (k > 0)]
    high = np.zeros(len(maps), dtype=bool)
    ring = RingEvidence(float("nan"), float("nan"), 1.0)
    if k is not None and len(known) and settings.background != "none":
        half = np.pi / float(np.median(known)) / float(np.sqrt(pitch[0] * pitch[1]))
        slow = settings.high_pass * half
        ground = slow_background(maps, slow)
        if settings.extended:
            extended = find_extended(maps, ground, half, float(np.sqrt(pitch[0] * pitch[1])))
            if extended.any():
                steps.append(report(extended))
                maps = np.where(extended, np.nan, maps)
                ground = slow_background(maps, slow)
        if settings.row_offsets:
            maps = maps - line_offsets(maps - ground)
            ground = slow_background(maps, slow, ground)
        ring = ring_evidence(maps, k, pitch)
        high = _high_pass(maps, ground, ring, settings)
        if high.any():
            steps.append(
                Step(
                    "high-pass",
                    float(high.mean()),
                    f"The slow background of {int(high.sum())} of {len(high)} maps is subtracted.",
                )
            )
        maps = np.where(high[:, None, None], maps - ground, maps)
    if settings.background != "none":
        maps, beyond = clipped(maps, settings.clip)
        if beyond > 0:
            steps.append(
                Step(
                    "clip",
                    beyond,
                    f"{100 * beyond:.2g} % of the values are clipped at {settings.clip:g} robust σ.",
                )
            )
    lost_here = cleaned.filled.mean(axis=0) > FILLED
    return Flattened(maps, cleaned.keep, lost_here, ring, high, cleaned.lost, tuple(steps))


def _high_pass(
    maps: np.ndarray, ground: np.ndarray, ring: RingEvidence, settings: PrepareSettings
) -> np.ndarray:
    """Which maps the slow background is subtracted from.

    A map without waves would become a map of amplified noise, in which a network finds points: so the waves must show.
    """
    if settings.background != "auto":
        return np.full(len(maps), settings.background == "high-pass")
    slow = spread(ground, axis=(1, 2))
    fast = spread(maps - ground, axis=(1, 2))
    dominates = slow > SLOW * fast
    return dominates & (ring.height >= RING_HEIGHT) & (ring.sigma >= RING_SIGMA)
