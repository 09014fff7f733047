"""Small valid files of every format, made from known numbers; each maker returns the options to open it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
import xarray as xr
from scipy import io as scipy_io

from friedel.stack import make_stack

BIAS = np.linspace(-60.0, 60.0, 7)
SHAPE = (len(BIAS), 4, 5)  # bias, y, x
ASKED: dict[str, Any] = {"bias": "-60:60", "pixel_nm": 0.25}


def cube(seed: int = 0) -> np.ndarray:
    """Numbers without a zero among them, so that a zero in a result was made up."""
    return (np.random.default_rng(seed).uniform(1.0, 2.0, SHAPE)).astype(np.float32)


def stack(seed: int = 0) -> xr.Dataset:
    return make_stack(
        {"LockinX": cube(seed), "Current": cube(seed + 1)},
        bias_mv=BIAS,
        pixel_nm=0.25,
        units={"LockinX": "V", "Current": "A", "Z": "m"},
        images={"Z": cube(seed + 2)[0]},
        instrument="maker",
        scan_angle_deg=30.0,
        scan_centre_x_nm=5.0,
    )


def grid_header(
    shape: tuple[int, int, int] = SHAPE,
    channels: tuple[str, ...] = ("Current (A)", "LockinX (V)"),
    **changes: str | None,
) -> dict[str, str]:
    points, rows, columns = shape
    header: dict[str, str | None] = {
        "Grid dim": f'"{columns} x {rows}"',
        "Grid settings": f"1.0E-8;2.0E-8;{columns * 0.25e-9:.6E};{rows * 0.25e-9:.6E};3.0E+1",
        "Sweep Signal": '"Bias (V)"',
        "Fixed parameters": '"Sweep Start;Sweep End"',
        "Experiment parameters": '"X (m);Y (m);Z (m)"',
        "# Parameters (4 byte)": "5",
        "Experiment size (bytes)": str(4 * points * len(channels)),
        "Points": str(points),
        "Channels": '"' + ";".join(channels) + '"',
        "Comment": '"äöü Å – a comment"',
        **{key.replace("__", " "): value for key, value in changes.items()},
    }
    return {key: value for key, value in header.items() if value is not None}


def grid(
    path: Path,
    data: list[np.ndarray] | None = None,
    header: dict[str, str] | None = None,
    limits: tuple[float, float] = (-0.06, 0.06),
    encoding: str = "utf-8",
) -> dict[str, Any]:
    """Write a Nanonis .3ds; channels "Current" and "LockinX"."""
    data = [cube(1), cube(0)] if data is None else data
    points, rows, columns = data[0].shape
    header = grid_header(data[0].shape) if header is None else header
    text = "".join(f"{key}={value}\r\n" for key, value in header.items()) + ":HEADER_END:\r\n"
    pixels = rows * columns
    parameters = np.empty((pixels, 5))
    parameters[:, 0], parameters[:, 1] = limits
    parameters[:, 4] = np.random.default_rng(9).uniform(1, 2, pixels) * 1e-9
    # The tip's positions as the header has them: 0.25 nm, turned by 30° about (10, 20) nm.
    row, column = np.divmod(np.arange(pixels), columns)
    along, across = (column - (columns - 1) / 2) * 0.25e-9, (row - (rows - 1) / 2) * 0.25e-9
    turn = np.deg2rad(30.0)
    parameters[:, 2] = 10e-9 + along * np.cos(turn) + across * np.sin(turn)
    parameters[:, 3] = 20e-9 - along * np.sin(turn) + across * np.cos(turn)
    records = [parameters, *(values.reshape(points, pixels).T for values in data)]
    path.write_bytes(text.encode(encoding, errors="replace") + np.hstack(records).astype(">f4").tobytes())
    return {}


def scan(
    path: Path, bias_v: float = 0.05, direction: str = "down", seed: int = 0, rows: int = 6, columns: int = 5
) -> dict[str, Any]:
    """Write a Nanonis .sxm with Z and LIX in both directions."""
    image = np.random.default_rng(seed).uniform(1, 2, (2, 2, rows, columns)).astype(">f4")
    table = (
        "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n"
        "\t14\tZ\tm\tboth\t1.0E-9\t0.0\n\t8\tLIX_1_omega\tA\tboth\t1.0E+0\t0.0\n"
    )
    header = (
        ":NANONIS_VERSION:\n2\n:SCANIT_TYPE:\n              FLOAT            MSBFIRST\n"
        f":ACQ_TIME:\n 1.0\n:SCAN_TIME:\n 1.0 1.0\n:SCAN_PIXELS:\n       {columns}       {rows}\n"
        ":SCAN_RANGE:\n  1.0E-9  1.2E-9\n"
        ":SCAN_OFFSET:\n  1.0E-8  2.0E-8\n:SCAN_ANGLE:\n  3.0E+1\n"
        f":SCAN_DIR:\n{direction}\n:BIAS:\n  {bias_v:.6E}\n:COMMENT:\nlines\nof text\n:DATA_INFO:\n"
        f"{table}\n:SCANIT_END:\n\n\n"
    )
    path.write_bytes(header.encode() + b"\x1a\x04" + image.tobytes())
    return {}


def spectrum(path: Path, x_nm: float, y_nm: float, seed: int = 0, points: int = 7) -> None:
    """Write one Nanonis .dat spectrum."""
    values = np.random.default_rng(seed).uniform(1, 2, (points, 2))
    rows = [
        f"{v:.6E}\t{a:.6E}\t{b:.6E}" for v, (a, b) in zip(np.linspace(-0.06, 0.06, 7), values, strict=False)
    ]
    head = f"Experiment\tbias spectroscopy\r\nX (m)\t{x_nm}E-9\r\nY (m)\t{y_nm}E-9\r\nZ (m)\t{seed + 1}E-10\r\n\r\n"
    text = head + "[DATA]\r\nBias calc (V)\tCurrent (A)\tLI Demod 1 X (A)\r\n" + "\r\n".join(rows) + "\r\n"
    path.write_bytes(text.encode())


def spectra(path: Path) -> dict[str, Any]:
    """Write a folder of 2 × 3 spectra."""
    path.mkdir()
    for index in range(6):
        row, column = divmod(index, 3)
        spectrum(path / f"point{index + 1}.dat", 10 + 0.5 * column, 20 + 0.5 * row, index)
    return {}


def igor(path: Path) -> dict[str, Any]:
    """Write an Igor version-5 wave of shape (x, y, V)."""
    data = cube().transpose(2, 1, 0).astype("<f8")
    body = data.tobytes(order="F")
    head = struct.pack("<hhiiii4i4iiii", 5, 0, 320 + len(body), 0, 0, 0, *[0] * 8, 0, 0, 0)
    wave = bytearray(320)
    struct.pack_into("<i", wave, 12, data.size)
    struct.pack_into("<hh6sh32s", wave, 16, 4, 0, b"", 0, b"Aux2(V)")
    struct.pack_into("<4i", wave, 68, *data.shape, 0)
    struct.pack_into("<4d", wave, 84, 0.25e-9, 0.25e-9, 0.02, 0.0)
    struct.pack_into("<4d", wave, 116, 0.0, 0.0, -0.06, 0.0)
    struct.pack_into("<4s", wave, 148, b"V")
    struct.pack_into("<16s", wave, 152, b"m\0\0\0m\0\0\0V\0\0\0")
    total = sum(struct.unpack("<192h", head + bytes(wave))) & 0xFFFF
    head = head[:2] + struct.pack("<H", -total & 0xFFFF) + head[4:]
    path.write_bytes(head + bytes(wave) + body)
    return {}


def gwyddion(path: Path) -> dict[str, Any]:
    from friedel.io.gwyddion_write import write

    write(stack(), path)
    return {}


def gsf(path: Path) -> dict[str, Any]:
    from friedel.io.maps import write_map

    write_map(cube()[0], path, pixel_nm=0.25, name="dI/dV", units="V")
    return {"bias": 20.0}


def netcdf(path: Path) -> dict[str, Any]:
    from friedel.io.netcdf import write

    write(stack(), path)
    return {}


def netcdf_classic(path: Path) -> dict[str, Any]:
    stack().to_netcdf(path, engine="scipy")
    return {}


def nsid(path: Path) -> dict[str, Any]:
    """Write HDF5 as pyNSID does: dimension scales with `dimension_type`; order (x, y, bias)."""
    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement_000/Channel_000/LockinX")
        main = group.create_dataset("LockinX", data=cube().transpose(2, 1, 0))
        main.attrs["units"] = "V"
        for axis, (name, values, unit, kind) in enumerate(
            [
                ("X", np.arange(SHAPE[2]) * 0.25, "nm", "SPATIAL"),
                ("Y", np.arange(SHAPE[1]) * 0.25, "nm", "SPATIAL"),
                ("Bias", BIAS * 1e-3, "V", "SPECTRAL"),
            ]
        ):
            scale = group.create_dataset(name, data=values)
            scale.attrs["units"], scale.attrs["dimension_type"] = unit, kind
            scale.make_scale(name)
            main.dims[axis].attach_scale(scale)
    return {}


def hdf5(path: Path) -> dict[str, Any]:
    with h5py.File(path, "w") as file:
        file.create_dataset("didv", data=cube(), chunks=(2, 2, 2), compression="gzip")
    return ASKED


def mat5(path: Path) -> dict[str, Any]:
    scipy_io.savemat(path, {"didv": cube().transpose(1, 2, 0), "note": "text"}, do_compression=True)
    return {**ASKED, "axes": "yxb"}


def mat73(path: Path) -> dict[str, Any]:
    """Write HDF5 behind MATLAB's 512 bytes of text, axes reversed as MATLAB does."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("didv", data=cube().transpose(1, 2, 0).T)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return {**ASKED, "axes": "yxb"}


