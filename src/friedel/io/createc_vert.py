"""Createc point and line spectra (`.VERT`): a header of `key=value` lines, then a table, one file per spectrum.

The columns after voltage and height are those that a code of bits selects. Written from the descriptions in public
readers; the positions are those of the converter, times the header's factor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io import createc
from friedel.io.axes import with_points
from friedel.io.point_spectra import PointSpectra, stack_of_points

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_LARGEST = 64 << 20
#: Names of the bits of the code; the others are numbered.
_BITS = {
    0: "Current", 1: "dI/dV", 2: "d2I/dV2", 3: "ADC0", 4: "ADC1", 5: "ADC2", 6: "ADC3", 10: "dI/dV Y",
    11: "d2I/dV2 Y", 12: "DAC0",
}  # fmt: skip


@dataclass(frozen=True)
class Spectrum:
    """One file: channels by name, shape (points,), over the voltage [mV]; position [nm]."""

    path: Path
    header: dict[str, str]
    bias_mv: np.ndarray
    columns: dict[str, np.ndarray]
    units: dict[str, str]
    position_nm: tuple[float, float]


def read(paths: list[Path], *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open one spectrum, or those of a line, a grid or scattered points; see `friedel.io.open_stack`."""
    spectra = [load(path) for path in paths]
    first = spectra[0]
    for other in spectra[1:]:
        if other.bias_mv.shape != first.bias_mv.shape or not np.allclose(
            other.bias_mv, first.bias_mv, atol=1e-3
        ):
            raise StackError(f"{other.path}: this spectrum has another sweep than {first.path.name}.")
    names = [name for name in first.columns if all(name in spectrum.columns for spectrum in spectra)]
    return stack_of_points(
        PointSpectra(
            where=str(paths[0].parent if len(paths) > 1 else paths[0]),
            axis=first.bias_mv,
            values={name: np.stack([spectrum.columns[name] for spectrum in spectra]) for name in names},
            positions_nm=np.array([spectrum.position_nm for spectrum in spectra]),
            units=first.units,
            attributes={"header": first.header, "instrument": "Createc"},
        ),
        pixel_nm,
        bias,
    )


def load(path: Path) -> Spectrum:
    """Read one spectrum.

    Raises
    ------
    StackError
        If the table is damaged or not what its header says, or nothing was swept.
    """
    if path.stat().st_size > _LARGEST:
        raise StackError(f"{path}: too large for one spectrum.")
    raw = path.read_bytes()
    mark = re.search(rb"\nDATA\r?\n", raw)
    if mark is None:
        raise StackError(f"{path}: the file is cut off within its header.")
    header = createc.parse(raw[: mark.start()])
    body = raw[mark.end() :].decode("cp1252", errors="replace")
    lines = with_points(body[: body.rfind("\n") + 1]).splitlines()
    try:
        facts = [float(word) for word in (lines[0] if lines else "").split()[:4]]
        table = np.array([line.split() for line in lines[1:] if line.strip()], dtype=float)
    except ValueError:
        raise StackError(f"{path}: the table of this spectrum is damaged.") from None
    if len(facts) < 3 or table.ndim != 2 or not np.isfinite(table).all():
        raise StackError(f"{path}: the table of this spectrum is damaged.")
    if len(table) < facts[0]:
        raise StackError(f"{path}: the table has {len(table)} of {facts[0]:g} points: the file is cut off.")
    names = _names(int(facts[3]) if len(facts) > 3 else int(header.get("Vertchannelselectval", "1") or 1))
    aside = table.shape[1] - 1 - len(names)  # voltage, height, and since version 3.2 one more
    if aside not in (2, 3):
        raise StackError(
            f"{path}: the table has {table.shape[1]} columns, its header names {len(names)} channels."
        )
    bias = table[:, 1]
    if not np.ptp(bias) > 1e-3:
        raise StackError(f"{path}: the bias was not swept; this is a trace over time, no spectrum.")
    columns = {"Z": table[:, 2], **{name: table[:, 1 + aside + i] for i, name in enumerate(names)}}
    units = dict.fromkeys(columns, "DAC")
    factor = createc.current_factor(header, path)
    if factor is not None and "Current" in columns:
        columns["Current"], units["Current"] = columns["Current"] * factor, "A"
    keep, back = branches(bias)
    found = {name: values[keep] for name, values in columns.items()}
    if back is not None:
        found |= {f"{name} [bwd]": values[back] for name, values in columns.items()}
    units |= {f"{name} [bwd]": unit for name, unit in units.items()}
    step = createc.lateral_factor(header, path) if "Dacto[A]xy" in header else float("nan")
    return Spectrum(path, header, bias[keep], found, units, (facts[1] * step, facts[2] * step))


def branches(bias: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Split a sweep: the points of the way there, and those of the way back in the same order, None if there is none.

    Of a dwell at the first voltage its last point counts; of a voltage that is kept elsewhere the first.

    Raises
    ------
    StackError
        If a voltage is visited several times in another way.
    """
    start = 0
    while start + 1 < len(bias) and bias[start + 1] == bias[start]:
        start += 1
    steps = np.diff(bias[start:])
    moving = np.flatnonzero(steps)
    if not len(moving):
        raise StackError("The sweep stays at one voltage.")
    turns = np.flatnonzero(steps * steps[moving[0]] < 0)
    turn = start + (int(turns[0]) if len(turns) else len(steps))
    there = np.arange(start, turn + 1)
    there = there[np.append(True, np.diff(bias[there]) != 0)]
    rest = np.arange(turn, len(bias))
    if len(turns) and (np.diff(bias[rest]) * steps[moving[0]] > 0).any():
        raise StackError("The sweep visits a voltage several times; this cannot be told apart.")
    back = rest[::-1]
    back = back[np.append(True, np.diff(bias[back]) != 0)] if len(turns) else back[:0]
    same = len(back) == len(there) and np.allclose(bias[back], bias[there])
    return there, back if same else None


def _names(code: int) -> list[str]:
    return [_BITS.get(bit, f"channel {bit}") for bit in range(24) if code >> bit & 1]
