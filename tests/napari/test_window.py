"""What the window promises: the wheel, undo, adoption, sessions, several results, forms, layers that move together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up import build_detections, build_stack

from friedel.errors import SettingsError, StackError
from friedel.progress import drain
from friedel.settings import DetectSettings, FineTuneSettings, ImportSettings, PrepareSettings, settings_of
from napari_friedel.layers import (
    add_layer,
    areas,
    edits,
    info_of,
    kind_of,
    linking,
    navigate,
    reference,
    results,
    showing,
    stack_layer,
)
from napari_friedel.layers.adopt import adopt
from napari_friedel.layers.bias_text import bias_text
from napari_friedel.layers.info import StackInfo
from napari_friedel.layers.plain import parse_bias, plain_stack
from napari_friedel.layers.versions import camera
from napari_friedel.layers.viewing import attach

pytestmark = pytest.mark.gui


@pytest.fixture
def points(shown, stack):
    return showing.show(shown, shown.layers[-1], build_detections(stack))


# --- corrections --------------------------------------------------------------------------------------------------


def test_undo_and_redo_take_edits_back_and_forth(points) -> None:
    edits.reject(points, [0])
    edits.accept(points, [2])
    assert results.summary(points).count == 3 and info_of(points).removed == ((3.2, 4.1),)
    assert edits.undo(points) and edits.undo(points) and not edits.undo(points)
    assert results.summary(points).count == 3 and info_of(points).removed == ()
    assert edits.redo(points) and info_of(points).removed == ((3.2, 4.1),)


def test_an_accepted_candidate_counts_whatever_the_threshold(points) -> None:
    edits.accept(points, [3])
    results.set_threshold(points, 0.99)
    assert results.impurity_positions(points).tolist() == [[20.0, 25.0]]
    assert results.table_of(points)["probability"].tolist() == [0.2], "its probability is kept"


def test_rejected_candidates_have_a_layer_of_their_own(shown, points) -> None:
    attach(shown)
    edits.reject(points, [0, 1])
    crosses = results.find(shown, shown.layers[1], "rejected")
    assert crosses.data.tolist() == [[3.2, 4.1], [10.0, 20.5]]
    edits.undo(points)
    assert len(crosses.data) == 0


def test_keys_walk_by_probability_and_centre_the_camera(shown, points) -> None:
    first = navigate.step(shown, points, 1)
    assert first == 0 and points.selected_data == {0}
    world = points.data_to_world(points.data[0])
    assert np.allclose(camera(shown).center[-2:], world)
    assert navigate.step(shown, points, 1) == 1 and navigate.step(shown, points, -1) == 0


def test_all_named_keys_are_bound(shown, points) -> None:
    navigate.bind(shown, points)
    assert len(points.keymap) == len(navigate.KEYS)


# --- results ------------------------------------------------------------------------------------------------------


def test_another_model_does_not_replace_the_first_result(shown, stack, points) -> None:
    second = showing.show(shown, shown.layers[1], build_detections(stack, [(1.0, 2.0)], [0.7], model="mine"))
    assert second is not points and len(points.data) == 4 and not points.visible
    assert results.find(shown, shown.layers[1], "impurities") is second
    results.make_current(shown, shown.layers[1], points)
    assert results.find(shown, shown.layers[1], "impurities") is points and not second.visible


def test_columns_of_the_table_become_features_whatever_they_are(shown, stack) -> None:
    found = build_detections(stack)
    found.table["amplitude"] = [1.0, 2.0, 3.0, 4.0]
    found.table["flags"] = ["", "edge", "", ""]
    layer = showing.show(shown, shown.layers[-1], found)
    layer.add([[12.0, 13.0]])
    assert layer.features["amplitude"].tolist()[:4] == [1.0, 2.0, 3.0, 4.0]
    assert np.isnan(layer.features["amplitude"].iloc[-1]) and layer.features["flags"].iloc[1] == "edge"


def test_a_duplicate_has_results_of_its_own(shown, stack, points) -> None:
    copy = add_layer(shown, shown.layers[1].as_layer_data_tuple())
    second = showing.show(shown, copy, build_detections(stack, [(1.0, 2.0)], [0.7]))
    assert second is not points and len(points.data) == 4


def test_points_of_any_kind_can_be_adopted(shown, stack) -> None:
    loose = shown.add_points([[3.0, 4.0], [10.0, 20.0], [500.0, 1.0]], name="napari csv")
    made = adopt(shown, shown.layers[1], loose)
    assert loose not in shown.layers and results.summary(made).count == 2, "what lies outside is left out"
    tip = made.features[["tip_y_nm", "tip_x_nm"]].to_numpy()
    assert np.allclose([made.data_to_world(p) for p in made.data], tip)
    edits.reject(made, [0])
    assert len(results.table_of(made)) == 1
    with pytest.raises(StackError, match="another field"):
        adopt(shown, shown.layers[1], shown.add_points([[900.0, 900.0]]))


def test_a_saved_result_without_an_impurity_comes_back_as_one(shown, stack, tmp_path) -> None:
    from napari.layers import Layer

    from napari_friedel.io.tables import table_layer

    stack_shown = shown.layers[-1]
    build_detections(stack, np.zeros((0, 2)), []).to_csv(tmp_path / "none.csv")
    made = adopt(shown, stack_shown, Layer.create(*table_layer(tmp_path / "none.csv", stack)))
    assert results.summary(made).count == 0
    assert results.find(shown, stack_shown, "impurities") is made
    with pytest.raises(StackError):
        adopt(shown, stack_shown, shown.add_points(np.zeros((0, 2))))


def test_the_result_box_empties_with_its_layer(shown, stack, open_dock) -> None:
    from napari_friedel.docks.detect import DetectDock

    dock = open_dock(DetectDock, shown)
    layer = showing.show(shown, dock.stack.layer(), build_detections(stack))
    assert dock.result.number.text() == "3 impurities"
    shown.layers.remove(layer)
    assert dock.result.number.text() == "–" and dock.result.layer is None


def test_a_classical_method_shows_a_significance(shown, stack, open_dock) -> None:
    from dataclasses import replace

    from napari_friedel.docks.detect import DetectDock

    dock = open_dock(DetectDock, shown)
    found = build_detections(stack)
    showing.show(shown, dock.stack.layer(), found)
    assert dock.result.above.text() == "Probability ≥"
    table = found.table.assign(significance=found.table["probability"])
    told = {**found.provenance, "method": "omp"}
    showing.show(shown, dock.stack.layer(), replace(found, table=table, provenance=told))
    assert dock.result.above.text() == "Significance ≥" and "Significance" in dock.result.colour.itemText(0)


def test_a_session_brings_everything_back(shown, stack, points, tmp_path) -> None:
    from napari.components import ViewerModel

    from napari_friedel import reopening, session

    edits.reject(points, [0])
    points.add([[12.0, 13.0]])
    results.set_threshold(points, 0.6)
    table = results.table_of(points)
    session.save(shown, tmp_path / "work.friedel.json")
    state = session.read(tmp_path / "work.friedel.json")
    again = ViewerModel()
    opened = drain(reopening.restoring(again, state, session.load_stacks(state, lambda _path: build_stack())))
    assert (opened.stacks, opened.results) == (1, 1)
    back = next(layer for layer in again.layers if kind_of(layer) == "impurities")
    pd.testing.assert_frame_equal(results.table_of(back), table, check_categorical=False)
    assert info_of(back).removed == ((3.2, 4.1),) and info_of(back).threshold == 0.6
    gone = session.load_stacks(state, lambda path: (_ for _ in ()).throw(StackError("gone")))
    assert "gone" in drain(reopening.restoring(ViewerModel(), state, gone)).warnings[0]


def test_a_session_keeps_stacks_that_lie_in_no_file_and_may_be_moved(shown, stack, tmp_path) -> None:
    from napari.components import ViewerModel

    from friedel.io import open_stack
    from friedel.io.netcdf import write
    from napari_friedel import reopening, session
    from napari_friedel.layers import add_layer, stack_layer

    write(build_stack(), tmp_path / "grid.nc")
    add_layer(shown, stack_layer(open_stack(tmp_path / "grid.nc")))
    (tmp_path / "one").mkdir()
    session.save(shown, tmp_path / "one" / "work.friedel.json")
    kept = [path.name for path in (tmp_path / "one" / "work.stacks").iterdir()]
    assert kept == ["1.nc"], "the other one lies in its own file"
    (tmp_path / "one").rename(tmp_path / "two")
    state = session.read(tmp_path / "two" / "work.friedel.json")
    again = ViewerModel()
    opened = drain(reopening.restoring(again, state, session.load_stacks(state, open_stack)))
    assert (opened.stacks, opened.warnings) == (2, [])
    back = [layer for layer in again.layers if kind_of(layer) == "stack"]
    assert np.array_equal(back[0].data, shown.layers[-2].data) and back[0].name == shown.layers[-2].name
    session.save(shown, tmp_path / "small.friedel.json", at_most=10)
    assert not (tmp_path / "small.stacks").exists(), "nothing large is written without being asked"


def test_axes_that_were_changed_come_back_with_a_session(shown, open_dock, tmp_path) -> None:
    from napari.components import ViewerModel

    from friedel.io import open_stack
    from friedel.io.netcdf import write
    from friedel.stack import pixel_pitch
    from napari_friedel import reopening, session
    from napari_friedel.docks.import_stack import ImportDock
    from napari_friedel.layers import add_layer, stack_layer, stack_of

    write(build_stack(), tmp_path / "grid.nc")
    shown.layers.clear()
    layer = add_layer(shown, stack_layer(open_stack(tmp_path / "grid.nc")))
    dock = open_dock(ImportDock, shown)
    dock.pixel.setText("0.8")
    dock.apply.click()
    assert pixel_pitch(stack_of(layer)[0]) == pytest.approx((0.8, 0.8))
    session.save(shown, tmp_path / "work.friedel.json")
    state = session.read(tmp_path / "work.friedel.json")
    again = ViewerModel()
    drain(reopening.restoring(again, state, session.load_stacks(state, open_stack)))
    assert pixel_pitch(stack_of(again.layers[-1])[0]) == pytest.approx((0.8, 0.8))


def test_a_session_brings_settings_into_open_docks(shown, points, open_dock, tmp_path) -> None:
    from napari_friedel import reopening, session
    from napari_friedel.docks.detect import DetectDock

    dock = open_dock(DetectDock, shown)
    dock.prepare.set("high_pass", 0.7)
    dock.options.set("method", "omp")
    session.save(shown, tmp_path / "work.friedel.json")
    dock.prepare.reset()
    dock.prepare.set("clip", 9.0)
    dock.options.set("method", "network")
    state = session.read(tmp_path / "work.friedel.json")
    shown.layers.clear()
    drain(reopening.restoring(shown, state, session.load_stacks(state, lambda _path: build_stack())))
    assert dock.prepare.settings() == PrepareSettings(high_pass=0.7), "and nothing of what was set since"
    assert dock.options.value("method") == "omp" and not dock.model.isEnabled()
    assert dock.result.number.text() == "3 impurities"


def test_what_ctrl_s_offers_first_is_ours_for_a_result_only(shown, points, npe2pm) -> None:
    from npe2 import PluginManager, PluginManifest

    from napari_friedel.layers.saving import prefer_writers

    manager = PluginManager.instance()
    for name in ("napari_builtins", "napari_friedel"):
        file = "builtins.yaml" if name == "napari_builtins" else "napari.yaml"
        manager.register(PluginManifest.from_file(_manifest(name, file)))
    prefer_writers(points)
    assert next(manager.iter_compatible_writers(["points"])).plugin_name == "napari-friedel"
    prefer_writers(shown.layers[-1] if kind_of(shown.layers[-1]) == "stack" else shown.layers[1])
    assert next(manager.iter_compatible_writers(["image"])).plugin_name == "napari"


def _manifest(package: str, file: str):
    from importlib.resources import files

    return str(files(package) / file)


def test_a_table_without_a_suffix_is_a_csv_that_opens_without_a_question(points, tmp_path) -> None:
    from napari.plugins.utils import get_preferred_reader
    from napari.settings import get_settings

    from napari_friedel.io.reader import get_reader
    from napari_friedel.io.writer import write_points

    before = dict(get_settings().plugins.extension2reader)
    try:
        data, meta, _ = points.as_layer_data_tuple()
        (path,) = write_points(str(tmp_path / "Au(111) 0.5 nm · impurities"), data, meta)
        assert path.endswith("impurities.csv") and get_reader(path) is not None
        assert get_preferred_reader(path) == "napari-friedel"
        assert get_preferred_reader(str(tmp_path / "other.csv")) != "napari-friedel"
    finally:
        get_settings().plugins.extension2reader = before


# --- layers -------------------------------------------------------------------------------------------------------


def test_results_follow_a_stack_that_is_moved(shown, points) -> None:
    stack = shown.layers[1]
    linking.follow(shown, stack)
    stack.translate = np.add(stack.translate, (0.0, 5.0, -3.0))
    place = points.data[0]
    assert np.allclose(points.data_to_world(place), stack.data_to_world((0, *place))[1:])


def test_shapes_of_any_form_and_labels_exclude_pixels(shown, stack) -> None:
    place = areas.placement(stack)
    triangle = shown.add_shapes(
        [np.array([[-0.5, -0.5], [9.5, -0.5], [-0.5, 9.5]])], shape_type="polygon", **place
    )
    mask = areas.excluded_pixels(triangle, stack)
    assert mask[0, 0] and not mask[9, 9] and 35 <= mask.sum() <= 65
    values = np.zeros((24, 30), dtype=int)
    values[3:5, 6:9] = 1
    labels = shown.add_labels(values, **place)
    assert np.array_equal(areas.excluded_pixels(labels, stack), values > 0)
    left = areas.without(stack, values > 0)
    assert np.isnan(left["LockinX"].to_numpy()[:, 3, 6]).all() and np.isfinite(stack["LockinX"]).all()


def test_a_map_of_another_place_is_not_the_reference(shown, stack) -> None:
    from napari_friedel.layers import map_layer

    far = build_stack(scan_centre_x_nm=900.0, source="other.3ds")
    add_layer(shown, map_layer(far, np.ones((24, 30)), "image", "other · bound_state"))
    assert reference.likely(shown, shown.layers[1]) is None
    near = add_layer(shown, map_layer(stack, np.ones((24, 30)), "image", "mine · bound_state"))
    assert reference.likely(shown, shown.layers[1]) is near
    reference.bring_up(shown, near)
    assert shown.layers.index(near) > shown.layers.index(shown.layers[1])


def test_a_layer_comes_below_another_in_one_step(shown, stack) -> None:
    from napari_friedel.layers import map_layer

    before, moved = list(shown.layers), []
    shown.layers.events.moved.connect(lambda _event: moved.append(1))
    made = add_layer(shown, map_layer(stack, np.ones((24, 30)), "s", "S"), below=before[1])
    assert list(shown.layers) == [before[0], made, *before[1:]] and not moved


def test_each_map_has_limits_until_the_user_sets_them(shown) -> None:
    keeper, layer = attach(shown), shown.layers[1]
    shown.dims.set_point(0, -50.0)
    first = tuple(layer.contrast_limits)
    shown.dims.set_point(0, 60.0)
    assert tuple(layer.contrast_limits) != first
    layer.contrast_limits = (0.0, 0.5)
    shown.dims.set_point(0, -50.0)
    assert tuple(layer.contrast_limits) == (0.0, 0.5) and keeper.stack_layer() is layer


@pytest.mark.parametrize("kind", ["plain", "multiscale", "dask"])
def test_plain_layers_of_every_kind_become_stacks(model, kind) -> None:
    data = np.random.default_rng(0).normal(size=(4, 20, 24)).astype(np.float32)
    if kind == "multiscale":
        layer = model.add_image([data, data[:, ::2, ::2]], multiscale=True)
    elif kind == "dask":
        layer = model.add_image(pytest.importorskip("dask.array").from_array(data))
    else:
        layer = model.add_image(data)
    stack = plain_stack(layer, ImportSettings(bias="-200:40", pixel_nm=0.5))
    assert np.array_equal(stack["dI/dV"].to_numpy(), data)
    assert kind_of(add_layer(model, stack_layer(stack))) == "stack"


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [
        ("-200:40", "mV", "-200:40"),
        ("-0.2:0.04", "V", "-200:40"),
        ("-200:-100:50", "mV", "-200:-100:50"),
        ("-0.2:-0.1:0.05", "V", "-200:-100:50"),
        ("-0.2, -0.1", "V", "-200, -100"),
    ],
)
def test_voltages_are_read_as_typed(text, unit, found) -> None:
    assert parse_bias(text, unit) == found


@pytest.mark.parametrize("text", ["0.2:-0.2", "-200:40:-5", "-200:40:7", "a:b", "1:2:3:4"])
def test_doubtful_voltages_get_a_sentence(text) -> None:
    with pytest.raises(StackError):
        parse_bias(text, "mV")


def test_the_bias_is_written_as_precisely_as_it_is_known() -> None:
    assert bias_text(np.array([-2.0, 1.10553, 4.2]), 1) == "+1.1 mV"
    assert bias_text(np.array([0.0, 0.01]), 1) == "+0.01 mV"
    assert bias_text(np.array([-0.0]), 0) == "+0 mV"


# --- docks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dock", ["detect:DetectDock", "import_stack:ImportDock", "compare:ReferenceDock",
                                  "fine_tune:FineTuneDock", "inspect:InspectDock", "folder:FolderDock"])  # fmt: skip
def test_every_control_has_a_tool_tip_and_is_calm(shown, open_dock, qtbot, dock) -> None:
    from importlib import import_module

    from napari_friedel.widgets.calm import controls, finish

    module, name = dock.split(":")
    widget = open_dock(getattr(import_module(f"napari_friedel.docks.{module}"), name), shown)
    widget.show()
    finish(widget)
    silent = [
        f"{type(x).__name__} {getattr(x, 'text', lambda: '')()!r} in {type(x.parentWidget()).__name__}"
        for x in controls(widget)
        if not x.toolTip() and not x.parentWidget().toolTip()
    ]
    assert not silent


def test_the_wheel_changes_nothing(shown, open_dock, qtbot) -> None:
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    from napari_friedel.docks.detect import DetectDock
    from napari_friedel.widgets.calm import finish

    dock = open_dock(DetectDock, shown)
    dock.show()
    finish(dock)
    dock.band.choose("ag111")
    place = QPointF(5, 5)
    for box in (dock.band.kind, dock.model, dock.stack):
        box.clearFocus()
        before = box.currentIndex()
        QApplication.sendEvent(
            box,
            QWheelEvent(
                place, place, QPoint(0, -120), QPoint(0, -120), Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
            ),
        )  # fmt: skip
        assert box.currentIndex() == before


def test_all_docks_work_on_one_stack_and_one_band(shown, open_dock) -> None:
    from napari_friedel.docks.detect import DetectDock
    from napari_friedel.docks.inspect import InspectDock

    other = add_layer(shown, stack_layer(build_stack(source="other.3ds")))
    detect, inspect = open_dock(DetectDock, shown), open_dock(InspectDock, shown)
    detect.stack.choose(shown.layers[1])
    assert inspect.stack.layer() is shown.layers[1]
    shown.layers.selection.active = shown.layers[0]
    shown.layers.selection.active = other
    assert detect.stack.layer() is other and inspect.stack.layer() is other
    detect.band.choose("cu111")
    assert inspect.band.choice() == "cu111"


def test_tool_tips_of_settings_use_the_words_of_the_window() -> None:
    from napari_friedel.widgets.setting_words import tip

    classes = (DetectSettings, PrepareSettings, FineTuneSettings, ImportSettings)
    tips = {one.name: tip(one) for cls in classes for one in settings_of(cls)}
    assert "Automatic" in tips["device"] and "auto" not in tips["device"].replace("Automatic", "")
    assert "Default: on." in tips["bad_data"], "not Python's True"
    assert "Range: 0 or greater." in tips["seed"], "no one cares for the largest whole number"
    assert "byx" not in tips["axes"]
    assert "auto maximises" in tips["lockin_phase_deg"], "what is typed is called as it is typed"


def test_a_form_has_the_settings_ranges_defaults_and_help(qtbot) -> None:
    from napari_friedel import remembered
    from napari_friedel.widgets import form_for

    form = form_for(FineTuneSettings, ("epochs", "alpha", "learning_rate", "noise"), folded="Advanced")
    qtbot.addWidget(form)
    known = {one.name: one for one in settings_of(FineTuneSettings)}
    assert form.values() == {name: known[name].default for name in form.shown}
    assert known["alpha"].help in form.controls["alpha"].native.toolTip()
    form.set("alpha", 0.5)
    assert form.settings().alpha == 0.5 and remembered.values("FineTuneSettings")["alpha"] == 0.5
    form.controls["alpha"].value = "-1"
    with pytest.raises(SettingsError, match="“α” must be a number"):
        form.value("alpha")
    again = form_for(FineTuneSettings, ("alpha",))
    qtbot.addWidget(again)
    assert again.value("alpha") == 0.5, "inputs are remembered"
    again.reset()
    assert again.value("alpha") == known["alpha"].default


def test_what_is_copied_as_python_runs(shown, open_dock, stack) -> None:
    from napari_friedel import functions
    from napari_friedel.docks.detect import DetectDock
    from napari_friedel.widgets import copying

    dock = open_dock(DetectDock, shown)
    dock.options.set("method", "omp")
    source, options = functions.options_of(dock)
    assert source == "field.3ds" and options["method"] == "omp" and "tiles" not in options
    compile(copying.as_python(source, options), "copied", "exec")
    assert "--method=omp" in copying.as_command(source, options)
    assert DetectSettings(**{k: v for k, v in options.items() if k != "dispersion"}).method == "omp"


def test_a_plot_gives_its_numbers(qtbot, tmp_path) -> None:
    from napari_friedel.widgets.plots import Plot

    plot = Plot("bias (mV)", "dI/dV (nS)")
    qtbot.addWidget(plot)
    with pytest.raises(StackError):
        plot.csv()
    plot.curve("cursor", [1.0, 2.0], [3.0, 4.5], "red")
    assert plot.csv().splitlines() == ['"cursor: bias (mV)","cursor: dI/dV (nS)"', "1,3", "2,4.5"]
    plot.write(str(tmp_path / "plot.svg"))
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def test_the_names_of_curves_follow_the_theme(qtbot) -> None:
    from napari_friedel.widgets.plots import Plot

    plot = Plot("step", "loss")
    qtbot.addWidget(plot)
    plot.legend()
    plot.curve("training", [1.0, 2.0], [3.0, 4.5], "red")
    dark = plot._legend.items[0][1].item.toHtml()
    plot.set_dark(False)
    light = plot._legend.items[0][1].item.toHtml()
    assert plot._ink in light and plot._ink not in dark and "training" in light


def test_a_task_has_a_name_that_people_can_read() -> None:
    from napari_friedel.jobs import _Task, in_window_words

    assert str(_Task("fine-tuning", print)) == "fine-tuning"
    assert "--bias" not in in_window_words("give the voltages with `--bias` START:STOP")


def test_information_of_a_stack_is_typed(shown) -> None:
    info = info_of(shown.layers[1])
    assert isinstance(info, StackInfo)
    with pytest.raises(AttributeError):
        info.channel = "Current"  # type: ignore[misc]
