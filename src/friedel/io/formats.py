"""The table of formats: who is recognised by which bytes, and which module reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from friedel._util.registry import Registry
from friedel.io.signatures import HEAD, igor_checksum, is_zarr, qpi_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Format:
    """One file format.

    Parameters
    ----------
    name : str
        Key in `FORMATS`.
    title : str
        For messages.
    suffixes : tuple of str
        Usual suffixes, lower case; a hint for file dialogues only.
    sniff : callable
        ``sniff(head, path) -> bool`` on the first `HEAD` bytes.
    module : str
        Adapter with ``read``; imported on first use.
    asks : bool
        The file may lack axes, so the adapter itself uses `bias` and `pixel_nm`.
    many : bool
        The adapter takes a list of files.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, Path], bool]
    module: str
    asks: bool = False
    many: bool = False


def _starts(*magics: bytes) -> Callable[[bytes, Path], bool]:
    return lambda head, _path: head.startswith(magics)


def _suffix(*suffixes: str) -> Callable[[bytes, Path], bool]:
    return lambda _head, path: path.suffix.lower() in suffixes


_GRID_DIM = re.compile(rb"(?im)^(?:\xef\xbb\xbf)?grid dim *=")


def _nanonis_grid(head: bytes, _path: Path) -> bool:
    found = _GRID_DIM.search(head)
    return found is not None and (found.start() == 0 or re.search(rb"(?i)\nchannels *=", head) is not None)


def _nanonis_spectrum(head: bytes, _path: Path) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"Experiment\t")


def _rhk(head: bytes, _path: Path) -> bool:
    return head[2:16] == "STiMage".encode("utf-16-le") or head.startswith(b"STiMage 3.1")


def _igor(head: bytes, path: Path) -> bool:
    # The version is a 16-bit integer of either byte order; only 2, 3 and 5 were ever in use.
    if head[:2] not in (b"\x05\x00", b"\x00\x05", b"\x02\x00", b"\x00\x02", b"\x03\x00", b"\x00\x03"):
        return False
    return path.suffix.lower() in (".ibw", ".bwav") or igor_checksum(head)


