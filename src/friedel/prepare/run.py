"""The second half of the preparation, which knows the half wavelength: background, structures, outliers.

As in `friedel.prepare.cleaning`, maps are worked on some at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.big_maps import allocate, parts, release, row_parts
from friedel._util.robust import spread
from friedel._util.work import HERE, Work
from friedel.prepare.background import clipped, line_offsets, slow_background
from friedel.prepare.cleaning import Cleaned, clean
from friedel.prepare.extended import find_extended, report
from friedel.prepare.flattened import Flattened
from friedel.prepare.periodic import telling
from friedel.prepare.ring_evidence import RingEvidence, ring_evidence
from friedel.prepare.second_band import find_second_band, subtract_second_band
from friedel.prepare.static import find_static, subtract_static
from friedel.prepare.step import Step
from friedel.prepare.terraces import find_terraces, level_terraces, report as report_terraces

if TYPE_CHECKING:
    from friedel.prepare.settings import PrepareSettings

__all__ = ["Cleaned", "clean", "flatten"]

#: A map shows a ring if the power there is so many times (as a logarithm) that of its surroundings, and if it stands
#: out by so many standard deviations. Pure noise reaches about 0.4 over the tolerated wavevectors.
RING_HEIGHT, RING_SIGMA = 0.5, 3.0
#: The slow background dominates a map from this ratio of its standard deviation to that of the rest.
SLOW = 0.3
#: A pixel interpolated in more than this share of the maps has no part in a refit.
FILLED = 0.1


@dataclass(frozen=True, eq=False)
class _Ground:
    """Maps with their slow background, the ratio of the spreads of the background and the rest, and what was found."""

    maps: np.ndarray
    ground: np.ndarray
    slow_share: np.ndarray
    steps: tuple[Step, ...]


def flatten(
    cleaned: Cleaned,
    k: np.ndarray | None,
    pitch: tuple[float, float],
    settings: PrepareSettings,
    work: Work = HERE,
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
    work : Work
        Where the work is done.

    Returns
    -------
    Flattened
    """
    maps, levelled = _terraces_levelled(cleaned.maps, settings)
    steps = [*cleaned.steps, *levelled]
    known = np.zeros(0) if k is None else k[np.isfinite(k) & (k > 0)]
    high = np.zeros(len(maps), dtype=bool)
    ring = RingEvidence(float("nan"), float("nan"))
    ground: np.ndarray | None = None
    if k is not None and len(known) and settings.background != "none":
        pixel = float(np.sqrt(pitch[0] * pitch[1]))
        found = _grounds(maps, np.pi / float(np.median(known)) / pixel, pixel, settings, work)
        maps, ground = found.maps, found.ground
        steps += found.steps
        if settings.static and (static := find_static(maps, ground, k, pitch)) is not None:
            subtract_static(maps, ground, static)
            steps.append(static.step())
        ring = ring_evidence(maps, k, pitch)
        if settings.second_band and (second := find_second_band(ring)) is not None:
            subtract_second_band(maps, ground, k, pitch, second)
            ring = replace(ring, beside=second.factor)
            steps.append(second.step())
        high = _high_pass(found.slow_share, ring, settings)
        if high.any():
            text = f"The slow background of {int(high.sum())} of {len(high)} maps is subtracted."
            steps.append(Step("high-pass", float(high.mean()), text))
    if settings.background != "none":
        maps, beyond = _clipped(maps, ground, high, settings.clip, work)
        if beyond > 0:
            text = f"{100 * beyond:.2g} % of the values are clipped at {settings.clip:g} robust σ."
            steps.append(Step("clip", beyond, text))
    return Flattened(
        maps, cleaned.keep, _mostly_filled(cleaned.filled), ring, high, cleaned.lost, tuple(steps)
    )


def _mostly_filled(filled: np.ndarray) -> np.ndarray:
    """Pixels that were interpolated in too many maps for a refit, shape (rows, columns)."""
    count = np.zeros(filled.shape[1:], dtype=np.int32)
    for part in parts(filled.shape):
        count += filled[part].sum(axis=0)
        release(filled)
    return count > FILLED * len(filled)


