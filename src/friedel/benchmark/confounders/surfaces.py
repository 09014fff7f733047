"""What lies on a surface and scatters nothing: lattices, density waves, moiré, herringbone, islands, molecules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from friedel.benchmark.confounders.draft import Confounder, Picture
from friedel.benchmark.instrument import pixels, smooth_in_bias


def _spectrum(picture: Picture, random: np.random.Generator, changing: float) -> np.ndarray:
    """A contrast over the bias of rms about 1: constant, with a share that changes slowly; shape (V, 1, 1)."""
    own = smooth_in_bias(picture.bias_mv, 1, random)[:, 0]
    return np.asarray((picture.rms * (1 - changing + changing * own))[:, None, None])


def _add(picture: Picture, image: np.ndarray, spectrum: np.ndarray) -> Picture:
    """Add an image of rms 1."""
    image = image - image.mean()
    spread = image.std()
    return replace(picture, maps=picture.maps + spectrum * image / (spread if spread > 0 else 1.0))


def _waves(shape: tuple[int, ...], period_px: float, angles: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Plane waves cos(q·r + φ), shape (n, H, W)."""
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    q = 2 * np.pi / period_px
    return np.stack(
        [
            np.cos(q * (rows * np.sin(a) + columns * np.cos(a)) + p)
            for a, p in zip(angles, phases, strict=True)
        ]
    )


def _periodic(picture: Picture, period_nm: float, fold: int, random: np.random.Generator) -> np.ndarray:
    angles = random.uniform(0, np.pi) + np.arange(fold) * np.pi / fold
    phases = random.uniform(0, 2 * np.pi, fold)
    waves: np.ndarray = _waves(picture.maps.shape, period_nm / picture.pixel_nm, angles, phases).sum(0)
    return waves