def tiff(path: Path) -> dict[str, Any]:
    tifffile.imwrite(path, cube(), imagej=True, metadata={"axes": "ZYX", "unit": "nm"}, resolution=(4.0, 4.0))
    return {"bias": "-60:60"}


def npy(path: Path) -> dict[str, Any]:
    np.save(path, cube())
    return ASKED


def npz(path: Path) -> dict[str, Any]:
    np.savez_compressed(path, didv=cube(), bias=BIAS, pixel_nm=0.25)
    return {}


def createc(path: Path, compressed: bool = True) -> dict[str, Any]:
    """Write a Createc image of 2 channels (Z and one more), forward and backward."""
    lines = [
        "[Paramco32]" if compressed else "[Paramet32]",
        "Num.X / Num.X=5",
        "Num.Y / Num.Y=4",
        "Channels / Channels=4",
        "Biasvolt[mV]=50.000",
        "Length x[A]=12.5",
        "Length y[A]=10.0",
        "Rotation / Rotation=0.0",
        "Dacto[A]z=0.001",
    ]
    planes = cube().ravel()[: 4 * 20].astype("<f4")
    raw = np.concatenate([np.zeros(1, "<f4"), planes]).tobytes()
    head = "\r\n".join(lines).encode("cp1252").ljust(16384, b"\x00")
    path.write_bytes(head + (zlib.compress(raw) if compressed else raw))
    return {}


