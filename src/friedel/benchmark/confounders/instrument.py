"""What tip, feedback and electronics do: before the noise, to the noise, and after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, shift

from friedel.benchmark.confounders.draft import Confounder, Picture, Told


def _double_tip(picture: Picture, share: float, random: np.random.Generator) -> Picture:
    """A second apex 1.5 to 4 px away sees `share` of the first one's signal; positions are the first one's."""
    angle, far = random.uniform(0, 2 * np.pi), random.uniform(1.5, 4)
    ghost = shift(picture.maps, (0, far * np.sin(angle), far * np.cos(angle)), order=3, mode="nearest")
    return replace(picture, maps=(picture.maps + share * ghost) / (1 + share))


def _blur(picture: Picture, width_px: float, _random: np.random.Generator) -> Picture:
    return replace(picture, maps=gaussian_filter(picture.maps, (0, width_px, width_px), mode="nearest"))


def _warp(picture: Picture, move: np.ndarray) -> Picture:
    """Record pixel (i, j) at (i, j) + move[:, i, j]; the points go to where they appear."""
    rows, columns = np.mgrid[: picture.maps.shape[1], : picture.maps.shape[2]].astype(float)
    where = np.stack([rows, columns]) + move
    maps = np.stack([map_coordinates(one, where, order=3, mode="nearest") for one in picture.maps])
    points = picture.points.copy()
    for _ in range(10):
        at = [map_coordinates(m, points.T, order=1, mode="nearest") for m in move]
        points = picture.points - np.stack(at, axis=1)
    return replace(picture, maps=maps, points=points)


def _creep(picture: Picture, far_px: float, random: np.random.Generator) -> Picture:
    """Creep that dies out over the first lines, and scan lines that are bent where they begin."""
    h, w = picture.maps.shape[1:]
    rows, columns = np.mgrid[:h, :w].astype(float)
    angle = random.uniform(0, 2 * np.pi)
    slow = far_px * np.exp(-rows / (0.2 * h))
    fast = 0.3 * far_px * np.exp(-columns / (0.15 * w))
    return _warp(picture, np.stack([slow * np.sin(angle), slow * np.cos(angle) + fast]))


def _skew(picture: Picture, shear: float, random: np.random.Generator) -> Picture:
    """A constant drift skews the field."""
    h, w = picture.maps.shape[1:]
    rows = np.mgrid[:h, :w][0] - h / 2
    angle = random.uniform(0, 2 * np.pi)
    return _warp(picture, shear * np.stack([rows * np.sin(angle), rows * np.cos(angle)]))


def _set_point(picture: Picture, share: float, _random: np.random.Generator) -> Picture:
    """g/∫g: the feedback holds the current at the end of the range, which is the sum of all maps from 0 V on."""
    total = np.clip(picture.maps.mean(axis=0), 0.2, None)
    return replace(picture, maps=picture.maps * (total.mean() / total) ** share)


def _capacitive(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """A background that all pixels share, with a part that follows the line, and a slope over the bias."""
    v, h, _ = picture.maps.shape
    line: np.ndarray = np.cumsum(random.normal(size=h))
    line = (line - line.mean()) / line.std()
    slope = np.linspace(0.5, 1.5, v)[:, None, None]
    return replace(
        picture, maps=picture.maps + height * picture.unit * slope * (3 + 0.3 * line.reshape(-1, 1))
    )


def _hum(picture: Picture, height: float, random: np.random.Generator) -> Picture:
    """The mains: a sine along the fast axis whose phase walks from line to line, another one in every map."""
    v, h, w = picture.maps.shape
    period, slip = random.uniform(3.5, 12), random.uniform(0, 2 * np.pi)
    start = random.uniform(0, 2 * np.pi, size=(v, 1, 1))
    phase = start + slip * np.arange(h)[:, None] + 2 * np.pi / period * np.arange(w)
    return replace(picture, maps=picture.maps + height * picture.unit * np.sqrt(2) * np.sin(phase))


def _changing_tip(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Level and gain jump at some lines."""
    maps = picture.maps.copy()
    for _ in range(int(count)):
        row = int(random.integers(5, maps.shape[1] - 5))
        gain, level = random.uniform(0.7, 1.3), random.normal() * 1.5
        maps[:, row:] = 1 + gain * (maps[:, row:] - 1) + level * picture.unit
    return replace(picture, maps=maps)


def _smooth_noise(picture: Picture, width_px: float, _random: np.random.Generator) -> Picture:
    return replace(picture, noise_smoothing_px=width_px)


