"""What a file may claim: never more than it can hold, and never more than this machine has free."""

from __future__ import annotations

import os
from pathlib import Path

from friedel.errors import StackError

#: Channels of more bytes than this are read when they are touched, not when a netCDF file is opened.
LAZY = 128 << 20
#: deflate cannot pack more than about 1032 bytes into one.
MOST_PACKED = 1100
#: What an array takes at most while it becomes a stack, over its size: 4 GB of an archive peaked at 12.5 GB.
COPIES = 3.2
_UNKNOWN = 4 << 30


def free_memory() -> int:
    """Bytes of memory that are free now; a guess of 4 GiB where the system does not tell."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def need_file(path: Path) -> None:
    """Refuse a pipe, which would be waited for without end, and a device, which never ends.

    Raises
    ------
    StackError
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise StackError(f"{path}: this is a pipe or a device, no file.")


def check_unpacked(claimed: int, path: Path, what: str = "the data") -> None:
    """Refuse what would not fit.

    Parameters
    ----------
    claimed : int
        Bytes that the unpacked data take.
    path : Path
    what : str
        For the message.

    Raises
    ------
    StackError
        If the file is too small to hold so much, or the machine to keep it.
    """
    size = path.stat().st_size
    if claimed > MOST_PACKED * size:
        raise StackError(f"{path}: {what} claims {claimed} bytes, more than a file of {size} bytes can hold.")
    free = free_memory()
    if COPIES * claimed > free:
        raise StackError(
            f"{path}: {what} unfolds to {claimed / 2**30:.3g} GiB, but only {free / 2**30:.3g} GiB of memory are free."
        )
