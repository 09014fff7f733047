"""Omicron Matrix result files (`…_mtrx`): images, CITS volumes and curves, read with access2thematrix.

What a file means is in the parameter file of the experiment (`…_0001.mtrx`), which must lie beside it. The other
channels of the same scan are taken along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io import matrix_library, matrix_points
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from access2thematrix import MtrxData

_NAME = re.compile(r"(?P<base>.+)--(?P<run>\d+_\d+)\.(?P<channel>.+)_mtrx$")


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Open a result file; see `friedel.io.open_stack`."""
    found = _NAME.match(path.name)
    if not found:
        raise StackError(
            f"{path}: this is a Matrix parameter file, or a result file that was renamed. Open a result file, "
            "whose name ends like --4_1.Z_mtrx."
        )
    first = matrix_library.open_result(path)
    siblings = sorted(path.parent.glob(f"{matrix_library.escaped(found['base'])}--{found['run']}.*_mtrx"))
    files = {path: first}
    for sibling in siblings:
        if sibling != path and ("(" in sibling.name) == ("(" in path.name):
            try:
                files[sibling] = matrix_library.open_result(sibling)
            except StackError:
                continue  # a neighbour that is damaged must not keep the file that was asked for from opening
    if first.object_type == "volume CITS":
        return _volume(files, path)
    if first.object_type == "image":
        return _image(files, path)
    return matrix_points.read(path, found["base"], first.channel_name, pixel_nm, bias)


def _pixel(data: MtrxData, columns: int, rows: int, path: Path) -> tuple[float, float]:
    width, height = (
        matrix_library.of(data, "XYScanner.Width") * 1e9,
        matrix_library.of(data, "XYScanner.Height") * 1e9,
    )
    if not (width > 0 and height > 0):
        raise StackError(f"{path}: the parameter file claims an image of {width:g} nm × {height:g} nm.")
    return height / rows, width / columns


def _label(data: MtrxData, trace: str) -> str:
    direction, _, line = trace.partition("/")
    marks = (" [bwd]" if direction == "backward" else "") + (" [down]" if line == "down" else "")
    return f"{data.channel_name}{marks}"


def _image(files: dict[Path, matrix_library.Guarded], path: Path) -> xr.Dataset:
    first = files[path]
    rows, columns = (
        int(matrix_library.of(first, "XYScanner.Lines")),
        int(matrix_library.of(first, "XYScanner.Points")),
    )
    channels, units = {}, {}
    for data in files.values():
        for trace in data.traces:
            image, _ = data.select_image(trace)
            if image.data.ndim != 2 or image.data.shape[1] != columns or image.data.shape[0] > rows:
                continue
            full = np.full((rows, columns), np.nan, dtype=np.float32)
            # Lines up come first; on the way down the missing ones are the lowest.
            start = rows - image.data.shape[0] if trace.endswith("down") else 0
            full[start : start + image.data.shape[0]] = image.data
            channels[_label(data, trace)] = full
            units[_label(data, trace)] = str(data.channel_name_and_unit[1])
    heights = {name: values for name, values in channels.items() if name.startswith("Z")}
    planes = {name: values for name, values in channels.items() if name not in heights}
    if not channels:
        raise StackError(f"{path}: the file holds no complete line.")
    known = np.isfinite(next(iter(channels.values())))
    return make_stack(
        {name: values[np.newaxis] for name, values in planes.items()},
        bias_mv=[matrix_library.of(first, "GapVoltageControl.Voltage", float("nan")) * 1e3],
        pixel_nm=_pixel(first, columns, rows, path),
        units=units,
        images={name: values for name, values in heights.items() if name not in planes},
        acquired=int(known.sum()),
        expected=rows * columns,
        **matrix_library.frame_of(first),
    )


def _volume(files: dict[Path, matrix_library.Guarded], path: Path) -> xr.Dataset:
    first = files[path]
    if not first.volume_scan:
        raise StackError(f"{path}: the volume holds no spectra.")
    axis = np.asarray(first.scan[0], dtype=float)
    channels, units, shape = {}, {}, None
    for data in files.values():
        if data.object_type != "volume CITS" or not data.volume_scan or data.scan.shape[1] != len(axis):
            continue
        for trace, sweeps in data.volume_scan.items():
            for sweep, values in sweeps.items():
                name = _label(data, trace) + (" [retrace]" if sweep == "retrace" else "")
                if values.size and (shape is None or values.shape == shape):
                    shape = values.shape
                    channels[name] = np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
                    units[name] = str(data.channel_name_and_unit[1])
    if shape is None:
        raise StackError(f"{path}: the volume holds no spectra.")
    rows, columns = shape[:2]
    known = np.isfinite(next(iter(channels.values()))).all(axis=0)
    unit = str(first.z_data_name_and_unit[1])
    is_bias = unit in ("Volt", "V")
    return make_stack(
        channels,
        bias_mv=axis * (1e3 if is_bias else 1.0),
        pixel_nm=_pixel(first, columns, rows, path),
        units=units,
        sweep="bias" if is_bias else f"{first.z_data_name_and_unit[0]} ({unit})",
        acquired=int(known.sum()),
        expected=rows * columns,
        **matrix_library.frame_of(first),
    )
