"""Make a confounded field from a name, a level and a seed."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from friedel.benchmark.confounders import bands, edges, instrument, layouts, surfaces
from friedel.benchmark.confounders.draft import (
    LEVELS,
    Confounded,
    Confounder,
    Picture,
    Told,
    waves_rms,
)
from friedel.benchmark.instrument import measure, scramble
from friedel.benchmark.synthetic import CORE_NM
from friedel.errors import FriedelError
from friedel.stack import make_stack

#: First word of every seed; no training and no standard scene uses it.
STREAM = 0x0C04F
#: The confounder that is none: what all others are compared with.
NONE = Confounder("none", "no confounder", "none", 0, 0)
#: Name → confounder.
CONFOUNDERS: dict[str, Confounder] = {
    one.name: one
    for one in (
        NONE,
        *edges.CONFOUNDERS,
        *surfaces.CONFOUNDERS,
        *instrument.CONFOUNDERS,
        *bands.CONFOUNDERS,
        *layouts.CONFOUNDERS,
    )
}
#: This family is never used to choose a model, a threshold or a limit; it is only reported.
HELD_OUT = "islands"
#: Impurities in the field where a confounder does not change their number.
IMPURITIES = 45


def families(held_out: bool = True) -> dict[str, tuple[str, ...]]:
    """Names of the confounders by family, with or without the one that is held out."""
    chosen: dict[str, tuple[str, ...]] = {}
    for one in CONFOUNDERS.values():
        if held_out or one.family != HELD_OUT:
            chosen[one.family] = (*chosen.get(one.family, ()), one.name)
    return chosen


def confounder(name: str) -> Confounder:
    """Return a confounder by its name.

    Raises
    ------
    FriedelError
        If there is none of that name.
    """
    if name not in CONFOUNDERS:
        raise FriedelError(f"There is no confounder {name!r}; there are {', '.join(CONFOUNDERS)}.")
    return CONFOUNDERS[name]


def confounded(name: str, level: str = "moderate", seed: int = 0, *, impurities: bool = True) -> Confounded:
    """Make one confounded field of 80×80 px.

    Parameters
    ----------
    name : str
        A key of `CONFOUNDERS`.
    level : {"moderate", "strong"}
    seed : int
        Fields of one seed and one name share impurities and confounder between the levels as far as they can.
    impurities : bool
        Whether there are any; without them the truth is empty.

    Returns
    -------
    Confounded

    Raises
    ------
    FriedelError
        If there is no such name or level, or if the confounder is not made with or without impurities.
    """
    what = confounder(name)
    if level not in LEVELS:
        raise FriedelError(f"There is no level {level!r}; there are {' and '.join(LEVELS)}.")
    if (what.alone and impurities) or not (what.without or impurities):
        raise FriedelError(
            f"The confounder {name!r} is made {'without' if what.alone else 'with'} impurities only."
        )
    size = what.strength(level)
    streams = np.random.SeedSequence((STREAM, zlib.crc32(name.encode()), seed)).spawn(4)
    places, own, cores, noise = (np.random.default_rng(stream) for stream in streams)
    count = IMPURITIES if impurities else 0
    layout = layouts.make_layout(count, places)
    if what.layout:
        layout = what.layout(layout, size, own)
    waves = what.waves(layout, size, own) if what.waves else layouts.plain_waves(layout)
    points = layout.scatterers.position
    rms = waves_rms(waves)
    picture = Picture(waves, rms, points, layout.bias_mv, layout.k.real, layout.pixel_nm, wall=layout.wall)
    picture = _through(what, picture, size, own, cores, noise)
    told = Told(layout.band, (layout.pixel_nm, layout.pixel_nm))
    if what.told:
        told = what.told(told, size, own)
    stack = make_stack(
        {"LockinX": picture.maps.astype(np.float32)},
        bias_mv=layout.bias_mv,
        pixel_nm=told.pixel_nm,
        instrument="synthetic",
        source=f"{name}, {level}, seed {seed}",
    )
    scanned = layout.shape if picture.scanned is None else (picture.scanned, layout.shape[1])
    positions, optional = _truth(picture.points, scanned)
    return Confounded(stack, positions, optional, told.band, layout.band, name, level, what.family, seed)


def _through(
    what: Confounder,
    picture: Picture,
    size: float,
    own: np.random.Generator,
    cores: np.random.Generator,
    noise: np.random.Generator,
) -> Picture:
    """From the waves to what is recorded: surface, cores, tip, noise, electronics."""
    if what.surface:
        picture = what.surface(picture, size, own)
    radius = cores.uniform(*CORE_NM, len(picture.points)) / picture.pixel_nm
    maps = 1 + scramble(picture.maps, picture.bias_mv, picture.points, radius, picture.rms, cores)
    picture = replace(picture, maps=maps)
    if what.tip:
        picture = what.tip(picture, size, own)
    white = noise.normal(size=picture.maps.shape)
    if width := picture.noise_smoothing_px:
        white = gaussian_filter(white, (0, width, width), mode="wrap")
        white /= white.std()
    quiet = replace(layouts.SETTING, noise=0.0)
    maps = measure(picture.maps, quiet, picture.rms, noise) + layouts.SETTING.noise * picture.unit * white
    picture = replace(picture, maps=maps)
    return what.recorded(picture, size, own) if what.recorded else picture


def _truth(
    points: np.ndarray, shape: tuple[int, int], border_px: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the field or just outside, and which of them are within `border_px` of its border."""
    if len(points) == 0:
        return np.zeros((0, 2)), np.zeros(0, bool)
    gap = np.minimum(points + 0.5, np.asarray(shape) - 0.5 - points)
    outside = np.hypot(*np.minimum(gap, 0).T)
    edge = np.where(outside > 0, -outside, gap.min(axis=1))
    near = edge > -border_px
    return points[near], edge[near] <= border_px
