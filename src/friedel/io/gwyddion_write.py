"""Write Gwyddion files (`.gwy`) with gwyfile: every channel a volume ("brick"), every image an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.atomic_write import write_beside
from friedel.stack import channel_names, didv_candidates, image_names, pixel_pitch, row_direction

if TYPE_CHECKING:
    import os

    import xarray as xr


@dataclass(frozen=True)
class _Axes:
    """What all volumes and images of a stack share, in metres and volts.

    Parameters
    ----------
    size_m : (float, float)
        Along y and x.
    bias_v : array
    upward : bool
        Whether row 0 is the lowest line; Gwyddion draws the first line on top.
    """

    size_m: tuple[float, float]
    bias_v: np.ndarray
    upward: bool

    @property
    def step_v(self) -> float:
        """Mean step of the bias; 1 mV where there is one voltage only."""
        return float(np.diff(self.bias_v).mean()) if len(self.bias_v) > 1 else 1e-3

    @property
    def calibrated(self) -> bool:
        """Whether a volume needs its bias axis as a calibration line: it is uneven, or it falls."""
        even = np.allclose(np.diff(self.bias_v), self.step_v, rtol=1e-6, atol=1e-12)
        return not even or self.step_v < 0

    def downward(self, values: np.ndarray) -> np.ndarray:
        """Values of shape (..., rows, columns) as float64, the upper line first."""
        return np.ascontiguousarray(values[..., ::-1, :] if self.upward else values, dtype=np.float64)


def write(stack: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a stack for Gwyddion: every channel a volume, every image an image.

    Parameters
    ----------
    stack : xarray.Dataset
        Sizes become metres, bias volts; an uneven bias axis is kept as the volumes' calibration.
    path : path
        Replaced in one step.
    """
    from gwyfile.objects import GwyContainer

    stack = stack.sortby("x")
    pitch_y, pitch_x = pixel_pitch(stack)
    axes = _Axes(
        (stack.sizes["y"] * pitch_y * 1e-9, stack.sizes["x"] * pitch_x * 1e-9),
        stack["bias"].to_numpy() * 1e-3,
        row_direction(stack) > 0,
    )
    tree = GwyContainer()
    shown = didv_candidates(stack)[:1]
    for index, name in enumerate(channel_names(stack), start=1):
        key = f"/brick/{index}"
        tree[key] = _brick(stack[name], axes)
        _entitle(tree, f"{key}/title", name)
        tree[f"{key}/visible"] = name in shown
    for index, name in enumerate(image_names(stack)):
        tree[f"/{index}/data"] = _image(stack[name], axes)
        _entitle(tree, f"/{index}/data/title", name)
    with write_beside(path) as beside:
        tree.tofile(str(beside))


def _entitle(tree: Any, key: str, name: str) -> None:
    tree[key] = name
    tree.typecodes[key] = "s"  # a title of one letter would become a number


def _brick(channel: xr.DataArray, axes: _Axes) -> Any:
    from gwyfile.objects import GwyObject, GwySIUnit

    count, rows, columns = channel.shape
    brick = GwyObject(
        "GwyBrick",
        {
            "xres": columns,
            "yres": rows,
            "zres": count,
            "xreal": axes.size_m[1],
            "yreal": axes.size_m[0],
            "zreal": count * abs(axes.step_v) or 1e-3,
            "zoff": float(axes.bias_v[0] - axes.step_v / 2),
            "si_unit_x": GwySIUnit(unitstr="m"),
            "si_unit_y": GwySIUnit(unitstr="m"),
            "si_unit_z": GwySIUnit(unitstr="V"),
            "si_unit_w": GwySIUnit(unitstr=str(channel.attrs.get("units", ""))),
            "data": axes.downward(channel.to_numpy()).ravel(),
        },
        typecodes={"data": "D"},
    )
    if axes.calibrated:
        brick["calibration"] = GwyObject(
            "GwyDataLine",
            {
                "res": count,
                "real": float(count),
                "si_unit_x": GwySIUnit(unitstr=""),
                "si_unit_y": GwySIUnit(unitstr="V"),
                "data": axes.bias_v.astype(np.float64),
            },
            typecodes={"data": "D", "real": "d"},
        )
    return brick


def _image(image: xr.DataArray, axes: _Axes) -> Any:
    from gwyfile.objects import GwyDataField, GwySIUnit

    return GwyDataField(
        axes.downward(image.to_numpy()),
        xreal=axes.size_m[1],
        yreal=axes.size_m[0],
        si_unit_xy=GwySIUnit(unitstr="m"),
        si_unit_z=GwySIUnit(unitstr=str(image.attrs.get("units", ""))),
    )
