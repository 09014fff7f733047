"""Where the records of a Nanonis grid lie: the header's grid, corrected by the tip positions that each record keeps."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel.errors import FriedelWarning, StackError
from friedel.io.lattice import Lattice, by_chance, fit, scattered, through

if TYPE_CHECKING:
    from pathlib import Path

#: Pitch and angle of the header are kept where the stored positions agree to this; they are rounded to float32.
_SAME_PITCH, _SAME_ANGLE = 1e-3, 0.05
#: A few records in the header's order count as its grid if their pitch is the header's to this share.
_LIKE_PITCH = 0.1


@dataclass(frozen=True)
class GridFrame:
    """The header's grid: pixels, and centre, size [nm] and angle of the field."""

    rows: int
    columns: int
    centre_nm: tuple[float, float]
    size_nm: tuple[float, float]  # along x, along y
    angle_deg: float

    @property
    def pitch_nm(self) -> tuple[float, float]:
        """Pitch (y, x): a pixel covers size / n, and lies in the middle of its cell."""
        return self.size_nm[1] / self.rows, self.size_nm[0] / self.columns


@dataclass(frozen=True)
class Places:
    """Shape, pitch [nm] (y, x), frame, and the record of every pixel (−1: none), None if they lie in order."""

    shape: tuple[int, int]
    pixel_nm: tuple[float, float]
    frame: dict[str, float | int]
    record: np.ndarray | None


def from_header(grid: GridFrame, path: Path) -> Places:
    """Lay the records row by row on the grid that the header names."""
    if not max(grid.size_nm) > 0:
        raise StackError(
            f"{path}: the header lacks 'Grid settings', and the records hold no tip positions that form a grid, so "
            "that the size of a pixel is not known."
        )
    if not min(grid.pitch_nm) > 0:
        raise StackError(
            f"{path}: the header claims a grid of {grid.size_nm[0]:g} nm × {grid.size_nm[1]:g} nm."
        )
    frame: dict[str, float | int] = {
        "scan_centre_x_nm": grid.centre_nm[0],
        "scan_centre_y_nm": grid.centre_nm[1],
        "scan_angle_deg": grid.angle_deg,
    }
    return Places((grid.rows, grid.columns), grid.pitch_nm, frame, None)


def from_positions(
    grid: GridFrame, positions_nm: np.ndarray, pixel_nm: tuple[float, float] | None, path: Path
) -> Places:
    """Lay the records where their stored positions say.

    Parameters
    ----------
    grid : GridFrame
    positions_nm : array, shape (n, 2)
        x, y of each record [nm]; NaN for a record that was never taken.
    pixel_nm : (float, float) or None
        Pitch (y, x) of the grid for positions that form none.
    path : Path
        For messages.

    Raises
    ------
    StackError
        If the positions form no grid of the header's size, so that bytes were lost or this is no map.
    """
    taken = np.isfinite(positions_nm).all(axis=1)
    numbers = np.flatnonzero(taken)
    row, column = np.divmod(numbers, grid.columns)
    lattice = None
    if len(numbers) > 1:
        for cells in (
            np.column_stack([row, column]),
            np.column_stack([row, np.where(row % 2, grid.columns - 1 - column, column)]),
        ):
            lattice = through(positions_nm[numbers], cells, (grid.rows, grid.columns), _pitch(grid))
            if lattice is not None and (
                not by_chance(positions_nm[numbers], lattice) or _as_in_header(lattice, grid)
            ):
                break
        else:
            lattice = _any_order(grid, positions_nm[numbers], pixel_nm, path)
    if lattice is None:
        return from_header(grid, path)
    return _places(_rounded(lattice, grid), numbers, grid, path)


def _as_in_header(lattice: Lattice, grid: GridFrame) -> bool:
    """Whether the pitch is about the header's: size / n, or size / (n − 1)."""
    sizes = zip(lattice.pixel_nm, grid.size_nm[::-1], (grid.rows, grid.columns), strict=True)
    return all(
        n == 1 or any(abs(pitch - size / k) < _LIKE_PITCH * pitch for k in (n, n - 1))
        for pitch, size, n in sizes
    )


def _pitch(grid: GridFrame) -> tuple[float, float] | None:
    pitch = grid.pitch_nm
    return pitch if min(pitch) > 0 else None


