"""Small files of further vendors, built from the descriptions of their formats; makers return options to open them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from io_makers import BIAS, SHAPE, cube
from scipy import io as scipy_io

POINTS, ROWS, COLUMNS = SHAPE


def vert(
    path: Path,
    x_dac: float = 1000.0,
    y_dac: float = 2000.0,
    seed: int = 0,
    dwell: int = 2,
    back: bool = False,
) -> dict[str, Any]:
    """Write a Createc .VERT: current, dI/dV and ADC1; optionally a dwell at first and a way back."""
    bias = np.concatenate([np.full(dwell, BIAS[0]), BIAS, BIAS[::-1][1:] if back else []])
    values = np.random.default_rng(seed).uniform(1, 2, (len(bias), 3))
    header = [
        "[ParVERT30]", "DAC-Type=20bit", "Gainpreamp / GainPre 10^=9", "GainX / GainX=10", "Dacto[A]xy=0.002",
        "CHMode / CHMode=0", "Vertchannelselectval=19",
    ]  # fmt: skip
    rows = [
        f"{i}\t{v:.4f}\t{7.0}\t" + "\t".join(f"{x:.6f}" for x in line)
        for i, (v, line) in enumerate(zip(bias, values, strict=True))
    ]
    text = "\r\n".join([*header, "", "DATA", f"  {len(bias)}  {x_dac}  {y_dac}  19", *rows]) + "\r\n"
    path.write_bytes(text.encode("cp1252"))
    return {}


def wsxm(path: Path) -> dict[str, Any]:
    """Write a WSxM .stp image of doubles, heights in nm; the first number is that of the lower right corner."""
    image = cube()[0].astype("<f8")
    head = (
        "WSxM file copyright UAM\r\nSxM Image file\r\nImage header size: 0\r\n\r\n[Control]\r\n\r\n"
        f"    Topography Bias: 0.05 V\r\n    X Amplitude: {COLUMNS * 0.25} nm\r\n    Y Amplitude: {ROWS * 2.5} Å\r\n"
        "[General Info]\r\n    Acquisition channel: Topography\r\n    Image Data Type: double\r\n"
        f"    Number of columns: {COLUMNS}\r\n    Number of rows: {ROWS}\r\n    Z Amplitude: 1 nm\r\n[Header end]\r\n"
    )
    path.write_bytes(head.encode("cp1252") + image[::-1, ::-1].tobytes())
    return {}


def gsi(path: Path) -> dict[str, Any]:
    """Write a WSxM .gsi: the topograph, then one image per bias."""
    both = np.concatenate([cube(2)[:1], cube()]).astype("<f8")
    ramp = "".join(f"    Image {i + 1:03d}: {v / 1e3:g} V\r\n" for i, v in enumerate(BIAS))
    head = (
        "WSxM file copyright UAM\r\nSxM Image file\r\nImage header size: 0\r\n[Control]\r\n"
        f"    X Amplitude: {COLUMNS * 0.25} nm\r\n    Y Amplitude: {ROWS * 0.25} nm\r\n"
        "[General Info]\r\n    Image Data Type: double\r\n"
        f"    Number of columns: {COLUMNS}\r\n    Number of rows: {ROWS}\r\n    Z Amplitude: 1 nm\r\n"
        f"[Spectra images ramp value list]\r\n{ramp}[Header end]\r\n"
    )
    path.write_bytes(head.encode("cp1252") + both[:, ::-1, ::-1].tobytes())
    return {}


def nanosurf(path: Path) -> dict[str, Any]:
    """Write a .nid with Z and current of one image, 32 bits each."""
    head = [
        "[DataSet]",
        "Gr0-Ch0=DataSet-0:0",
        "Gr0-Ch1=DataSet-0:1",
        "",
        "[DataSet-Info]",
        "Tip voltage=0.05V",
        "",
    ]
    body = b""
    for index, (name, unit, low, span) in enumerate(
        (("Z-Axis", "m", 0.0, 2e-9), ("Current", "A", 0.0, 4e-9))
    ):
        head += [
            f"[DataSet-0:{index}]", f"Points={COLUMNS}", f"Lines={ROWS}", "SaveBits=32",
            "Dim0Name=X*", "Dim0Unit=m", f"Dim0Range={COLUMNS * 0.25e-9}", "Dim0Min=0",
            "Dim1Name=Y*", "Dim1Unit=m", f"Dim1Range={ROWS * 0.25e-9}", "Dim1Min=0",
            f"Dim2Name={name}", f"Dim2Unit={unit}", f"Dim2Range={span}", f"Dim2Min={low}", "",
        ]  # fmt: skip
        share = cube(index)[0].astype(float) / 4  # of the range
        body += np.round((share - 0.5) * 2.0**32).astype("<i4").tobytes()
    path.write_bytes("\r\n".join(head).encode() + b"\r\n#!" + body)
    return {}


def labview(path: Path) -> dict[str, Any]:
    head = bytearray(2112)
    struct.pack_into("<ii", head, 406, COLUMNS, ROWS)
    struct.pack_into("<h", head, 480, POINTS)
    struct.pack_into("<ff", head, 1046, 50.0, 0.1)
    struct.pack_into("<f", head, 1058, COLUMNS * 2.5)
    struct.pack_into("<ff", head, 1280, -0.06, 0.06)
    path.write_bytes(bytes(head) + np.round(cube() * 1000).astype("<u2").tobytes())
    return {}


def gxsm(path: Path) -> dict[str, Any]:
    """Write a scan of GXSM: layers over bias, lengths in Å."""
    data = xr.Dataset(
        {
            "FloatField": (("time", "value", "dimy", "dimx"), cube()[None]),
            "rangex": ((), COLUMNS * 2.5),
            "rangey": ((), ROWS * 2.5),
            "offsetx": ((), 100.0),
            "offsety": ((), -50.0),
            "alpha": ((), 0.0),
        },
        coords={
            "time": [0.0],
            "value": BIAS / 1e3,
            "dimx": (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * 2.5,
            "dimy": -(np.arange(ROWS) - (ROWS - 1) / 2) * 2.5,
        },
    )
    data.to_netcdf(path, engine="scipy")
    return {}


def davis(path: Path) -> dict[str, Any]:
    """Write a struct as the Davis and Hoffman groups do."""
    places = np.arange(COLUMNS) * 2.5
    fields = {"map": cube().transpose(1, 2, 0), "e": BIAS / 1e3, "r": places, "name": "60721A00", "type": 0.0}
    scipy_io.savemat(path, {"obj": fields, "note": "text"}, do_compression=True)
    return {}


#: Those that hold a whole stack.
VENDORS = {
    "createc-vert": (".VERT", vert),
    "wsxm": (".stp", wsxm),
    "wsxm-gsi": (".gsi", gsi),
    "nid": (".nid", nanosurf),
    "labview": (".1FL", labview),
    "gxsm": (".nc", gxsm),
    "davis": (".mat", davis),
}
