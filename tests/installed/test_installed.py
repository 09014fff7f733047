"""Tests of the distribution as installed; copied out of the source tree they test a wheel alone."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from importlib.util import find_spec

import pytest

import friedel

DIST = distribution("napari-friedel")


def run(*command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=timeout)


def test_version_is_one() -> None:
    assert friedel.__version__ == DIST.version
    done = run("friedel", "--version")
    assert done.returncode == 0
    assert done.stdout.strip() == f"friedel {DIST.version}"


def test_the_metadata_name_the_licence_and_no_qt_binding_in_the_base() -> None:
    meta = DIST.metadata
    assert meta["License-Expression"] == "BSD-3-Clause"
    assert "Framework :: napari" in meta.get_all("Classifier", [])
    base = [line for line in meta.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0].split("=")[0].strip().lower() for line in base}
    assert "torch" in names
    # A Qt binding is the user's choice: napari[all] in the extra `all` brings one.
    assert not names & {"pyqt5", "pyqt6", "pyside2", "pyside6", "napari"}


def test_entry_points() -> None:
    scripts = {point.name: point for point in entry_points(group="console_scripts")}
    assert scripts["friedel"].load() is not None
    assert find_spec(scripts["napari-friedel"].module) is not None
    manifests = {point.name: point.value for point in entry_points(group="napari.manifest")}
    assert manifests["napari-friedel"] == "napari_friedel:napari.yaml"


def test_data_files_are_inside() -> None:
    assert files("napari_friedel").joinpath("napari.yaml").is_file()
    assert files("napari_friedel").joinpath("py.typed").is_file()
    assert files("friedel").joinpath("py.typed").is_file()
    weights = list(files("friedel").joinpath("models", "weights").iterdir())
    sizes = {entry.name: len(entry.read_bytes()) for entry in weights if entry.name.endswith(".safetensors")}
    assert {"friedel.safetensors", "paper.safetensors"} <= set(sizes)
    assert all(10_000 < size < 20_000_000 for size in sizes.values()), sizes


def test_bundled_models_load() -> None:
    names = {info.name for info in friedel.list_models()}
    assert {"friedel", "paper"} <= names
    for name in ("friedel", "paper"):
        model = friedel.load_model(name, device="cpu")
        assert len(model.sha256) == 64
        low, high = model.k_range
        assert 0 < low < high


def test_manifest_is_valid() -> None:
    pytest.importorskip("npe2")
    done = run("npe2", "validate", "napari-friedel")
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifest_names_modules_that_exist() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_distribution("napari-friedel")
    commands = manifest.contributions.commands
    assert commands
    for command in commands:
        module = command.python_name.split(":")[0]
        assert find_spec(module) is not None, command.id
    assert manifest.contributions.sample_data
    assert manifest.contributions.readers
    assert manifest.contributions.widgets


def test_the_main_job_runs_without_a_viewer(tmp_path) -> None:
    done = run("friedel", "demo", "-o", str(tmp_path / "demo"), timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    suffixes = {path.suffix for path in tmp_path.rglob("*")}
    assert {".csv", ".png"} <= suffixes
