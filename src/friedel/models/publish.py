"""How a model file comes to lie at its name: whole or not at all, never over another, on any file system.

`friedel._util.atomic_write.write_beside` needs a hard link to publish a file without replacing another. exFAT, many
network shares and some containers have none: there the name is claimed first, by a file that only one program can make.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from friedel._util.atomic_write import write_beside
from friedel.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def publish(target: Path, write: Callable[[Path], object], *, overwrite: bool = False) -> None:
    """Write a file beside `target`, then give it that name.

    Parameters
    ----------
    target : pathlib.Path
        Its folder is made.
    write : callable
        Called with the path to write to.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ModelError
        If the file exists, or the place cannot be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _publish(target, write, overwrite)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}.") from error


def _publish(target: Path, write: Callable[[Path], object], overwrite: bool) -> None:
    written = False

    def noted(beside: Path) -> None:
        nonlocal written
        write(beside)
        written = True

    try:
        with write_beside(target, overwrite=overwrite) as beside:
            noted(beside)
    except FileExistsError:
        raise
    except OSError:
        if overwrite or not written:
            raise
        _claim_and_publish(target, write)  # what failed is the link


def _claim_and_publish(target: Path, write: Callable[[Path], object]) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        with write_beside(target, overwrite=True) as beside:
            write(beside)
    except BaseException:
        target.unlink(missing_ok=True)  # ours, and empty
        raise


def _exists(target: Path) -> ModelError:
    return ModelError(f"{target} exists already; a model is never overwritten, choose another name.")


@contextmanager
def reserved(target: Path) -> Generator[None, None, None]:
    """Keep a model's name for this process while it trains, after a trial that the place can be written to.

    The reservation is a lock on a small hidden file, which the system releases even if the process is killed. On file
    systems without locks two trainings may start; the second one to finish is then refused by `publish`.

    Parameters
    ----------
    target : pathlib.Path
        The model file that will be written; must not exist. Its folder is made.

    Raises
    ------
    ModelError
        If the file exists, another process holds the name, or the place cannot be written to.
    """
    if os.path.lexists(target):
        raise _exists(target)
    lock = target.with_name(f".{target.name}.reserved")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("ab")
    except OSError as error:
        raise ModelError(
            f"{target.parent} is no place for a model: {error.strerror or error}. Nothing was computed yet."
        ) from error
    try:
        if not _lock(stream):
            raise ModelError(f"Another process is training {target}; choose another name or wait for it.")
        probe = target.with_name(f".{target.name}.{os.getpid()}.trial")
        publish(probe, lambda beside: beside.write_bytes(b"trial"))
        probe.unlink(missing_ok=True)
        try:
            yield
        finally:
            if os.name != "nt":
                lock.unlink(missing_ok=True)
    finally:
        stream.close()
        if os.name == "nt":  # an open file cannot be deleted there; one that another process holds stays
            with contextlib.suppress(OSError):
                lock.unlink(missing_ok=True)


def _lock(stream: IO[Any]) -> bool:
    """Lock a file for this process, or say that another has it; True where locks do not exist."""
    try:
        if os.name == "nt":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except (OSError, ImportError):
        return True
    # The one who held it may have deleted the file in between: then the lock is on a file without a name.
    with contextlib.suppress(OSError):
        return os.name == "nt" or Path(stream.name).stat().st_ino == os.fstat(stream.fileno()).st_ino
    return False
