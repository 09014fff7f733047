"""Tables of names that others may extend: by a call, or by an entry point of an installed package."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from friedel.errors import FriedelError, FriedelWarning

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """Names and what they stand for.

    Parameters
    ----------
    kind : str
        What an entry is, for messages: ``"material"``.
    entries : mapping
        What the package brings along.
    type_ : type
        What an entry must be.

    Notes
    -----
    Packages add entries by an entry point of the group ``friedel.KINDs`` (``friedel.materials``) whose object is the
    entry itself. They are loaded when the table is first read. One that cannot be loaded costs a warning.
    """

    def __init__(self, kind: str, entries: Mapping[str, T], type_: type) -> None:
        self.kind, self.group, self._type = kind, f"friedel.{kind}s", type_
        self._entries = dict(entries)
        self._searched = False

    def register(self, name: str, entry: T, *, replace: bool = False) -> T:
        """Add an entry and return it.

        Parameters
        ----------
        name : str
        entry : object
        replace : bool
            Whether an entry of this name may be replaced.

        Raises
        ------
        FriedelError
            If the name is taken, or the entry is of the wrong type.
        """
        if not isinstance(entry, self._type):
            raise FriedelError(
                f"The {self.kind} {name!r} must be a {self._type.__name__}, not a {type(entry).__name__}."
            )
        if name in self and not replace:
            raise FriedelError(f"There is a {self.kind} {name!r} already; give replace=True to replace it.")
        self._entries[name] = entry
        return entry

    def _known(self) -> dict[str, T]:
        if not self._searched:
            self._searched = True
            for point in entry_points(group=self.group):
                self._load(point)
        return self._entries

    def _load(self, point: EntryPoint) -> None:
        try:
            self.register(point.name, point.load())
        except Exception as error:  # another package's code may raise anything
            warnings.warn(
                f"The {self.kind} {point.name!r} of {point.value!r} was left out: {error}",
                FriedelWarning,
                stacklevel=4,
            )

    def __getitem__(self, name: str) -> T:
        return self._known()[name]

    def __setitem__(self, name: str, entry: T) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __contains__(self, name: Any) -> bool:
        return name in self._known()

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self)})"
