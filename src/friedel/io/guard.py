"""A watchdog for HDF5 files: a process of its own looks through the file first, within a time limit.

The HDF5 library never comes back from some damaged files, or takes the whole program with it, and nothing in Python
can stop that but the end of the process. So a child (`friedel.io._walk_hdf5`) touches all of the file first; only if
it comes back does this process open the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from friedel.errors import StackError

#: Seconds that the walk through a file may take, and how many bytes of the file allow one second more.
SECONDS = 20.0
BYTES_PER_SECOND = 20 << 20
#: Seconds until the child must have loaded h5py; a busy machine takes long, so it counts apart.
START_SECONDS = 60.0

WALKER = Path(__file__).with_name("_walk_hdf5.py")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def check_hdf5(path: Path) -> None:
    """Return if the HDF5 library comes back from every part of a file.

    Where no child process can be started (a frozen program, no right to), nothing is checked.

    Parameters
    ----------
    path : Path

    Raises
    ------
    StackError
        If the file is cut off, or the library hung or crashed on it.
    """
    check_length(path)
    # A frozen program is not an interpreter: started again, it would open a second window.
    if not sys.executable or getattr(sys, "frozen", False) or not WALKER.is_file():
        return
    import h5py
    import numpy

    # Without `site` the child starts in half the time, and finds the very packages that are in use here.
    places = [str(Path(str(module.__file__)).resolve().parent.parent) for module in (h5py, numpy)]
    order = json.dumps({"path": str(path.absolute()), "places": places})
    options: dict[str, Any] = {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(WALKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Threads for linear algebra cost start-up time, and there is none.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            **options,
        )
    except OSError:
        return
    limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    try:
        began, ended = _watch(child, order.encode("ascii"), limit)
    finally:
        child.kill()
        child.wait()
    if not began or ended == b"done":
        return
    happened = f"does not return from it within {limit:.0f} s" if ended is None else "crashes on it"
    raise StackError(f"{path}: the HDF5 file is damaged: the HDF5 library {happened}.")


def check_length(path: Path) -> None:
    """Refuse a file that is shorter than it says itself; no library is needed to see that.

    Raises
    ------
    StackError
        If bytes are missing at the end.
    """
    size = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        # The format begins at 0, 512, 1024, …; MATLAB puts its text before it.
        while place + 48 <= size:
            file.seek(place)
            head = file.read(64)
            if head.startswith(_SIGNATURE):
                break
            place = max(2 * place, 512)
        else:
            return
    # How wide addresses are, and where those of the base and of the end lie, depend on the version of the first block.
    version = head[8]
    if version > 3:
        return
    width = head[13] if version < 2 else head[9]
    first = {0: 24, 1: 28}.get(version, 12)
    base, end = (int.from_bytes(head[at : at + width], "little") for at in (first, first + 2 * width))
    needed = end - base + place
    if width in (4, 8) and needed > size:
        raise StackError(f"{path}: the HDF5 file is cut off or damaged: it has {size} of {needed} bytes.")


def _watch(child: subprocess.Popen[bytes], order: bytes, limit: float) -> tuple[bool, bytes | None]:
    """Whether the walk began, and the last line of the child; None if it did not come in time."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the process that walks a file was started without pipes")
    lines: list[bytes] = []
    begun, over = threading.Event(), threading.Event()

    def listen(stream: Any) -> None:
        for line in stream:
            lines.append(line.strip())
            begun.set()
        begun.set()
        over.set()

    listener = threading.Thread(target=listen, args=(child.stdout,), daemon=True)
    try:
        listener.start()
        try:
            child.stdin.write(order)
            child.stdin.close()
        except OSError:  # it ended before it read: it never began
            return False, None
        begun.wait(START_SECONDS)
        if b"ready" not in lines:
            return False, None
        return True, lines[-1] if over.wait(limit) else None
    finally:
        child.kill()  # which also ends the stream, and so the listener
        listener.join(5)
        child.stdout.close()
