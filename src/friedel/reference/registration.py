"""Bring a reference map into the frame of a dI/dV stack when the two are separate scans.

The shift is found by cross-correlation that leaves unknown pixels out (Padfield, IEEE Trans. Image Process.
21, 2706 (2012)) and refined below a pixel by phase correlation (Guizar-Sicairos et al., Opt. Lett. 33, 156
(2008)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.fft import next_fast_len

from friedel.errors import StackError

#: Below this the highest correlation is no higher than chance makes it somewhere in the map.
LEAST_SIGNIFICANCE = 6.0


@dataclass(frozen=True)
class Shift:
    """Where the reference map lies in the target's frame.

    Parameters
    ----------
    rows, columns : float
        Add these to a position in the reference map to get its position in the target [px].
    correlation : float
        Correlation coefficient of the two maps over their common pixels at this shift, −1 to 1.
    significance : float
        Height of that correlation over those at other shifts, in their standard deviations.
    overlap : float
        Share of the smaller map's acquired pixels that lie in both.
    trusted : bool
        Whether the shift is significant.
    remark : str
        Why not, in a sentence; empty if it can.
    """

    rows: float
    columns: float
    correlation: float
    significance: float
    overlap: float
    trusted: bool
    remark: str = ""

    def apply(self, points: Any) -> np.ndarray:
        """Move reference positions, shape (n, 2), into the target's frame."""
        result: np.ndarray = np.asarray(points, dtype=float).reshape(-1, 2) + np.array(
            [self.rows, self.columns]
        )
        return result


def register(
    reference_map: Any,
    target_map: Any,
    *,
    max_shift: float | None = None,
    least_overlap: float = 0.3,
    upsample: int = 50,
) -> Shift:
    """Find the shift between a reference map and a map of the stack's own frame.

    The two must show the same thing with the same sign (for example two topographs, two bound-state maps, or
    a bound-state map and the network's probability) on the same pixel pitch. A least-squares plane is taken
    off both first.

    Parameters
    ----------
    reference_map, target_map : array, shape (rows, columns)
        Shapes may differ; NaN = not acquired.
    max_shift : float, optional
        Largest shift that is tried, per axis [px].
    least_overlap : float
        Shifts with a smaller common share are not tried.
    upsample : int
        The sub-pixel step is 1 / `upsample`.

    Returns
    -------
    Shift
        Check `trusted` before using it.

    Raises
    ------
    StackError
        If a map is not two-dimensional, has too few acquired pixels, or is constant or a plane.
    """
    moving, moving_known = _prepare(reference_map, "reference map")
    fixed, fixed_known = _prepare(target_map, "target map")
    correlation, overlap, lags = _correlate(moving, moving_known, fixed, fixed_known)
    allowed = overlap >= least_overlap * min(moving_known.sum(), fixed_known.sum())
    if max_shift is not None:
        allowed &= (np.abs(lags[0])[:, None] <= max_shift) & (np.abs(lags[1])[None] <= max_shift)
    if not allowed.any():
        raise StackError("The two maps have too few common pixels to be registered.")
    # A coefficient over few pixels is high by chance: compare coefficient × √pixels, which chance keeps
    # level.
    height = np.where(allowed, correlation * np.sqrt(overlap), -np.inf)
    best = np.unravel_index(int(np.argmax(height)), height.shape)
    row, column = int(lags[0][best[0]]), int(lags[1][best[1]])
    others = allowed & ((np.abs(lags[0] - row)[:, None] > 3) | (np.abs(lags[1] - column)[None] > 3))
    others_height = height[others]
    spread = float(others_height.std()) if others_height.size > 20 else float("nan")
    significance = float((height[best] - others_height.mean()) / spread) if spread > 0 else 0.0
    fine = _refine(moving, moving_known, fixed, fixed_known, (row, column), upsample)
    coefficient = float(correlation[best])
    share = float(overlap[best] / min(moving_known.sum(), fixed_known.sum()))
    remark = _doubt(
        coefficient,
        significance,
        float(others_height.max()) if others_height.size else 0.0,
        float(height[best]),
    )
    return Shift(row + fine[0], column + fine[1], coefficient, significance, share, not remark, remark)


def _doubt(coefficient: float, significance: float, second: float, first: float) -> str:
    if coefficient <= 0:
        return "The maps do not resemble each other at any shift."
    if significance < LEAST_SIGNIFICANCE:
        return (
            f"The best shift is not better than chance ({significance:.1f} standard deviations, "
            f"{LEAST_SIGNIFICANCE:g} are needed); place the map by hand."
        )
    if second > 0.85 * first:
        return "Another shift fits almost as well, as with a periodic pattern; check it by eye."
    return ""


