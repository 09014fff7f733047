"""File ▸ Open Sample: the window is not dead while a field is simulated."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from made_up import build_stack

from friedel.geometry import know_truth
from napari_friedel.io import samples
from napari_friedel.layers import kind_of

pytestmark = pytest.mark.gui


class Simulation:
    """A simulation that goes on only when the test lets it."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: list[threading.Thread] = []
        self.let_go: list[bool] = []

    def __call__(self, **options):
        self.threads.append(threading.current_thread())
        self.let_go.append(self.go_on.wait(120))
        if options["material"] == "ag111":
            raise ValueError("does not fit")
        return know_truth(build_stack(), np.array([[3.0, 4.0]]))


@pytest.fixture
def simulation(monkeypatch):
    from friedel.physics import simulate as sample

    simulation = Simulation()
    monkeypatch.setattr(sample, "simulate", simulation)
    yield simulation
    simulation.go_on.set()


def _in_the_event_loop(qtbot, call) -> object:
    """What `call` gives or raises when the event loop calls it."""
    from qtpy.QtCore import QTimer

    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:
            outcome.append(error)

    QTimer.singleShot(0, run)
    qtbot.waitUntil(lambda: bool(outcome), timeout=60000)
    return outcome[0]


def test_the_window_draws_while_a_sample_is_made_and_two_clicks_open_it_once(
    qtbot, simulation, make_napari_viewer
) -> None:
    viewer = make_napari_viewer()

    def twice() -> object:
        return viewer.open_sample("napari-friedel", "au111"), viewer.open_sample("napari-friedel", "au111")

    returned = _in_the_event_loop(qtbot, twice)
    assert all(kind_of(layers[0]) == "waiting" for layers in returned), "napari goes on at once"
    qtbot.waitUntil(lambda: bool(simulation.threads), timeout=60000)
    assert not simulation.let_go, "the event loop ran while the simulation did"
    simulation.go_on.set()
    kinds = ["topograph", "stack", "truth"]
    qtbot.waitUntil(lambda: [kind_of(layer) for layer in viewer.layers] == kinds, timeout=60000)
    qtbot.waitUntil(lambda: kind_of(viewer.layers.selection.active) == "stack", timeout=60000)
    assert len(simulation.threads) == 1 and simulation.threads[0] is not threading.main_thread()
    assert simulation.let_go == [True]


def test_an_error_reaches_the_user(qtbot, simulation, make_napari_viewer, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(samples, "show_error", said.append)
    viewer = make_napari_viewer()
    simulation.go_on.set()
    _in_the_event_loop(qtbot, lambda: viewer.open_sample("napari-friedel", "ag111"))
    qtbot.waitUntil(lambda: bool(said), timeout=60000)
    assert "does not fit" in said[0] and not viewer.layers


def test_a_script_just_gets_its_layers(qapp, simulation) -> None:
    simulation.go_on.set()
    assert [kind for _, _, kind in samples.cu111()] == ["image", "image", "points"]
