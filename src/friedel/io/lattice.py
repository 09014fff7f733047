"""Which points of a plane form a rectangular grid, how it is turned, and where each point lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel.errors import StackError

#: A point may lie this far off its lattice place, in pitches.
_TOLERANCE = 0.2
_LONGEST = 4096


@dataclass(frozen=True)
class Lattice:
    """A rectangular grid.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : (float, float)
        Pitch along y (slow) and x (fast) [nm].
    centre_nm : (float, float)
        Centre (x, y) in the coordinates of the points [nm].
    angle_deg : float
        Turn of the fast axis, positive = clockwise.
    y_direction : int
        +1 if rows go to the left of the fast axis (upwards at angle 0), -1 if to the right.
    cells : list of (int, int)
        Row and column of each point; (0, 0) is the first.
    """

    shape: tuple[int, int]
    pixel_nm: tuple[float, float]
    centre_nm: tuple[float, float]
    angle_deg: float
    y_direction: int
    cells: list[tuple[int, int]]


def fit(points: np.ndarray, where: str) -> Lattice:
    """Find the grid that points in order of recording form.

    Parameters
    ----------
    points : array, shape (n, 2)
        x, y [nm].
    where : str
        For messages.

    Raises
    ------
    StackError
        If they form none.
    """
    points = np.asarray(points, dtype=float)
    if not np.isfinite(points).all() or len(points) < 2:
        raise StackError(f"{where}: the positions of the spectra are not known.")
    step = points[1] - points[0]
    if not np.hypot(*step) > 0:
        raise StackError(f"{where}: two spectra were taken at the same point.")
    fast = step / np.hypot(*step)
    slow = np.array([-fast[1], fast[0]])
    relative = points - points[0]
    along, pitch_x = _indices(relative @ fast, where)
    across, pitch_y = _indices(relative @ slow, where)
    # Row and column 0 are where recording began; a negative row means that rows go the other way.
    y_direction = -1 if across.min() < 0 and -across.min() >= across.max() else 1
    across = across * y_direction
    across, along = across - across.min(), along - along.min()
    shape = (int(across.max()) + 1, int(along.max()) + 1)
    cells = [(int(row), int(column)) for row, column in zip(across, along, strict=True)]
    if len(set(cells)) < len(cells):
        raise StackError(f"{where}: two spectra were taken at the same point.")
    if len(cells) * 4 < shape[0] * shape[1]:
        raise StackError(f"{where}: the spectra do not lie on a rectangular grid.")
    pitch_x = pitch_x or pitch_y
    pitch_y = pitch_y or pitch_x
    corner = points[0] - cells[0][1] * pitch_x * fast - cells[0][0] * pitch_y * y_direction * slow
    centre = corner + (shape[1] - 1) / 2 * pitch_x * fast + (shape[0] - 1) / 2 * pitch_y * y_direction * slow
    angle = float(np.rad2deg(np.arctan2(-fast[1], fast[0]))) + 0.0
    return Lattice(shape, (pitch_y, pitch_x), (float(centre[0]), float(centre[1])), angle, y_direction, cells)


def _indices(values: np.ndarray, where: str) -> tuple[np.ndarray, float]:
    """Number positions along one axis; the pitch is 0 if all are the same."""
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    if not gaps.max() > 1e-6:
        return np.zeros(len(values), dtype=int), 0.0
    # Points of one line scatter by far less than a pitch; a line that is missing makes a gap of two.
    lines = np.array([part.mean() for part in np.split(ordered, np.flatnonzero(gaps > 0.3 * gaps.max()) + 1)])
    steps = np.diff(lines)
    pitch = float(np.median(steps[steps < 1.5 * steps.min()]))
    index = np.rint(values / pitch).astype(int)
    if np.ptp(index) >= _LONGEST:
        raise StackError(f"{where}: the spectra do not lie on a rectangular grid.")
    # The pitch from all points is better than from one gap.
    pitch = float((values @ index) / max(index @ index, 1))
    if np.abs(values - index * pitch).max() > _TOLERANCE * pitch:
        raise StackError(f"{where}: the spectra do not lie on a rectangular grid.")
    return index, pitch
