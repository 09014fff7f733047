"""In a real napari window: drop a real grid, press the button, read the points; samples, writers, launcher."""

from __future__ import annotations

import json

import numpy as np
import pytest

from friedel.io.points import read_points
from friedel.stack import true_positions
from napari_friedel.layers import info_of, kind_of, showing
from napari_friedel.layers.versions import camera, fit_to_view, text_overlay

pytestmark = pytest.mark.gui

PLUGIN = "napari-friedel"


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


def _dock(viewer, name):
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


def test_drop_a_real_grid_click_and_read_the_points(viewer, qtbot, shared_data, tmp_path) -> None:
    path = shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
    # What a drop does: napari asks the readers, ours alone claims the file, so that no dialog opens.
    viewer.window._qt_viewer._qt_open([str(path)], stack=False, plugin=None)
    assert [kind_of(layer) for layer in viewer.layers] == ["topograph", "stack"]
    assert "mV" in text_overlay(viewer).text
    assert [str(axis) for axis in camera(viewer).orientation2d] == ["up", "right"]
    dock = _dock(viewer, "Detect")
    dock.band.choose("au111")
    dock.options.set("method", "matched-field")
    dock.area.choose(_small_area(viewer, dock))
    dock.bar.start.click()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=120000)
    assert dock.message.level != "error", dock.message.text()
    points = dock.result.layer
    assert kind_of(points) == "impurities" and {"probability", "x_nm", "tip_x_nm"} <= set(points.features)
    assert info_of(points).found.provenance["channel"] == "LockinX"
    row, column = 15.0, 13.0
    points.add([[row, column]])
    assert np.allclose(
        points.data_to_world((row, column)), dock.stack.layer().data_to_world((0, row, column))[1:]
    )
    out = tmp_path / "atoms.json"
    assert points.save(str(out), plugin=PLUGIN) == [str(out)]
    table = read_points(out)
    assert len(table) == int(dock.result.number.text().split()[0])
    assert {"row", "column", "x_nm", "tip_y_nm", "origin"} <= set(table)
    assert json.loads(out.read_text())


def test_hidden_candidates_are_not_drawn(make_napari_viewer, qtbot) -> None:
    """The mask alone does not hide points on napari's canvas: count coloured pixels."""
    from made_up import build_detections, build_stack

    from napari_friedel.layers import add_layer, results, stack_layer

    viewer = make_napari_viewer(show=True)
    stack = build_stack()
    layer = add_layer(viewer, stack_layer(stack))
    points = showing.show(viewer, layer, build_detections(stack))
    points.border_color = "red"
    points.face_color = "red"
    fit_to_view(viewer)
    layer.visible = False
    text_overlay(viewer).visible = False

    def red() -> int:
        picture = viewer.screenshot(canvas_only=True, flash=False).astype(int)
        return int((picture[..., 0] - picture[..., 1] > 150).sum())

    results.set_threshold(points, 0.1)
    points.border_color = "red"
    all_four = red()
    results.set_threshold(points, 0.9)
    points.border_color = "red"
    one = red()
    results.set_threshold(points, 0.99)
    assert all_four > 50 and 0 < one < 0.5 * all_four and red() == 0


def _small_area(viewer, dock):
    dock.draw_area()
    layer = viewer.layers["area"]
    layer.data = [np.array([[0, 0], [0, 24], [24, 24], [24, 0]]) - 0.5]
    return layer


def test_the_slider_tells_the_exact_bias(viewer) -> None:
    from made_up import build_stack

    from napari_friedel.layers import add_layer, stack_layer
    from napari_friedel.layers.viewing import attach

    attach(viewer)
    add_layer(viewer, stack_layer(build_stack()))
    seen = []
    for step in range(5):
        viewer.dims.set_current_step(0, step)
        seen.append(text_overlay(viewer).text.splitlines()[0])
    assert seen == ["-50 mV", "-10 mV", "+20 mV", "+30 mV", "+60 mV"]
    viewer.layers.clear()
    assert text_overlay(viewer).text == ""


def test_the_users_orientation_and_overlay_are_set_only_once(viewer) -> None:
    from made_up import build_stack

    from napari_friedel.layers import add_layer, stack_layer
    from napari_friedel.layers.viewing import attach

    attach(viewer)
    add_layer(viewer, stack_layer(build_stack()))
    camera(viewer).orientation2d = ("down", "right")
    add_layer(viewer, stack_layer(build_stack()))
    assert [str(axis) for axis in camera(viewer).orientation2d] == ["down", "right"]


def test_all_docks_open_close_and_open_again(viewer, qtbot) -> None:
    from made_up import build_stack

    from napari_friedel.__main__ import DOCKS
    from napari_friedel.layers import add_layer, stack_layers

    for layer in stack_layers(build_stack()):
        add_layer(viewer, layer)
    for name in (*DOCKS, *DOCKS):
        dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        qtbot.wait(20)
        assert widget.height() <= 800 and widget.message.level in ("", "info")
        with qtbot.waitSignal(widget.destroyed, timeout=20000):
            viewer.window.remove_dock_widget(dock)
        viewer.dims.set_current_step(0, 2)


