"""File ▸ Open Sample: the window is not dead while a field is simulated."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from made_up import build_stack

from napari_friedel.io import samples
from napari_friedel.layers import kind_of

pytestmark = pytest.mark.gui


@pytest.fixture
def slow(monkeypatch):
    import numpy as np

    from friedel.physics import simulate as sample

    def simulate(**options):
        time.sleep(0.6)
        if options["material"] == "ag111":
            raise ValueError("does not fit")
        stack = build_stack()
        from friedel.geometry import know_truth

        stack = know_truth(stack, np.array([[3.0, 4.0]]))
        return stack

    monkeypatch.setattr(sample, "simulate", simulate)


def _in_the_event_loop(qtbot, call) -> tuple[object, float]:
    """What `call` gives or raises when the event loop calls it, and the longest time between two ticks [s]."""
    from qtpy.QtCore import QTimer

    outcome: list[object] = []
    ticks: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:
            outcome.append(error)

    timer.start(10)
    QTimer.singleShot(50, run)
    qtbot.waitUntil(lambda: bool(outcome) and len(ticks) > 1, timeout=20000)
    timer.stop()
    return outcome[0], max(b - a for a, b in pairwise(ticks))


def test_the_window_draws_while_a_sample_is_made_and_two_clicks_open_it_once(
    qtbot, slow, make_napari_viewer
) -> None:
    viewer = make_napari_viewer()

    def twice() -> object:
        return viewer.open_sample("napari-friedel", "au111"), viewer.open_sample("napari-friedel", "au111")

    returned, _ = _in_the_event_loop(qtbot, twice)
    assert all(kind_of(layers[0]) == "waiting" for layers in returned), "napari goes on at once"
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=20000)
    qtbot.wait(300)
    assert [kind_of(layer) for layer in viewer.layers] == ["topograph", "stack", "truth"]
    assert kind_of(viewer.layers.selection.active) == "stack"


def test_an_error_reaches_the_user(qtbot, slow, make_napari_viewer, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(samples, "show_error", said.append)
    viewer = make_napari_viewer()
    _in_the_event_loop(qtbot, lambda: viewer.open_sample("napari-friedel", "ag111"))
    qtbot.waitUntil(lambda: bool(said), timeout=20000)
    assert "does not fit" in said[0] and not viewer.layers


def test_a_script_just_gets_its_layers(qapp, slow) -> None:
    assert [kind for _, _, kind in samples.cu111()] == ["image", "image", "points"]
