"""The detect dock on a bare viewer: choices, run, cancel, errors, second run, bad input."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from made_up import build_detections, build_stack, quick

from friedel.errors import PhysicsError
from friedel.progress import Progress
from napari_friedel.jobs import State
from napari_friedel.layers import add_layer, info_of, kind_of, results, stack_layer

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(shown, qtbot, open_dock):
    from napari_friedel.docks.detect import DetectDock

    widget = open_dock(DetectDock, shown)
    widget.band.choose("ag111")
    return widget


def _run(dock, qtbot):
    dock.bar.start.click()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=20000)


def test_the_dock_says_what_the_stack_is(dock) -> None:
    assert "LockinX: 5 voltages, -50 to +60 mV" in dock.about.text()
    assert "24×30 px" in dock.about.text()
    assert "λ/2" in dock.band.text.text()


def test_a_click_gives_points_number_and_density(dock, qtbot, detector) -> None:
    called = detector(quick)
    _run(dock, qtbot)
    assert dock.job.state is State.DONE and dock.message.level in ("", "info")
    assert called["channel"] == "LockinX" and called["dispersion"].name == "ag111"
    assert called["tiles"] == "blend" and called["method"] == "network" and called["area"] is None
    assert called["refit"] is None
    assert dock.result.number.text() == "3 impurities"
    assert "nm⁻²" in dock.result.density.text() and "95 %" in dock.result.density.text()
    assert dock.viewer.layers.selection.active is dock.result.layer


def test_a_refit_is_asked_for_by_its_box(dock, qtbot, detector) -> None:
    called = detector(quick)
    dock.options.set("refit", "full")
    _run(dock, qtbot)
    assert called["refit"] == "full"


def test_the_slider_shows_and_hides_without_a_run(dock, qtbot, detector) -> None:
    runs = []

    def counting(stack, **options):
        runs.append(1)
        return (yield from quick(stack, **options))

    detector(counting)
    _run(dock, qtbot)
    dock.result.slider.setValue(0.9)
    assert dock.result.number.text() == "1 impurity" and dock.result.slider.value() == pytest.approx(0.9)
    dock.result.slider.setValue(0)
    assert dock.result.number.text() == "4 impurities"
    dock.result.back.click()
    assert dock.result.number.text() == "3 impurities" and runs == [1]


def test_a_second_run_keeps_layers_and_corrections(dock, qtbot, detector) -> None:
    def in_order() -> bool:  # the maps come in the turns after the points, and go below them
        kinds = [getattr(layer.metadata.get("friedel"), "kind", "") for layer in dock.viewer.layers]
        return "probability" in kinds and kinds[-1] == "impurities"

    detector(quick)
    _run(dock, qtbot)
    qtbot.waitUntil(in_order, timeout=5000)
    before = list(dock.viewer.layers)
    dock.result.layer.add([[12.0, 13.0]])
    assert "1 added" in dock.result.edits.text() and dock.result.number.text() == "4 impurities"
    _run(dock, qtbot)
    assert list(dock.viewer.layers) == before
    assert dock.result.number.text() == "4 impurities" and dock.result.forget.isEnabled()
    dock.result.forget.click()
    assert dock.result.number.text() == "3 impurities"


def test_cancel_answers_at_the_next_tile(dock, qtbot, detector) -> None:
    ended = threading.Event()

    def endless(stack, **options):
        try:
            while True:
                time.sleep(0.02)
                yield Progress(0.2, "tile 1 of 5")
        finally:
            ended.set()

    detector(endless)
    before = list(dock.viewer.layers)
    dock.bar.start.click()
    qtbot.waitUntil(lambda: "tile 1 of 5" in dock.bar.text.text(), timeout=10000)
    assert not dock.bar.start.isEnabled()
    dock.bar.cancel.click()
    assert dock.bar.cancel.text() == "Cancelling…"
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=10000)
    assert ended.is_set() and dock.bar.start.isEnabled()
    assert "Cancelled" in dock.message.text() and list(dock.viewer.layers) == before


def test_an_error_is_a_sentence_and_the_dock_lives_on(dock, qtbot, detector) -> None:
    def fails(stack, **options):
        yield Progress(0.0)
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")

    detector(fails)
    _run(dock, qtbot)
    assert dock.message.level == "error" and "ran out of memory" in dock.message.text()
    assert "Traceback" in dock.message.toolTip() and "Traceback" not in dock.message.text()
    detector(quick)
    _run(dock, qtbot)
    assert dock.message.level == "" and dock.result.number.text() == "3 impurities"


def test_our_own_errors_are_shown_as_they_are(dock, qtbot, detector) -> None:
    def fails(stack, **options):
        yield Progress(0.0)
        raise PhysicsError("No ring was found in this map: give E₀ and m*.")

    detector(fails)
    _run(dock, qtbot)
    assert dock.message.text() == "No ring was found in this map: give E₀ and m*."


def test_warnings_of_the_run_are_shown(dock, qtbot, detector) -> None:
    def warns(stack, **options):
        yield Progress(0.0)
        return build_detections(stack, warnings=["k lies outside the model's range."])

    detector(warns)
    _run(dock, qtbot)
    assert dock.message.level == "warning" and "outside the model's range" in dock.message.text()


def test_no_impurity_is_a_result_too(dock, qtbot, detector) -> None:
    def none(stack, **options):
        yield Progress(0.0)
        return build_detections(stack, np.zeros((0, 2)), [])

    detector(none)
    _run(dock, qtbot)
    assert dock.result.number.text() == "0 impurities" and "No impurity" in dock.message.text()


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda v: v.add_image(np.zeros((9, 9)), name="flat"), "has 2 axes"),
        (lambda v: v.add_image(np.zeros((9, 9, 3), np.uint8), rgb=True, name="photo"), "RGB"),
        (lambda v: v.add_image(np.zeros((5, 9, 9)), name="bare"), "Import dock"),
    ],
)
def test_a_bad_layer_gets_a_sentence(dock, qtbot, add, words) -> None:
    dock.stack.choose(add(dock.viewer))
    assert words in dock.message.text()
    dock.message.clear()
    dock.bar.start.click()
    assert words in dock.message.text() and dock.job.state is State.IDLE
    dock.stack.choose(dock.viewer.layers[1])
    assert dock.message.text() == "" and "5 voltages" in dock.about.text()


def test_no_layer_at_all(model, qtbot, open_dock) -> None:
    from napari_friedel.docks.detect import DetectDock

    widget = open_dock(DetectDock, model)
    widget.bar.start.click()
    assert "drop a dI/dV file" in widget.message.text()


def test_a_band_that_holds_no_voltage_says_so(dock) -> None:
    dock.band.choose("custom")
    dock.band.onset.setValue(500.0)
    assert "None of the voltages lies inside" in dock.band.text.text()
    dock.band.mass.setValue(0.0)
    assert "effective mass" in dock.band.text.text()


def test_the_area_is_a_rectangle_of_a_shapes_layer(dock, qtbot, detector) -> None:
    called = detector(quick)
    dock.draw.click()
    area = dock.viewer.layers["area"]
    corners = np.array([[3, 5], [3, 21], [13, 21], [13, 5]]) - 0.5
    area.data = [corners]
    assert dock.current_area() == ((3, 13), (5, 21))
    _run(dock, qtbot)
    assert called["area"] == ((3, 13), (5, 21))
    # The maps come in later turns of the event loop.
    qtbot.waitUntil(lambda: results.find(dock.viewer, dock.stack.layer(), "s") is not None, timeout=5000)
    s = results.find(dock.viewer, dock.stack.layer(), "s")
    assert s.data.shape == (10, 16)
    assert np.allclose(s.data_to_world((0, 0)), dock.stack.layer().data_to_world((0, 3, 5))[1:])


def test_removing_the_stack_during_a_run(dock, qtbot, detector) -> None:
    gate = threading.Event()

    def slow(stack, **options):
        yield Progress(0.1)
        gate.wait(10)
        return build_detections(stack)

    detector(slow)
    dock.bar.start.click()
    dock.viewer.layers.remove(dock.stack.layer())
    gate.set()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=10000)
    qtbot.waitUntil(lambda: "removed while" in dock.message.text(), timeout=3000)


def test_the_fit_fills_the_band_and_draws_the_ring(dock, qtbot, monkeypatch) -> None:
    import sys
    import types

    from friedel.physics.dispersion import Dispersion

    module = types.ModuleType("friedel.prepare.band")

    class Fit:
        dispersion = Dispersion(-480.0, 0.3)

        def __str__(self) -> str:
            return "E₀ = -480 ± 3 meV"

    fit = Fit()
    given = []

    def fit_dispersion(stack, channel=None, *, prepare):
        given.append(prepare)
        return fit

    module.fit_dispersion = fit_dispersion  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "friedel.prepare.band", module)
    dock.prepare.set("as_recorded", True)
    dock.band.choose("fit")
    dock.band.fit.click()
    qtbot.waitUntil(lambda: dock.band.fitted is not None, timeout=10000)
    assert given[0].as_recorded  # as the dock's detection takes the maps
    assert dock.band.onset.value() == -480.0 and dock.band.dispersion() is fit.dispersion
    assert "E₀ = -480 ± 3 meV" in dock.band.text.text()
    assert dock.band.ring.isChecked() and dock.band.plot is not None


def test_no_ring_is_said_and_the_dock_lives_on(dock, qtbot) -> None:
    dock.band.choose("fit")
    dock.band.fit.click()  # the stack is white noise
    qtbot.waitUntil(lambda: dock.message.level == "error", timeout=20000)
    assert "no Friedel ring" in dock.message.text() and dock.band.fitted is None
    assert dock.band.fit.isEnabled()


def test_models_devices_and_settings_have_entries(dock) -> None:
    assert dock.model.findData("…") >= 0 and dock.model.count() >= 2
    assert list(dock.options.controls["device"].choices)[:2] == ["auto", "cpu"]


def test_switching_stacks_switches_the_result(dock, qtbot, detector) -> None:
    detector(quick)
    _run(dock, qtbot)
    other = add_layer(dock.viewer, stack_layer(build_stack(source="other.3ds")))
    dock.stack.choose(other)
    assert dock.result.layer is None and dock.result.number.text() == "–"
    dock.stack.choose(next(x for x in dock.viewer.layers if kind_of(x) == "stack"))
    assert dock.result.number.text() == "3 impurities"
    assert info_of(dock.result.layer).threshold == 0.5


def test_the_dock_fits_on_a_small_screen(dock) -> None:
    assert dock.sizeHint().height() <= 700 and dock.minimumSizeHint().height() < 300
