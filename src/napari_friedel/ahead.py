"""What takes long at its first use, loaded in a thread once a dock stands in a window."""

from __future__ import annotations

import contextlib
import threading
from importlib import import_module

from napari_friedel.turns import lock_at_once

#: For the first file, the first detection and the first plot that is exported.
MODULES = (
    "friedel.io.netcdf",
    "friedel.pipeline",
    "friedel.refit.driver",
    "friedel.reference.registration",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_agg",
)
_loading: list[threading.Thread] = []


def load_ahead() -> None:
    """Load it beside the event loop; a second call does nothing.

    matplotlib takes most of a second, the compiled triangulation of napari's first polygon more than one: the window
    would stand still as long.
    """
    if _loading:
        return
    # No daemon: the interpreter waits at its end for what is half loaded.
    _loading.append(threading.Thread(target=_load, name="loading ahead"))
    _loading[0].start()


def loaded() -> bool:
    """Whether all of it is loaded."""
    return bool(_loading) and not _loading[0].is_alive()


def _load() -> None:
    with lock_at_once(), contextlib.suppress(Exception):  # the first use tells what is wrong
        for name in MODULES:
            import_module(name)
        from napari.layers import Shapes

        Shapes([[[0, 0], [0, 2], [1, 1], [2, 2], [2, 0]]], shape_type="polygon")
