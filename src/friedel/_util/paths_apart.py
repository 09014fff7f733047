"""Paths told apart in words: of each as much as is needed."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def told_apart(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The name of each file, after as many of its folders as tell it from the other paths.

    Examples
    --------
    >>> told_apart(["a/x.nc", "b/x.nc", "b/y.nc"])                                  # doctest: +SKIP
    ['a/x.nc', 'b/x.nc', 'y.nc']
    """
    parts = [PurePath(path).parts for path in paths]
    shared = Counter(own[-count:] for own in set(parts) for count in range(1, len(own) + 1))
    found = []
    for path, own in zip(paths, parts, strict=True):
        lone = [count for count in range(1, len(own)) if shared[own[-count:]] == 1]
        found.append(str(PurePath(*own[-lone[0] :])) if lone else str(path))
    return found
