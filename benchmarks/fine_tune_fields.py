"""Twins of a sample: multiple-scattering stacks with physics or noise that the bundled models never saw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from friedel.physics.simulate import simulate
from friedel.stack import true_positions


def _add(
    stack: xr.Dataset, signal: Callable[[np.ndarray, np.ndarray, float], np.ndarray], seed: int
) -> xr.Dataset:
    """Add a signal to every map: `signal(distance to each impurity (n, y, x), height (n, 1, 1), voltage 0 to 1)`."""
    rng = np.random.default_rng(seed + 77)
    maps = stack["LockinX"].to_numpy()
    rows, columns = np.indices(maps.shape[1:])
    truth = true_positions(stack)
    distance = np.hypot(rows - truth[:, :1, None], columns - truth[:, 1:, None])
    height = rng.normal(size=(len(truth), 1, 1))
    for one, voltage in zip(maps, np.linspace(0, 1, len(maps)), strict=True):
        one += one.std() * signal(distance, height, voltage).sum(axis=0)
    return stack.assign(LockinX=(stack["LockinX"].dims, maps, stack["LockinX"].attrs))


def rings(seed: int) -> xr.Dataset:
    """Bright or dark rings of 3 px around every impurity, as around charged defects; they open with bias."""
    stack = simulate("au111", impurities=40, noise=0.8, seed=seed)
    return _add(stack, lambda r, h, v: 2.0 * h * np.exp(-((r - 2.0 - 2.0 * v) ** 2) / 1.0), seed)


def blobs(seed: int) -> xr.Dataset:
    """Wide molecules: a signal of 2.5 px that changes sign within the bias range hides the first fringes."""
    stack = simulate("au111", impurities=50, noise=0.8, seed=seed)
    return _add(stack, lambda r, h, v: 2.5 * h * np.cos(4 * v) * np.exp(-(r**2) / 12.0), seed)


def noisy(seed: int) -> xr.Dataset:
    """Noise three times the waves, correlated over neighbouring pixels, as an amplifier's slow response makes it."""
    stack = simulate("au111", impurities=30, noise=0.3, seed=seed)
    maps, rng = stack["LockinX"].to_numpy(), np.random.default_rng(seed + 99)
    white = rng.normal(size=maps.shape)
    slow = (white + 0.7 * np.roll(white, 1, axis=2) + 0.4 * np.roll(white, 2, axis=2)) / 1.29
    maps = maps + 3.0 * maps.std(axis=(1, 2), keepdims=True) * slow
    return stack.assign(LockinX=(stack["LockinX"].dims, maps.astype(np.float32), stack["LockinX"].attrs))


def rough(seed: int) -> xr.Dataset:
    """Strong line offsets, z-jitter and reconstruction."""
    return simulate(
        "au111", impurities=40, noise=0.8, jitter=1.0, rows=1.0, herringbone=1.0, drift_px=1.0, seed=seed
    )


def dense(seed: int) -> xr.Dataset:
    """A crowded Cu(111) surface, all scatterers alike, at a pixel the networks were not trained for."""
    return simulate("cu111", impurities=90, unlike=False, noise=1.5, pixel_nm=0.36, closest_nm=0.6, seed=seed)


TWINS = {"rings": (rings, "au111"), "blobs": (blobs, "au111"), "noisy": (noisy, "au111"), "rough": (rough, "au111"),
         "dense": (dense, "cu111")}  # fmt: skip
