"""Which table of a folder is whose: a file keeps the table that was made of it, whatever it is given together with.

A table says in its provenance, and a failure in its JSON, which file it was made of. Only a file that has none yet
takes a new name.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.errors import StackError
from friedel.io.points import read_provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Names that no table of a grid takes.
RESERVED = ("summary",)
#: Ends of the names of the files that say why there is no table.
FAILED = ".failed.json"


@dataclass(frozen=True)
class Source:
    """The file that a table or a failure tells of.

    Parameters
    ----------
    name : str
        As the user gave it; empty if nothing tells it.
    place : str
        Its absolute path; empty if nothing tells it.
    sha256 : str
        Of its bytes; empty for a failure.
    failed : bool
    """

    name: str
    place: str
    sha256: str = ""
    failed: bool = False

    def is_of(self, file: Path) -> bool:
        """Whether `file` is meant: it lies at the same place, or was moved from there."""
        if self.place == place_of(file):
            return True
        try:
            if self.place and Path(self.place).exists():
                return Path(self.place).samefile(file)
            return bool(self.sha256) and self.sha256 == fingerprint(file)["sha256"]
        except (OSError, StackError):
            return False

    def gives_way_to(self, file: Path) -> bool:
        """Whether `file` may take the name: it is meant, or a file is gone of which there is no result."""
        return self.is_of(file) or (self.failed and not Path(self.place).exists())


def absolute(file: str | os.PathLike[str]) -> str:
    """The absolute path of a file; a link is not followed, since links to one store are files of their own."""
    return os.path.abspath(file)  # noqa: PTH100 - see above


def place_of(file: str | os.PathLike[str]) -> str:
    """Where a file lies, in a spelling that can be compared."""
    return os.path.normcase(absolute(file))


def fingerprint(path: Path) -> dict[str, Any]:
    """Name, absolute path and SHA-256 of a file's bytes; of all names and bytes in it, for a folder."""
    total = hashlib.sha256()
    parts = [path] if not path.is_dir() else sorted(part for part in path.rglob("*") if part.is_file())
    for part in parts:
        if part is not path:
            total.update(str(part.relative_to(path)).encode("utf-8", "surrogateescape") + b"\0")
        if not part.is_file():
            raise StackError(
                f"{part}: there is no such file." if not part.exists() else f"{part}: not a file."
            )
        with part.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return {"name": str(path), "path": absolute(path), "sha256": total.hexdigest()}


def source_of(provenance: dict[str, Any]) -> Source | None:
    """The file of a table of many; None for a table that was made otherwise."""
    file = provenance.get("file")
    if "job" not in provenance or not isinstance(file, dict):
        return None
    name, path = str(file.get("name", "")), str(file.get("path") or file.get("name", ""))
    return Source(name, place_of(path) if path else "", str(file.get("sha256", "")))


def sources_in(folder: Path) -> dict[str, Source]:
    """Names of the tables and failures in a folder, short ones first, and the files that they tell of."""
    found: dict[str, Source] = {}
    for path in folder.glob(f"*{FAILED}"):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            name, place = str(told["file"]), str(told.get("path") or told["file"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found[path.name.removesuffix(FAILED)] = Source(name, place_of(place), failed=True)
    for path in folder.glob("*.csv"):
        made = source_of(read_provenance(path))
        if made is not None and path.stem not in RESERVED:
            found[path.stem] = made
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def result_names(files: Sequence[Path], folder: Path | None = None) -> list[str]:
    """A name for each file's results, in whatever order the files stand.

    Parameters
    ----------
    files : sequence of pathlib.Path
    folder : pathlib.Path, optional
        Where results may be already: a file keeps the name of its own.

    Returns
    -------
    list of str
        What is new takes its stem, then its whole name, then a number, the first that nothing else has.
    """
    known = {} if folder is None else sources_in(folder)
    given = {place_of(file): file for file in files}
    names: dict[str, str] = {}
    for name, source in known.items():
        if source.place in given:
            names.setdefault(source.place, name)
    taken = {name.casefold() for name in (*RESERVED, *names.values())}
    others = {name.casefold(): source for name, source in known.items() if name not in names.values()}
    for place in sorted(set(given) - set(names)):  # two processes with the same files agree
        for name in _candidates(given[place]):
            key = name.casefold()
            if key not in taken and (key not in others or others[key].gives_way_to(given[place])):
                names[place] = name
                taken.add(key)
                break
    return [names[place_of(file)] for file in files]


def _candidates(file: Path) -> Iterator[str]:
    whole = Path(absolute(file))
    yield whole.stem
    name = whole.name.replace(".", "-")
    yield name
    for number in count(2):
        yield f"{name}-{number}"
