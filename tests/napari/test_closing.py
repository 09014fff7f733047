"""Closing a dock leaves nothing behind that napari would still call."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from made_up import build_detections
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_friedel.endings import is_closed
from napari_friedel.layers import results, showing
from napari_friedel.layers.resting import resting
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


def test_a_window_that_qt_has_deleted_is_closed(model, qtbot) -> None:
    # A second real viewer, closed by its frame, would leave napari's own list of windows in disorder.
    window = QMainWindow()
    viewer = SimpleNamespace(window=SimpleNamespace(_qt_window=window))
    assert not is_closed(viewer)
    with qtbot.waitSignal(window.destroyed, timeout=3000):
        window.deleteLater()
    assert is_closed(viewer)
    assert not is_closed(model) and not is_closed(None), "without a window there is none to close"


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
    viewer.add_image(np.ones((4, 4)))  # before a first one napari 0.6 shows its welcome in the canvas's place
    qtbot.waitUntil(canvas.isValid, timeout=5000)
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(lambda _event: seen.append("drawn"))

    def add() -> None:
        seen.clear()
        viewer.add_image(np.zeros((4, 4)))
        seen.append(resting(canvas))
        QApplication.sendPostedEvents()  # napari's own progress bars do so in the middle of things
        QTimer.singleShot(300, lambda: (seen.append(resting(canvas)), loop.quit()))

    QTimer.singleShot(0, add)
    loop.exec()
    assert seen[0] is True and "drawn" in seen[1:-1] and seen[-1] is False
    viewer.add_image(np.ones((4, 4)))
    assert not resting(canvas), "a script, which has no event loop, would wait in vain"
