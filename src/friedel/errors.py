"""The errors a user can meet: each message is a sentence that says what is wrong and what to do."""

from __future__ import annotations


class FriedelError(Exception):
    """Base of every error that `friedel` raises on purpose."""


class StackError(FriedelError):
    """A file or an array cannot be used as a dI/dV stack; the message names the file and the reason."""


class ModelError(FriedelError):
    """A model cannot be found, read or applied."""


class PhysicsError(FriedelError):
    """A physical parameter is missing or makes no sense (no dispersion known, bias below the onset)."""


class FriedelWarning(UserWarning):
    """The result stands, but the user should know something about it."""
