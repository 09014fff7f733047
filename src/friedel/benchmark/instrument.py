"""Besides the waves of a synthetic field: cores with a signal of their own, the instrument's faults, a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.special import expit, k0

if TYPE_CHECKING:
    from friedel.benchmark.settings import Setting


def pixels(shape: tuple[int, int]) -> np.ndarray:
    """(row, column) of every pixel, shape (rows × columns, 2)."""
    return np.stack(list(np.mgrid[: shape[0], : shape[1]]), -1).reshape(-1, 2).astype(float)


def nearest(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """Distance of each pixel to its nearest point [px], shape (rows, columns)."""
    if len(points) == 0:
        return np.full(shape, np.inf)
    result: np.ndarray = KDTree(points).query(pixels(shape))[0].reshape(shape)
    return result


def smooth_in_bias(
    bias: np.ndarray, n: int, random: np.random.Generator, scale_mv: float = 60.0
) -> np.ndarray:
    """Random functions of the bias with unit variance and the given correlation length, shape (bias, n)."""
    lag = bias[:, None] - bias
    covariance = np.exp(-((lag / scale_mv) ** 2) / 2) + 1e-6 * np.eye(len(bias))
    return np.linalg.cholesky(covariance) @ random.normal(size=(len(bias), n))


def scramble(
    maps: np.ndarray,
    bias: np.ndarray,
    points: np.ndarray,
    radius: np.ndarray,
    rms: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Give each core a signal of its own: random in sign, size, texture and bias dependence."""
    if len(points) == 0:
        return maps
    shape = maps.shape[1:]
    grid = pixels(shape)
    spectrum = smooth_in_bias(bias, len(points), random) * random.uniform(0.5, 2.5, len(points))
    maps = maps.reshape(len(bias), -1).copy()
    for i, point in enumerate(points):
        distance = np.hypot(*(grid - point).T)
        window = expit((radius[i] - distance) / 0.2)
        near = window > 0.01
        texture = 1 + 0.5 * random.normal(size=int(near.sum()))
        core = rms[:, None] * spectrum[:, i, None] * texture
        maps[:, near] = (1 - window[near]) * maps[:, near] + window[near] * core
    return maps.reshape(len(bias), *shape)


def measure(
    density: np.ndarray, setting: Setting, rms: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """What the instrument makes of ρ/ρ₀: jitter of the height, row offsets, a tip change, white noise."""
    count, rows, columns = density.shape
    maps = density * (1 + 0.022 * setting.jitter_pm * random.normal(size=(rows, columns)))
    offsets = np.zeros((count, rows))
    step = random.normal(size=(count + 1, rows))
    step = (step[:-1] + step[-1]) / np.sqrt(2)  # half of it shared by all maps
    offsets[:, 0] = step[:, 0]
    for r in range(1, rows):
        offsets[:, r] = 0.7 * offsets[:, r - 1] + np.sqrt(1 - 0.49) * step[:, r]
    maps = maps + setting.rows * rms[:, None, None] * offsets[..., None]
    if setting.tip_change:
        row = int(random.integers(rows // 5, rows - rows // 5))
        gain, jump = random.uniform(0.7, 1.3), random.choice([-1.0, 1.0]) * random.uniform(0.5, 1.5)
        maps[:, row:] = (maps[:, row:] - 1) * gain + 1 + jump * rms[:, None, None]
    return maps + setting.noise * rms[:, None, None] * random.normal(size=maps.shape)


def bound_state(setting: Setting, points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Reference map below the onset: |K₀(κr)|² where a state is bound (nine in ten), with noise of 5 %."""
    image = np.zeros(setting.shape)
    grid = pixels(setting.shape)
    for point in points:
        bound, height = random.random() < 0.9, random.uniform(0.6, 1.4)
        kappa = 5.1232 * np.sqrt(0.26 * random.uniform(0.015, 0.05)) * setting.pixel_nm
        if bound:
            # The tip is as wide as 0.3 nm: it rounds the logarithm at the centre off.
            soft = np.hypot(np.hypot(*(grid - point).T), 0.3 / setting.pixel_nm)
            profile = (k0(kappa * soft) / k0(kappa * 0.3 / setting.pixel_nm)) ** 2
            image += height * profile.reshape(setting.shape)
    return image + 0.05 * random.normal(size=setting.shape)
