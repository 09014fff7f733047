"""Single spectra and where they were taken, laid on a grid: a lattice, a line, or scattered points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import AxesMissing, Pixel, override_axes, pixel_pair
from friedel.io.lattice import Lattice, fit, scattered
from friedel.stack import make_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr


@dataclass(frozen=True)
class PointSpectra:
    """Spectra with one common sweep.

    Parameters
    ----------
    where : str
        For messages.
    axis : array, shape (points,)
        The sweep, in mV if it is of the bias.
    values : mapping of str to array, shape (n, points)
        Channels; NaN where a spectrum ends early.
    positions_nm : array, shape (n, 2)
        x, y of each spectrum in the instrument's coordinates [nm].
    units : mapping of str to str
    heights : mapping of str to array, shape (n,)
        Numbers that belong to a spectrum as a whole, such as Z.
    attributes : mapping
        For `make_stack`: instrument, sweep, header.
    sweep_unit : str
        Unit of a sweep that is not of the bias.
    """

    where: str
    axis: np.ndarray
    values: Mapping[str, np.ndarray]
    positions_nm: np.ndarray
    units: Mapping[str, str] = field(default_factory=dict)
    heights: Mapping[str, np.ndarray] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    sweep_unit: str = "mV"


def stack_of_points(spectra: PointSpectra, pixel_nm: Pixel | None = None, bias: Any = None) -> xr.Dataset:
    """Make a stack of single spectra.

    Parameters
    ----------
    spectra : PointSpectra
    bias : optional
        See `friedel.io.open_stack`: another axis than that of the files.
    pixel_nm : float or (float, float), optional
        Pitch [nm] (y, x) of the grid for points that form none by themselves; between them the stack is NaN.

    Returns
    -------
    xarray.Dataset
        One spectrum alone is a stack of one pixel, which has no pitch.

    Raises
    ------
    StackError
        If the spectra have no channel, or form no grid and no pixel size was given.
    """
    if not spectra.values:
        raise StackError(f"{spectra.where}: these spectra have no channel in common.")
    keep = _distinct(spectra.axis, spectra.where)
    lattice = _lattice(spectra, pixel_nm)
    complete = np.isfinite(next(iter(spectra.values.values()))).all(axis=1)
    taken = {cell for cell, whole in zip(lattice.cells, complete, strict=True) if whole} if lattice else set()
    shape = lattice.shape if lattice else (1, 1)
    x, y = (
        lattice.origin_nm
        if lattice
        else (float(v) if np.isfinite(v) else 0.0 for v in spectra.positions_nm[0])
    )
    stack = make_stack(
        {name: _grid(values, lattice)[keep] for name, values in spectra.values.items()},
        bias_mv=spectra.axis[keep],
        pixel_nm=lattice.pixel_nm if lattice else None,
        units=spectra.units,
        images={name: _grid(values[:, None], lattice)[0] for name, values in spectra.heights.items()},
        tip_origin_x_nm=x,
        tip_origin_y_nm=y,
        scan_angle_deg=lattice.angle_deg if lattice else 0.0,
        y_direction=lattice.y_direction if lattice else 1,
        acquired=len(taken) if lattice else int(complete.sum()),
        expected=shape[0] * shape[1],
        **spectra.attributes,
    )
    if stack.attrs["sweep"] != "bias":
        stack["bias"].attrs["units"] = spectra.sweep_unit
    return override_axes(stack, bias, pixel_nm if lattice else None, spectra.where)


def _lattice(spectra: PointSpectra, pixel_nm: Pixel | None) -> Lattice | None:
    """None for a single spectrum."""
    if len(spectra.positions_nm) == 1:
        return None
    try:
        return fit(spectra.positions_nm, spectra.where)
    except StackError as error:
        if pixel_nm is None or not np.isfinite(spectra.positions_nm).all():
            text = f"{error} Give pixel_nm to lay them on a grid of that pitch, with nothing between."
            raise AxesMissing(
                text, ("pixel_nm",), {"spectra": (len(spectra.positions_nm), len(spectra.axis))}
            ) from None
        return scattered(spectra.positions_nm, pixel_pair(pixel_nm), spectra.where)


def _distinct(axis: np.ndarray, where: str) -> np.ndarray:
    """Points of the sweep to keep: segments may share a voltage, of a sweep there and back the way there counts."""
    _, first = np.unique(axis, return_index=True)
    keep = np.sort(first)
    if len(keep) < 1 or not np.isfinite(axis).all():
        raise StackError(f"{where}: the sweep of these spectra is damaged.")
    return keep


def _grid(values: np.ndarray, lattice: Lattice | None) -> np.ndarray:
    """Lay (n, points) on (points, y, x); spectra that share a cell are averaged."""
    if lattice is None:
        return np.asarray(values, dtype=np.float32).T[:, :, None]
    rows, columns = lattice.shape
    place = np.array([row * columns + column for row, column in lattice.cells])
    flat = np.full((values.shape[1], rows * columns), np.nan, dtype=np.float32)
    if len(np.unique(place)) == len(place):
        flat[:, place] = values.T
    else:
        total, count = np.zeros(flat.shape), np.zeros(flat.shape, dtype=int)
        known = np.isfinite(values)
        np.add.at(total.T, place, np.where(known, values, 0.0))
        np.add.at(count.T, place, known)
        flat = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return flat.reshape(-1, rows, columns)