def _bad_lines(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Lines with an offset of 5 to 30 rms, or with noise of that height, at all voltages."""
    maps = picture.maps.copy()
    _, h, w = maps.shape
    for row in random.choice(h, int(count), replace=False):
        height = random.uniform(5, 30) * picture.rms[:, None]
        start = int(random.integers(0, w // 2)) if random.random() < 0.5 else 0
        signal = random.choice([-1.0, 1.0]) if random.random() < 0.6 else random.normal(size=w - start)
        maps[:, row, start:] += height * signal
    return replace(picture, maps=maps)


def _bad_spectra(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Single spectra that are ten times too large, dead, or noise of 10 rms."""
    maps = picture.maps.copy()
    v, h, w = maps.shape
    for place in random.choice(h * w, int(count), replace=False):
        i, j = divmod(int(place), w)
        fate = random.integers(3)
        if fate == 0:
            maps[:, i, j] *= 10
        elif fate == 1:
            maps[:, i, j] = 0
        else:
            maps[:, i, j] += 10 * picture.rms * random.normal(size=v)
    return replace(picture, maps=maps)


def _wild(picture: Picture, count: float, random: np.random.Generator) -> Picture:
    """Pixels of 100 to 1000 rms, each in one map."""
    maps = picture.maps.copy()
    v, h, w = maps.shape
    for _ in range(int(count)):
        one = int(random.integers(v))
        height = random.uniform(100, 1000) * picture.rms[one] * random.choice([-1.0, 1.0])
        maps[one, random.integers(h), random.integers(w)] += height
    return replace(picture, maps=maps)


def _saturated(picture: Picture, share: float, _random: np.random.Generator) -> Picture:
    """The amplifier clips the highest and lowest `share` of the pixels."""
    low, high = np.quantile(picture.maps, [share, 1 - share], axis=(1, 2), keepdims=True)
    return replace(picture, maps=np.clip(picture.maps, low, high))


def _zeros(picture: Picture, share: float, _random: np.random.Generator) -> Picture:
    """The last lines were never scanned and are zeros; the truth ends with the last line that was."""
    maps, scanned = picture.maps.copy(), round((1 - share) * picture.maps.shape[1])
    maps[:, scanned:] = 0
    return replace(picture, maps=maps, scanned=scanned)


def _onset(told: Told, shift_mev: float, random: np.random.Generator) -> Told:
    sign = random.choice([-1.0, 1.0])
    return replace(told, band=replace(told.band, onset_mev=told.band.onset_mev + sign * shift_mev))


def _mass(told: Told, change: float, random: np.random.Generator) -> Told:
    return replace(
        told, band=replace(told.band, mass=told.band.mass * (1 + random.choice([-1.0, 1.0]) * change))
    )


def _pitch(told: Told, change: float, random: np.random.Generator) -> Told:
    factor = 1 + random.choice([-1.0, 1.0]) * change
    return replace(told, pixel_nm=(told.pixel_nm[0] * factor, told.pixel_nm[1] * factor))


def _aspect(told: Told, change: float, _random: np.random.Generator) -> Told:
    return replace(told, pixel_nm=(told.pixel_nm[0] * (1 + change), told.pixel_nm[1]))


CONFOUNDERS = (
    Confounder("double-tip", "double tip, 30 / 60 %", "tip", 0.3, 0.6, tip=_double_tip, without=False),
    Confounder("blur", "blur of 0.7 / 1.4 px", "tip", 0.7, 1.4, tip=_blur, without=False),
    Confounder("creep", "creep of 1.5 / 4 px", "tip", 1.5, 4, tip=_creep, without=False),
    Confounder("skew", "skew of 2 / 5 %", "tip", 0.02, 0.05, tip=_skew, without=False),
    Confounder("tip-changes", "one / four tip changes", "tip", 1, 4, tip=_changing_tip),
    Confounder(
        "set-point", "set-point g/∫g, half / whole", "electronics", 0.5, 1.0, tip=_set_point, without=False
    ),
    Confounder("capacitive", "capacitive background, 1 / 4 rms", "electronics", 1, 4, tip=_capacitive),
    Confounder("hum", "hum of 0.7 / 2 rms", "electronics", 0.7, 2, recorded=_hum),
    Confounder("saturation", "2 / 10 % saturated", "electronics", 0.02, 0.1, recorded=_saturated),
    Confounder("smooth-noise", "noise smoothed by 0.7 / 1.2 px", "electronics", 0.7, 1.2, tip=_smooth_noise),
    Confounder("bad-lines", "3 / 10 bad lines", "bad-data", 3, 10, recorded=_bad_lines),
    Confounder("bad-spectra", "20 / 150 bad spectra", "bad-data", 20, 150, recorded=_bad_spectra),
    Confounder("wild-pixels", "1 / 20 pixels of 100 to 1000 rms", "bad-data", 1, 20, recorded=_wild),
    Confounder("zeros", "a fifth / half zeros", "bad-data", 0.2, 0.5, recorded=_zeros),
    Confounder("wrong-onset", "E₀ off by 20 / 40 meV", "told", 20, 40, told=_onset, without=False),
    Confounder("wrong-mass", "m* off by 5 / 15 %", "told", 0.05, 0.15, told=_mass, without=False),
    Confounder("wrong-pixel", "pixel off by 3 / 7 %", "told", 0.03, 0.07, told=_pitch, without=False),
    Confounder("wrong-aspect", "x:y off by 3 / 8 %", "told", 0.03, 0.08, told=_aspect, without=False),
)
