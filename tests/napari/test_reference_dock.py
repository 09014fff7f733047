"""The reference dock: positions, registration, nudging, agreement in three colours."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import build_detections

from friedel.stack import make_stack
from napari_friedel.layers import add_layer, info_of, map_layer, reference, results, showing, stack_layers
from napari_friedel.widgets.plots import COLOURS

pytestmark = pytest.mark.gui

PLACES = np.array(
    [(10.0, 12.0), (30.5, 44.2), (41.0, 15.3), (22.7, 31.1), (50.2, 50.9), (12.3, 51.0), (35.0, 8.6)]
)


def _blobs(places, shape=(60, 60), width=1.6):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    image = sum(np.exp(-((yy - r) ** 2 + (xx - c) ** 2) / (2 * width**2)) for r, c in places)
    return (image + np.random.default_rng(1).normal(scale=0.02, size=shape)).astype(np.float32)


@pytest.fixture
def field():
    """A stack whose impurities are known, with its bound-state map; the frame is tilted, y falls with the row."""
    return make_stack(
        {"LockinX": np.random.default_rng(0).normal(size=(3, 60, 60))},
        bias_mv=[-10.0, 0.0, 10.0],
        pixel_nm=0.5,
        images={"bound_state": _blobs(PLACES)},
        scan_angle_deg=20.0,
        scan_centre_x_nm=40.0,
        y_direction=-1,
        source="field.3ds",
    )


@pytest.fixture
def dock(model, field, qtbot, open_dock):
    from napari_friedel.docks.compare import ReferenceDock

    for layer in stack_layers(field):
        add_layer(model, layer)
    widget = open_dock(ReferenceDock, model)
    return widget


def _detect(dock, field, found, probability=None):
    p = probability if probability is not None else np.full(len(found), 0.9)
    detections = build_detections(field, found, p)
    object.__setattr__(detections, "probability", _blobs(PLACES))
    return showing.show(dock.viewer, dock.stack.layer(), detections)


def _compare(dock, qtbot):
    dock.bar.start.click()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=30000)
    qtbot.wait(50)  # the agreement is counted in a turn of its own


def test_the_bound_state_map_is_chosen_by_itself(dock) -> None:
    assert dock.map.layer().name.endswith("bound_state")


def test_one_click_gives_the_table_and_three_colours(dock, field, qtbot) -> None:
    found = np.concatenate([PLACES[:5] + 0.2, [(5.0, 30.0), (55.0, 30.0)]])
    _detect(dock, field, found)
    _compare(dock, qtbot)
    assert dock.message.level == ""
    assert float(dock.table["recall"].text()) == pytest.approx(5 / 7, abs=1e-3)
    assert float(dock.table["precision"].text()) == pytest.approx(5 / 7, abs=1e-3)
    assert 0 < float(dock.table["by chance"].text()) < 0.1
    rings = results.find(dock.viewer, dock.stack.layer(), "agreement")
    assert rings.features["kind"].tolist() == ["matched"] * 5 + ["missed"] * 2 + ["false"] * 2
    colours = {tuple(np.round(255 * c[:3]).astype(int)) for c in rings.border_color}
    expected = {tuple(int(COLOURS[k][i : i + 2], 16) for i in (1, 3, 5)) for k in reference.KINDS}
    assert colours == expected
    positions = results.find(dock.viewer, dock.stack.layer(), "reference")
    assert len(positions.data) == 7
    assert np.abs(positions.data[:, None] - PLACES[None]).sum(-1).min(1).max() < 0.2


def test_the_table_follows_the_threshold_and_the_tolerance(dock, field, qtbot) -> None:
    points = _detect(dock, field, PLACES + 0.5, np.linspace(0.95, 0.6, 7))
    _compare(dock, qtbot)
    assert float(dock.table["recall"].text()) == pytest.approx(1.0)
    results.set_threshold(points, 0.8)
    assert float(dock.table["recall"].text()) == pytest.approx(3 / 7, abs=1e-3)
    dock.tolerance.setValue(0.5)
    assert float(dock.table["recall"].text()) == 0.0


def test_nudging_moves_the_reference_on_the_screen_and_counts_again(dock, field, qtbot) -> None:
    _detect(dock, field, PLACES)
    _compare(dock, qtbot)
    layer = dock.map.layer()
    before = np.array(layer.translate)
    dock.place.step.setValue(2.0)
    dock.place.arrows["▲"].click()
    moved = layer.translate - before
    # Up on the screen along the tilted frame; y falls with the row here, so the row falls too.
    assert moved[0] > 0 and np.hypot(*moved) == pytest.approx(1.0)
    assert info_of(layer).shift_px == (-2.0, 0.0) and "-2.00 rows" in dock.place.shift.text()
    assert float(dock.table["recall"].text()) == 0.0
    dock.place.home.click()
    assert np.allclose(layer.translate, before) and float(dock.table["recall"].text()) == pytest.approx(1.0)


def test_registration_finds_the_shift_of_a_separate_scan(dock, field, qtbot) -> None:
    shift = np.array([4.0, -3.0])
    other = make_stack(
        {"dI/dV": _blobs(PLACES + shift)[None]},
        bias_mv=[-520.0],
        pixel_nm=0.5,
        scan_angle_deg=20.0,
        scan_centre_x_nm=40.0,
        y_direction=-1,
    )
    layer = add_layer(
        dock.viewer, map_layer(other, other["dI/dV"].to_numpy()[0], "reference_map", "separate")
    )
    dock.map.choose(layer)
    _detect(dock, field, PLACES)
    dock.place.register.click()
    qtbot.waitUntil(lambda: not dock.place.job.busy, timeout=30000)
    assert dock.message.level == "", dock.message.text()
    assert np.allclose(info_of(layer).shift_px, -shift, atol=0.15)
    _compare(dock, qtbot)
    assert float(dock.table["recall"].text()) == pytest.approx(1.0)


def test_a_shift_that_cannot_be_trusted_moves_nothing(dock, field, qtbot) -> None:
    noise = np.random.default_rng(5).normal(size=(60, 60)).astype(np.float32)
    layer = add_layer(dock.viewer, map_layer(field, noise, "reference_map", "noise"))
    dock.map.choose(layer)
    _detect(dock, field, PLACES)
    before = np.array(layer.translate)
    dock.place.register.click()
    qtbot.waitUntil(lambda: not dock.place.job.busy, timeout=30000)
    assert "Not moved" in dock.message.text() and np.allclose(layer.translate, before)


def test_resampling_is_exact_on_the_same_grid(dock, field) -> None:
    layer = dock.map.layer()
    drawn = reference.resampled(layer, field, (3, 2))
    assert drawn.shape == (66, 64)
    assert np.allclose(drawn[3:-3, 2:-2], layer.data, atol=1e-4) and np.isnan(drawn[0]).all()


def test_positions_may_come_from_points(dock, field, qtbot) -> None:
    from napari_friedel.layers import placement

    points = dock.viewer.add_points(PLACES, name="my atoms", **placement(field))
    _detect(dock, field, PLACES[:6])
    dock.source.choose(points)
    _compare(dock, qtbot)
    assert float(dock.table["recall"].text()) == pytest.approx(6 / 7, abs=1e-3)


def test_what_is_missing_is_said(dock, field) -> None:
    dock.bar.start.click()
    assert "press “Detect” first" in dock.message.text()
    dock.place.register.click()
    assert "no detection yet" in dock.message.text()
    dock.map.setCurrentIndex(0)
    dock.place.register.click()
    assert "No reference map" in dock.message.text()
    dock.place.target.setCurrentIndex(dock.place.target.findData("topograph"))


def test_a_map_is_opened_from_a_file(dock, field, tmp_path, qtbot) -> None:
    from friedel.io.maps import write_map

    path = tmp_path / "onset.gsf"
    write_map(_blobs(PLACES), path, pixel_nm=0.5)
    dock.open_map(str(path))
    assert dock.map.layer().name == "onset · map" and dock.map.layer().data.shape == (60, 60)


def _second(field, **changes):
    """A second field, 200 nm away or at the same place, with a map of its own."""
    return make_stack(
        {"LockinX": np.random.default_rng(7).normal(size=(3, 60, 60))},
        bias_mv=[-10.0, 0.0, 10.0],
        pixel_nm=0.5,
        images={"bound_state": _blobs(PLACES[::-1])},
        **{"scan_angle_deg": 20.0, "scan_centre_x_nm": 240.0, "source": "second.3ds", **changes},
    )


def test_a_map_that_comes_after_its_stack_is_its_reference(dock, field) -> None:
    first = dock.map.layer()
    image, stack = stack_layers(_second(field))
    other = add_layer(dock.viewer, stack)
    dock.stack.choose(other)
    assert "do not overlap" in dock.message.text(), "only the first field's map is there yet"
    own = add_layer(dock.viewer, image)
    assert dock.map.layer() is own and dock.message.text() == ""
    dock.map.choose(first)
    dock.map.activated.emit(dock.map.currentIndex())
    dock.viewer.add_points(np.zeros((1, 2)))
    assert dock.map.layer() is first, "what the user has chosen stays"
    assert "do not overlap" in dock.message.text()


def test_the_map_of_another_grid_of_the_same_place_is_named(dock, field, qtbot) -> None:
    stack = dock.stack.layer()
    for made in stack_layers(_second(field, scan_centre_x_nm=40.0, source="later.3ds")):
        add_layer(dock.viewer, made)
    dock.stack.choose(stack)
    assert dock.map.layer().name == "field · bound_state" and dock.message.text() == ""
    dock.map.choose(next(x for x in dock.viewer.layers if x.name == "later · bound_state"))
    assert "was taken with 'later" in dock.message.text()
    _detect(dock, field, PLACES)
    _compare(dock, qtbot)
    assert dock.counts.text(), "it may be compared all the same"


def test_a_result_that_was_kept_aside_can_be_the_reference(dock, field, qtbot) -> None:
    from dataclasses import replace

    first = _detect(dock, field, PLACES)
    assert dock.source.count() == 1, "a result is not compared with itself"
    later = build_detections(field, PLACES[:5], np.full(5, 0.9))
    object.__setattr__(later, "provenance", {**later.provenance, "label": "later"})
    second = showing.show(dock.viewer, dock.stack.layer(), replace(later))
    assert [dock.source.itemData(i) for i in range(dock.source.count())] == [None, first]
    dock.source.choose(first)
    _compare(dock, qtbot)
    assert "<b>5</b> matched" in dock.counts.text() and "<b>2</b> missed" in dock.counts.text()
    results.make_current(dock.viewer, dock.stack.layer(), first)
    assert [dock.source.itemData(i) for i in range(dock.source.count())] == [None, second]