def _lattice(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A resolved lattice or reconstruction of 1.5 nm."""
    image = _periodic(picture, 1.5 * random.uniform(0.9, 1.1), 3, random)
    return _add(picture, image, height * _spectrum(picture, random, 0.2))


def _aliased(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """The atomic lattice, sampled too coarsely."""
    return _add(picture, _periodic(picture, 0.25, 3, random), height * _spectrum(picture, random, 0.2))


def _stripes(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A one-directional density wave of 2.4 nm."""
    return _add(picture, _periodic(picture, 2.4, 1, random), height * _spectrum(picture, random, 0.5))


def _hexagonal(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A hexagonal density wave of 2 nm."""
    return _add(picture, _periodic(picture, 2.0, 3, random), height * _spectrum(picture, random, 0.5))


def _moire(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """Dots on a triangular lattice of 3 nm, each a bit off its place and of its own height."""
    period, angle = 3.0 / picture.pixel_nm, random.uniform(0, np.pi / 3)
    index = np.indices((41, 41)).reshape(2, -1).T - 20
    turned = np.array(
        [[np.sin(angle), np.cos(angle)], [np.sin(angle + np.pi / 3), np.cos(angle + np.pi / 3)]]
    )
    centres = index @ turned * period + np.array(picture.maps.shape[1:]) / 2
    centres = centres + 0.04 * period * random.normal(size=centres.shape)
    heights = 1 + 0.15 * random.normal(size=len(centres))
    grid = pixels(picture.maps.shape[1:])
    square = ((grid[:, None] - centres) ** 2).sum(-1)
    image = (np.exp(-square / (2 * (0.22 * period) ** 2)) @ heights).reshape(picture.maps.shape[1:])
    return _add(picture, image, height * _spectrum(picture, random, 0.4))


def _herringbone(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """Pairs of soliton walls, 6.3 nm apart, with elbows."""
    rows, columns = np.mgrid[: picture.maps.shape[1], : picture.maps.shape[2]] * picture.pixel_nm
    angle, bend = random.uniform(0, np.pi), random.uniform(12, 20)
    across, along = (
        rows * np.sin(angle) + columns * np.cos(angle),
        columns * np.sin(angle) - rows * np.cos(angle),
    )
    zigzag = np.abs((along / bend + random.random()) % 2 - 1) * bend * np.tan(np.pi / 6)
    place = ((across + zigzag) / 6.3 + random.random()) % 1
    image = sum(np.exp(-((((place - c + 0.5) % 1 - 0.5) * 6.3 / 0.5) ** 2)) for c in (0.3, 0.7))
    return _add(picture, np.asarray(image), height * _spectrum(picture, random, 0.3))


def _diffuse(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A smooth background with hills of 5 nm."""
    image = gaussian_filter(
        random.normal(size=picture.maps.shape[1:]), 5.0 / picture.pixel_nm / 2, mode="wrap"
    )
    return _add(picture, image, height * _spectrum(picture, random, 0.4))


def _islands(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Flat islands of irregular outline, 1 to 3 nm in radius, 2 to 8 rms high."""
    shape = picture.maps.shape[1:]
    grid, maps = pixels(shape), picture.maps.copy()
    for _ in range(int(count)):
        centre, radius = random.uniform(0, shape), random.uniform(1.0, 3.0) / picture.pixel_nm
        vector = grid - centre
        theta = np.arctan2(*vector.T)
        outline = radius * (
            1 + sum(0.12 * random.normal() * np.cos(n * theta + random.uniform(0, 6)) for n in (2, 3, 5))
        )
        island = expit((outline - np.hypot(*vector.T)) / 0.4).reshape(shape)
        height = random.choice([-1.0, 1.0]) * random.uniform(2, 8)
        maps = maps + height * _spectrum(picture, random, 0.3) * island
    return replace(picture, maps=maps)


def _adsorbates(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Round adsorbates that scatter nothing: a local signal of 2 to 10 rms, 0.4 to 0.9 nm wide."""
    shape = picture.maps.shape[1:]
    grid, maps = pixels(shape), picture.maps.copy()
    for _ in range(int(count)):
        distance = np.hypot(*(grid - random.uniform(0, shape)).T) * picture.pixel_nm
        width = random.uniform(0.4, 0.9)
        profile = np.exp(-((distance / width) ** 2))
        if random.random() < 0.4:  # bright rim
            profile = np.exp(-(((distance - width) / 0.35) ** 2))
        height = random.choice([-1.0, 1.0]) * random.uniform(2, 10)
        maps = maps + height * _spectrum(picture, random, 0.4) * profile.reshape(shape)
    return replace(picture, maps=maps)


def _molecules(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Elongated molecules of two to five lobes, all alike but for their direction."""
    shape = picture.maps.shape[1:]
    grid, maps = pixels(shape), picture.maps.copy()
    lobes = int(random.integers(2, 6))
    signs, spacing = random.choice([-1.0, 1.0], lobes), random.uniform(0.5, 0.8) / picture.pixel_nm
    spectrum = random.uniform(3, 8) * _spectrum(picture, random, 0.4)
    for _ in range(int(count)):
        centre, angle = random.uniform(0, shape), random.integers(3) * np.pi / 3 + 0.2
        for i, sign in enumerate(signs):
            place = centre + (i - (lobes - 1) / 2) * spacing * np.array([np.sin(angle), np.cos(angle)])
            square = ((grid - place) ** 2).sum(-1).reshape(shape)
            maps = maps + sign * spectrum * np.exp(-square / (2 * (0.3 / picture.pixel_nm) ** 2))
    return replace(picture, maps=maps)


CONFOUNDERS = (
    Confounder("lattice", "lattice, 1.5 / 4 rms", "periodic", 1.5, 4, surface=_lattice),
    Confounder("aliased-lattice", "aliased lattice, 1.5 / 4 rms", "periodic", 1.5, 4, surface=_aliased),
    Confounder("stripes", "stripes of 2.4 nm, 1 / 3 rms", "periodic", 1, 3, surface=_stripes),
    Confounder("hexagonal", "hexagonal density wave, 1 / 3 rms", "periodic", 1, 3, surface=_hexagonal),
    Confounder("moire", "moiré dots, 1 / 3 rms", "periodic", 1, 3, surface=_moire),
    Confounder("herringbone", "herringbone, 1 / 3 rms", "periodic", 1, 3, surface=_herringbone),
    Confounder("diffuse", "diffuse background, 2 / 6 rms", "periodic", 2, 6, surface=_diffuse),
    Confounder("islands", "4 / 10 flat islands", "islands", 4, 10, surface=_islands),
    Confounder("adsorbates", "12 / 30 adsorbates", "islands", 12, 30, surface=_adsorbates),
    Confounder("molecules", "8 / 20 molecules", "islands", 8, 20, surface=_molecules),
)
