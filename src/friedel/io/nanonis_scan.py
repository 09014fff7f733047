"""Nanonis images (`.sxm`): one image is one bias plane, a series at different bias is a stack.

Lines are kept in the order of recording; the attribute `y_direction` tells whether they go up or down. Backward images
are mirrored so that they lie over the forward ones.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import FriedelWarning, StackError
from friedel.io import nanonis_header as text
from friedel.io.axes import AxesMissing
from friedel.io.lazy import lazy_variable
from friedel.stack import make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_END = b":SCANIT_END:"
_DATA = b"\x1a\x04"
_PASS = re.compile(r"\[(P\d+)\] ?")


@dataclass(frozen=True)
class Scan:
    """Where the images of one file lie, and its header in SI units."""

    path: Path
    header: dict[str, str]
    shape: tuple[int, int]
    offset: int
    dtype: str
    planes: dict[str, tuple[int, str, bool]]  # name: (index in the file, unit, backward)
    bias_v: float
    passes: dict[str, float]  # bias [V] by pass, for a multi-pass scan

    def image(self, name: str) -> np.ndarray:
        """Read one image, shape (y, x), native float32; NaN if it was not recorded."""
        if name not in self.planes:
            return np.full(self.shape, np.nan, dtype=np.float32)
        index, _, backward = self.planes[name]
        count = self.shape[0] * self.shape[1]
        width = np.dtype(self.dtype).itemsize
        values = np.fromfile(self.path, self.dtype, count, offset=self.offset + index * count * width)
        if len(values) < count:
            raise StackError(f"{self.path}: the file has become shorter since it was opened; open it again.")
        image = values.reshape(self.shape).astype(np.float32)
        return np.ascontiguousarray(image[:, ::-1]) if backward else image


def read(
    paths: list[Path],
    *,
    bias: Any = None,
    pixel_nm: Any = None,  # noqa: ARG001 - as every adapter
) -> xr.Dataset:
    """Open one `.sxm` file or a series of one area; see `friedel.io.open_stack`."""
    scans = sorted((part for path in paths for part in _by_pass(load(path))), key=lambda scan: scan.bias_v)
    first = scans[0]
    for scan in scans[1:]:
        _same_frame(first, scan)
    names = dict.fromkeys(name for scan in scans for name in scan.planes)
    # A pass that did not record a channel has none; a file of a series that lacks it makes it useless.
    passes = any(scan.passes for scan in scans)
    shared = [name for name in names if passes or all(name in scan.planes for scan in scans)]
    height = [name for name in shared if re.match(r"z( \[bwd\])?$", name, re.IGNORECASE)]
    channels = [name for name in shared if name not in height]
    if len(scans) > 1 and (passes or not channels):
        channels += height  # a topograph at each bias
    if not shared:
        raise StackError(f"{first.path}: these images have no channel in common.")
    rows, columns = first.shape
    centre = _frame_numbers(first, "SCAN_OFFSET", 2)
    size = text.numbers(first.header, "SCAN_RANGE", 2, first.path)
    if min(size) <= 0:
        raise StackError(f"{first.path}: the header claims an image of {size[0]} m × {size[1]} m.")
    axis = np.array([scan.bias_v for scan in scans]) * 1e3
    if bias is None and not np.isfinite(axis).all():
        if len(scans) > 1:
            raise AxesMissing(
                f"{first.path.parent}: the headers do not say the bias of every image: give bias (all values, in mV).",
                ("bias",),
            )
        height, channels = shared, []  # without a bias all are plain images
    if bias is None and len(np.unique(axis)) < len(axis):
        raise StackError(
            f"{first.path.parent}: several images were taken at the same bias; choose one of each."
        )
    if bias is not None and (len(scans) > 1 or not np.isfinite(axis).all()):
        axis = np.arange(len(scans), dtype=float)  # replaced by what the user gave
    # A line that was never scanned is NaN in the file.
    known = np.isfinite(first.image(next(iter(first.planes))))
    acquired = rows * columns if known.all() else int(known.sum())
    return make_stack(
        {name: _channel(scans, name) for name in channels},
        bias_mv=axis,
        pixel_nm=(size[1] / rows * 1e9, size[0] / columns * 1e9),
        units={name: scan.planes[name][1] for scan in scans for name in shared if name in scan.planes},
        images={name: first.image(name) for name in height if name not in channels},
        header=first.header,
        instrument="Nanonis",
        scan_centre_x_nm=centre[0] * 1e9,
        scan_centre_y_nm=centre[1] * 1e9,
        scan_angle_deg=_frame_numbers(first, "SCAN_ANGLE", 1)[0],
        y_direction=1 if _direction(first) == "up" else -1,
        acquired=acquired,
        expected=rows * columns,
        separate_scans=int(len(paths) > 1),
    )


def _direction(scan: Scan) -> str:
    """``up`` or ``down``; lines run down where the header does not say."""
    return scan.header.get("SCAN_DIR", "").strip().lower() or "down"


def _frame_numbers(scan: Scan, key: str, count: int) -> list[float]:
    """Where a scan lay; zeros where its header does not say, which changes the tip's coordinates alone."""
    if key not in scan.header and key != "SCAN_RANGE":
        warnings.warn(
            f"{scan.path}: the header lacks {key!r}; it is taken as 0, so that the tip's coordinates are relative.",
            FriedelWarning,
            stacklevel=2,
        )
        return [0.0] * count
    return text.numbers(scan.header, key, count, scan.path)


