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
        stack.attrs["truth_row"], stack.attrs["truth_column"] = np.array([3.0]), np.array([4.0])
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
    qtbot.waitUntil(lambda: bool(outcome), timeout=20000)
    timer.stop()
    return outcome[0], max(b - a for a, b in pairwise(ticks))


def test_the_window_draws_while_a_sample_is_made(qtbot, slow) -> None:
    from napari.components import ViewerModel

    layers, gap = _in_the_event_loop(qtbot, samples.au111)
    model = ViewerModel()
    for data, kwargs, kind in layers:
        getattr(model, f"add_{kind}")(data, **kwargs)
    assert [kind_of(layer) for layer in model.layers][-2:] == ["stack", "truth"]
    assert gap < 0.4  # the simulation alone takes 0.6 s


def test_an_error_reaches_napari(qtbot, slow) -> None:
    error, _ = _in_the_event_loop(qtbot, samples.ag111)
    assert isinstance(error, ValueError) and "does not fit" in str(error)


def test_a_script_just_gets_its_layers(qapp, slow) -> None:
    assert [kind for _, _, kind in samples.cu111()] == ["image", "image", "points"]
