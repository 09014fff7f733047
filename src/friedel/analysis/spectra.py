"""Analysis of a stack: spectra, radial profiles, Fourier transforms. NaN (not acquired) is left out everywhere.

Wavevectors are angular, q = 2π/λ [nm⁻¹]: standing waves around an impurity appear on the ring q = 2k.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np


def spectrum(maps: np.ndarray, row: float, column: float, radius_px: float = 0.0) -> np.ndarray:
    """Mean spectrum of the pixels within `radius_px` of a place (the nearest pixel at least).

    Parameters
    ----------
    maps : array, shape (bias, y, x)
    row, column : float
        Place [px].
    radius_px : float

    Returns
    -------
    array, shape (bias,)
        NaN where the place lies outside the map or was not acquired.
    """
    rows, columns = maps.shape[1:]
    r, c = round(row), round(column)
    if not (0 <= r < rows and 0 <= c < columns):
        return np.full(len(maps), np.nan)
    reach = int(np.ceil(radius_px))
    r0, r1, c0, c1 = (
        max(r - reach, 0),
        min(r + reach + 1, rows),
        max(c - reach, 0),
        min(c + reach + 1, columns),
    )
    yy, xx = np.mgrid[r0:r1, c0:c1]
    near = (yy - row) ** 2 + (xx - column) ** 2 <= radius_px**2
    near[r - r0, c - c0] = True
    return _mean(maps[:, r0:r1, c0:c1][:, near], axis=1)


def away_from(shape: tuple[int, int], points: Any, radius_px: float) -> np.ndarray:
    """Mask, shape (y, x), of the pixels farther than `radius_px` from every point (row, column) [px]."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    free = np.ones(shape, dtype=bool)
    for row, column in np.asarray(points, dtype=float).reshape(-1, 2):
        free &= (yy - row) ** 2 + (xx - column) ** 2 > radius_px**2
    return free


def defect_free_spectrum(maps: np.ndarray, points: Any, radius_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, each of shape (bias,), of the spectra away from all impurities.

    Parameters
    ----------
    maps : array, shape (bias, y, x)
    points : array, shape (n, 2)
        Impurities (row, column) [px].
    radius_px : float
        Pixels nearer than this to an impurity are left out.
    """
    free = maps[:, away_from(maps.shape[1:], points, radius_px)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return _mean(free, axis=1), np.nanstd(free, axis=1)


def radial_profile(
    image: np.ndarray, row: float, column: float, pixel_nm: tuple[float, float], reach_nm: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuthal average around a place.

    Parameters
    ----------
    image : array, shape (y, x)
    row, column : float
        Centre [px].
    pixel_nm : (float, float)
        Pitch along (y, x) [nm]; bins are one (smaller) pitch wide.
    reach_nm : float
        Largest radius [nm].

    Returns
    -------
    r : array, shape (bins,)
        Mean radius of each bin [nm].
    mean, error : array, shape (bins,)
        Mean and its standard error; bins without a pixel are left out.
    """
    yy, xx = np.indices(image.shape)
    r = np.hypot((yy - row) * pixel_nm[0], (xx - column) * pixel_nm[1])
    keep = np.isfinite(image) & (r <= reach_nm)
    bins = np.floor(r[keep] / min(pixel_nm) + 0.5).astype(int)
    if not bins.size:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    values = image[keep].astype(float)
    count = np.bincount(bins)
    full = count > 0
    mean = np.bincount(bins, values)[full] / count[full]
    square = np.bincount(bins, values**2)[full] / count[full]
    radius = np.bincount(bins, r[keep])[full] / count[full]
    return radius, mean, np.sqrt(np.maximum(square - mean**2, 0) / count[full])


def fourier_map(
    image: np.ndarray, pixel_nm: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modulus of the Fourier transform of one map, Hann-windowed.

    Parameters
    ----------
    image : array, shape (y, x)
        Pixels that were not acquired count as the mean.
    pixel_nm : (float, float)
        Pitch along (y, x) [nm].

    Returns
    -------
    q_y, q_x : array, shapes (y,) and (x,)
        Angular wavevectors [nm⁻¹], rising, zero inside.
    modulus : array, shape (y, x)
    """
    known = np.isfinite(image)
    mean = image[known].mean() if known.any() else 0.0
    centred = np.where(known, image - mean, 0.0)
    window = np.hanning(image.shape[0] + 2)[1:-1, None] * np.hanning(image.shape[1] + 2)[None, 1:-1]
    modulus = np.abs(np.fft.fftshift(np.fft.fft2(centred * window)))
    q_y, q_x = (
        np.fft.fftshift(2 * np.pi * np.fft.fftfreq(n, d)) for n, d in zip(image.shape, pixel_nm, strict=True)
    )
    return q_y, q_x, modulus


def dispersion_map(maps: np.ndarray, pixel_nm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Azimuthal average of the Fourier modulus at each bias: the E–q picture.

    Parameters
    ----------
    maps : array, shape (bias, y, x)
    pixel_nm : (float, float)
        Pitch along (y, x) [nm].

    Returns
    -------
    q : array, shape (bins,)
        Angular wavevector [nm⁻¹], up to the smaller Nyquist wavevector.
    modulus : array, shape (bias, bins)
        Each bias scaled to mean 1, so that the ring is seen at every energy; q = 0 is left out.
    """
    q_y, q_x, _ = fourier_map(maps[0], pixel_nm)
    q = np.hypot(q_y[:, None], q_x[None, :])
    step = 2 * np.pi / min(maps.shape[1] * pixel_nm[0], maps.shape[2] * pixel_nm[1])
    bins = np.floor(q / step + 0.5).astype(int).ravel()
    last = int(np.pi / max(pixel_nm) / step)
    count = np.bincount(bins, minlength=last + 1)[: last + 1]
    rows = []
    for image in maps:
        total = np.bincount(bins, fourier_map(image, pixel_nm)[2].ravel(), minlength=last + 1)[: last + 1]
        mean = total / np.maximum(count, 1)
        rows.append(mean / (mean[1:].mean() or 1.0))
    return np.arange(1, last + 1) * step, np.asarray(rows)[:, 1:]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a mean of nothing is NaN, and that is what it shall be
        return np.nanmean(values, axis=axis) if values.size else np.full(values.shape[0], np.nan)
