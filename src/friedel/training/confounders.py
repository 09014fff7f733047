"""Training scenes with what real fields contain besides waves of point scatterers; the truth stays the impurities.

`confound` works on clean scenes (edges, terraces, islands, adsorbates, patterns, a double or blunt tip), `spoil` on
measured ones (correlated noise, bad lines and spectra, hum, background), and `prepare_cheaply` does what
`friedel.prepare` leaves of a map: no slow background, no line offsets, soft limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from friedel.physics import instrument
from friedel.physics.scene import Scene
from friedel.training import confounder_shapes as shapes
from friedel.training.confounder_config import ConfounderConfig
from friedel.training.confounder_shapes import coin, draw, draw_log


@dataclass(frozen=True)
class Confused:
    """Scenes with confounders, and what noise refers to.

    Parameters
    ----------
    scene : Scene
    waves : Tensor, shape (B, V, 1, 1)
        rms of the impurities' waves, before anything was added.
    plain : Tensor, shape (B,), bool
        Scenes left as they were.
    """

    scene: Scene
    waves: torch.Tensor
    plain: torch.Tensor


_Surface = Callable[[torch.Tensor, torch.Tensor, ConfounderConfig, torch.Generator], torch.Tensor]


def _size(maps: torch.Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def _edge(
    k: torch.Tensor, like: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    return _edge_at(shapes.edge_distance(_size(like), rng), k, config, rng)


def _edge_at(
    distance: torch.Tensor, k: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    """Standing waves, a terrace and a line, each in most of the edges, (V, H, W) in rms."""
    image = torch.zeros(len(k), *distance.shape)
    if coin(0.75, rng):
        image = image + draw_log(config.waves, rng) * shapes.standing_waves(distance, k, rng)
    if coin(0.6, rng):
        step = torch.sigmoid(distance / draw((0.2, 1.2), rng))
        image = image + draw_log(config.terrace, rng) * shapes.bias_dependence(len(k), rng) * step
    if coin(0.5, rng):
        width = draw((0.4, 1.6), rng)
        grain = 1 + draw((0, 0.6), rng) * torch.randn(distance.shape, generator=rng)
        line = torch.exp(-((distance / width) ** 2)) * grain
        image = image + draw_log(config.line, rng) * shapes.bias_dependence(len(k), rng) * line
    return image


def _island(
    k: torch.Tensor, like: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    height = draw_log(config.island, rng) * shapes.bias_dependence(len(k), rng)
    flat = shapes.patches(_size(like), rng)
    if coin(0.3, rng):
        flat = flat * (1 + 0.3 * torch.randn(flat.shape, generator=rng))
    return height * flat


def _spots(
    k: torch.Tensor, like: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    height = draw_log(config.spot, rng) * shapes.bias_dependence(len(k), rng)
    return height * shapes.spots(_size(like), rng)


def _pattern(
    k: torch.Tensor, like: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    height = draw_log(config.pattern, rng) * shapes.bias_dependence(len(k), rng)
    return height * shapes.pattern(_size(like), rng)


def _hills(
    k: torch.Tensor, like: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    hills = shapes.rough_field(_size(like), draw_log((2.5, 12.0), rng), rng)
    return draw_log(config.background, rng) * shapes.bias_dependence(len(k), rng) * hills


#: What lies on the surface, and how often, among all confounders.
_SURFACES: tuple[tuple[_Surface, float], ...] = (
    (_edge, 0.22),
    (_island, 0.10),
    (_spots, 0.12),
    (_pattern, 0.14),
    (_hills, 0.06),
)
#: How often the tip is a double one, or blunt.
_TIPS = (0.10, 0.09)
#: What `spoil` may do, and how often; the rest (double and blunt tip) is done by `confound`.
_FAULTS = (("noise", 0.10), ("lines", 0.08), ("spectra", 0.08), ("hum", 0.04))


def confound(scene: Scene, config: ConfounderConfig, rng: torch.Generator) -> Confused:
    """Add what lies on a surface to a share of clean scenes.

    Parameters
    ----------
    scene : Scene
        Clean scenes of one batch; a scene split by an edge takes its other half from its neighbour.
    config : ConfounderConfig
    rng : torch.Generator

    Returns
    -------
    Confused
    """
    b = scene.maps.shape[0]
    plain = torch.rand(b, generator=rng) >= config.share
    waves = instrument.spread(scene.maps).clamp_min(0.01)
    maps, present, points = scene.maps.clone(), scene.present.clone(), scene.points
    for i in range(b):
        if plain[i]:
            continue
        if coin(config.empty, rng):
            maps[i], present[i] = 1.0, False
            waves[i] = draw_log(config.level, rng)
        kinds = 2 if coin(config.second, rng) else 1
        for _ in range(kinds):
            maps[i] = _one(maps[i], scene.k[i], waves[i], config, rng)
    scene = Scene(maps, scene.k, points, present)
    for one in range(b):
        mates = [i for i in range(b) if i != one and _alike(scene.k[one], scene.k[i])]
        if mates and coin(config.split, rng):
            other = mates[int(torch.randint(0, len(mates), (1,), generator=rng))]
            scene = _split(Confused(scene, waves, plain), (one, other), config, rng)
            plain = plain & (torch.arange(b) != one)
    return Confused(scene, waves, plain)


def _alike(k: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two scenes' wavevectors are the same within 3 %, so that an analyst could call them one."""
    return bool(((k / other - 1).abs() < 0.03).all())


