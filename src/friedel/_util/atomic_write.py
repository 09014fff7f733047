"""Write beside, then rename: a reader never sees a half-written file and a failure leaves the old one."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def write_beside(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path in the same folder; it becomes `path` if the block ends without an error.

    Parameters
    ----------
    path : path
        Where the finished file shall lie.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is False.
    OSError
        If it cannot be written; it names `path`, not the temporary file.
    """
    target = Path(path)
    if not overwrite and target.exists():
        raise FileExistsError(f"{target} exists already; choose another name.")
    beside = None
    try:
        beside = _temporary(target)
        yield beside
        # mkstemp makes private files; the result gets the permissions any new file would have.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        _settle(beside)
        if overwrite:
            beside.replace(target)
        else:
            os.link(beside, target)  # fails if another process made it meanwhile
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(beside), beside):
            raise  # it is about another file, and says which
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    handle, name = tempfile.mkstemp(
        prefix=f".{target.stem}-", suffix=f".tmp{target.suffix}", dir=target.parent
    )
    os.close(handle)
    return Path(name)


def _settle(path: Path) -> None:
    """Have the bytes on the disk before the rename: else a power cut may leave an empty file under the final name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