def test_a_dropped_file_shows_its_stack_first_and_its_images_below(viewer, qtbot, tmp_path) -> None:
    from made_up import build_stack
    from qtpy.QtCore import QTimer

    from friedel.io.netcdf import write

    write(build_stack(), tmp_path / "grid.nc")
    order: list[str] = []
    viewer.layers.events.inserted.connect(lambda event: order.append(kind_of(event.value)))
    drop = viewer.window._qt_viewer._qt_open
    QTimer.singleShot(0, lambda: drop([str(tmp_path / "grid.nc")], stack=False, plugin=None))
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20000)
    assert order == ["stack", "topograph"]
    assert [kind_of(layer) for layer in viewer.layers] == ["topograph", "stack"]
    assert kind_of(viewer.layers.selection.active) == "stack"


def test_a_hidden_result_may_lose_points(viewer) -> None:
    from dataclasses import replace

    from made_up import build_detections, build_stack

    from napari_friedel.layers import add_layer, results, stack_layer

    stack = build_stack()
    layer = add_layer(viewer, stack_layer(stack))
    detections = build_detections(stack)
    points = showing.show(viewer, layer, detections)
    points.visible = False
    fewer = replace(detections, table=detections.table.iloc[:1])
    showing.show(viewer, layer, fewer)
    assert len(points.data) == 1 and points.visible
    points.visible = False
    results.set_points(points, np.zeros((0, 2)), results.blank(0))
    results.refresh(points)


def test_sliders_that_bear_numbers_are_named_and_names_of_the_user_stand(model) -> None:
    from made_up import build_stack

    from napari_friedel.layers import add_layer, stack_layers
    from napari_friedel.layers.versions import name_sliders

    for layer in stack_layers(build_stack()):
        add_layer(model, layer)
    model.dims.axis_labels = ("0", "1", "2")
    name_sliders(model, ("bias", "y", "x"))
    assert model.dims.axis_labels == ("bias", "y", "x")
    model.dims.axis_labels = ("V", "y", "x")
    name_sliders(model, ("bias", "y", "x"))
    assert model.dims.axis_labels == ("V", "y", "x")


def test_the_save_dialog_offers_our_table_first_and_a_drop_asks_nothing(
    viewer, tmp_path, monkeypatch
) -> None:
    from made_up import build_detections, build_stack
    from napari._qt import qt_viewer
    from napari.plugins._npe2 import file_extensions_string_for_layers

    from napari_friedel.layers import add_layer, results, stack_layer
    from napari_friedel.layers.viewing import attach

    attach(viewer)
    stack = build_stack()
    layer = add_layer(viewer, stack_layer(stack))
    points = showing.show(viewer, layer, build_detections(stack))
    viewer.layers.selection.active = points
    offered, writers = file_extensions_string_for_layers([points])
    assert offered.startswith("napari-friedel Impurities in nm")
    (path,) = viewer.layers.save(str(tmp_path / points.name), selected=True, _writer=writers[0])
    monkeypatch.setattr(qt_viewer, "handle_gui_reading", lambda *_, **__: pytest.fail("napari asks"))
    before = len(results.every(viewer, layer, "impurities"))
    viewer.window._qt_viewer._qt_open([path], stack=False, plugin=None)
    viewer_layers = [kind_of(one) for one in viewer.layers]
    assert "table" in viewer_layers or len(results.every(viewer, layer, "impurities")) > before
    viewer.layers.selection.active = layer
    assert not file_extensions_string_for_layers([layer])[0].startswith("napari-friedel")


def test_a_table_under_a_name_that_napari_does_not_know_says_how_it_is_opened(tmp_path, monkeypatch) -> None:
    from napari.utils import notifications

    from napari_friedel.layers.saving import open_without_asking

    told: list[str] = []
    monkeypatch.setattr(notifications, "show_info", told.append)
    open_without_asking(str(tmp_path / "by-hand.csv"))
    assert "by-hand.csv" in told[0] and "command palette" in told[0]
    open_without_asking(str(tmp_path / "au · impurities.csv"))
    open_without_asking(str(tmp_path / "by-hand.json"))
    assert len(told) == 1


def test_a_map_is_saved_in_nm(viewer, tmp_path) -> None:
    from made_up import build_detections, build_stack

    from friedel.io.maps import read_map
    from napari_friedel.layers import add_layer, results, stack_layer

    stack = build_stack()
    layer = add_layer(viewer, stack_layer(stack))
    showing.show(viewer, layer, build_detections(stack, area=((4, 14), (6, 26))))
    s = results.find(viewer, layer, "s")
    out = tmp_path / "s.nc"
    assert s.save(str(out), plugin=PLUGIN) == [str(out)]
    found = read_map(out)
    assert np.allclose(found.to_numpy(), s.data) and float(found["y"][0]) == pytest.approx(1.6)
    again = viewer.open(str(out), plugin=PLUGIN)[0]
    assert again.data.shape == (10, 20) and np.allclose(again.scale, (0.4, 0.3))


@pytest.mark.slow
def test_the_sample_has_truth_and_reference(viewer) -> None:
    viewer.open_sample(PLUGIN, "au111")
    assert [kind_of(layer) for layer in viewer.layers] == ["topograph", "image", "stack", "truth"]
    stack = info_of(viewer.layers[2]).stack
    assert dict(stack.sizes) == {"bias": 126, "y": 80, "x": 80}
    assert len(viewer.layers[3].data) == len(true_positions(stack)) >= 20


def test_the_launcher_refuses_a_bad_file_in_one_line(tmp_path, capsys) -> None:
    from napari_friedel.__main__ import open_viewer

    bad = tmp_path / "bad.3ds"
    bad.write_bytes(b"nothing")
    assert open_viewer([str(bad)]) is None
    assert capsys.readouterr().err.count("\n") == 1