def load(path: Path) -> Scan:
    """Read the header of one `.sxm` file and check that its images are all there."""
    raw, after = text.read_head(path, _END)
    header = text.parse_scan(text.decode(raw))
    with path.open("rb") as file:
        file.seek(after)
        gap = file.read(64)
    mark = gap.find(_DATA)
    if mark < 0 or gap[:mark].strip(b"\r\n \t"):
        raise StackError(f"{path}: the mark between header and images is missing; the file is damaged.")
    width, height = (int(value) for value in text.numbers(header, "SCAN_PIXELS", 2, path))
    if not (0 < width < 1 << 16 and 0 < height < 1 << 16):
        raise StackError(f"{path}: the header claims an image of {width} × {height} pixels.")
    planes = _planes(header, path)
    dtype = "<f4" if "LSBFIRST" in header.get("SCANIT_TYPE", "") else ">f4"
    offset = after + mark + len(_DATA)
    have, need = path.stat().st_size - offset, 4 * width * height * len(planes)
    if have != need:
        what = "cut off" if have < need else "longer than its header says"
        # Every CR LF within the numbers loses or gains a byte: one in some ten thousand.
        hint = ""
        if abs(have - need) < max(need // 1000, 8) or b"\r\n" in raw[:2000]:
            hint = ", or its line endings were changed by a text-mode transfer (copy the original again, as binary)"
        raise StackError(f"{path}: the images take {have} bytes instead of {need}: the file is {what}{hint}.")
    bias_v = text.number(header, "BIAS", path) if "BIAS" in header else float("nan")
    passes = _passes(header, planes, bias_v, path)
    return Scan(path, header, (height, width), offset, dtype, planes, bias_v, passes)


def _passes(
    header: dict[str, str], planes: dict[str, tuple[int, str, bool]], bias_v: float, path: Path
) -> dict[str, float]:
    """Bias [V] of each pass; empty for a scan of one pass."""
    names = {found[1] for name in planes if (found := _PASS.match(name))}
    if not names:
        return {}
    lines = header.get("Multipass-Config", "").splitlines()
    rows = [line.strip().split("\t") for line in lines if line.strip()]
    biases: dict[str, set[float]] = {name: set() for name in names}
    for row in rows[1:]:
        name = row[0].split()[0]
        try:
            if name in biases:
                own = row[1].strip().upper() == "TRUE"
                biases[name].add(float(row[2].replace(",", ".")) if own else bias_v)
        except (IndexError, ValueError):
            raise StackError(f"{path}: the table of passes in the header is damaged: {row!r}.") from None
    unclear = sorted(name for name, values in biases.items() if len(values) != 1)
    if unclear:
        raise StackError(
            f"{path}: the scan has several passes, and the header does not give one bias for {', '.join(unclear)}."
        )
    return {name: values.pop() for name, values in sorted(biases.items())}


def _by_pass(scan: Scan) -> list[Scan]:
    """Give the passes of a scan, each as one of its own; if all are at one bias, as one with a channel per pass."""
    biases = set(scan.passes.values())
    if len(biases) <= 1:
        return [replace(scan, bias_v=next(iter(biases), scan.bias_v), passes={})]
    if len(biases) < len(scan.passes) or any(not _PASS.match(name) for name in scan.planes):
        told = ", ".join(f"{name} {value * 1e3:g} mV" for name, value in scan.passes.items())
        raise StackError(
            f"{scan.path}: some passes share a bias and others do not ({told}): this is no stack."
        )
    return [
        replace(
            scan,
            planes={
                _PASS.sub("", plane): at for plane, at in scan.planes.items() if plane.startswith(f"[{name}]")
            },
            bias_v=bias_v,
        )
        for name, bias_v in scan.passes.items()
    ]


def _planes(header: dict[str, str], path: Path) -> dict[str, tuple[int, str, bool]]:
    rows = [
        line.strip("\t\r ").split("\t") for line in header.get("DATA_INFO", "").splitlines() if line.strip()
    ]
    if len(rows) < 2 or "Name" not in rows[0]:
        raise StackError(f"{path}: the header does not list the channels (DATA_INFO).")
    columns = {name: index for index, name in enumerate(rows[0])}
    planes: dict[str, tuple[int, str, bool]] = {}
    index = 0
    for row in rows[1:]:
        try:
            name, unit = row[columns["Name"]].replace("_", " "), row[columns["Unit"]]
            direction = row[columns["Direction"]].lower()
        except (KeyError, IndexError):
            raise StackError(f"{path}: the list of channels in the header is damaged: {row!r}.") from None
        if direction not in ("both", "forward", "backward"):
            raise StackError(f"{path}: the scan direction {direction!r} of {name!r} is unknown.")
        for backward in {"both": (False, True), "forward": (False,), "backward": (True,)}[direction]:
            planes[f"{name} [bwd]" if backward else name] = (index, unit, backward)
            index += 1
    if len(planes) != index:
        raise StackError(f"{path}: the header lists a channel twice.")
    return planes


def _channel(scans: list[Scan], name: str) -> xr.Variable:
    shape = (len(scans), *scans[0].shape)
    return lazy_variable(("bias", "y", "x"), shape, lambda: np.stack([scan.image(name) for scan in scans]))


def _same_frame(first: Scan, other: Scan) -> None:
    """Images of a series must lie on each other."""
    if first.shape != other.shape:
        raise StackError(
            f"{other.path}: the image has other pixels than {first.path.name}, so they are no stack."
        )
    for key, count in (("SCAN_RANGE", 2), ("SCAN_ANGLE", 1), ("SCAN_OFFSET", 2)):
        one, two = np.array(_frame_numbers(first, key, count)), np.array(_frame_numbers(other, key, count))
        pixel = min(text.numbers(first.header, "SCAN_RANGE", 2, first.path)) / max(first.shape)
        if np.abs(one - two).max() > (0.05 if key == "SCAN_ANGLE" else pixel):
            raise StackError(
                f"{other.path}: {key.lower()} differs from {first.path.name}, so they are no stack."
            )
    if _direction(first) != _direction(other):
        raise StackError(
            f"{other.path}: scanned in the other direction than {first.path.name}, so they are no stack."
        )
