"""One process at a time works on a result; a process that dies leaves a claim that others take over.

A claim is a file beside the result. Its owner touches it every few seconds. A claim that nobody has touched for a
while, or whose process on this machine is gone, holds nothing any more. Two processes that take over one claim at the
same moment compute the same result twice, and the later replaces the earlier by the same: nothing is lost.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A claim is touched every so many seconds, and given up after so many without a touch: nodes of a cluster may stall.
TOUCH_S, STALE_S = 10.0, 120.0


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Claim `path` while the block runs.

    Parameters
    ----------
    path : pathlib.Path
        The claim file; its folder must exist.

    Yields
    ------
    bool
        False if a living process holds the claim.
    """
    token = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    if not (_make(path, token) or (_stale(path) and _take_over(path, token))):
        yield False
        return
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, ended), daemon=True, name="friedel-claim")
    beat.start()
    try:
        yield True
    finally:
        ended.set()
        beat.join()
        if owner(path) == token:
            path.unlink(missing_ok=True)


def owner(path: Path) -> str:
    """What a claim says of its owner, ``host pid token``; empty if there is no claim."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _make(path: Path, token: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(token)
    except FileExistsError:
        return False
    return True


def _take_over(path: Path, token: str) -> bool:
    aside = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
    try:
        path.rename(aside)  # one of several takers gets it
    except OSError:
        return _make(path, token)
    aside.unlink(missing_ok=True)
    return _make(path, token)


def _stale(path: Path) -> bool:
    """Whether the owner is gone."""
    words = owner(path).split()
    if (
        len(words) == 3
        and words[0] == socket.gethostname()
        and words[1].isdigit()
        and not _alive(int(words[1]))
    ):
        return True
    try:
        # The file system's own clock: machines disagree about the time.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".clock-") as now:
            return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return True  # given back meanwhile
    except OSError:
        return False


def _alive(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _beat(path: Path, ended: threading.Event) -> None:
    while not ended.wait(TOUCH_S):
        try:
            os.utime(path)
        except OSError:
            return
