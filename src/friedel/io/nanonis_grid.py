"""Nanonis grid spectroscopy (`.3ds`): one record per pixel, of parameters and then the sweep of every channel.

The header is text, the data big-endian float32. Each record keeps the limits of its sweep and its tip position: these
say where it lies (row by row, in a meander, along a line, in any order), and that no byte was lost. A grid that was
broken off ends early; the rest is NaN. The channels are read when they are touched.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import FriedelWarning, StackError
from friedel.io import nanonis_header as text
from friedel.io.axes import AxesMissing, pixel_pair
from friedel.io.lazy import Records, image_variable, sweep_variable
from friedel.io.nanonis_places import GridFrame, Places, from_header, from_positions
from friedel.io.nanonis_sweep import SweepAxis, sweep_axis
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_END = b":HEADER_END:"


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a `.3ds` file; see `friedel.io.open_stack`."""
    raw, after = text.read_head(path, _END)
    header = text.parse_grid(text.decode(raw))
    width, height = _grid(header, path)
    points = text.count(header, "Points", path)
    parameters = _parameter_count(header, path)
    channels = [name for name in header.get("Channels", "").split(";") if name.strip()]
    if not channels:
        raise StackError(f"{path}: the header names no channels.")
    _check_size(header, points, len(channels), path)
    names, units = _names(channels)
    parts = Parts(parameters, points, tuple(names))
    fixed = _parameter_names(header, parameters, path)
    records = _records(path, after, parts.length, (height, width))
    taken, table = _checked(records, fixed, path)
    _check_rest(records, width * height, [name.lower() for name in fixed[:2]] == ["sweep start", "sweep end"])
    limits = _limits(table[taken], fixed)
    sweep, sweep_unit = text.split_unit(header.get("Sweep Signal", "").strip() or "Bias (V)")
    is_bias = bool(re.match(r"bias\b", sweep, re.IGNORECASE)) and sweep_unit in ("V", "mV")
    recorded = None
    if is_bias and "Bias" in names and units["Bias"] == sweep_unit:
        first = int(np.flatnonzero(taken)[0])
        start = parts.start("Bias")
        recorded = np.array(records.open()[first, start : start + points], dtype=np.float64)
    found = sweep_axis(header, limits, recorded, points, path)
    if not header.get("Sweep Signal", "").strip() and bias is None:
        _check_unnamed_sweep(found, recorded, path)
    axis = found.values * (1e3 if is_bias and sweep_unit == "V" else 1.0)
    places = _places(header, (height, width), fixed, table, taken, pixel_nm, path)
    records = replace(records, shape=places.shape, index=places.record)
    data = {name: sweep_variable(records, parts.start(name) + found.keep) for name in names}
    images, image_units = _images(fixed, records, set(names))
    stack = make_stack(
        data,
        bias_mv=axis,
        pixel_nm=places.pixel_nm,
        units=units | image_units,
        images=images,
        header=header,
        instrument="Nanonis",
        sweep="bias" if is_bias else header["Sweep Signal"].strip(),
        acquired=int(taken.sum() if places.record is None else (places.record >= 0).sum()),
        expected=max(width * height, places.shape[0] * places.shape[1]),
        **places.frame,
    )
    if not is_bias:
        stack["bias"].attrs.update(units=sweep_unit, long_name=sweep)
    return stack


def _check_unnamed_sweep(found: SweepAxis, recorded: np.ndarray | None, path: Path) -> None:
    """A header that does not name what was swept counts as that of the bias only where a recorded bias agrees."""
    if recorded is None or not found.agrees_with(recorded):
        raise AxesMissing(
            f"{path}: the header does not say what was swept (from {found.values[0]:g} to {found.values[-1]:g}), and "
            "no recorded bias confirms that it was the bias. Give bias (START:STOP, in mV) if it was.",
            ("bias",),
            {"spectra": (len(found.values),)},
        )


@dataclass(frozen=True)
class Parts:
    """Where parameters and channels lie in a record."""

    parameters: int
    points: int
    names: tuple[str, ...]

    @property
    def length(self) -> int:
        """Numbers in a record."""
        return self.parameters + self.points * len(self.names)

    def start(self, name: str) -> int:
        """First number of a channel."""
        return self.parameters + self.names.index(name) * self.points


