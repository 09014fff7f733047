"""The text headers of Nanonis files, read leniently: keys are missing and comments run over lines in real files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from friedel.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

#: No Nanonis header is nearly this long.
LIMIT = 4 << 20


def read_head(path: Path, tag: bytes) -> tuple[bytes, int]:
    """Read up to the line with the end tag.

    Parameters
    ----------
    path : Path
    tag : bytes
        For example ``b":HEADER_END:"``.

    Returns
    -------
    head : bytes
        Everything before the tag.
    after : int
        Position right after the tag.

    Raises
    ------
    StackError
        If the tag does not occur.
    """
    with path.open("rb") as file:
        start = file.read(LIMIT)
    found = re.search(rb"(?:^|\n)" + re.escape(tag), start)
    if found is None:
        raise StackError(
            f"{path}: the header does not end ({tag.decode()} is missing); the file is cut off or damaged."
        )
    return start[: found.start() + 1], found.end()


def decode(raw: bytes) -> str:
    """Decode a header: UTF-8 with or without its mark, else Windows' Latin alphabet, which every byte fits."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


class Header(dict[str, str]):
    """Values by key, in whatever capitals a version or an editor wrote the key."""

    def _as_written(self, key: object) -> object:
        if super().__contains__(key) or not isinstance(key, str):
            return key
        return next((own for own in self if own.lower() == key.lower()), key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._as_written(key))

    def __missing__(self, key: str) -> str:
        own = self._as_written(key)
        if own == key:
            raise KeyError(key)
        return self[str(own)]

    def get(self, key: str, default: Any = None) -> Any:
        """As of a `dict`."""
        return super().get(str(self._as_written(key)), default)


def parse_grid(text: str) -> Header:
    """Parse ``key=value`` lines; a line without ``=`` continues the value above it."""
    header = Header()
    key = ""
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            key = name.strip()
            header[key] = value.strip().strip('"')
        elif key and line.strip():
            header[key] = f"{header[key]}\n{line.strip()}".strip('"')
    return header


def parse_scan(text: str) -> Header:
    """Parse ``:KEY:`` lines, each followed by the lines of its value; a key that comes again is text of a comment."""
    header = Header()
    key = ""
    for line in text.splitlines():
        found = re.fullmatch(r":([^:\t]+(?:>.*?)?):", line.strip())
        if found and found.group(1) not in header:
            key = found.group(1)
            header[key] = ""
        elif key:
            header[key] = f"{header[key]}\n{line.rstrip()}" if header[key] else line.rstrip()
    return Header({name: value.strip("\n") for name, value in header.items()})


def parse_spectrum(text: str) -> Header:
    """Parse ``key<tab>value`` lines."""
    header = Header()
    for line in text.splitlines():
        key, _, value = line.partition("\t")
        if key.strip():
            header[key.strip()] = value.strip()
    return header


def split_unit(name: str) -> tuple[str, str]:
    """Split ``"LI Demod 1 X [bwd] (A)"`` into ``("LI Demod 1 X [bwd]", "A")``."""
    found = re.fullmatch(r"\s*(.*?)\s*\(([^()]*)\)\s*", name)
    return (found.group(1), found.group(2)) if found and found.group(1) else (name.strip(), "")


def number(header: dict[str, str], key: str, path: Path) -> float:
    """Return a header value as a number, or say what is wrong with it."""
    return numbers(header, key, 1, path)[0]


def numbers(header: dict[str, str], key: str, count: int, path: Path) -> list[float]:
    """Return `count` numbers of a header value."""
    if key not in header:
        raise StackError(f"{path}: the header lacks {key!r}.")
    # Some computers write a comma before the decimals.
    words = [word.replace(",", ".") for word in re.split(r"[;\s]+", header[key].strip()) if word]
    try:
        values = [float(word) for word in words[:count]]
    except ValueError:
        values = []
    if len(values) < count or not all(abs(value) < 1e30 for value in values):
        raise StackError(f"{path}: the header value {key!r} is damaged: {header[key][:60]!r}.")
    return values


def count(header: dict[str, str], key: str, path: Path) -> int:
    """Return a header value as a positive whole number."""
    value = number(header, key, path)
    if not (value.is_integer() and 0 < value < 1e9):
        raise StackError(
            f"{path}: the header value {key!r} must be a positive number, not {header[key][:60]!r}."
        )
    return int(value)


def unique(names: list[str]) -> list[str]:
    """Make names distinct by a running number."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return out
