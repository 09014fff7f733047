"""Nanonis point spectra (`.dat`), one per file: a single one, or those of a line, a grid or scattered points."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io import nanonis_header as text
from friedel.io.point_spectra import PointSpectra, stack_of_points

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

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
    """Open one spectrum, or spectra on a line, a grid or scattered; see `friedel.io.open_stack`."""
    where = f"{paths[0].parent}" if len(paths) > 1 else f"{paths[0]}"
    spectra = [load(path) for path in paths]
    sweep, *names = spectra[0].columns
    # A spectrum that was broken off is shorter, also the first.
    longest = max(spectra, key=lambda spectrum: len(spectrum.columns.get(sweep, ())))
    axis = longest.columns[sweep]
    for spectrum in spectra:
        own = spectrum.columns.get(sweep)
        if own is None or not np.allclose(own, axis[: len(own)], rtol=1e-4, atol=1e-6):
            raise StackError(f"{spectrum.path}: this spectrum has another sweep than {longest.path.name}.")
        names = [name for name in names if name in spectrum.columns]
    unit = spectra[0].units[sweep]
    is_bias = sweep.lower().startswith("bias") and unit in ("V", "mV")
    heights = {"Z": _heights(spectra)} if "Z (m)" in spectra[0].header and "Z" not in names else {}
    stack = stack_of_points(
        PointSpectra(
            where=where,
            axis=axis * (1e3 if is_bias and unit == "V" else 1.0),
            values={name: _together(spectra, name, len(axis)) for name in names},
            positions_nm=np.array([spectrum.position_nm for spectrum in spectra]),
            units={**spectra[0].units, **dict.fromkeys(heights, "m")},
            heights=heights,
            attributes={
                "header": spectra[0].header,
                "instrument": "Nanonis",
                "sweep": "bias" if is_bias else f"{sweep} ({unit})",
            },
            sweep_unit=unit,
        ),
        pixel_nm,
        bias,
    )
    if not is_bias:
        stack["bias"].attrs.update(long_name=sweep)
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
    lines = body.splitlines()
    if lines and not body.endswith(("\n", "\r")) and not _whole(*lines[-2:]):
        lines.pop()
    lines = lines[1:] if lines and not lines[0].strip() else lines
    if not lines:
        raise StackError(f"{path}: the file ends before its data.")
    split = [text.split_unit(name) for name in lines[0].split("\t") if name.strip()]
    names = text.unique([name for name, _ in split])
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    try:
        table = np.array(
            [[cell.replace(",", ".") for cell in row[: len(names)]] for row in rows if len(row) >= len(names)]
        ).astype(float)
    except (ValueError, IndexError, TypeError):
        raise StackError(f"{path}: the table of this spectrum is damaged.") from None
    if len(rows) - len(table) > 1 or len(names) < 2 or not np.isfinite(table[:, 0]).all():
        raise StackError(f"{path}: the table of this spectrum is damaged.")
    # One spectrum alone may lack its position; several without can be laid on nothing, and are refused as such.
    position = [
        text.number(header, key, path) * 1e9 if key in header else np.nan for key in ("X (m)", "Y (m)")
    ]
    return Spectrum(
        path,
        header,
        {name: table[:, index] for index, name in enumerate(names)},
        {name: unit for name, (_, unit) in zip(names, split, strict=True)},
        (position[0], position[1]),
    )


def _whole(before: str, last: str = "") -> bool:
    """Whether a last line without an end has all its digits: as many in each number as in the line before it."""
    pairs = list(zip(before.split("\t"), last.split("\t"), strict=False))
    if len(before.split("\t")) != len(last.split("\t")):
        return False
    for one, other in pairs:
        found = [
            re.fullmatch(r"[-+]?([\d.,]+)(?:E[-+]?(\d+))?", text.strip(), re.IGNORECASE)
            for text in (one, other)
        ]
        if found[0] is None or found[1] is None or len(found[0][1]) != len(found[1][1]):
            return False
        # Nanonis writes exponents that are multiples of three, without leading zeros.
        exponents = [match[2] or "" for match in found if match]
        in_threes = all(text and text == str(int(text) // 3 * 3) for text in exponents)
        if len(exponents[0]) != len(exponents[1]) and not in_threes:
            return False
    return True


def _together(spectra: list[Spectrum], name: str, points: int) -> np.ndarray:
    """Stack one channel, shape (n, points); a spectrum that ended early is NaN from there."""
    values = np.full((len(spectra), points), np.nan, dtype=np.float32)
    for row, spectrum in zip(values, spectra, strict=True):
        own = spectrum.columns[name]
        row[: len(own)] = own
    return values


def _heights(spectra: list[Spectrum]) -> np.ndarray:
    heights = np.full(len(spectra), np.nan)
    for index, spectrum in enumerate(spectra):
        try:
            heights[index] = float(spectrum.header.get("Z (m)", "nan"))
        except ValueError:
            continue
    return heights
