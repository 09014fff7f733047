"""The pages of an RHK `.sm4` file, read with spym's parser of the format.

spym's package loads plotting libraries; only its parser, which needs numpy alone, is loaded here, by its path.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError

if TYPE_CHECKING:
    from types import ModuleType

LINE, IMAGE = 1, 0
_MOST_PAGES = 1024
#: A page has some hundred numbers in its header, and a spectrum seven beside its own points.
_FIRST_READS, _BYTES_PER_READ = 50_000, 40


@dataclass(frozen=True)
class Page:
    """One page: raw numbers, name, and the header."""

    name: str
    raw: np.ndarray
    header: dict[str, Any]

    def number(self, key: str) -> float:
        """Return a number of the page's header."""
        return float(self.header[key])

    def values(self) -> np.ndarray:
        """Numbers in their unit."""
        scale, offset = self.number("RHK_Zscale"), self.number("RHK_Zoffset")
        return (self.raw * np.float64(scale) + offset).astype(np.float32)


def read_pages(path: Path) -> list[Page]:
    """All pages of a file, in its own order.

    Raises
    ------
    StackError
        If the file is damaged, or spym is not installed.
    """
    _check(path)
    return [_page(page) for page in _bounded(path)]


@cache
def _parser() -> ModuleType:
    package = importlib.util.find_spec("spym")
    places = list(package.submodule_search_locations or []) if package else []
    file = Path(places[0]) / "io" / "rhksm4" / "_sm4.py" if places else None
    if file is None or not file.exists():
        raise StackError('RHK files need the extra package spym: pip install "napari-friedel[rhk]".')
    spec = importlib.util.spec_from_file_location("friedel.io._spym_sm4", file)
    if spec is None or spec.loader is None:
        raise StackError("The parser in the package spym cannot be loaded; reinstall it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _bounded(path: Path) -> Any:
    """Parse a file with a limit on single reads: a damaged count makes the parser go through the whole file in them."""
    base: Any = _parser().RHKsm4

    class Bounded(base):
        left = _FIRST_READS + path.stat().st_size // _BYTES_PER_READ

        def _readb(self, dtype: Any, count: int) -> Any:
            self.left -= 1
            if self.left < 0:
                raise StackError(f"{path}: the file is damaged: it claims more entries than it can hold.")
            return super()._readb(dtype, count)

    return Bounded(str(path))


def _check(path: Path) -> None:
    """Check the counts in the first headers: the parser would loop over whatever they claim."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(58)
        if len(head) < 58:
            raise StackError(f"{path}: the file is cut off within its header.")
        pages, objects, object_size = struct.unpack_from("<III", head, 38)
        listed = file.read(min(12 * objects, 1200))
    if (
        not (0 < pages <= _MOST_PAGES and 0 < objects <= 100 and object_size == 12)
        or len(listed) < 12 * objects
    ):
        raise StackError(f"{path}: the header is damaged ({pages} pages, {objects} objects).")
    for index in range(objects):
        _, offset, length = struct.unpack_from("<III", listed, 12 * index)
        if offset + length > size:
            raise StackError(f"{path}: the file is cut off: its header points behind its end.")


def _page(page: Any) -> Page:
    header = dict(page.attrs)
    width, height = int(header.get("RHK_Xsize", 0)), int(header.get("RHK_Ysize", 0))
    name = str(header.get("RHK_Label") or page.label).strip()
    if header["RHK_PageDataType"] == IMAGE:
        # The parser's own order is that of its display; this goes back to the order in the file.
        data = page.data
        if header["RHK_Xscale"] < 0:
            data = np.flip(data, axis=1)
        if header["RHK_Yscale"] > 0:
            data = np.flip(data, axis=0)
        data = data.reshape(height, width)
        if int(header.get("RHK_ScanType", 0)) == 1:
            name = f"{name} [bwd]"
        return Page(name, data, header)
    return Page(name, page.data, header)
