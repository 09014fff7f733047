"""One spectrum in a NeXus file (NXsts): every NXdata group with one signal over a voltage is a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from friedel.io.axes import TO_MV, TO_NM, factor_of, in_unit
from friedel.io.point_spectra import PointSpectra, stack_of_points

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_LONGEST = 1 << 20


def spectrum(file: h5py.File, path: Path, bias: Any = None) -> xr.Dataset | None:
    """Make a stack of one pixel of the curves in a file that `friedel.io.hdf5.open_file` gave.

    Returns
    -------
    xarray.Dataset or None
        None if the file holds no curve over a voltage.
    """
    groups: list[h5py.Group] = []

    def visit(_name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and text(item.attrs.get("NX_class", "")) == "NXdata":
            groups.append(item)

    file.visititems(visit)
    curves = {group.name: found for group in groups if (found := _curve(group)) is not None}
    if not curves:
        return None
    axis = next(iter(curves.values()))[0]
    same = {name: curve for name, curve in curves.items() if np.array_equal(curve[0], axis)}
    ends = [name.rpartition("/")[2] for name in same]
    labels = {name: end if ends.count(end) == 1 else name for name, end in zip(same, ends, strict=True)}
    return stack_of_points(
        PointSpectra(
            where=str(path),
            axis=axis,
            values={labels[name]: curve[1][None] for name, curve in same.items()},
            positions_nm=np.array([[_position(file, axis) for axis in "xy"]]),
            units={labels[name]: curve[2] for name, curve in same.items()},
            attributes={
                "instrument": text(file.attrs.get("instrument", "NeXus")),
                "header": {key: text(value)[:200] for key, value in file.attrs.items()},
            },
        ),
        None,
        bias,
    )


def _curve(group: h5py.Group) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Voltage [mV], signal and its unit of an NXdata group; None if it is no curve over a voltage."""
    names = np.atleast_1d(group.attrs.get("axes", ()))
    signal = group.get(text(group.attrs.get("signal", "")) or "?")
    axis = group.get(text(names[0])) if len(names) == 1 else None
    if not isinstance(signal, h5py.Dataset) or not isinstance(axis, h5py.Dataset):
        return None
    unit = text(axis.attrs.get("units", ""))
    if (
        signal.dtype.kind not in "fiu"
        or axis.dtype.kind not in "fiu"
        or signal.ndim != 1
        or signal.shape != axis.shape
        or not 1 < signal.size <= _LONGEST
    ):
        return None
    if factor_of(unit, TO_MV) is None:
        return None
    return in_unit(axis[()], unit, TO_MV), signal[()].astype(np.float32), text(signal.attrs.get("units", ""))


def _position(file: h5py.File, axis: str) -> float:
    """Where the tip was [nm]; NaN if the file does not say it."""
    for entry in file.values():
        item = entry.get(f"instrument/piezo_sensor/{axis}") if isinstance(entry, h5py.Group) else None
        if isinstance(item, h5py.Dataset) and item.shape == () and item.dtype.kind in "fiu":
            factor = factor_of(text(item.attrs.get("units", "")), TO_NM)
            if factor is not None:
                return float(item[()]) * factor
    return float("nan")


def text(value: Any) -> str:
    """An attribute of HDF5 as a string."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
