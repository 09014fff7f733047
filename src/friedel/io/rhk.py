"""RHK `.sm4`, `.sm3` and `.sm2`: grids of spectra, images, and spectra at points, from the pages of a file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import FriedelWarning, StackError
from friedel.io import rhk_sm2, rhk_sm3
from friedel.io.axes import override_axes, single
from friedel.io.point_spectra import PointSpectra, stack_of_points
from friedel.io.rhk_pages import IMAGE, LINE, Page, read_pages
from friedel.io.rhk_spectrum import UNPLACED, header_of, number_of, numbered, one_spectrum, placed, sweep_of
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_NO_GRID = (0, 0xFFFFFFFF)


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None) -> xr.Dataset:
    """Open an RHK file; see `friedel.io.open_stack`.

    ``dataset="spectra"`` takes these before an image, ``dataset="spectrum 3"`` one of them.
    """
    pages = sorted(_pages(path), key=lambda page: page.name.endswith("[bwd]"))
    grids = [p for p in pages if p.header["RHK_PageDataType"] == LINE and _grid_shape(p) is not None]
    images = [p for p in pages if p.header["RHK_PageDataType"] == IMAGE]
    points = [p for p in pages if p.header["RHK_PageDataType"] == LINE and p not in grids and placed(p)]
    if (number := number_of(dataset)) is not None:
        return numbered(pages, number, path, bias)
    if dataset not in (None, "image", "spectra"):
        raise StackError(f"{path}: dataset is 'image', 'spectra' or 'spectrum 1', not {dataset!r}.")
    unplaced = [p for p in pages if p.header.get(UNPLACED)]
    if grids and dataset != "image":
        return override_axes(_spectra(grids, images, path), bias, pixel_nm, str(path))
    if images and not ((points or unplaced) and dataset == "spectra"):
        if points:
            warnings.warn(
                f"{path}: the file also holds {points[0].raw.shape[1]} spectra at single points or along a line; "
                "dataset='spectra' opens them.",
                FriedelWarning,
                stacklevel=2,
            )
        elif unplaced:
            warnings.warn(f"{path}: {_untold(unplaced[0])}", FriedelWarning, stacklevel=2)
        return override_axes(_images(images), bias, pixel_nm, str(path))
    if points:
        return _points(points, path, bias, pixel_nm)
    if unplaced:
        raise StackError(f"{path}: {_untold(unplaced[0])}", settings="dataset")
    # Without any positions these are sweeps at one point.
    lines = [
        p for p in pages
        if p.header["RHK_PageDataType"] == LINE and p.raw.ndim == 2
        and (p.raw.shape[1] == 1 or "RHK_SpecDrift_Xcoord" not in p.header)
    ]  # fmt: skip
    if lines:
        return one_spectrum(lines, path, bias)
    raise StackError(f"{path}: the file holds neither a grid of spectra nor an image.")


def _untold(page: Page) -> str:
    count = page.raw.shape[1]
    return (
        f"the file holds {count} spectra, and no known field of an .sm3 file says where each was taken, so that they "
        f"form no map. Open one by its number, dataset='spectrum 1' to 'spectrum {count}', or save the file as .sm4 in "
        "RHK's own program."
    )


def _pages(path: Path) -> list[Page]:
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(rhk_sm2.MAGIC):
        return rhk_sm2.read_pages(path)
    return rhk_sm3.read_pages(path) if head.startswith(rhk_sm3.MAGIC, 2) else read_pages(path)


def _grid_shape(page: Page) -> tuple[int, int] | None:
    columns, rows = int(page.header.get("RHK_GridXsize", 0)), int(page.header.get("RHK_GridYsize", 0))
    if columns in _NO_GRID or rows in _NO_GRID or columns * rows < 2:
        return None
    return (rows, columns) if columns * rows <= 1 << 24 else None


def _spectra(grids: list[Page], images: list[Page], path: Path) -> xr.Dataset:
    first = grids[0]
    shape = _grid_shape(first)
    if shape is None:
        raise StackError(f"{path}: the page {first.name!r} holds no grid of spectra.")
    points = first.raw.shape[0]
    axis, unit = sweep_of(first)
    is_bias = unit == "V"
    channels, units, acquired = {}, {}, shape[0] * shape[1]
    frame = _frame(first, shape, path)
    for page in grids:
        if _grid_shape(page) != shape or page.raw.shape[0] != points:
            continue
        values, known = _fold(page.values(), shape, path)
        # Columns run against x in the file where the x scale of the images is negative.
        channels[page.name] = values[:, :, ::-1] if frame.mirrored else values
        units[page.name] = str(page.header.get("RHK_Zunits", ""))
        acquired = min(acquired, known)
    topograph = _topograph(images, shape, frame)
    stack = make_stack(
        channels,
        bias_mv=axis,
        pixel_nm=frame.pixel_nm,
        units=units | {"Z": "m"},
        images={"Z": topograph} if topograph is not None else None,
        header=header_of(first),
        instrument="RHK",
        sweep="bias" if is_bias else f"{first.header.get('RHK_Xlabel', 'sweep')} ({unit})",
        scan_centre_x_nm=frame.centre_nm[0],
        scan_centre_y_nm=frame.centre_nm[1],
        scan_angle_deg=frame.angle_deg,
        y_direction=frame.y_direction,
        acquired=acquired,
        expected=shape[0] * shape[1],
    )
    if not is_bias:
        stack["bias"].attrs.update(units=unit)
    return stack


def _points(pages: list[Page], path: Path, bias: Any, pixel_nm: Any) -> xr.Dataset:
    """Spectra along a line or at single points; several sweeps at a place are averaged."""
    first = pages[0]
    axis, unit = sweep_of(first)
    places = np.column_stack(
        [np.asarray(first.header[f"RHK_SpecDrift_{axis}coord"], dtype=float) * 1e9 for axis in "XY"]
    )
    unique, group = np.unique(np.round(places, 6), axis=0, return_inverse=True)
    order = [int(np.flatnonzero(group == index)[0]) for index in range(len(unique))]
    same = [page for page in pages if page.raw.shape == first.raw.shape]
    values = {
        page.name: np.stack([page.values().T[group == index].mean(axis=0) for index in range(len(unique))])
        for page in same
    }
    recorded = np.argsort(order)  # as they were taken
    return stack_of_points(
        PointSpectra(
            where=str(path),
            axis=axis,
            values={name: array[recorded] for name, array in values.items()},
            positions_nm=unique[recorded],
            units={page.name: str(page.header.get("RHK_Zunits", "")) for page in same},
            attributes={
                "header": header_of(first),
                "instrument": "RHK",
                "sweep": "bias" if unit == "V" else f"{first.header.get('RHK_Xlabel', 'sweep')} ({unit})",
            },
            sweep_unit="mV" if unit == "V" else unit,
        ),
        pixel_nm,
        bias,
    )


@dataclass(frozen=True)
class Frame:
    """Where a grid lies; `mirrored` if the file's columns run against x."""

    pixel_nm: tuple[float, float]
    centre_nm: tuple[float, float]
    angle_deg: float
    y_direction: int
    mirrored: bool