def _terraces_levelled(maps: np.ndarray, settings: PrepareSettings) -> tuple[np.ndarray, list[Step]]:
    """Maps without the steps between terraces, and what was done."""
    if not settings.terraces or settings.background == "none":
        return maps, []
    terraces = find_terraces(maps, telling(len(maps)))
    if terraces.count < 2:
        return maps, []
    out = allocate(maps.shape)
    for part in parts(maps.shape):
        out[part] = level_terraces(maps[part], terraces)
        release(maps, out)
    return out, [report_terraces(terraces)]


def _grounds(maps: np.ndarray, half: float, pixel: float, settings: PrepareSettings, work: Work) -> _Ground:
    """Slow background, extended structures and line offsets; `half` is half a wavelength [px]."""
    slow, steps = settings.high_pass * half, []
    ground, width = allocate(maps.shape), np.zeros(len(maps))
    pieces = ((np.asarray(maps[part]), slow) for part in parts(maps.shape))
    for part, (first, rest) in zip(parts(maps.shape), work.each(_slow, pieces), strict=True):
        ground[part], width[part] = first, rest
        release(maps, ground)
    extended = np.zeros(maps.shape[1:], dtype=bool)
    if settings.extended:
        extended = find_extended(_heights(maps, ground, width), half, pixel)
        if extended.any():
            steps.append(report(extended))
    out, share = allocate(maps.shape), np.zeros(len(maps))
    again = (
        (np.asarray(maps[part]), np.asarray(ground[part]), extended, slow, settings.row_offsets)
        for part in parts(maps.shape)
    )
    for part, (flat, last, ratio) in zip(parts(maps.shape), work.each(_without_offsets, again), strict=True):
        out[part], ground[part], share[part] = flat, last, ratio
        release(maps, out, ground)
    return _Ground(out, ground, share, tuple(steps))


def _slow(maps: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Slow background of maps, and the spread of the rest of each."""
    ground = slow_background(maps, sigma)
    return ground, spread(maps - ground, axis=(1, 2))


def _heights(maps: np.ndarray, ground: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Height above or below the slow background in robust σ, median over the maps, shape (rows, columns).

    In a stack a structure stands out at the usual voltage, too; one map may do so by chance.
    """
    out = np.zeros(maps.shape[1:])
    for rows in row_parts(maps.shape):
        with np.errstate(invalid="ignore", divide="ignore"):
            high = np.abs(maps[:, rows] - ground[:, rows]) / width[:, None, None]
        out[rows] = np.median(high, axis=0)
        release(maps, ground)
    return np.nan_to_num(out, nan=0.0, posinf=0.0)


def _without_offsets(
    maps: np.ndarray, ground: np.ndarray, extended: np.ndarray, sigma: float, rows: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps without structures and line offsets, their slow background, and the ratio of its spread to the rest's."""
    if extended.any():
        maps = np.where(extended, np.nan, maps)
        ground = slow_background(maps, sigma)
    if rows:
        maps = maps - line_offsets(maps - ground)
        ground = slow_background(maps, sigma, ground)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = spread(ground, axis=(1, 2)) / spread(maps - ground, axis=(1, 2))
    return maps, ground, ratio


def _high_pass(slow_share: np.ndarray, ring: RingEvidence, settings: PrepareSettings) -> np.ndarray:
    """Which maps the slow background is subtracted from.

    A map without waves would become a map of amplified noise, in which a network finds points: so the waves must show.
    """
    if settings.background != "auto":
        return np.full(len(slow_share), settings.background == "high-pass")
    return (slow_share > SLOW) & (ring.height >= RING_HEIGHT) & (ring.sigma >= RING_SIGMA)


def _clipped(
    maps: np.ndarray, ground: np.ndarray | None, high: np.ndarray, limit: float, work: Work
) -> tuple[np.ndarray, float]:
    """Subtract the background of the maps `high` and clip; also the share of clipped values."""
    out, beyond = allocate(maps.shape), 0.0
    pieces = (
        (np.asarray(maps[part]), None if ground is None else np.asarray(ground[part]), high[part], limit)
        for part in parts(maps.shape)
    )
    for part, (flat, share) in zip(parts(maps.shape), work.each(_clip, pieces), strict=True):
        out[part] = flat
        beyond += share * len(flat) / len(maps)
        release(maps, out, *(() if ground is None else (ground,)))
    return out, beyond


def _clip(
    maps: np.ndarray, ground: np.ndarray | None, high: np.ndarray, limit: float
) -> tuple[np.ndarray, float]:
    if ground is not None:
        maps = np.where(high[:, None, None], maps - ground, maps)
    return clipped(maps, limit)
