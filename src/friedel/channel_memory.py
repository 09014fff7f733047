"""The dI/dV channel that the user chose for an instrument, kept for the next file.

Laboratories wire their lock-in amplifiers to inputs of any name ("Input 6"), so the rules of `friedel.channels` cannot
know them all. What the user chose once is kept in a small file of settings and precedes the rules.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names that are kept for one instrument, the last chosen first.
_MOST = 16


def memory_file() -> Path:
    """File of the choices: ``FRIEDEL_CHANNELS``, else in the platform's folder of settings. It may not exist yet."""
    if chosen := os.environ.get("FRIEDEL_CHANNELS"):
        return Path(chosen)
    from platformdirs import user_config_path

    return user_config_path("napari-friedel", appauthor=False) / "channels.json"


def remember_channel(instrument: str, channel: str) -> Path:
    """Prefer a channel in files of this instrument from now on.

    Parameters
    ----------
    instrument : str
        ``stack.attrs["instrument"]``.
    channel : str
        Its name in the stack.

    Returns
    -------
    Path
        The file in which it is kept.

    Raises
    ------
    StackError
        If the file cannot be written.
    """
    known = _read()
    others = [name for name in known.get(instrument, []) if name != channel]
    known[instrument] = [channel, *others][:_MOST]
    return _write(known)


def forget_channels(instrument: str) -> None:
    """Go back to the rules for files of this instrument.

    Raises
    ------
    StackError
        If the file cannot be written.
    """
    known = _read()
    if known.pop(instrument, None) is not None:
        _write(known)


def remembered_channel(instrument: str, names: Sequence[str]) -> str | None:
    """Give the channel among `names` that was chosen last for this instrument, or None."""
    return next((name for name in _read().get(instrument, []) if name in names), None)


def _read() -> dict[str, list[str]]:
    """Read the choices; a file that is damaged or cannot be read holds none."""
    try:
        found = json.loads(memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # no home folder is a RuntimeError
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(key): [name for name in names if isinstance(name, str)]
        for key, names in found.items()
        if isinstance(names, list)
    }


def _write(known: dict[str, list[str]]) -> Path:
    path = memory_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_beside(path) as beside:
            beside.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StackError(
            f"{path}: the choice of channel cannot be kept ({error.strerror or error})."
        ) from error
    return path
