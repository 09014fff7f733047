"""What loads what: `import friedel` and reading a manifest must stay light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "napari", "qtpy", "matplotlib", "skimage", "pandas"]


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_friedel_loads_nothing_heavy() -> None:
    assert not _loaded_by("import friedel; friedel.__version__; dir(friedel)").intersection([*HEAVY, "numpy"])


def test_import_plugin_loads_no_torch_and_no_viewer() -> None:
    assert not _loaded_by("import napari_friedel").intersection(["torch", "napari", "qtpy", "pandas"])


def test_help_of_the_command_line_loads_no_torch() -> None:
    statement = (
        "from friedel.cli import main\ntry: main(['--help'])\nexcept SystemExit as end: assert end.code == 0"
    )
    assert not _loaded_by(statement).intersection(["torch", "napari", "matplotlib"])


def test_the_reader_decides_without_torch_or_qt(shared_data) -> None:
    path = shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
    pytest.importorskip("napari_friedel.io.reader")
    statement = (
        f"from napari_friedel.io.reader import get_reader; assert get_reader({str(path)!r}) is not None"
    )
    assert not _loaded_by(statement).intersection(["torch", "qtpy", "matplotlib"])


def test_the_data_model_opens_without_torch() -> None:
    assert "torch" not in _loaded_by("import friedel.stack, friedel.detections, friedel.physics.dispersion")


def test_import_time_budget() -> None:
    """`import friedel` costs next to nothing (a generous bound: busy machines stall)."""
    code = "import time; t = time.perf_counter(); import friedel; print(time.perf_counter() - t)"
    best = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert best < 0.5
