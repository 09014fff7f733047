"""What a user should know about a result: kept for the provenance, and warned of at once."""

from __future__ import annotations

import warnings

from friedel.errors import FriedelWarning


class Remarks(list[str]):
    """Remarks for the provenance, each also a `FriedelWarning`."""

    def add(self, text: str, *, settings: tuple[str, ...] = ()) -> None:
        """Keep a remark and warn of it, once; `settings` names those that would help."""
        if text in self:
            return
        self.append(text)
        warnings.warn(FriedelWarning(text, settings=settings), stacklevel=2)
