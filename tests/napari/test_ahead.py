"""What is loaded before its first use."""

from __future__ import annotations

import subprocess
import sys

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
ahead._loading[0].join(100)
assert all(name in sys.modules for name in ahead.MODULES)
assert "napari.layers.shapes" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