def _one(
    maps: torch.Tensor, k: torch.Tensor, waves: torch.Tensor, config: ConfounderConfig, rng: torch.Generator
) -> torch.Tensor:
    """One confounder on the maps (V, H, W) of one scene; waves (V, 1, 1)."""
    pick = draw((0, 1), rng)
    for make, share in _SURFACES:
        if pick < share:
            return maps + config.strength * waves * make(k, maps, config, rng)
        pick -= share
    double, blunt = _TIPS
    if pick < double:
        angle, far = draw((0, 2 * math.pi), rng), draw((1.0, 4.5), rng)
        ghost = shapes.shifted(maps, (far * math.sin(angle), far * math.cos(angle)))
        share = draw(config.ghost, rng)
        return (maps + share * ghost) / (1 + share)
    if pick < double + blunt:
        return shapes.smooth(maps, draw(config.blur, rng))
    return maps  # spoiled after the noise


def _split(
    confused: Confused, pair: tuple[int, int], config: ConfounderConfig, rng: torch.Generator
) -> Scene:
    """Give the first scene of a pair an edge behind which lie the second one's waves and impurities."""
    scene, (one, other), waves = confused.scene, pair, confused.waves
    size = _size(scene.maps)
    distance = shapes.edge_distance(size, rng)
    scale = waves[one] / waves[other]
    level, mean = (scene.maps[i].mean(dim=(-2, -1), keepdim=True) for i in pair)
    mate = level + (scene.maps[other] - mean) * scale
    maps = scene.maps.clone()
    mixed = torch.where(distance > 0, scene.maps[one], mate)
    maps[one] = mixed + config.strength * waves[one] * _edge_at(distance, scene.k[one], config, rng)
    points = torch.cat([scene.points[one], scene.points[other]])
    first = torch.arange(len(points)) < len(scene.points[one])
    cell = points.round().long()
    inside = (cell >= 0).all(dim=1) & (cell[:, 0] < size[0]) & (cell[:, 1] < size[1])
    side = torch.zeros(len(cell))
    side[inside] = distance[cell[inside, 0], cell[inside, 1]]
    there = torch.cat([scene.present[one], scene.present[other]])
    return _replaced(
        replace(scene, maps=maps), one, points[there & inside & torch.where(first, side > 0, side < 0)]
    )


def _replaced(scene: Scene, one: int, points: torch.Tensor) -> Scene:
    """Give a scene of the batch other points (N, 2)."""
    room = (0, 0, 0, max(0, len(points) - scene.points.shape[1]))
    padded, present = F.pad(scene.points, room).clone(), F.pad(scene.present, room[2:]).clone()
    present[one] = torch.arange(present.shape[1]) < len(points)
    padded[one, : len(points)] = points
    return replace(scene, points=padded, present=present)


def spoil(confused: Confused, config: ConfounderConfig, rng: torch.Generator) -> Scene:
    """Add what comes with or after the noise to the confounded scenes of measured maps; then prepare a share of all.

    Parameters
    ----------
    confused : Confused
        With measured maps.
    config : ConfounderConfig
    rng : torch.Generator

    Returns
    -------
    Scene
    """
    maps = confused.scene.maps.clone()
    for i in range(maps.shape[0]):
        if confused.plain[i]:
            continue
        for name, share in _FAULTS:
            if coin(2 * share, rng):
                maps[i] = maps[i] + config.strength * confused.waves[i] * _fault(name, maps[i], config, rng)
    for i in range(maps.shape[0]):
        if coin(config.prepared, rng):
            maps[i] = prepare_cheaply(maps[i], rng)
    return replace(confused.scene, maps=maps)


def _fault(name: str, maps: torch.Tensor, config: ConfounderConfig, rng: torch.Generator) -> torch.Tensor:
    """One fault (V, H, W) in rms of the waves."""
    shape = (maps.shape[0], maps.shape[1], maps.shape[2])
    height = draw_log(getattr(config, name), rng)
    if name == "noise":
        white = torch.randn(shape, generator=rng)
        if coin(0.4, rng):
            white = white * 0.7 + 0.7 * torch.randn(shape[1:], generator=rng)
        white = shapes.smooth(white, draw(config.smoothing, rng))
        return height * white / white.std().clamp_min(1e-6)
    return height * {"lines": shapes.bad_lines, "spectra": shapes.bad_spectra, "hum": shapes.hum}[name](
        shape, rng
    )


def prepare_cheaply(maps: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """What preparation leaves of maps (V, H, W): no slow background, no line offsets, limits at some robust σ."""
    if coin(0.5, rng):
        maps = maps - maps.median(dim=-1, keepdim=True).values
    if coin(0.7, rng):
        maps = maps - shapes.smooth(maps, draw_log((3.0, 16.0), rng))
    flat = maps.flatten(1)
    middle = flat.median(dim=1).values.view(-1, 1, 1)
    sigma = 1.4826 * (flat - middle.view(-1, 1)).abs().median(dim=1).values.view(-1, 1, 1).clamp_min(1e-9)
    limit = draw((3.5, 8.0), rng) * sigma
    if coin(0.5, rng):
        return middle + (maps - middle).clamp(-limit, limit)
    return middle + limit * torch.tanh((maps - middle) / limit)