def _any_order(
    grid: GridFrame, positions: np.ndarray, pixel_nm: tuple[float, float] | None, path: Path
) -> Lattice:
    problem = (
        f"{path}: the stored tip positions are not those of a grid of {grid.columns} × {grid.rows} points: "
        "bytes were lost or added (copy the original again, as binary), or this is no map. "
        "Give pixel_nm to lay the spectra on a grid of that pitch."
    )
    try:
        found = fit(positions, str(path), grid.angle_deg)
    except StackError:
        if pixel_nm is None:
            raise StackError(problem) from None
        return scattered(positions, pixel_nm, str(path))
    if found.shape[0] * found.shape[1] > grid.rows * grid.columns:
        raise StackError(problem)
    return found


def _rounded(lattice: Lattice, grid: GridFrame) -> Lattice:
    """Take exact pitch and angle from the header where it agrees: size / n, or size / (n − 1)."""
    pitch = list(lattice.pixel_nm)
    for axis, (size, count) in enumerate(zip(grid.size_nm[::-1], (grid.rows, grid.columns), strict=True)):
        for steps in (count, count - 1):
            if steps > 0 and size > 0 and abs(pitch[axis] - size / steps) < _SAME_PITCH * pitch[axis]:
                pitch[axis] = size / steps
                break
    turned = (lattice.angle_deg - grid.angle_deg + 180) % 360 - 180
    angle = grid.angle_deg if abs(turned) < _SAME_ANGLE else lattice.angle_deg
    return Lattice(
        lattice.shape, (pitch[0], pitch[1]), lattice.origin_nm, angle, lattice.y_direction, lattice.cells
    )


def _across_a_gap(pixels: np.ndarray, numbers: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Records that may be made of the beginning of one and the end of another.

    Bytes that were lost in the number of whole records leave all others in their place, and one run of pixels empty.
    Pixels that were left out on purpose are many runs, or come in another order.
    """
    row, column = np.divmod(pixels, columns)
    orders = (pixels, row * columns + np.where(row % 2, columns - 1 - column, column))
    if any((np.diff(order) == np.diff(numbers)).all() for order in orders):
        return np.array([], dtype=int)  # broken off, and nothing is missing before
    for order in orders:
        steps = np.diff(order)
        gaps = np.flatnonzero(steps > np.diff(numbers))  # an empty record is in the file, and no gap
        if order[-1] != rows * columns - 1 or (steps < 1).any() or not 0 < len(gaps) < 3:
            continue
        # Where the cut went through the position itself, the record lies alone between two gaps.
        return gaps[-1:] if len(gaps) == 1 or gaps[1] == gaps[0] + 1 else gaps[:0]
    return np.array([], dtype=int)


def _places(lattice: Lattice, numbers: np.ndarray, grid: GridFrame, path: Path) -> Places:
    rows, columns = lattice.shape
    pixels = np.array([row * columns + column for row, column in lattice.cells])
    record = None
    if not np.array_equal(pixels, numbers) or len(numbers) <= numbers[-1]:
        record = np.full(rows * columns, -1, dtype=np.int64)
        record[pixels] = numbers
        suspect = _across_a_gap(pixels, numbers, rows, columns)
        if len(suspect):
            record[pixels[suspect]] = -1
            warnings.warn(
                f"{path}: {rows * columns - len(numbers)} records are missing in the middle of the file, so bytes were "
                "lost there; the record before them may be made of two and is left out.",
                FriedelWarning,
                stacklevel=2,
            )
    middle = (
        (rows - 1) / 2 * lattice.pixel_nm[0] * lattice.y_direction,
        (columns - 1) / 2 * lattice.pixel_nm[1],
    )
    angle = np.deg2rad(lattice.angle_deg)
    x = lattice.origin_nm[0] + middle[1] * np.cos(angle) + middle[0] * np.sin(angle)
    y = lattice.origin_nm[1] - middle[1] * np.sin(angle) + middle[0] * np.cos(angle)
    aside = float(np.hypot(x - grid.centre_nm[0], y - grid.centre_nm[1]))
    if max(grid.size_nm) > 0 and aside > max(*grid.size_nm, 4 * max(lattice.pixel_nm)):
        warnings.warn(
            f"{path}: the stored tip positions lie {aside:.4g} nm from where the header puts the grid; "
            "the stored ones are used.",
            FriedelWarning,
            stacklevel=2,
        )
    frame: dict[str, float | int] = {
        "tip_origin_x_nm": lattice.origin_nm[0],
        "tip_origin_y_nm": lattice.origin_nm[1],
        "scan_angle_deg": lattice.angle_deg,
        "y_direction": lattice.y_direction,
    }
    return Places(lattice.shape, lattice.pixel_nm, frame, record)
