"""The work of the detect dock, off the GUI thread: what is searched, and the detection itself."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from friedel.errors import FriedelError
from friedel.progress import Progress
from napari_friedel.jobs import loading_torch
from napari_friedel.layers.areas import excluded_pixels, without


def searched(stack: Any, excluded: Any) -> Any:
    """The stack without the pixels that a layer of shapes or labels covers; None covers nothing.

    Raises
    ------
    FriedelError
        If nothing is left.
    """
    if excluded is None:
        return stack
    mask = excluded_pixels(excluded, stack)
    if mask.all():
        raise FriedelError(f"{excluded.name!r} covers the whole map; nothing is left to search.")
    return without(stack, mask)


def detection(stack: Any, options: dict[str, Any]) -> Generator[Progress, None, Any]:
    """The work of a detection; loads torch where it is needed, in the thread that calls it."""
    if options.get("method") == "network":
        yield from loading_torch()
    yield Progress(0.0, "loading the detector")
    from friedel.pipeline import iter_detect

    return (yield from iter_detect(stack, **options))
