"""A napari that cannot work is named in one sentence; overlays and camera are found where each version has them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import qtpy

import napari
from napari_friedel import __main__ as launcher
from napari_friedel.layers import versions


@pytest.mark.parametrize("version", ["0.4.19.post1", "0.5.6", "0.6", "0.6.5", "0.6.5rc1"])
def test_an_older_napari_is_named_with_what_to_do(version, monkeypatch) -> None:
    monkeypatch.setattr(napari, "__version__", version)
    with pytest.raises(
        versions.OldNapariError, match=rf"needs napari 0\.6\.6 or later, and this is napari {version}\."
    ):
        versions.check_napari()


@pytest.mark.parametrize("version", ["0.6.6", "0.7.0", "0.10.0a1.dev3+g12", "1.0", "not a version"])
def test_newer_and_unreadable_versions_pass(version, monkeypatch) -> None:
    monkeypatch.setattr(napari, "__version__", version)
    versions.check_napari()


def test_a_binding_that_aborts_the_process_is_named(monkeypatch) -> None:
    monkeypatch.setattr(qtpy, "PYSIDE6", True)
    monkeypatch.setattr(qtpy, "PYSIDE_VERSION", "6.12.0")
    monkeypatch.setattr(versions.sys, "version_info", (3, 11, 9))
    with pytest.raises(versions.BrokenBindingError, match=r"PySide6 6\.12\.0 does not work"):
        versions.check_napari()
    monkeypatch.setattr(versions.sys, "version_info", (3, 12, 0))
    versions.check_napari()
    monkeypatch.setattr(versions.sys, "version_info", (3, 11, 9))
    monkeypatch.setattr(qtpy, "PYSIDE_VERSION", "6.11.3")
    versions.check_napari()


def test_no_window_opens_with_an_older_napari(monkeypatch, capsys) -> None:
    monkeypatch.setattr(napari, "__version__", "0.6.5")
    assert launcher.main([]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "this is napari 0.6.5" in said[0]


def test_parts_are_found_in_both_places() -> None:
    old = SimpleNamespace(text_overlay="t", scale_bar="s", camera="c")
    new = SimpleNamespace(
        canvas=SimpleNamespace(overlays=SimpleNamespace(text="t", scale_bar="s")),
        scene=SimpleNamespace(camera="c"),
    )
    for viewer in (old, new):
        found = versions.text_overlay(viewer), versions.scale_bar(viewer), versions.camera(viewer)
        assert found == ("t", "s", "c")
