"""Bring a stack to the sampling that a network was trained for, and its points back.

A network sees pixels: it was trained for a range of k·pixel [rad/px]. Maps are resampled to square pixels of such a
pitch that k·pixel lies in that range; voltages for which no common pitch can do that are left out. Fields share their
outer border: pixel centres of the new grid are ``origin + step · index`` in units of the old pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.ndimage import distance_transform_edt

from friedel.errors import PhysicsError

#: k·pixel above which the wave cos(2kr) is aliased: 2k·pixel = π.
NYQUIST = np.pi / 2


@dataclass(frozen=True)
class Scaling:
    """How a field of one sampling becomes a field of another.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns before.
    step : (float, float)
        New pitch in old pixels, along rows and columns.
    keep : array of int
        Indices of the voltages that are used, by rising k.
    k : array, shape (len(keep),)
        k·pixel after [rad/px].
    pixel_nm : float
        Pitch after.
    remarks : tuple of str
        What the user should know.
    """

    shape: tuple[int, int]
    step: tuple[float, float]
    keep: np.ndarray
    k: np.ndarray
    pixel_nm: float
    remarks: tuple[str, ...] = field(default=())

    @property
    def identity(self) -> bool:
        """Whether nothing is resampled."""
        return self.step == (1.0, 1.0)

    @property
    def new_shape(self) -> tuple[int, int]:
        """Rows and columns after."""
        rows, columns = (max(1, round(n / step)) for n, step in zip(self.shape, self.step, strict=True))
        return rows, columns

    @property
    def origin(self) -> tuple[float, float]:
        """Old fractional pixel index of the new pixel (0, 0); both grids have the same centre."""
        first, second = (
            (n - 1) / 2 - (m - 1) / 2 * step
            for n, m, step in zip(self.shape, self.new_shape, self.step, strict=True)
        )
        return first, second

    def to_old(self, positions: np.ndarray) -> np.ndarray:
        """Map positions (n, 2) of the new grid [px] to the old one."""
        return np.asarray(positions, dtype=float) * self.step + self.origin

    def to_new(self, positions: np.ndarray) -> np.ndarray:
        """Map positions (n, 2) of the old grid [px] to the new one."""
        return (np.asarray(positions, dtype=float) - self.origin) / self.step

    def resample(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Resample maps, antialiased, NaN-aware.

        Parameters
        ----------
        maps : array, shape (bias, rows, columns)

        Returns
        -------
        maps : array, shape (bias, new rows, new columns), float32
            0 where not acquired.
        mask : array of bool, shape (new rows, new columns)
            Where at least half of what a new pixel covers was acquired at every voltage.
        """
        known = np.isfinite(maps).all(axis=0)
        if self.identity:
            return np.where(known, maps, 0).astype(np.float32), known
        rows, columns = self._operators(lanczos=True)
        filled = _fill(maps, known)
        out = np.stack([rows @ (columns @ plane.T).T for plane in filled]).astype(np.float32)
        if known.all():
            return out, np.ones(self.new_shape, dtype=bool)
        area_rows, area_columns = self._operators(lanczos=False)
        mask = area_rows @ (area_columns @ known.astype(np.float32).T).T >= 0.5
        return np.where(mask, out, 0).astype(np.float32), mask

    def back(self, values: np.ndarray) -> np.ndarray:
        """Interpolate a map of the new grid linearly at the old pixels; NaN stays NaN, borders are continued."""
        if self.identity:
            return np.asarray(values, dtype=np.float32)
        from scipy.ndimage import map_coordinates

        known = np.isfinite(values)
        axes = [
            (np.arange(n) - origin) / step
            for n, origin, step in zip(self.shape, self.origin, self.step, strict=True)
        ]
        grid = np.meshgrid(*axes, indexing="ij")
        out = map_coordinates(np.where(known, values, 0), grid, order=1, mode="nearest")
        weight = map_coordinates(known.astype(float), grid, order=1, mode="nearest")
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(weight >= 0.5, out / weight, np.nan).astype(np.float32)

    def _operators(self, lanczos: bool) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        make = _lanczos if lanczos else _area
        first, second = (
            make(n, m, step, origin)
            for n, m, step, origin in zip(self.shape, self.new_shape, self.step, self.origin, strict=True)
        )
        return first, second


