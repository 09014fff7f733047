"""Closing a dock leaves nothing behind that napari would still call."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import build_detections

from napari_friedel.layers import results, showing

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    "place",
    [
        "detect:DetectDock",
        "import_stack:ImportDock",
        "compare:ReferenceDock",
        "inspect:InspectDock",
    ],
)
def test_a_closed_dock_is_called_no_more(shown, stack, qtbot, place) -> None:
    from importlib import import_module

    module, name = place.split(":")
    dock = getattr(import_module(f"napari_friedel.docks.{module}"), name)(shown)
    dock.show()
    with qtbot.waitSignal(dock.destroyed, timeout=3000):
        dock.deleteLater()
    # The Python half is still referenced here, its Qt half is gone.
    shown.dims.set_point(0, 20.0)
    shown.cursor.position = (0.0, -7.0, 12.0)
    layer = shown.add_image(np.zeros((3, 3)))
    shown.layers.remove(layer)
    points = showing.show(shown, shown.layers[-1], build_detections(stack))
    results.set_threshold(points, 0.2)
    assert dock is not None
