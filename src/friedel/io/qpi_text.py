"""The text format of QPI datasets: simulated images with the places of their scatterers.

Row 1: resolution and number of places; row 2: pixel coordinates [Å]; row 3: the image of one scatterer; from row 4 on
one image per row: resolution² numbers, then x and y [Å] of every scatterer, 1000 where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.geometry import know_truth
from friedel.io.axes import AxesMissing, bias_axis
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_NOWHERE = 1000.0


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, index: int = 0) -> xr.Dataset:
    """Open image `index` of a QPI dataset; see `friedel.io.open_stack`.

    `friedel.stack.true_positions` gives the places of the scatterers inside the image.
    """
    with path.open(encoding="ascii", errors="replace") as file:
        resolution, places = (int(value) for value in _row(next(file, ""), path)[:2])
        axis = _row(next(file, ""), path)[:resolution]
        if not 2 <= resolution <= 4096 or len(axis) < resolution:
            raise StackError(f"{path}: row 2 must hold {resolution} coordinates.")
        wanted = int(index) + 1  # row 3 is the kernel, index -1
        line = next((text for number, text in enumerate(file) if number == wanted), "")
    if line.strip() and not line.endswith("\n"):
        raise StackError(f"{path}: the row of image {index} does not end; the file is cut off.")
    if not line.strip():
        raise StackError(f"{path}: there is no image {index} in this file.")
    values = _row(line, path)
    pixels = resolution * resolution
    if len(values) < pixels + 2 * places:
        raise StackError(
            f"{path}: the row of image {index} has {len(values)} numbers instead of {pixels + 2 * places}."
        )
    steps = np.diff(axis)
    if not (
        np.isfinite(axis).all()
        and np.allclose(steps, steps.mean(), rtol=1e-2, atol=1e-3)
        and steps.mean() != 0
    ):
        raise StackError(f"{path}: the coordinates of row 2 are not evenly spaced.")
    if bias is None:
        raise AxesMissing(
            f"{path}: this format holds no bias: give bias (in mV).",
            ("bias",),
            {"image": (resolution, resolution)},
        )
    pitch = abs(float(steps.mean())) * 0.1
    stack = make_stack(
        {"dI/dV": values[:pixels].reshape(1, resolution, resolution)},
        bias_mv=bias_axis(bias, 1),
        pixel_nm=pixel_nm or pitch,
        instrument="QPI dataset (simulated)",
    )
    x, y = values[pixels : pixels + 2 * places].reshape(places, 2).T
    known = (np.abs(x) < _NOWHERE) & (np.abs(y) < _NOWHERE)
    column, row = (x[known] - axis[0]) / steps.mean(), (y[known] - axis[0]) / steps.mean()
    inside = (column > -0.5) & (column < resolution - 0.5) & (row > -0.5) & (row < resolution - 0.5)
    return know_truth(stack, np.column_stack([row, column])[inside])


def _row(line: str, path: Path) -> np.ndarray:
    try:
        return np.array(line.replace(",", " ").split(), dtype=float)
    except ValueError:
        raise StackError(f"{path}: a row holds something that is no number.") from None
