"""The pages of an RHK `.sm2` file: headers of 512 characters, each followed by its numbers.

Written from a public reader's layout of the fields; no public file was at hand. The pages come in the form of those of
`.sm4`, so that one adapter lays both on a grid.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.rhk_pages import IMAGE, LINE, Page

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"STiMage 3.1"
_HEADER, _ANNOTATION = 512, 32
_DTYPES = {0: "<f4", 1: "<i2", 2: "<i4", 3: "<i1"}
_ANNOTATED = 3
_MOST_PAGES = 1024
_NUMBER = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)"


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
    while start + _HEADER <= len(raw) and raw.startswith(MAGIC, start):
        if len(pages) >= _MOST_PAGES:
            raise StackError(f"{path}: the file claims more than {_MOST_PAGES} pages; it is damaged.")
        page, start = _page(raw, start, path)
        pages.append(page)
    if not pages:
        raise StackError(f"{path}: the file is cut off within its header.")
    if raw[start:].strip(b"\0\r\n \x1a"):
        raise StackError(
            f"{path}: page {len(pages) + 1} does not begin where page {len(pages)} ends: the file is cut off or "
            "damaged."
        )
    return pages


def _page(raw: bytes, start: int, path: Path) -> tuple[Page, int]:
    fields = [
        raw[start + 32 * i : start + 32 * (i + 1)].decode("latin-1").strip("\0 \r\n") for i in range(16)
    ]
    try:
        kind, data_type, _, columns, rows, size, _ = (int(word) for word in fields[1].split()[:7])
        axes = [_axis(fields[2 + i], name) for i, name in enumerate("XYZ")]
        bias = float(fields[6].split()[2])
        offset = int(fields[8].split()[2])
    except (ValueError, IndexError):
        raise StackError(f"{path}: the header of a page is damaged ({fields[1]!r}).") from None
    angle = re.match(rf"XY\s*{_NUMBER}\s*\S*\s*{_NUMBER}", fields[5])
    dtype = _DTYPES.get(data_type)
    if dtype is None or not (0 < columns <= 1 << 16 and 0 < rows <= 1 << 20 and _HEADER <= offset <= 1 << 16):
        raise StackError(f"{path}: the header of a page is damaged ({columns} × {rows}, type {data_type}).")
    count, end = columns * rows, start + offset + size
    needed = count * np.dtype(dtype).itemsize + (_ANNOTATION * rows if kind == _ANNOTATED else 0)
    if size < needed or end > len(raw):
        raise StackError(f"{path}: a page needs {max(size, needed)} bytes: the file is cut off or damaged.")
    values = np.frombuffer(raw, dtype, count, start + offset).reshape(rows, columns)
    header: dict[str, Any] = {
        "RHK_PageDataType": IMAGE if kind == 0 else LINE,
        "RHK_Bias": bias,
        "RHK_Angle": float(angle[2]) if angle else 0.0,
        "RHK_Date": fields[0].removeprefix(MAGIC.decode()).strip(),
        "RHK_Text": "".join(fields[11:]),
    }
    for name, (scale, shift, unit) in zip("XYZ", axes, strict=True):
        header |= {f"RHK_{name}scale": scale, f"RHK_{name}offset": shift, f"RHK_{name}units": unit}
    if kind == _ANNOTATED:
        # Of the eight numbers of each spectrum, at the end of the page, the third and the fourth are its position [m].
        notes = np.frombuffer(raw, "<f4", 8 * rows, end - _ANNOTATION * rows).reshape(rows, 8)
        header |= {"RHK_SpecDrift_Xcoord": notes[:, 2], "RHK_SpecDrift_Ycoord": notes[:, 3]}
    name = fields[10] or {"m": "Topography", "A": "Current"}.get(axes[2][2], "page")
    return Page(name, values if kind == 0 else values.T, header), end


def _axis(text: str, name: str) -> tuple[float, float, str]:
    found = re.match(rf"{name}\s*{_NUMBER}\s+{_NUMBER}\s*(\S*)", text)
    if found is None:
        raise ValueError(text)
    return float(found[1]), float(found[2]), found[3]
