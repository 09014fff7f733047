"""Step edges: partly reflecting walls with standing waves, terraces of another height, both together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from friedel.benchmark.confounders.draft import Confounder, Layout, Picture
from friedel.benchmark.confounders.layouts import plain_waves
from friedel.benchmark.greens import Wall, behind_wall
from friedel.benchmark.instrument import pixels, smooth_in_bias


def draw_wall(shape: tuple[int, int], reflection: float, random: np.random.Generator) -> Wall:
    """A wall in a random direction through the middle half of the field."""
    angle, phase = random.uniform(0, 2 * np.pi), random.uniform(0, 2 * np.pi)
    normal = (float(np.sin(angle)), float(np.cos(angle)))
    through = random.uniform(0.25, 0.75, 2) * shape
    reflection = min(reflection, 1.0)
    transmission = 0.7 * np.sqrt(1 - reflection**2)
    return Wall(normal, float(through @ normal), reflection * np.exp(1j * phase), transmission)


def _with_wall(layout: Layout, reflection: float, random: np.random.Generator) -> Layout:
    return replace(layout, wall=draw_wall(layout.shape, reflection, random))


def _standing(layout: Layout, reflection: float, random: np.random.Generator) -> np.ndarray:
    """Standing waves of the wall, and the impurities' waves with what it reflects and lets through."""
    wall = layout.wall or draw_wall(layout.shape, reflection, random)
    points, grid = layout.scatterers.position, pixels(layout.shape)
    maps = behind_wall(grid, points, layout.k, layout.amplitude(layout.bias_mv), wall)
    return maps.reshape(-1, *layout.shape)


def _apart(layout: Layout, _height: float, random: np.random.Generator) -> np.ndarray:
    """Two terraces whose waves do not know each other: half of the field belongs to other scatterers."""
    wall = layout.wall or draw_wall(layout.shape, 0.0, random)
    upper = wall.side(pixels(layout.shape)).reshape(layout.shape) > 0
    above = wall.side(layout.scatterers.position) > 0
    parts = []
    for part in (above, ~above):
        names = ("position", "delta", "slope", "elasticity")
        values = {name: getattr(layout.scatterers, name)[part] for name in names}
        parts.append(plain_waves(replace(layout, scatterers=replace(layout.scatterers, **values))))
    return np.where(upper, *parts)


def _offset(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """Another level of the density on the wall's upper side; `height` in rms."""
    shape = picture.maps.shape[1:]
    wall = picture.wall or draw_wall(shape, 0.0, random)
    upper = expit(wall.side(pixels(shape)) / 0.5).reshape(shape)
    spectrum = 1 + 0.2 * smooth_in_bias(picture.bias_mv, 1, random)[:, 0]
    level = height * random.choice([-1.0, 1.0]) * picture.rms * spectrum
    return replace(picture, maps=picture.maps + level[:, None, None] * upper)


def _offset_of_reflection(picture: Picture, reflection: float, random: np.random.Generator) -> Picture:
    """Two rms at a reflection of 0.4, eight at 0.8."""
    return _offset(picture, 12.5 * reflection**2, random)


def _line(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A bright or dark line on the edge itself, 0.4 nm wide, rough along its length."""
    shape = picture.maps.shape[1:]
    wall = picture.wall or draw_wall(shape, 0.0, random)
    profile = np.exp(-((wall.side(pixels(shape)) * picture.pixel_nm / 0.4) ** 2)).reshape(shape)
    rough = 1 + 0.3 * random.normal(size=shape)
    spectrum = height * random.choice([-1.0, 1.0]) * picture.rms
    spectrum = spectrum * (1 + 0.3 * smooth_in_bias(picture.bias_mv, 1, random)[:, 0])
    return replace(picture, maps=picture.maps + spectrum[:, None, None] * profile * rough)


def _line_of_reflection(picture: Picture, reflection: float, random: np.random.Generator) -> Picture:
    """Two rms at a reflection of 0.4, four at 0.8."""
    return _line(picture, 5 * reflection, random)


def _terraces(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """Two parallel terraces that reflect nothing."""
    shape = picture.maps.shape[1:]
    first = draw_wall(shape, 0.0, random)
    second = replace(first, offset=first.offset + random.uniform(15, 30))
    for wall in (first, second):
        picture = _offset(replace(picture, wall=wall), height, random)
    return picture


CONFOUNDERS = (
    Confounder("edge", "step edge, standing waves", "edges", 0.4, 0.8, layout=_with_wall, waves=_standing),
    Confounder(
        "edge-terrace",
        "step edge with terrace offset",
        "edges",
        0.4,
        0.8,
        layout=_with_wall,
        waves=_standing,
        surface=_offset_of_reflection,
    ),
    Confounder(
        "edge-line",
        "step edge with a line",
        "edges",
        0.4,
        0.8,
        layout=_with_wall,
        waves=_standing,
        surface=_line_of_reflection,
    ),
    Confounder("terraces", "terraces of 3 / 10 rms", "edges", 3, 10, surface=_terraces),
    Confounder(
        "opaque-edge",
        "an edge that no wave passes, 1 / 5 rms",
        "edges",
        1,
        5,
        layout=_with_wall,
        waves=_apart,
        surface=_offset,
        without=False,
    ),
)