def _createc_grid(_head: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".specgrid"


def _labview_map(_head: bytes, path: Path) -> bool:
    if path.suffix.lower() not in (".1fl", ".tfr"):
        return False
    from friedel.io.labview_map import fits

    return fits(path)


def _nanosurf(head: bytes, _path: Path) -> bool:
    return head.lstrip().startswith(b"[DataSet]") and b"Gr0-Ch0" in head


def _igor_package(head: bytes, path: Path) -> bool:
    # Its first record is of variables (1) or history (2); the format has no other mark.
    return path.suffix.lower() in (".pxp", ".pxt") and head[:1] in (
        b"\x00",
        b"\x01",
        b"\x02",
        b"\x03",
        b"\x09",
    )


def _matlab(head: bytes, _path: Path) -> bool:
    return head.startswith(b"MATLAB ")


def _zarr(_head: bytes, path: Path) -> bool:
    return is_zarr(path)


def _netcdf(head: bytes, path: Path) -> bool:
    if head.startswith((b"CDF\x01", b"CDF\x02")):
        return True
    return head.startswith(b"\x89HDF\r\n\x1a\n") and path.suffix.lower() in (".nc", ".nc4", ".cdf")


_ALL = (
    Format("nanonis-grid", "Nanonis grid (.3ds)", (".3ds",), _nanonis_grid, "friedel.io.nanonis_grid"),
    # Spectra come before scans: a folder of spectra often holds the image that they lie on.
    Format(
        "nanonis-spectra",
        "Nanonis point spectra (.dat)",
        (".dat",),
        _nanonis_spectrum,
        "friedel.io.nanonis_spectra",
        asks=True,
        many=True,
    ),
    Format(
        "nanonis-scan",
        "Nanonis scan (.sxm)",
        (".sxm",),
        _starts(b":NANONIS_VERSION:"),
        "friedel.io.nanonis_scan",
        many=True,
    ),
    Format("rhk", "RHK (.sm4, .sm3, .sm2)", (".sm4", ".sm3", ".sm2"), _rhk, "friedel.io.rhk", asks=True),
    Format(
        "matrix",
        "Omicron Matrix (_mtrx)",
        (".mtrx",),
        _starts(b"ONTMATRX0101"),
        "friedel.io.matrix",
        asks=True,
    ),
    Format("igor", "Igor binary wave (.ibw)", (".ibw",), _igor, "friedel.io.igor", asks=True),
    Format(
        "gwyddion", "Gwyddion (.gwy)", (".gwy",), _starts(b"GWYP", b"GWYO"), "friedel.io.gwyddion", asks=True
    ),
    Format(
        "gsf",
        "Gwyddion simple field (.gsf)",
        (".gsf",),
        _starts(b"Gwyddion Simple Field"),
        "friedel.io.gsf",
        asks=True,
    ),
    Format(
        "createc",
        "Createc image (.dat)",
        (".dat",),
        _starts(b"[Paramet32]", b"[Paramco32]"),
        "friedel.io.createc",
        many=True,
    ),
    Format(
        "createc-spectra",
        "Createc spectra (.VERT)",
        (".vert",),
        _starts(b"[ParVERT"),
        "friedel.io.createc_vert",
        asks=True,
        many=True,
    ),
    Format(
        "createc-grid",
        "Createc grid (.specgrid)",
        (".specgrid",),
        _createc_grid,
        "friedel.io.createc_grid",
        asks=True,
    ),
    Format(
        "labview-map",
        "LabVIEW map (.1FL, .TFR)",
        (".1fl", ".tfr"),
        _labview_map,
        "friedel.io.labview_map",
        asks=True,
    ),
    Format(
        "wsxm",
        "WSxM (.stp, .top, .gsi)",
        (".stp", ".top", ".gsi"),
        _starts(b"WSxM file copyright"),
        "friedel.io.wsxm",
        asks=True,
    ),
    Format("nid", "Nanosurf (.nid)", (".nid",), _nanosurf, "friedel.io.nid", asks=True),
    Format(
        "igor-package", "Igor package (.pxp)", (".pxp",), _igor_package, "friedel.io.igor_package", asks=True
    ),
    Format(
        "idl",
        "IDL save file, NISTview (.NVI, .NVL, .sav)",
        (".nvi", ".nvl", ".sav"),
        _starts(b"SR\x00\x04", b"SR\x00\x06"),
        "friedel.io.idl_save",
        asks=True,
    ),
    Format("matlab", "MATLAB (.mat)", (".mat",), _matlab, "friedel.io.matlab", asks=True),
    Format("zarr", "zarr store (folder)", (".zarr",), _zarr, "friedel.io.zarr_store"),
    Format("netcdf", "netCDF, GXSM (.nc)", (".nc", ".nc4"), _netcdf, "friedel.io.netcdf"),
    Format(
        "hdf5",
        "HDF5, NSID or NeXus (.h5, .nxs)",
        (".h5", ".hdf5", ".hf5", ".nxs"),
        _starts(b"\x89HDF\r\n\x1a\n"),
        "friedel.io.hdf5",
        asks=True,
    ),
    Format(
        "tiff",
        "TIFF (.tif)",
        (".tif", ".tiff"),
        _starts(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
        "friedel.io.tiff",
        asks=True,
    ),
    Format(
        "numpy",
        "NumPy (.npy, .npz)",
        (".npy", ".npz"),
        _starts(b"\x93NUMPY", b"PK\x03\x04"),
        "friedel.io.numpy_file",
        asks=True,
    ),
    Format("qpi", "QPI dataset (text)", (".txt", ".csv", ".dat"), qpi_text, "friedel.io.qpi_text", asks=True),
)

FORMATS: Registry[Format] = Registry("format", {item.name: item for item in _ALL}, Format)


def register_format(new: Format, *, replace: bool = False) -> Format:
    """Let `friedel.open_stack` read another file format.

    Raises
    ------
    FriedelError
        If there is a format of this name.
    """
    return FORMATS.register(new.name, new, replace=replace)


def head_of(path: Path) -> bytes:
    """First bytes of a file; none of a folder."""
    if path.is_dir():
        return b""
    with path.open("rb") as file:
        return file.read(HEAD)


def identify(members: list[Path], *, folder: bool = False) -> Format | None:
    """Find the format of a file, or of a series of files.

    A folder may hold other files beside the series (notes, the topograph under the spectra); these are removed
    from `members`, in place. A list that the user made must be of one format.
    """
    if len(members) == 1:
        head = head_of(members[0])
        return next((item for item in FORMATS.values() if item.sniff(head, members[0])), None)
    heads = {path: head_of(path) for path in members}
    for item in FORMATS.values():
        chosen = [path for path in members if item.many and item.sniff(heads[path], path)]
        if chosen and (folder or len(chosen) == len(members)):
            members[:] = chosen
            return item
    return None
