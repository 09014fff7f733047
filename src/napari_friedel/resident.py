"""What stays till the end of the program, which the search for garbage need not look through."""

from __future__ import annotations

import gc
from typing import Any

from napari_friedel import ahead
from napari_friedel.endings import is_closed

#: How often it is asked whether the moment has come [ms].
INTERVAL_MS = 1000


def let_stay(viewer: Any) -> None:
    """Spare what is loaded now, and once more when all is loaded, from the search for garbage.

    napari collects garbage whenever a layer goes. With torch and Qt these are half a million objects, and a hundred
    thousand more once all is loaded: their examination would hold the window up for most of a second. Layers are never
    spared, so that the memory of one that is removed comes back: the second time waits for a window without any.
    For the program that we start only: in another's process it is not ours to say what stays.
    """
    from qtpy.QtCore import QTimer

    gc.freeze()

    def ask() -> None:
        if is_closed(viewer):
            return
        if viewer.layers or not ahead.loaded():
            QTimer.singleShot(INTERVAL_MS, ask)
            return
        gc.collect()  # what was garbage by now would stay, too
        gc.freeze()

    QTimer.singleShot(INTERVAL_MS, ask)
