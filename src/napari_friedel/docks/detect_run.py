"""The work of the detect dock, off the GUI thread: what is searched, and the detection itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import FriedelError
from friedel.progress import Progress
from napari_friedel.jobs import loading_torch
from napari_friedel.layers.areas import excluded_pixels, without

if TYPE_CHECKING:
    from collections.abc import Generator


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


def detection(
    stack: Any, options: dict[str, Any], by_hand: np.ndarray | None = None
) -> Generator[Progress, None, Any]:
    """The work of a detection; loads torch where it is needed, in the thread that calls it.

    Points made `by_hand`, (n, 2) [px], are fitted with the impurities, if there is a refit.
    """
    yield Progress(0.0, "loading the detector")
    if options.get("method") == "network" and _needs_torch(options):
        yield from loading_torch()
    from friedel.pipeline import iter_detect

    found = yield from iter_detect(stack, **options)
    if found.waves is None or by_hand is None or not len(by_hand):
        return found
    from friedel.given_points import refit_with

    yield Progress(0.95, "fitting the points made by hand")
    return refit_with(found, inside(by_hand, found.area), refit=str(found.provenance["refit"]["kind"]))


def _needs_torch(options: dict[str, Any]) -> bool:
    """Whether the network of a detection runs with torch; a model that cannot be read is told by the detector."""
    from friedel.models.runtime import needs_torch

    try:
        return needs_torch(options.get("model", "friedel"), options.get("device", "auto"))
    except FriedelError:
        return False


def inside(points: np.ndarray, area: Any) -> np.ndarray:
    """The points within an area."""
    low, high = (np.array([axis[i] for axis in area]) - 0.5 for i in (0, 1))
    return np.asarray(points[((points >= low) & (points < high)).all(axis=1)])
