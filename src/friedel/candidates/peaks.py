"""From a map of S to a list of candidates: local maxima, refined to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from friedel._util.local_maxima import local_maxima

#: Least-squares fit of c₀ + c₁u + c₂v + c₃u² + c₄uv + c₅v² to the nine values of a 3×3 neighbourhood.
_U, _V = (axis.ravel() for axis in np.mgrid[-1:2, -1:2].astype(float))
_QUADRATIC = np.linalg.pinv(np.stack([np.ones(9), _U, _V, _U**2, _U * _V, _V**2], axis=1))


def refine(s: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Move each maximum to the top of the quadratic surface through its 3×3 neighbourhood.

    Parameters
    ----------
    s : array, shape (rows, columns)
    peaks : array of int, shape (n, 2)

    Returns
    -------
    array of float, shape (n, 2)
        Positions [px], at most half a pixel from the maximum along each axis. A maximum on the border of the map,
        beside NaN, or on a surface that does not curve down stays where it is.
    """
    positions = np.asarray(peaks, dtype=float).reshape(-1, 2).copy()
    if not len(positions):
        return positions
    padded = np.pad(np.asarray(s, dtype=float), 1, constant_values=np.nan)
    rows, columns = np.asarray(peaks).T
    cube = np.stack(
        [padded[rows + 1 + int(u), columns + 1 + int(v)] for u, v in zip(_U, _V, strict=True)], axis=1
    )
    whole = np.isfinite(cube).all(axis=1)
    _, gu, gv, huu, huv, hvv = _QUADRATIC @ np.where(whole[:, None], cube, 0).T
    determinant = 4 * huu * hvv - huv**2
    curved = whole & (huu < 0) & (hvv < 0) & (determinant > 1e-12 * (huu**2 + hvv**2))
    safe = np.where(curved, determinant, 1)
    step = np.stack([huv * gv - 2 * hvv * gu, huv * gu - 2 * huu * gv], axis=1) / safe[:, None]
    return positions + np.where(curved[:, None], np.clip(step, -0.5, 0.5), 0)


def candidates(
    s: np.ndarray,
    probability: np.ndarray,
    *,
    offset: np.ndarray | None = None,
    sigma: np.ndarray | None = None,
    min_distance: float = 1.5,
    floor: float | None = None,
) -> pd.DataFrame:
    """Table of the local maxima of `s`.

    Parameters
    ----------
    s, probability : array, shape (rows, columns)
    offset : array, shape (2, rows, columns), optional
        A network's sub-pixel shift (row, column) from each pixel's centre [px]. Then the candidates are the pixels
        that claim an impurity (`friedel.candidates.decode`), else the local maxima with a quadratic fit to `s`.
    sigma : array, shape (rows, columns), optional
        Standard deviation of the position per axis [px].
    min_distance : float
        Smallest distance of two local maxima [px].
    floor : float, optional
        Maxima whose probability is lower are left out.

    Returns
    -------
    pandas.DataFrame
        Columns row, column, s, probability, sigma_px; the most probable first.
    """
    if offset is None:
        peaks = local_maxima(s, min_distance=min_distance)
        if floor is not None:
            peaks = peaks[probability[tuple(peaks.T)] >= floor]
        positions = refine(s, peaks)
    else:
        from friedel.candidates.decode import claims

        # Improbable pixels are left out first: there are many, and they mean nothing.
        known = s if floor is None else np.where(probability >= floor, s, np.nan)
        peaks, positions = claims(known, offset)
    at = tuple(peaks.T)
    table = pd.DataFrame(
        {
            "row": positions[:, 0],
            "column": positions[:, 1],
            "s": np.asarray(s, dtype=float)[at],
            "probability": np.asarray(probability, dtype=float)[at],
            "sigma_px": np.nan if sigma is None else np.asarray(sigma, dtype=float)[at],
        }
    )
    return table.sort_values(["probability", "s"], ascending=False, kind="stable", ignore_index=True)
