"""Walk through a MATLAB file of version 5 before SciPy reads it: its reader crashes on a damaged compressed part."""

from __future__ import annotations

import zlib
from typing import IO, TYPE_CHECKING, Any

from friedel.errors import StackError
from friedel.io.limits import check_unpacked

if TYPE_CHECKING:
    from pathlib import Path

_MATRIX, _COMPRESSED = 14, 15
_HEADER = 128


def check_parts(path: Path) -> None:
    """Check every variable; the compressed ones are unfolded in pieces and thrown away.

    Raises
    ------
    StackError
        If a variable is cut off, its compressed bytes are damaged, or all of them do not fit into the free memory.
    """
    total, size = 0, path.stat().st_size
    with path.open("rb") as file:
        # MATLAB writes "MI" as a number of its machine: read backwards it tells the order of bytes.
        endian: Any = "little" if file.read(_HEADER)[126:128] == b"IM" else "big"
        while len(tag := file.read(8)) == 8:
            kind, length = (int.from_bytes(tag[i : i + 4], endian) for i in (0, 4))
            if length > size - file.tell():
                raise StackError(f"{path}: the file is cut off or damaged: a variable ends behind the file.")
            if kind == _COMPRESSED:
                total += _unfold(file, length, endian, path, total)
            else:
                total += length
                file.seek(length, 1)
    check_unpacked(total, path)


def _unfold(file: IO[bytes], length: int, endian: Any, path: Path, before: int) -> int:
    """Bytes that one compressed variable unfolds to."""
    unpack, found, head = zlib.decompressobj(), 0, b""
    try:
        while length > 0 and (part := file.read(min(length, 1 << 16))):
            length -= len(part)
            while part:
                piece = unpack.decompress(part, 1 << 20)
                head = (head + piece[:8])[:8]
                found += len(piece)
                part = unpack.unconsumed_tail
            check_unpacked(before + found, path)
    except zlib.error as error:
        raise StackError(f"{path}: a compressed variable is damaged ({error}).") from error
    kind, inside = (int.from_bytes(head[i : i + 4], endian) for i in (0, 4))
    if not unpack.eof or kind != _MATRIX or inside + 8 != found:
        raise StackError(
            f"{path}: a compressed variable is damaged: it does not unfold to the length it states."
        )
    return found
