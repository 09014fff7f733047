"""The folder dock: many files with the settings of the Detect dock, damaged ones among them."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up import build_detections

from friedel.io.netcdf import write
from friedel.progress import Progress
from napari_friedel import functions
from napari_friedel.docks.detect import DetectDock
from napari_friedel.docks.folder import FolderDock


@pytest.fixture
def grids(stack, tmp_path):
    folder = tmp_path / "grids"
    folder.mkdir()
    for name in ("a", "b"):
        write(stack, folder / f"{name}.nc")
    return folder


@pytest.fixture
def docks(model, open_dock, monkeypatch):
    detect = open_dock(DetectDock, model)
    monkeypatch.setattr(functions, "dock_of", lambda _viewer, _name: detect)
    detect.band.choose("au111")
    return detect, open_dock(FolderDock, model)


def run(folder_dock, qtbot) -> None:
    folder_dock.bar.start.click()
    qtbot.waitUntil(lambda: not folder_dock.job.busy, timeout=60000)


def test_files_are_prepared_as_the_detect_dock_says(docks, grids, detector, qtbot) -> None:
    def work(stack, **_options):
        yield Progress(0.5, "searching")
        return build_detections(stack)

    called = detector(work)
    detect, dock = docks
    detect.prepare.set("high_pass", 3.0)
    dock.open_folder(grids)
    run(dock, qtbot)
    assert called["prepare"].high_pass == 3.0
    assert (grids / "a-points.csv").exists() and (grids / "b-points.csv").exists()
    assert dock.message.level == "info", dock.message.text()


def test_an_error_of_any_kind_leaves_the_other_files_alone(docks, grids, detector, qtbot, tmp_path) -> None:
    seen = []

    def work(stack, **_options):
        yield Progress(0.5, "searching")
        seen.append(stack)
        if len(seen) == 1:
            raise KeyError("a column that is not there")
        return build_detections(stack)

    detector(work)
    _, dock = docks
    dock.open_folder(grids)
    run(dock, qtbot)
    table = pd.read_csv(grids / "summary.csv")
    assert table["count"].tolist() == [0, 3]
    assert "not there" in table["problem"][0]
    assert "1 of 2" in dock.message.text() and dock.message.level == "warning"


def test_the_summary_lies_beside_its_files_when_another_folder_is_listed(
    docks, grids, detector, stack, qtbot, tmp_path
) -> None:
    def work(stack, **_options):
        yield Progress(0.5, "searching")
        return build_detections(stack)

    detector(work)
    other = tmp_path / "other"
    other.mkdir()
    write(stack, other / "c.nc")
    _, dock = docks
    dock.open_folder(grids)
    dock.bar.start.click()
    dock.open_folder(other)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=60000)
    assert (grids / "summary.csv").exists() and not (other / "summary.csv").exists()


def test_a_damaged_grid_of_the_folder_is_listed_and_fails_with_its_reason(
    docks, grids, detector, qtbot
) -> None:
    def work(stack, **_options):
        yield Progress(0.5, "searching")
        return build_detections(stack)

    detector(work)
    (grids / "cut.3ds").write_bytes(b"\x00" * 40)
    (grids / "notes.txt").write_text("no grid")
    _, dock = docks
    dock.open_folder(grids)
    assert [dock.files.item(i).text().strip() for i in range(dock.files.count())] == [
        "a.nc",
        "b.nc",
        "cut.3ds",
    ]
    run(dock, qtbot)
    table = pd.read_csv(grids / "summary.csv")
    assert table["problem"].notna().tolist() == [False, False, True] and "cut.3ds" in table["problem"][2]
    assert "2 of 3 files done" in dock.message.text() and dock.message.level == "warning"


@pytest.mark.gui
def test_long_names_are_shortened_in_the_middle_not_pushed_out_of_sight(
    docks, stack, tmp_path, qtbot
) -> None:
    name = "a name of a measured grid that is longer than the list is wide, of the summer of 2026, grid 7"
    write(stack, tmp_path / f"{name}.nc")
    _, dock = docks
    dock.open_folder(tmp_path)
    dock.resize(340, 500)
    dock.show()
    item, port = dock.files.item(0), dock.files.viewport()
    qtbot.waitUntil(lambda: 0 < dock.files.visualItemRect(item).width() <= port.width())
    assert item.toolTip() == f"{name}.nc" and item.text().endswith(f"{name}.nc")
