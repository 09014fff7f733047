"""Curves of Omicron Matrix: the spectra of one channel that an experiment took at points, along a line or scattered.

Each curve is a file of its own. The parameter file says where in the image it was taken (``MTRX$STS_LOCATION``). Curves
at one place are averaged. Written from the library's description: no public point list was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io import matrix_library
from friedel.io.point_spectra import PointSpectra, stack_of_points

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_MOST = 1 << 14


@dataclass(frozen=True)
class Curve:
    """One file: the sweep, the curves by name (trace, retrace), and where it was taken [nm], NaN if not known."""

    path: Path
    axis: np.ndarray
    sweep_unit: str
    values: dict[str, np.ndarray]
    unit: str
    position_nm: tuple[float, float]
    header: dict[str, Any]


def read(path: Path, base: str, channel: str, pixel_nm: Any, bias: Any) -> xr.Dataset:
    """Read the curve that was asked for, with all others of its channel and sweep in the same experiment.

    Parameters
    ----------
    path : Path
    base : str
        Name of the experiment: what the names of its files have in common.
    channel : str
        For example ``"I(V)"``.
    pixel_nm, bias : optional
        See `friedel.io.open_stack`.

    Raises
    ------
    StackError
        If the curve is damaged, or the curves form no grid and no pixel size is given.
    """
    first = load(path)
    if not np.isfinite(first.position_nm).all():
        return _stack([first], str(path), pixel_nm, bias)
    curves = []
    for sibling in _siblings(path, base, channel):
        try:
            curve = first if sibling == path else load(sibling)
        except StackError:
            continue  # a neighbour that is damaged must not keep the file that was asked for from opening
        same = len(curve.axis) == len(first.axis) and np.allclose(curve.axis, first.axis)
        if same and set(first.values) <= set(curve.values) and np.isfinite(curve.position_nm).all():
            curves.append(curve)
    return _stack(_averaged(curves), str(path), pixel_nm, bias)


def load(path: Path) -> Curve:
    """Read one curve."""
    data = matrix_library.open_result(path)
    values: dict[str, np.ndarray] = {}
    axis = np.asarray(data.scan[0], dtype=float)
    place, sweep = [np.nan, np.nan], ["", ""]
    for trace in data.traces.values() if isinstance(data.traces, dict) else data.traces:
        curve, _ = data.select_curve(trace)
        name = data.channel_name if trace == "trace" else f"{data.channel_name} [retrace]"
        # A curve that was broken off is shorter than its sweep; a way back then lacks its end, which is its beginning.
        own = np.full(len(axis), np.nan)
        part = np.asarray(curve.data[1], dtype=float)
        own[: len(part)] = part
        values[name] = own if trace == "trace" else np.roll(own, len(axis) - len(part))
        sweep = list(curve.x_data_name_and_unit)
        place = [float(v) for v in getattr(curve, "referenced_by", {}).get("Location (m)", place)]
    if not values or len(axis) < 2:
        raise StackError(f"{path}: the curve holds no points.")
    header = matrix_library.frame_of(data)["header"]
    unit = str(data.channel_name_and_unit[1])
    known = np.isfinite(place).all() and bool(np.any(place))  # (0, 0) is what stands where nothing was noted
    position = (place[0] * 1e9, place[1] * 1e9) if known else (np.nan, np.nan)
    return Curve(path, axis, str(sweep[1]), values, unit, position, header)


def _siblings(path: Path, base: str, channel: str) -> list[Path]:
    found = sorted(
        path.parent.glob(f"{matrix_library.escaped(base)}--*.{matrix_library.escaped(channel)}_mtrx")
    )
    if len(found) > _MOST:
        raise StackError(
            f"{path}: the folder holds {len(found)} curves of this experiment, too many for points."
        )
    return found


def _averaged(curves: list[Curve]) -> list[Curve]:
    """One curve per place, in the order in which the places were visited."""
    places: dict[tuple[float, ...], list[Curve]] = {}
    for curve in curves:
        places.setdefault(tuple(np.round(curve.position_nm, 4)), []).append(curve)
    return [
        Curve(
            group[0].path,
            group[0].axis,
            group[0].sweep_unit,
            {name: np.mean([curve.values[name] for curve in group], axis=0) for name in group[0].values},
            group[0].unit,
            group[0].position_nm,
            group[0].header,
        )
        for group in places.values()
    ]


def _stack(curves: list[Curve], where: str, pixel_nm: Any, bias: Any) -> xr.Dataset:
    first = curves[0]
    is_bias = first.sweep_unit in ("Volt", "V")
    return stack_of_points(
        PointSpectra(
            where=where,
            axis=np.round(first.axis * (1e3 if is_bias else 1.0), 9),
            values={name: np.stack([curve.values[name] for curve in curves]) for name in first.values},
            positions_nm=np.array([curve.position_nm for curve in curves]),
            units=dict.fromkeys(first.values, first.unit),
            attributes={
                "header": first.header,
                "instrument": "Omicron Matrix",
                "sweep": "bias" if is_bias else f"sweep ({first.sweep_unit})",
            },
            sweep_unit="mV" if is_bias else first.sweep_unit,
        ),
        pixel_nm,
        bias,
    )
