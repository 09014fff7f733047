"""Omicron Matrix files through access2thematrix, which trusts the sizes in a file: here they are checked first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from access2thematrix import MtrxData

from friedel.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 26


class Guarded(MtrxData):  # type: ignore[misc]  # the library has no types
    """The library trusts the sizes in the parameter file; here they are held against the data first."""

    refused = ""

    def _limit(self, *keys: str) -> None:
        claimed = 1
        for key in keys:
            claimed *= int(self.param[f"EEPA::{key}"][0])
        if not 0 < claimed <= max(_LARGEST // 64, 64 * int(self.data_item_count)):
            self.refused = f"the parameters claim {claimed} values, the file holds {self.data_item_count}"
            raise ValueError(self.refused)

    def _im_data(self) -> Any:
        self._limit("XYScanner.Points", "XYScanner.Lines")
        return super()._im_data()

    def _cu_data(self) -> Any:
        if "(V)" in self.channel_name or "(Z)" in self.channel_name:
            for device in ("Device_1", "Device_2"):
                if f"EEPA::Spectroscopy.{device}_Points" in self.param:
                    self._limit(f"Spectroscopy.{device}_Points")
        return super()._cu_data()

    def _vol_cits_data(self, traces: Any) -> Any:
        self._limit("XYScanner.Points", "XYScanner.Lines")
        points = int(np.prod([-(-self._count(a) // max(self._count(b), 1)) for a, b in _SUBGRID]))
        if points * self.scan.shape[1] > max(_LARGEST, 64 * int(self.data_item_count)):
            raise ValueError("the parameters claim more spectra than the file can hold")
        return super()._vol_cits_data(traces)

    def _count(self, key: str) -> int:
        return int(self.param[f"EEPA::XYScanner.{key}"][0])


_SUBGRID = (("Points", "Subgrid_X"), ("Lines", "Subgrid_Y"))


def escaped(text: str) -> str:
    """Let `glob` take a text as it is."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def open_result(path: Path) -> Guarded:
    """Open one result file; `StackError` if it or its parameter file is damaged."""
    data = Guarded()
    traces, message = data.open(str(path))
    if not (path.parent / f"{path.name.partition('--')[0]}_0001.mtrx").exists():
        beside = f"{path.name.partition('--')[0]}_0001.mtrx"
        raise StackError(f"{path}: the parameter file {beside} must lie beside it.")
    if data.param.get("BREF") != path.name:
        raise StackError(
            f"{path}: the parameter file does not describe this file; it is cut off or of another scan."
        )
    if data.refused:
        raise StackError(f"{path}: {data.refused}; the parameter file is damaged.")
    if not traces:
        raise StackError(f"{path}: {message}")
    return data


def of(data: MtrxData, key: str, default: float = 0.0) -> float:
    """Return a number of the parameter file."""
    value = data.param.get(f"EEPA::{key}", [default])[0]
    return float(value)


def frame_of(data: MtrxData) -> dict[str, Any]:
    """Attributes of a stack: instrument, centre, angle, header."""
    return {
        "instrument": "Omicron Matrix",
        "scan_centre_x_nm": of(data, "XYScanner.X_Offset") * 1e9,
        "scan_centre_y_nm": of(data, "XYScanner.Y_Offset") * 1e9,
        # Matrix turns against the clock.
        "scan_angle_deg": -of(data, "XYScanner.Angle") + 0.0,
        "header": {key: value for key, value in data.param.items() if key.startswith("EEPA::")},
    }
