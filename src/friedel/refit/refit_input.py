"""What a refit is given: maps, wavevectors, and the points to fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel.refit.pruning import DECISIONS


@dataclass(frozen=True, eq=False)
class RefitInput:
    """Maps and points to fit.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1, in the order in which they were taken or its reverse; square pixels.
    k : array of complex, shape (bias,)
        Wavevectors [rad/px]; the imaginary part is the damping of the amplitude.
    mask : array of bool, shape (rows, columns)
        Pixels to use.
    points : array, shape (n, 2)
        Where impurities were found [px].
    sigma : array, shape (n,), optional
        Standard deviation of these positions per axis [px]; NaN or None where unknown.
    doubtful : array of bool, shape (n,), optional
        Points that may be none; all are confident if None.
    pixel_nm : float, optional
        Pitch; a herringbone is searched for only where it is known.
    hold : bool
        Hold the positions where they are given.
    device : str, optional
        A torch device, such as ``cuda:0``, that makes the normal equations; the processor, by numpy, if None.
    """

    maps: np.ndarray
    k: np.ndarray
    mask: np.ndarray
    points: np.ndarray
    sigma: np.ndarray | None = None
    doubtful: np.ndarray | None = None
    pixel_nm: float | None = None
    hold: bool = False
    device: str | None = None

    def known(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, σ (NaN where unknown), and which points are confident."""
        points = np.asarray(self.points, float).reshape(-1, 2)
        sigma = np.full(len(points), np.nan) if self.sigma is None else np.asarray(self.sigma, float)
        doubtful = np.zeros(len(points), bool) if self.doubtful is None else self.doubtful
        return points, sigma, ~np.asarray(doubtful, bool)

    def prior_width(self, sigma: np.ndarray) -> np.ndarray:
        """Prior standard deviation of positions of this σ [px]."""
        if self.hold:
            return np.full(len(sigma), DECISIONS.held_sigma_px)
        width: np.ndarray = np.maximum(DECISIONS.min_prior_sigma_px, 2 * np.nan_to_num(sigma, nan=0.0))
        return width


@dataclass(frozen=True, eq=False)
class RefitMaps:
    """Maps as the refit takes them.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1.
    k : array of complex, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, shape (rows, columns)
        Pixels to use.
    pixel_nm : float
        Pitch.
    device : str, optional
        See `RefitInput`.
    """

    maps: np.ndarray
    k: np.ndarray
    mask: np.ndarray
    pixel_nm: float
    device: str | None = None