def _frame(page: Page, shape: tuple[int, int], path: Path) -> Frame:
    """The position of every spectrum is in the file; a plane through them gives pitch, centre and angle."""
    x, y = (np.asarray(page.header.get(f"RHK_SpecDrift_{axis}coord", ()), dtype=float) * 1e9 for axis in "XY")
    rows, columns = shape
    repeat = max(len(x) // (rows * columns), 1)
    x, y = x[::repeat][: rows * columns], y[::repeat][: rows * columns]
    if len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise StackError(f"{path}: the positions of the spectra are missing, so the pixel size is unknown.")
    row, column = np.divmod(np.arange(len(x)), columns)
    design = np.column_stack([np.ones(len(x)), column - (columns - 1) / 2, row - (rows - 1) / 2])
    (cx, ux, vx), *_ = np.linalg.lstsq(design, x, rcond=None)
    (cy, uy, vy), *_ = np.linalg.lstsq(design, y, rcond=None)
    pitch_x, pitch_y = float(np.hypot(ux, uy)), float(np.hypot(vx, vy))
    if not pitch_x > 0:
        raise StackError(f"{path}: all spectra were taken at one point; this is no map.")
    mirrored = bool(ux < 0)
    if mirrored:
        ux, uy = -ux, -uy
    upwards = ux * vy - uy * vx >= 0
    return Frame(
        (pitch_y or pitch_x, pitch_x),
        (float(cx), float(cy)),
        -float(np.rad2deg(np.arctan2(uy, ux))),
        1 if upwards else -1,
        mirrored,
    )


def _fold(values: np.ndarray, shape: tuple[int, int], path: Path) -> tuple[np.ndarray, int]:
    """Lay spectra (points, n) on the grid; several sweeps at a point are averaged, missing points are NaN."""
    points, count = values.shape
    pixels = shape[0] * shape[1]
    repeat = max(count // pixels, 1)
    if count > pixels and count % pixels:
        raise StackError(f"{path}: {count} spectra do not fit a grid of {shape[1]} × {shape[0]} points.")
    full = np.full((points, pixels), np.nan, dtype=np.float32)
    known = min(count // repeat, pixels)
    full[:, :known] = values[:, : known * repeat].reshape(points, known, repeat).mean(axis=2)
    return full.reshape(points, *shape), known


def _topograph(images: list[Page], shape: tuple[int, int], frame: Frame) -> np.ndarray | None:
    """Average the forward topograph onto the grid, if it covers the same area with a multiple of its pixels."""
    for page in images:
        if not page.name.lower().startswith("topo") or page.name.endswith("[bwd]"):
            continue
        rows, columns = page.raw.shape
        size = abs(page.number("RHK_Yscale")) * rows * 1e9, abs(page.number("RHK_Xscale")) * columns * 1e9
        grid = frame.pixel_nm[0] * shape[0], frame.pixel_nm[1] * shape[1]
        aside = np.hypot(
            page.number("RHK_Xoffset") * 1e9 - frame.centre_nm[0],
            page.number("RHK_Yoffset") * 1e9 - frame.centre_nm[1],
        )
        fits = np.allclose(size, grid, rtol=0.02) and aside < max(frame.pixel_nm)
        if fits and rows % shape[0] == 0 and columns % shape[1] == 0:
            values = _upright(page)
            if (1 if page.number("RHK_Yscale") > 0 else -1) != frame.y_direction:
                values = values[::-1]
            blocks = values.reshape(shape[0], rows // shape[0], shape[1], columns // shape[1])
            means: np.ndarray = blocks.mean(axis=(1, 3))
            return means
    return None


def _upright(page: Page) -> np.ndarray:
    """Image in its unit with x rising along the columns; rows stay as recorded."""
    values = page.values()
    return values[:, ::-1] if page.number("RHK_Xscale") < 0 else values


def _images(images: list[Page]) -> xr.Dataset:
    largest = max((page.raw.shape for page in images), key=lambda shape: shape[0] * shape[1])
    pages = [page for page in images if page.raw.shape == largest]
    first = pages[0]
    topographs = [page for page in pages if page.name.lower().startswith("topo")]
    channels = [page for page in pages if page not in topographs]
    return make_stack(
        {page.name: _upright(page)[np.newaxis] for page in channels},
        bias_mv=[single(first.number("RHK_Bias")) * 1e3],
        pixel_nm=(abs(first.number("RHK_Yscale")) * 1e9, abs(first.number("RHK_Xscale")) * 1e9),
        units={page.name: str(page.header.get("RHK_Zunits", "")) for page in pages}
        | {f"Z{page.name[10:]}": "m" for page in topographs},
        images={f"Z{page.name[10:]}": _upright(page) for page in topographs if page not in channels},
        header=header_of(first),
        instrument="RHK",
        scan_centre_x_nm=first.number("RHK_Xoffset") * 1e9,
        scan_centre_y_nm=first.number("RHK_Yoffset") * 1e9,
        # RHK counts angles against the clock: so do the positions of the spectra in a turned grid.
        scan_angle_deg=-first.number("RHK_Angle") + 0.0,
        y_direction=1 if first.number("RHK_Yscale") > 0 else -1,
    )
