"""`pytest -m "not slow and not gui"` works without a screen: what starts Qt is marked by the fixtures it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.fixture
def through(qtbot):
    return qtbot

def test_direct(qtbot): ...
def test_through_another(through): ...
def test_plain(): ...
"""


def test_tests_that_start_qt_are_marked_gui_by_their_fixtures(tmp_path: Path, repository: Path) -> None:
    pytest.importorskip("pytestqt")
    conftest = (repository / "tests" / "conftest.py").read_text(encoding="utf-8")
    shared = 'pytest_plugins = ["single_scattering", "small_sample"]'  # fields and models, which load torch
    assert shared in conftest
    (tmp_path / "conftest.py").write_text(conftest.replace(shared, ""), encoding="utf-8")
    (tmp_path / "test_made_up.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    gui: screen\n    slow: slow\n")
    bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    bare.pop("QT_QPA_PLATFORM", None)
    bare["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    bare.pop("PYTEST_ADDOPTS", None)  # it may name options of plugins

    def run(*more: str) -> str:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "pytestqt.plugin",
            *more,
        ]
        done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "1 passed, 2 deselected" in run("-m", "not gui")
    if sys.platform == "linux":
        assert "1 passed, 2 skipped" in run()
