"""The pages of an RHK `.sm3` file: a header of fixed fields and UTF-16 words, then 32-bit numbers.

Written from the fields that public readers describe; no public file was at hand. The pages come in the form of those of
`.sm4`, so that one adapter reads both. Where a spectrum was taken is in no field that is known, so of several spectra
one is read, by its number.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.rhk_pages import IMAGE, LINE, Page
from friedel.io.rhk_spectrum import UNPLACED

if TYPE_CHECKING:
    from pathlib import Path

#: Begins two bytes after the start of each page.
MAGIC = "STiMage 004.".encode("utf-16-le")
_FIXED = struct.Struct("<H36sH15i11f16s")
_WORDS = ("Label", "SystemText", "SessionText", "UserText", "Path", "Date", "Time")
_UNITS = ("Xunits", "Yunits", "Zunits", "Xlabel", "Ylabel")
_NAMES = {
    1: "Topography",
    2: "Current",
    3: "Aux",
    4: "Force",
    5: "Signal",
    10: "IV spectra",
    18: "IZ spectra",
}
_TOPOGRAPH = 1
_BACKWARD = 1
_MOST_PAGES, _MOST_WORDS = 1024, 256


def read_pages(path: Path) -> list[Page]:
    """All pages of a file, in its own order.

    Raises
    ------
    StackError
        If the file is cut off or damaged.
    """
    raw = path.read_bytes()
    pages: list[Page] = []
    start = 0
    while raw.startswith(MAGIC, start + 2):
        if len(pages) >= _MOST_PAGES:
            raise StackError(f"{path}: the file claims more than {_MOST_PAGES} pages; it is damaged.")
        page, end = _page(raw, start, path)
        taken = {other.name for other in pages}
        name, number = page.name, 2
        while name in taken:
            name, number = f"{page.name} {number}", number + 1
        pages.append(Page(name, page.raw, page.header))
        # A table of colours of no known length follows an image.
        after = raw.find(MAGIC, end) - 2
        start = after if after >= end else len(raw)
    return pages


def _page(raw: bytes, start: int, path: Path) -> tuple[Page, int]:
    if start + _FIXED.size > len(raw):
        raise StackError(f"{path}: the file is cut off within the header of a page.")
    size, version, words, *numbers = _FIXED.unpack_from(raw, start)
    kind, page_type, _, _, _, _, columns, rows, _, _, scan = numbers[:11]
    scales = dict(zip(("X", "Y", "Z"), numbers[15:18], strict=True))
    offsets = dict(zip(("X", "Y", "Z"), numbers[19:22], strict=True))
    bias, current, angle = numbers[23:26]
    sound = 0 < columns <= 1 << 16 and 0 < rows <= 1 << 20 and words <= _MOST_WORDS and kind in (0, 1, 3)
    if not sound or not np.isfinite([*scales.values(), *offsets.values(), bias, angle]).all():
        raise StackError(f"{path}: the header of a page is damaged ({columns} × {rows}, type {kind}).")
    texts, place = _texts(raw, start + 2 + size, words, path)
    count = columns * rows
    if place + 4 * count > len(raw):
        raise StackError(f"{path}: a page needs {4 * count} bytes: the file is cut off or damaged.")
    values = np.frombuffer(raw, "<i4", count, place).reshape(rows, columns)
    header: dict[str, Any] = {
        "RHK_PageDataType": IMAGE if kind == 0 else LINE,
        "RHK_Bias": bias,
        "RHK_Current": current,
        "RHK_Angle": angle,
        UNPLACED: kind != 0 and rows > 1,
        "RHK_Version": version.decode("utf-16-le", "replace").strip("\0 "),
        **{f"RHK_{key}": text for key, text in zip((*_WORDS, *_UNITS), texts, strict=False)},
        **{f"RHK_{axis}scale": value for axis, value in scales.items()},
        **{f"RHK_{axis}offset": value for axis, value in offsets.items()},
    }
    own = texts[0] if texts else ""
    name = (
        _NAMES[_TOPOGRAPH]
        if page_type == _TOPOGRAPH
        else own or _NAMES.get(page_type, f"page type {page_type}")
    )
    if kind == 0 and scan == _BACKWARD:
        name = f"{name} [bwd]"
    return Page(name, values if kind == 0 else values.T, header), place + 4 * count


def _texts(raw: bytes, place: int, count: int, path: Path) -> tuple[list[str], int]:
    """Read strings of UTF-16, each after its number of characters."""
    texts: list[str] = []
    for _ in range(count):
        if place + 2 > len(raw):
            raise StackError(f"{path}: the file is cut off within the header of a page.")
        end = place + 2 + 2 * int.from_bytes(raw[place : place + 2], "little")
        texts.append(raw[place + 2 : end].decode("utf-16-le", "replace").strip("\0 "))
        place = end
    return texts, place