def _listed(header: dict[str, str], key: str, default: str) -> list[str]:
    return [name.strip() for name in header.get(key, default).split(";") if name.strip()]


def _parameter_count(header: dict[str, str], path: Path) -> int:
    """Numbers at the beginning of a record: as the header says, or as many as it names."""
    key = "# Parameters (4 byte)"
    named = len(_listed(header, "Fixed parameters", "")) + len(_listed(header, "Experiment parameters", ""))
    return named if key not in header and named else text.count(header, key, path)


def _parameter_names(header: dict[str, str], count: int, path: Path) -> list[str]:
    """Names of the numbers that begin a record; of the fixed ones alone where the header contradicts itself."""
    fixed = _listed(header, "Fixed parameters", "Sweep Start;Sweep End")
    own = _listed(header, "Experiment parameters", "")
    if len(fixed) + len(own) == count or not own:
        return [*fixed, *own][:count]
    warnings.warn(
        f"{path}: the header names {len(fixed) + len(own)} parameters of a record, which has {count}: the tip "
        "positions and Z in the records are not used.",
        FriedelWarning,
        stacklevel=2,
    )
    return fixed[:count]


def _checked(records: Records, names: list[str], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Which records were taken, and the parameters of all; records that contradict each other are refused."""
    rows = records.open()
    table = np.array(rows[:, : max(len(names), 1)], dtype=np.float64)
    empty = ~np.nan_to_num(table, nan=1.0).any(axis=1)
    taken = np.ones(len(table), dtype=bool)
    taken[empty] = [bool(rows[int(number)].any()) for number in np.flatnonzero(empty)]
    del rows
    if not taken.any():
        raise StackError(f"{path}: every record of this grid is empty: nothing was measured.")
    ends = [i for i, name in enumerate(names) if name.lower() in ("sweep start", "sweep end")]
    if len(ends) == 2:
        limits = table[taken][:, ends]
        first = limits[0]
        wrong = ~(np.abs(limits - first) <= 1e-4 * np.abs(first).max() + 1e-12).all(axis=1)
        if wrong.any():
            number = int(np.flatnonzero(taken)[np.flatnonzero(wrong)[0]])
            raise StackError(
                f"{path}: record {number + 1} of {len(table)} contradicts the first: its sweep runs from "
                f"{table[number, ends[0]]:.4g} to {table[number, ends[1]]:.4g}, not from {first[0]:.4g} to "
                f"{first[1]:.4g}. Bytes were lost or added (copy the original again, as binary), or every pixel has "
                "a sweep of its own, which is not supported."
            )
    return taken, table


def _limits(table: np.ndarray, names: list[str]) -> tuple[float, float] | None:
    lower = [name.lower() for name in names]
    if "sweep start" not in lower or "sweep end" not in lower:
        return None
    return float(table[0, lower.index("sweep start")]), float(table[0, lower.index("sweep end")])


def _places(
    header: dict[str, str],
    shape: tuple[int, int],
    names: list[str],
    table: np.ndarray,
    taken: np.ndarray,
    pixel_nm: Any,
    path: Path,
) -> Places:
    # Without the header's frame the stored positions alone say where the grid lies.
    settings = text.numbers(header, "Grid settings", 4, path) if "Grid settings" in header else [0.0] * 4
    centre_x, centre_y, size_x, size_y = settings
    angled = len(header.get("Grid settings", "").split(";")) > 4
    angle = text.numbers(header, "Grid settings", 5, path)[4] if angled else 0.0
    centre, size = (centre_x * 1e9, centre_y * 1e9), (size_x * 1e9, size_y * 1e9)
    grid = GridFrame(*shape, centre, size, angle)
    wanted = [
        next((i for i, n in enumerate(names) if n.lower().startswith(f"{axis} (m)")), None) for axis in "xy"
    ]
    if None in wanted or not (np.ptp(table[taken][:, wanted], axis=0) > 0).any():  # type: ignore[index]
        return from_header(grid, path)
    positions = np.where(taken[:, None], table[:, wanted], np.nan) * 1e9  # type: ignore[index]
    if not np.isfinite(positions[taken]).all():
        return from_header(grid, path)
    return from_positions(grid, positions, None if pixel_nm is None else pixel_pair(pixel_nm), path)


def _grid(header: dict[str, str], path: Path) -> tuple[int, int]:
    told = header.get("Grid dim", "")
    found = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", told)
    if not found or not (int(found[1]) and int(found[2])):
        raise StackError(f"{path}: the header value 'Grid dim' is damaged: {told[:60]!r}.")
    return int(found[1]), int(found[2])


def _check_size(header: dict[str, str], points: int, channels: int, path: Path) -> None:
    """A wrong number of points would shift every spectrum, so two header values must agree."""
    if "Experiment size (bytes)" not in header:
        return
    claimed = text.count(header, "Experiment size (bytes)", path)
    if claimed != 4 * points * channels:
        hint = (
            " (perhaps a backward sweep that the header does not list)"
            if claimed == 8 * points * channels
            else ""
        )
        raise StackError(
            f"{path}: the header contradicts itself: {channels} channels of {points} points are "
            f"{4 * points * channels} bytes per pixel, but it says {claimed}{hint}."
        )


def _records(path: Path, after: int, length: int, shape: tuple[int, int]) -> Records:
    with path.open("rb") as file:
        file.seek(after)
        ending = file.read(2)
    size = path.stat().st_size
    pixels = shape[0] * shape[1]
    # The tag's line ends with CR LF. A program that "mended" line endings changed the numbers too.
    offset = after + (2 if ending == b"\r\n" else 1)
    if ending != b"\r\n" and (ending[:1] != b"\n" or size - offset != 4 * length * pixels):
        raise StackError(
            f"{path}: the line endings of this file were changed, for example by a text-mode transfer; that damages "
            "the numbers. Copy the original again, as binary."
        )
    acquired = min((size - offset) // (4 * length), pixels)
    if acquired < 1:
        raise StackError(
            f"{path}: the file ends before its first spectrum; the header promises {pixels} of them, "
            f"{4 * length} bytes each."
        )
    records = Records(path, offset, length, shape, acquired)
    # Some versions allot the whole file at the start: records of zeros at the end were never taken.
    rows = records.open()
    while acquired > 1 and not rows[acquired - 1].any():
        acquired -= 1
    del rows
    if acquired < records.acquired:
        records = Records(path, offset, length, shape, acquired)
    return records


def _check_rest(records: Records, pixels: int, same_beginning: bool) -> None:
    """What follows the complete records must be the beginning of one more, or bytes were lost within the last."""
    after = records.path.stat().st_size - records.offset
    complete = min(after // (4 * records.length), pixels)
    rest = after - 4 * records.length * complete
    if complete == pixels:
        if rest >= 4 * records.length:
            raise StackError(
                f"{records.path}: the file holds {pixels + rest // (4 * records.length)} records, its header names "
                f"{pixels} pixels: the header is damaged."
            )
        return
    if not same_beginning:
        return
    with records.path.open("rb") as file:
        file.seek(records.offset)
        first = file.read(min(rest, 8))
        file.seek(records.offset + 4 * records.length * complete)
        last = file.read(min(rest, 8))
    if last != first and last.strip(b"\0"):
        raise StackError(
            f"{records.path}: the file ends with {rest} bytes that do not begin like its records: bytes were lost or "
            "added before them (copy the original again, as binary)."
        )


def _names(channels: list[str]) -> tuple[list[str], dict[str, str]]:
    split = [text.split_unit(name) for name in channels]
    names = text.unique([name for name, _ in split])
    return names, {name: unit for name, (_, unit) in zip(names, split, strict=True)}


def _images(
    parameters: list[str], records: Records, taken: set[str]
) -> tuple[dict[str, xr.Variable], dict[str, str]]:
    """Parameters measured at every pixel that are worth seeing as images: Z first of all."""
    images, units = {}, {}
    for index, entry in enumerate(parameters):
        name, unit = text.split_unit(entry)
        name = "Z" if name == "z" else name
        if name == "Z" or name.startswith("Scan:"):
            key = name.removeprefix("Scan:")
            if key in taken or key in images:
                key = f"{key} image"
            images[key] = image_variable(records, index)
            units[key] = unit
    return images, units