def _prepare(map: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Levelled, unit root mean square, 0 where unknown; and the mask of what is known.

    A tilt is a feature of the scan, not of the surface, and two tilted planes look alike at every shift.
    """
    image = np.asarray(map, dtype=float)
    if image.ndim != 2:
        raise StackError(f"The {name} has {image.ndim} axes; it needs two (rows, columns).")
    known = np.isfinite(image)
    if known.sum() < 64:
        raise StackError(f"The {name} has fewer than 64 acquired pixels.")
    values = np.where(known, image - image[known].mean(), 0.0)
    rows, columns = (
        axis / max(len(axis.flat) - 1, 1) for axis in np.ogrid[: image.shape[0], : image.shape[1]]
    )
    plane = np.stack(np.broadcast_arrays(1.0, rows, columns), axis=-1)
    values[known] -= plane[known] @ np.linalg.lstsq(plane[known], values[known], rcond=None)[0]
    scale = np.sqrt((values**2).sum() / known.sum())
    # What rounding leaves of a constant or of a plane is no feature.
    if not scale > 1e-12 * np.abs(image[known]).max():
        raise StackError(f"The {name} is constant or a plane; nothing in it can be registered.")
    return values / scale, known.astype(float)


def _correlate(
    moving: np.ndarray, moving_known: np.ndarray, fixed: np.ndarray, fixed_known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Correlation coefficient over the common pixels at every whole-pixel shift, and their number."""
    size = [a + b - 1 for a, b in zip(moving.shape, fixed.shape, strict=True)]
    fast = [next_fast_len(n) for n in size]

    def transform(image: np.ndarray) -> np.ndarray:
        return np.fft.rfft2(image, fast)

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(np.conj(a) * b, fast)

    m, m2, mk = transform(moving), transform(moving**2), transform(moving_known)
    f, f2, fk = transform(fixed), transform(fixed**2), transform(fixed_known)
    count = np.rint(product(mk, fk))
    safe = np.maximum(count, 1)
    mean_m, mean_f = product(m, fk) / safe, product(mk, f) / safe
    covariance = product(m, f) / safe - mean_m * mean_f
    variance_m = np.clip(product(m2, fk) / safe - mean_m**2, 0, None)
    variance_f = np.clip(product(mk, f2) / safe - mean_f**2, 0, None)
    norm = np.sqrt(variance_m * variance_f)
    coefficient = np.where((norm > 1e-6) & (count > 8), covariance / np.maximum(norm, 1e-6), 0.0)
    rolls = [n - 1 for n in moving.shape]
    keep = np.ix_(*[np.arange(n) for n in size])
    lags = tuple(np.arange(n) - roll for n, roll in zip(size, rolls, strict=True))
    shifted = [np.roll(image, rolls, axis=(0, 1))[keep] for image in (coefficient, count)]
    return np.clip(shifted[0], -1, 1), shifted[1], (lags[0], lags[1])


def _refine(
    moving: np.ndarray,
    moving_known: np.ndarray,
    fixed: np.ndarray,
    fixed_known: np.ndarray,
    shift: tuple[int, int],
    upsample: int,
) -> tuple[float, float]:
    """Sub-pixel rest of the shift, from the common part of the two maps."""
    from skimage.registration import phase_cross_correlation

    top, left = max(shift[0], 0), max(shift[1], 0)
    bottom = min(fixed.shape[0], moving.shape[0] + shift[0])
    right = min(fixed.shape[1], moving.shape[1] + shift[1])
    target = (slice(top, bottom), slice(left, right))
    source = (slice(top - shift[0], bottom - shift[0]), slice(left - shift[1], right - shift[1]))
    both = fixed_known[target] * moving_known[source]
    # The edges of the common part would correlate with themselves; let them fade out.
    inside = np.pad(both, 1)
    fade = np.clip(ndimage.distance_transform_edt(inside)[1:-1, 1:-1] / 6.0, 0, 1)
    total = max(fade.sum(), 1.0)
    a, b = fixed[target], moving[source]
    a, b = (fade * (image - (fade * image).sum() / total) for image in (a, b))
    if not (a.any() and b.any()):
        return 0.0, 0.0
    rest = phase_cross_correlation(a, b, upsample_factor=upsample, normalization=None)[0]
    # More than a pixel and a half is another peak, not a rest.
    return (float(rest[0]), float(rest[1])) if np.abs(rest).max() <= 1.5 else (0.0, 0.0)
