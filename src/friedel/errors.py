"""The errors a user can meet: each message is a sentence that says what is wrong and what to do.

The library names no flag and no button. An error that a setting would solve carries the setting's name in
`settings`; the command line adds the flag, the window shows the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def _one_line(message: object) -> str:
    """A message is one sentence on one line, whatever the name or the value in it looks like."""
    return " ".join(part.strip() for part in str(message).splitlines())


class FriedelError(Exception):
    """Base of every error that `friedel` raises on purpose.

    Parameters
    ----------
    message : str
        A sentence: what is wrong, in which file, what to do.
    settings : str or sequence of str
        Names of the settings that are wrong, or that would help.
    """

    def __init__(self, message: object = "", *, settings: str | Sequence[str] = ()) -> None:
        super().__init__(_one_line(message))
        self.settings: tuple[str, ...] = (settings,) if isinstance(settings, str) else tuple(settings)


class SettingsError(FriedelError, ValueError):
    """A setting lies outside its range, or there is none of that name."""


class StackError(FriedelError):
    """A file or an array cannot be used as a dI/dV stack; the message names the file and the reason."""


class ModelError(FriedelError):
    """A model cannot be found, read or applied."""


class PhysicsError(FriedelError):
    """A physical parameter is missing or makes no sense (no dispersion known, bias below the onset)."""


class FriedelWarning(UserWarning):
    """The result stands, but the user should know something about it.

    Parameters
    ----------
    message : str
    settings : str or sequence of str
        Names of the settings that would help.
    """

    def __init__(self, message: object = "", *, settings: str | Sequence[str] = ()) -> None:
        super().__init__(_one_line(message))
        self.settings: tuple[str, ...] = (settings,) if isinstance(settings, str) else tuple(settings)