def plan(
    k: np.ndarray,
    pitch: tuple[float, float],
    shape: tuple[int, int],
    k_range: tuple[float, float],
    *,
    k_mean: tuple[float, float] | None = None,
    least_pixels: int = 8,
) -> Scaling:
    """Choose the sampling.

    Parameters
    ----------
    k : array, shape (bias,)
        Wavevectors [nm⁻¹]; NaN outside the band.
    pitch : (float, float)
        Pixel pitch along (y, x) [nm].
    shape : (int, int)
        Rows and columns.
    k_range : (float, float)
        k·pixel the network was trained for [rad/px].
    k_mean : (float, float), optional
        Where the geometric mean of the lowest and the highest k·pixel should lie, if `k_range` leaves it the choice:
        a network knows the middle of its range best.
    least_pixels : int
        Smallest side after resampling.

    Returns
    -------
    Scaling
        With the square pixels nearest to the recorded ones that suit all voltages, or else most of them.

    Raises
    ------
    PhysicsError
        If no voltage lies in the band, if the waves are aliased, or if too few pixels would be left.
    """
    k = np.asarray(k, dtype=float)
    low, high = k_range
    remarks: list[str] = []
    used = np.flatnonzero(np.isfinite(k) & (k > 0))
    if not len(used):
        raise PhysicsError(
            "No bias voltage lies inside the surface band; check the band's onset and mass, or the material.",
            settings="dispersion",
        )
    if len(used) < len(k):
        remarks.append(f"{len(k) - len(used)} of {len(k)} voltages lie outside the band and are left out.")
    fine = used[k[used] * max(pitch) <= NYQUIST]
    if not len(fine):
        raise PhysicsError(
            f"The pixels ({max(pitch):.3g} nm) are too coarse: half the Friedel wavelength, "
            f"{np.pi / k[used].min():.3g} nm, needs at least two of them. Record a finer grid."
        )
    if len(fine) < len(used):
        remarks.append(
            f"{len(used) - len(fine)} voltages are left out: their waves are finer than two pixels."
        )
    used = fine[np.argsort(k[fine], kind="stable")]
    if k[used[-1]] / k[used[0]] > high / low * (1 + 1e-6):
        kept = _widest_window(k[used], high / low)
        remarks.append(
            f"The wavevector spans more than the network was trained for ({low:.3g} to {high:.3g} rad/px): "
            f"{len(kept)} of {len(used)} voltages are used."
        )
        used = used[kept]
    # Pitches that suit every voltage, and of those the one nearest to the recorded.
    own = float(np.sqrt(pitch[0] * pitch[1]))
    pixel = own
    if k_mean is not None:
        middle = np.sqrt(k[used[0]] * k[used[-1]])
        pixel = np.clip(pixel, k_mean[0] / middle, k_mean[1] / middle)
    pixel = float(np.clip(pixel, low / k[used[0]], high / k[used[-1]]))
    if pitch[0] == pitch[1] and abs(pixel / own - 1) < 1e-9:
        pixel, step = pitch[0], (1.0, 1.0)
    else:
        step = (pixel / pitch[0], pixel / pitch[1])
    scaling = Scaling(shape, step, used, k[used] * pixel, pixel, tuple(remarks))
    if min(scaling.new_shape) < least_pixels:
        raise PhysicsError(
            f"The field is too small: at the sampling that suits the network ({pixel:.3g} nm/px) it has only "
            f"{scaling.new_shape[0]} by {scaling.new_shape[1]} pixels, less than half a Friedel wavelength or two."
        )
    return scaling


def _widest_window(k: np.ndarray, ratio: float) -> np.ndarray:
    """Indices of the most values, of those sorted ascending, whose largest is at most `ratio` times the smallest."""
    stop = np.searchsorted(k, k * ratio * (1 + 1e-6), side="right")
    start = int(np.argmax(stop - np.arange(len(k))))
    return np.arange(start, stop[start])


def _fill(maps: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give unknown pixels the value of the nearest known one, so that a kernel across a gap stays sound."""
    if known.all() or not known.any():
        return np.where(known, maps, 0).astype(np.float32)
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return maps[:, rows, columns].astype(np.float32)


def _lanczos(n: int, m: int, step: float, origin: float, lobes: int = 3) -> sparse.csr_matrix:
    """Windowed-sinc weights (m, n) that cut off at the coarser grid's Nyquist frequency; borders are continued."""
    width = max(step, 1.0)
    centre = origin + step * np.arange(m)
    reach = int(np.ceil(lobes * width)) + 1
    index = np.floor(centre).astype(int)[:, None] + np.arange(-reach, reach + 1)
    u = (index - centre[:, None]) / width
    weight = np.where(np.abs(u) < lobes, np.sinc(u) * np.sinc(u / lobes), 0)
    return _matrix(index, weight, n, m)


def _area(n: int, m: int, step: float, origin: float) -> sparse.csr_matrix:
    """Share of each old pixel in each new one."""
    width = max(step, 1.0)
    centre = origin + step * np.arange(m)
    reach = int(np.ceil(width)) + 1
    index = np.floor(centre).astype(int)[:, None] + np.arange(-reach, reach + 1)
    overlap = (width + 1) / 2 - np.abs(index - centre[:, None])
    return _matrix(index, np.clip(overlap, 0, 1), n, m)


def _matrix(index: np.ndarray, weight: np.ndarray, n: int, m: int) -> sparse.csr_matrix:
    weight = weight / weight.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(m)[:, None], index.shape)
    flat = (weight.astype(np.float32).ravel(), (rows.ravel(), np.clip(index, 0, n - 1).ravel()))
    return sparse.csr_matrix(flat, shape=(m, n))
