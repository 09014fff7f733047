"""The folder dock: many files with the settings of the Detect dock, damaged ones among them."""

from __future__ import annotations

import time

import pandas as pd
import pytest
from made_up import build_detections

import friedel
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
    detect.options.set("method", "matched-field")
    return detect, open_dock(FolderDock, model)


def run(folder_dock, qtbot) -> None:
    folder_dock.bar.start.click()
    qtbot.waitUntil(lambda: not folder_dock.job.busy, timeout=60000)


def made_up(monkeypatch, work) -> None:
    """Put a generator before that of the pipeline."""
    from friedel import pipeline

    real = pipeline.iter_detect_with

    def iter_detect_with(stack, settings, **options):
        yield from work(stack, settings)
        return (yield from real(stack, settings, **options))

    monkeypatch.setattr(pipeline, "iter_detect_with", iter_detect_with)


def test_files_are_prepared_as_the_detect_dock_says(docks, grids, monkeypatch, qtbot) -> None:
    called = []

    def work(stack, settings):
        yield Progress(0.5, "searching")
        called.append(settings)

    made_up(monkeypatch, work)
    detect, dock = docks
    detect.prepare.set("high_pass", 3.0)
    dock.open_folder(grids)
    run(dock, qtbot)
    assert [one.prepare.high_pass for one in called] == [3.0, 3.0]
    assert {one.method for one in called} == {"matched-field"}
    assert (grids / "results" / "a.csv").exists() and (grids / "results" / "b.html").exists()
    assert dock.message.level == "info", dock.message.text()
    assert [dock.files.item(i).text() for i in range(2)] == ["✓ a.nc", "✓ b.nc"]


def test_window_and_command_share_a_folder_of_results(docks, grids, qtbot) -> None:
    _, dock = docks
    dock.open_folder(grids)
    run(dock, qtbot)
    settings = dock._settings()
    again = friedel.detect_many(sorted(grids.glob("*.nc")), grids / "results", settings=settings)
    assert [one.status for one in again] == ["up to date", "up to date"]
    run(dock, qtbot)
    lines = dock.summary.text().splitlines()
    assert len(lines) == 2 and all(line.endswith("as before") for line in lines)
    rows = pd.read_csv(grids / "results" / "summary.csv")
    assert rows["status"].tolist() == ["ok", "ok"] and rows["checks"].notna().all()
    assert dock.show_summary.isEnabled()


def test_results_made_otherwise_are_replaced_only_where_that_is_ticked(docks, grids, qtbot) -> None:
    detect, dock = docks
    dock.open_folder(grids)
    run(dock, qtbot)
    detect.prepare.set("clip", 8.0)
    run(dock, qtbot)
    assert dock.message.level == "warning" and "0 of 2" in dock.message.text()
    assert "choose another folder" in dock.summary.toolTip()
    dock.overwrite.setChecked(True)
    run(dock, qtbot)
    assert dock.message.level == "info"
    made = friedel.read_points(grids / "results" / "a.csv").attrs["provenance"]
    assert made["settings"]["prepare"]["clip"] == 8.0


@pytest.mark.slow
def test_several_processes_give_what_one_gives(docks, grids, tmp_path, qtbot) -> None:
    _, dock = docks
    dock.open_folder(grids)
    run(dock, qtbot)
    dock.put_results_in(tmp_path / "two")
    dock.processes.setRange(1, 2)
    dock.processes.setValue(2)
    run(dock, qtbot)
    assert dock.message.level == "info", dock.message.text()
    for name in ("a.csv", "b.csv"):
        one, two = (friedel.read_points(folder / name) for folder in (grids / "results", tmp_path / "two"))
        pd.testing.assert_frame_equal(one, two)


def test_a_cancelled_run_keeps_what_is_done(docks, grids, monkeypatch, qtbot) -> None:
    begun = []

    def work(stack, _settings):
        begun.append(stack)
        for _ in range(2000 if len(begun) == 2 else 1):
            yield Progress(0.5, "searching")
            time.sleep(0.01)

    made_up(monkeypatch, work)
    _, dock = docks
    dock.open_folder(grids)
    dock.bar.start.click()
    qtbot.waitUntil(lambda: len(begun) == 2, timeout=60000)
    dock.job.cancel()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=60000)
    assert (grids / "results" / "a.csv").exists() and not (grids / "results" / "b.csv").exists()
    assert len(pd.read_csv(grids / "results" / "summary.csv")) == 1
    assert not list((grids / "results").glob(".*")), "the claim is given back"


@pytest.mark.slow
def test_cancel_ends_the_processes_and_the_next_run_takes_over(docks, grids, stack, qtbot) -> None:
    import multiprocessing

    _, dock = docks
    dock.open_folder(grids)
    dock.processes.setRange(1, 2)
    dock.processes.setValue(2)
    dock.bar.start.click()
    qtbot.waitUntil(lambda: len(list((grids / "results").glob(".*.claim"))) > 0, timeout=60000)
    dock.job.cancel()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=60000)
    qtbot.waitUntil(lambda: not multiprocessing.active_children(), timeout=20000)
    run(dock, qtbot)
    assert dock.message.level == "info", dock.summary.toolTip()
    assert pd.read_csv(grids / "results" / "summary.csv")["status"].tolist() == ["ok", "ok"]


def test_an_error_of_any_kind_leaves_the_other_files_alone(docks, grids, monkeypatch, qtbot) -> None:
    seen = []

    def work(stack, _settings):
        yield Progress(0.5, "searching")
        seen.append(stack)
        if len(seen) == 1:
            raise KeyError("a column that is not there")

    made_up(monkeypatch, work)
    _, dock = docks
    dock.open_folder(grids)
    run(dock, qtbot)
    table = pd.read_csv(grids / "results" / "summary.csv")
    assert table["status"].str.startswith("failed").tolist() == [True, False]
    assert "not there" in table["status"][0] and "not there" in dock.summary.text()
    assert "1 of 2" in dock.message.text() and dock.message.level == "warning"


def test_the_summary_lies_with_its_results_when_another_folder_is_listed(
    docks, grids, stack, qtbot, tmp_path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(stack, other / "c.nc")
    _, dock = docks
    dock.open_folder(grids)
    dock.bar.start.click()
    dock.open_folder(other)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=60000)
    assert (grids / "results" / "summary.csv").exists() and not (other / "results").exists()


def test_a_damaged_grid_of_the_folder_is_listed_and_fails_with_its_reason(docks, grids, qtbot) -> None:
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
    assert "cut.3ds: " in dock.summary.text().splitlines()[2]
    assert "2 of 3 files done" in dock.message.text() and dock.message.level == "warning"


def test_a_table_of_an_earlier_version_beside_its_file_is_found(docks, grids, stack) -> None:
    _, dock = docks
    friedel.write_points(build_detections(stack), grids / "a-points.csv")
    dock.open_folder(grids)
    assert [dock.files.item(i).text() for i in range(2)] == ["✓ a.nc", "   b.nc"]
    assert dock._tables() == {grids / "a.nc": grids / "a-points.csv"}


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
