"""Which points of a plane form a rectangular grid, how it is turned, and where each point lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel.errors import StackError

#: A point may lie this far off its lattice place, in pitches.
TOLERANCE = 0.2
#: Fewer points than this fit some lattice by chance, so that they must lie closer to it.
_MANY, _FEW_TOLERANCE = 12, 0.05
#: Cosine between rows and columns from which a grid is no rectangle.
_SKEW = 0.05
_LONGEST = 4096
_MOST_PIXELS = 1 << 22


@dataclass(frozen=True)
class Lattice:
    """A rectangular grid.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : (float, float)
        Pitch along y (slow) and x (fast) [nm].
    origin_nm : (float, float)
        Position (x, y) of cell (0, 0) in the coordinates of the points [nm].
    angle_deg : float
        Turn of the fast axis, positive = clockwise.
    y_direction : int
        +1 if rows go to the left of the fast axis (upwards at angle 0), -1 if to the right.
    cells : list of (int, int)
        Row and column of each point.
    """

    shape: tuple[int, int]
    pixel_nm: tuple[float, float]
    origin_nm: tuple[float, float]
    angle_deg: float
    y_direction: int
    cells: list[tuple[int, int]]


def fit(points: np.ndarray, where: str, angle_deg: float | None = None) -> Lattice:
    """Find the grid that points form, in whatever order they were recorded.

    Parameters
    ----------
    points : array, shape (n, 2)
        x, y [nm]; cell (0, 0) is the corner nearest to the first of them.
    where : str
        For messages.
    angle_deg : float, optional
        Turn of the fast axis (positive = clockwise), if something says it; tried first.

    Raises
    ------
    StackError
        If they form none.
    """
    from scipy.spatial import cKDTree  # half a second: only where positions are fitted

    points = np.asarray(points, dtype=float)
    if not np.isfinite(points).all() or len(points) < 2:
        raise StackError(f"{where}: the positions of the spectra are not known.")
    distance, neighbour = cKDTree(points).query(points, k=2)
    spacing = float(np.median(distance[:, 1]))
    if not distance[:, 1].min() > 1e-3 * spacing:
        raise StackError(f"{where}: two spectra were taken at the same point.")
    told = [] if angle_deg is None else [np.array([np.cos(angle := -np.deg2rad(angle_deg)), np.sin(angle)])]
    for fast in [*told, *_directions(points, points[neighbour[:, 1]] - points)]:
        found = _along(points, fast, spacing)
        if found is not None and (not by_chance(points, found)):
            return found
    raise StackError(f"{where}: the spectra do not lie on a rectangular grid.")


def _directions(points: np.ndarray, steps: np.ndarray) -> list[np.ndarray]:
    """Candidates for the fast axis: a line's own, the first step, that of all nearest neighbours modulo 90°."""
    first = points[1] - points[0]
    first = first / np.hypot(*first)
    centred = points - points.mean(axis=0)
    line = np.linalg.svd(centred, full_matrices=False)[2][0]
    found = [first, line if line @ first >= 0 else -line]
    lengths = np.hypot(*steps.T)
    usual = steps[lengths < 1.3 * np.median(lengths)]
    angle = float(np.angle(np.exp(4j * np.arctan2(usual[:, 1], usual[:, 0])).mean())) / 4
    turned = [np.array([np.cos(angle + q), np.sin(angle + q)]) for q in np.arange(4) * np.pi / 2]
    return [*found, max(turned, key=lambda axis: float(axis @ first))]


def by_chance(points: np.ndarray, lattice: Lattice) -> bool:
    """Whether so few points may lie near the places of a grid by chance.

    Parameters
    ----------
    points : array, shape (n, 2)
        x, y [nm].
    lattice : Lattice
        The grid that was fitted to them.
    """
    return len(points) < _MANY and _off(points, lattice) > _FEW_TOLERANCE


def _off(points: np.ndarray, lattice: Lattice) -> float:
    """Largest distance of a point from its place along an axis, in pitches."""
    angle = -np.deg2rad(lattice.angle_deg)
    right = np.array([np.cos(angle), np.sin(angle)])
    down = np.array([-right[1], right[0]]) * lattice.y_direction
    cells = np.array(lattice.cells)
    relative = points - np.array(lattice.origin_nm)
    found = np.column_stack([relative @ down, relative @ right]) / np.array(lattice.pixel_nm)
    return float(np.abs(found - cells).max())