def createc_grid(path: Path) -> dict[str, Any]:
    """Write a .specgrid of version 4400: 5 × 4 spectra of 7 points, two channels."""
    words = np.zeros(256, "<i4")
    words[[0, 1, 2, 7, 14, 23, 24, 25, 26]] = [4400, 50, 40, 7, 2, 5, 4, 10, 10]
    table = np.zeros((7, 3), "<f4")
    table[:, 0] = BIAS
    both = np.stack([cube(1), cube(0)])  # channel, bias, y, x
    spectra_ = both.transpose(2, 3, 1, 0).astype("<f4")
    path.write_bytes(words.tobytes() + table.tobytes() + spectra_.tobytes())
    return {"pixel_nm": 0.25}


def qpi(path: Path) -> dict[str, Any]:
    """Write a QPI dataset of 6 × 6 pixels with up to 3 scatterers and two images."""
    axis = np.linspace(-12.5, 12.5, 6)
    rows = ["6 3" + " 0" * 40, " ".join(f"{v:g}" for v in axis)]
    for index in range(3):
        image = np.random.default_rng(index).uniform(1, 2, 36)
        places = [0, 0, 1000, 1000, 1000, 1000] if index == 0 else [-12.5, 2.5, 7.5, -7.5, 1000, 1000]
        rows.append(" ".join(f"{v:g}" for v in [*image, *places]))
    path.write_text("\n".join(rows) + "\n")
    return {"bias": 10.0}


#: Name, suffix and maker of every format that tests can write themselves.
MAKERS: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "nanonis-grid": (".3ds", grid),
    "nanonis-scan": (".sxm", scan),
    "igor": (".ibw", igor),
    "gwyddion": (".gwy", gwyddion),
    "gsf": (".gsf", gsf),
    "netcdf": (".nc", netcdf),
    "netcdf-classic": (".nc", netcdf_classic),
    "nsid": (".h5", nsid),
    "hdf5": (".h5", hdf5),
    "mat5": (".mat", mat5),
    "mat73": (".mat", mat73),
    "tiff": (".tif", tiff),
    "npy": (".npy", npy),
    "npz": (".npz", npz),
    "createc": (".dat", createc),
    "createc-grid": (".specgrid", createc_grid),
    "qpi": (".txt", qpi),
}


def pickled(path: Path) -> None:
    """Write an .npz whose array is a Python object."""
    np.savez(path, didv=np.array([{"a": 1}], dtype=object))
    assert zipfile.is_zipfile(path)
