"""Nanonis point spectra (`.dat`), one a file, that were taken on a grid of points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel.errors import StackError
from friedel.io import nanonis_header as text
from friedel.io.lattice import Lattice, fit
from friedel.stack import make_stack

_END = b"[DATA]"
_LARGEST = 64 << 20


@dataclass(frozen=True)
class Spectrum:
    """One file: columns of numbers, shape (points,), by name; position [nm]."""

    path: Path
    header: dict[str, str]
    columns: dict[str, np.ndarray]
    units: dict[str, str]
    position_nm: tuple[float, float]


def read(paths: list[Path], *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open spectra that form a grid; see `friedel.io.open_stack`."""
    if len(paths) == 1:
        raise StackError(
            f"{paths[0]}: this is one spectrum at one point. Open the folder, or all files, of a grid of spectra."
        )
    spectra = [load(path) for path in paths]
    lattice = fit(np.array([spectrum.position_nm for spectrum in spectra]), f"{paths[0].parent}")
    sweep, *names = spectra[0].columns
    axis = spectra[0].columns[sweep]
    _, keep = np.unique(axis, return_index=True)  # segments of a sweep may share a voltage
    keep = np.sort(keep)
    for spectrum in spectra[1:]:
        own = spectrum.columns.get(sweep)
        if (
            own is None
            or len(own) > len(axis)
            or not np.allclose(own, axis[: len(own)], rtol=1e-4, atol=1e-6)
        ):
            raise StackError(f"{spectrum.path}: this spectrum has another sweep than {paths[0].name}.")
        names = [name for name in names if name in spectrum.columns]
    unit = spectra[0].units[sweep]
    is_bias = sweep.lower().startswith("bias") and unit in ("V", "mV")
    if not names:
        raise StackError(f"{paths[0].parent}: these spectra have no channel in common.")
    channels = {name: _grid(spectra, name, lattice, len(axis))[keep] for name in names}
    complete = sum(len(spectrum.columns[sweep]) == len(axis) for spectrum in spectra)
    stack = make_stack(
        channels,
        bias_mv=axis[keep] * (1e3 if is_bias and unit == "V" else 1.0),
        pixel_nm=lattice.pixel_nm,
        units=spectra[0].units,
        images={"Z": _heights(spectra, lattice)} if "Z (m)" in spectra[0].header else None,
        header=spectra[0].header,
        instrument="Nanonis",
        sweep="bias" if is_bias else f"{sweep} ({unit})",
        scan_centre_x_nm=lattice.centre_nm[0],
        scan_centre_y_nm=lattice.centre_nm[1],
        scan_angle_deg=lattice.angle_deg,
        y_direction=lattice.y_direction,
        acquired=complete,
        expected=lattice.shape[0] * lattice.shape[1],
    )
    if "Z" in stack and stack["Z"].ndim == 2:
        stack["Z"].attrs["units"] = "m"
    if not is_bias:
        stack["bias"].attrs.update(units=unit, long_name=sweep)
    return stack


def load(path: Path) -> Spectrum:
    """Read one spectrum; a file that ends within a line loses that line."""
    if path.stat().st_size > _LARGEST:
        raise StackError(f"{path}: too large for one spectrum.")
    raw, after = text.read_head(path, _END)
    header = text.parse_spectrum(text.decode(raw))
    with path.open("rb") as file:
        file.seek(after)
        body = text.decode(file.read())
    # A number in a line that does not end may have lost digits.
    lines = body[: body.rfind("\n") + 1].splitlines()
    lines = lines[1:] if lines and not lines[0].strip() else lines
    if not lines:
        raise StackError(f"{path}: the file ends before its data.")
    split = [text.split_unit(name) for name in lines[0].split("\t") if name.strip()]
    names = text.unique([name for name, _ in split])
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    try:
        table = np.array([row for row in rows if len(row) >= len(names)], dtype=object)[
            :, : len(names)
        ].astype(float)
    except (ValueError, IndexError, TypeError):
        raise StackError(f"{path}: the table of this spectrum is damaged.") from None
    if len(rows) - len(table) > 1 or len(names) < 2 or not np.isfinite(table[:, 0]).all():
        raise StackError(f"{path}: the table of this spectrum is damaged.")
    position = [text.number(header, key, path) * 1e9 for key in ("X (m)", "Y (m)")]
    return Spectrum(
        path,
        header,
        {name: table[:, index] for index, name in enumerate(names)},
        {name: unit for name, (_, unit) in zip(names, split, strict=True)},
        (position[0], position[1]),
    )


def _grid(spectra: list[Spectrum], name: str, lattice: Lattice, points: int) -> np.ndarray:
    values = np.full((points, *lattice.shape), np.nan, dtype=np.float32)
    for spectrum, (row, column) in zip(spectra, lattice.cells, strict=True):
        column_values = spectrum.columns[name]
        values[: len(column_values), row, column] = column_values
    return values


def _heights(spectra: list[Spectrum], lattice: Lattice) -> np.ndarray:
    image = np.full(lattice.shape, np.nan, dtype=np.float32)
    for spectrum, (row, column) in zip(spectra, lattice.cells, strict=True):
        try:
            image[row, column] = float(spectrum.header.get("Z (m)", "nan"))
        except ValueError:
            continue
    return image
