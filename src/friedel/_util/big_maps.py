"""Maps that may be larger than memory: in a temporary file beyond a limit, and worked on some maps at a time."""

from __future__ import annotations

import mmap
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Larger arrays lie in a temporary file (in the folder that TMPDIR names), of 32-bit numbers.
IN_MEMORY = 128 << 20
#: Values that are worked on at a time: a step of the preparation holds about ten copies of them, of 64 bits.
AT_ONCE = 3 << 20
#: Values that are read from a file at a time: each read may have to go through all of the file.
READ_AT_ONCE = 32 << 20


def fits(shape: tuple[int, ...], dtype: Any = np.float64) -> bool:
    """Whether an array is held in memory."""
    return bool(int(np.prod(shape)) * np.dtype(dtype).itemsize <= IN_MEMORY)


def read_parts(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut the first axis into parts of at most `READ_AT_ONCE` values, one index at least."""
    return parts(shape, READ_AT_ONCE)


def allocate(shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """Make an array of undefined values, in a temporary file if it is larger than `IN_MEMORY`.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
        64-bit numbers become 32-bit ones in a file.
    """
    dtype = np.dtype(dtype)
    if fits(shape, dtype):
        return np.empty(shape, dtype)
    if dtype == np.float64:
        dtype = np.dtype(np.float32)
    # The file has no name, or loses it, and ends with the last array that uses it.
    file: Any = tempfile.TemporaryFile(prefix="friedel-")  # noqa: SIM115
    return np.memmap(file, dtype, "w+", shape=shape)


def parts(shape: tuple[int, ...], values: int | None = None) -> Iterator[slice]:
    """Cut the first axis into parts of at most so many values (`AT_ONCE`), one index at least."""
    count = max(1, (values or AT_ONCE) // max(int(np.prod(shape[1:])), 1))
    for start in range(0, shape[0], count):
        yield slice(start, min(start + count, shape[0]))


def row_parts(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut the rows of maps of this shape, (maps, rows, columns), into parts of at most `AT_ONCE` values."""
    count = max(1, AT_ONCE // max(shape[0] * shape[2], 1))
    for start in range(0, shape[1], count):
        yield slice(start, min(start + count, shape[1]))


def take(maps: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The maps of these indices; nothing is copied where they are all maps in their order."""
    if len(index) == len(maps) and (index == np.arange(len(maps))).all():
        return maps
    out = allocate((len(index), *maps.shape[1:]), maps.dtype)
    for part in parts(out.shape):
        out[part] = maps[index[part]]
        release(maps, out)
    return out


def release(*maps: np.ndarray) -> None:
    """Give the memory of arrays in files back; what was written stays in the file."""
    for array in maps:
        base: Any = array
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        pages = getattr(base, "_mmap", None)
        if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            with suppress(ValueError, OSError):  # closed meanwhile, or a system that cannot
                pages.madvise(mmap.MADV_DONTNEED)
