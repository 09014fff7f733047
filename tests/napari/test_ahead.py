"""What is loaded before its first use."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.gui


def test_plots_and_polygons_are_loaded_off_the_gui_thread() -> None:
    code = """
import sys
from napari_friedel import ahead

assert not any(name in sys.modules for name in ahead.MODULES)
ahead.load_ahead()
ahead.load_ahead()
assert len(ahead._loading) == 1
ahead._loading[0].join(400)
assert all(name in sys.modules for name in ahead.MODULES)
assert "napari.layers.shapes" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr


def test_layers_are_never_spared_from_the_search_for_garbage(monkeypatch, qtbot) -> None:
    from napari_friedel import ahead, resident

    spared: list[str] = []
    fake = SimpleNamespace(freeze=lambda: spared.append("freeze"), collect=lambda: spared.append("collect"))
    monkeypatch.setattr(resident, "gc", fake)
    monkeypatch.setattr(resident, "INTERVAL_MS", 10)
    monkeypatch.setattr(ahead, "loaded", lambda: loaded)
    loaded, viewer = False, SimpleNamespace(layers=[])
    resident.let_stay(viewer)
    qtbot.wait(60)
    assert spared == ["freeze"], "what loads is waited for"
    loaded, viewer.layers = True, ["a stack"]
    qtbot.wait(60)
    assert spared == ["freeze"], "a layer that is removed gives its memory back"
    viewer.layers = []
    qtbot.waitUntil(lambda: len(spared) > 1)
    qtbot.wait(60)
    assert spared == ["freeze", "collect", "freeze"], "and no more"