def _along(points: np.ndarray, fast: np.ndarray, spacing: float) -> Lattice | None:
    slow = np.array([-fast[1], fast[0]])
    relative = points - points[0]
    along, across = _indices(relative @ fast, spacing), _indices(relative @ slow, spacing)
    if along is None or across is None:
        return None
    if -along.min() > along.max():  # the first point is at the other end
        along = -along
    if -across.min() >= across.max() and across.min() < 0:
        across = -across
    cells = np.column_stack([across - across.min(), along - along.min()])
    shape = (int(cells[:, 0].max()) + 1, int(cells[:, 1].max()) + 1)
    if len(np.unique(cells, axis=0)) < len(cells) or len(cells) * 4 < shape[0] * shape[1]:
        return None
    return through(points, cells, shape)


def _indices(values: np.ndarray, spacing: float) -> np.ndarray | None:
    """Number positions along one axis; None if they have no common pitch."""
    # Rounded positions of one line scatter by far less than a pitch.
    if np.ptp(values) < 0.25 * spacing:
        return np.zeros(len(values), dtype=int)
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    parts = np.split(ordered, np.flatnonzero(gaps > 0.3 * min(spacing, float(gaps.max()))) + 1)
    lines = np.array([part.mean() for part in parts])
    if len(lines) < 2:
        return None
    steps = np.diff(lines)
    pitch = float(np.median(steps[steps < 1.5 * steps.min()]))
    index = np.rint(values / pitch).astype(int)
    if np.ptp(index) >= _LONGEST:
        return None
    pitch = float((values @ index) / max(index @ index, 1))  # from all points, not from one gap
    return None if np.abs(values - index * pitch).max() > TOLERANCE * abs(pitch) else index


def through(
    points: np.ndarray,
    cells: np.ndarray,
    shape: tuple[int, int],
    missing_nm: tuple[float, float] | None = None,
) -> Lattice | None:
    """Fit the frame of a grid whose cells are known.

    Parameters
    ----------
    points : array, shape (n, 2)
        x, y [nm].
    cells : array, shape (n, 2)
        Row and column of each point.
    shape : (int, int)
    missing_nm : (float, float), optional
        Pitch (y, x) [nm] along an axis of which one line alone is known; else that of the other axis.

    Returns
    -------
    Lattice or None
        None if the points do not lie on such a grid.
    """
    points, cells = np.asarray(points, dtype=float), np.asarray(cells)
    varies = np.ptp(cells, axis=0) > 0
    if not varies.any():
        return None
    design = np.column_stack([np.ones(len(cells)), cells[:, varies]])
    solution, *_ = np.linalg.lstsq(design, points, rcond=None)
    vectors: list[np.ndarray | None] = [None, None]
    for number, axis in enumerate(np.flatnonzero(varies), start=1):
        vectors[axis] = solution[number]
    down, right = _complete(vectors[0], vectors[1], missing_nm)
    pitch = float(np.hypot(*down)), float(np.hypot(*right))
    if not min(pitch) > 0:
        return None
    off = np.abs(points - design @ solution).max()
    if off > TOLERANCE * min(pitch) or abs(down @ right) > _SKEW * pitch[0] * pitch[1]:
        return None
    return Lattice(
        shape,
        pitch,
        (float(solution[0, 0]), float(solution[0, 1])),
        -float(np.rad2deg(np.arctan2(right[1], right[0]))) + 0.0,
        1 if right[0] * down[1] - right[1] * down[0] >= 0 else -1,
        _pairs(cells),
    )


def _complete(
    down: np.ndarray | None, right: np.ndarray | None, missing: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Steps of a row and of a column; the one that is not known stands at a right angle, rows upwards."""
    if down is not None and right is not None:
        return down, right
    if down is not None:
        length = float(np.hypot(*down))
        across = np.array([down[1], -down[0]])
        return down, across * ((missing[1] if missing else length) / max(length, 1e-300))
    if right is not None:
        length = float(np.hypot(*right))
        across = np.array([-right[1], right[0]])
        return across * ((missing[0] if missing else length) / max(length, 1e-300)), right
    raise ValueError("a lattice needs a step along a row or along a column")


def scattered(points: np.ndarray, pixel_nm: tuple[float, float], where: str) -> Lattice:
    """Lay points that form no grid on one of the given pitch; several may share a cell.

    Raises
    ------
    StackError
        If the positions are not known, or the grid would have far more pixels than any map.
    """
    points = np.asarray(points, dtype=float)
    if not np.isfinite(points).all():
        raise StackError(f"{where}: the positions of the spectra are not known.")
    low = points.min(axis=0)
    cells = np.rint((points - low)[:, ::-1] / np.asarray(pixel_nm))
    shape = cells.max(axis=0) + 1
    if not shape.prod() <= _MOST_PIXELS:
        raise StackError(
            f"{where}: at this pixel size the area has {shape.prod():.3g} pixels; give a larger one."
        )
    size = int(shape[0]), int(shape[1])
    return Lattice(size, pixel_nm, (float(low[0]), float(low[1])), 0.0, 1, _pairs(cells))


def _pairs(cells: np.ndarray) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in cells]
