"""Closing a dock leaves nothing behind that napari would still call."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from made_up import build_detections
from qtpy.QtCore import QEventLoop, QTimer

from napari_friedel.endings import is_closed
from napari_friedel.layers import results, showing
from napari_friedel.layers.versions import canvas_widget
from napari_friedel.layers.viewing import attach
from napari_friedel.turns import in_turns

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


def test_steps_end_with_the_window(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer()
    taken = []

    def steps():
        for number in range(3):
            taken.append(number)
            yield

    loop = QEventLoop()
    QTimer.singleShot(0, lambda: in_turns(steps(), viewer=viewer))
    QTimer.singleShot(0, viewer.close)
    QTimer.singleShot(200, loop.quit)
    loop.exec()
    assert taken == [0]
    assert is_closed(viewer)


def test_a_window_that_qt_has_deleted_is_closed(qtbot) -> None:
    import napari

    viewer = napari.Viewer(show=False)  # the fixture would close it once more
    viewer._instances.discard(viewer)
    assert not is_closed(viewer)
    viewer.window._qt_window.close()
    qtbot.waitUntil(lambda: is_closed(viewer), timeout=3000)


def test_a_sample_that_comes_after_the_window_has_closed_is_not_drawn(
    make_napari_viewer, qtbot, monkeypatch
) -> None:
    from napari_friedel.io import samples

    viewer, go_on, added = make_napari_viewer(), threading.Event(), []
    monkeypatch.setattr(samples, "add_layer", lambda *_: added.append(1))

    def made():
        go_on.wait(10)
        return [samples._placeholder("late")]

    samples._make("late", made)
    viewer.close()
    go_on.set()
    qtbot.waitUntil(lambda: "late" not in samples._making, timeout=10_000)
    qtbot.wait(100)
    assert added == []


def test_a_new_layer_is_drawn_in_the_turn_after(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    attach(viewer)
    canvas, seen, loop = canvas_widget(viewer), [], QEventLoop()

    def add() -> None:
        viewer.add_image(np.zeros((4, 4)))
        seen.append(canvas.updatesEnabled())
        QTimer.singleShot(300, lambda: (seen.append(canvas.updatesEnabled()), loop.quit()))

    QTimer.singleShot(0, add)
    loop.exec()
    assert seen == [False, True]
    viewer.add_image(np.ones((4, 4)))
    assert canvas.updatesEnabled(), "a script, which has no event loop, would wait in vain"
