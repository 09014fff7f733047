"""Threshold, corrections by hand and repeated runs, on a bare viewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import build_detections

from friedel.errors import StackError
from napari_friedel.layers import edits, info_of, kind_of, results, showing
from napari_friedel.widgets.copying import sentence_of


@pytest.fixture
def points(shown, stack):
    return showing.show(shown, shown.layers[-1], build_detections(stack))


def _named(viewer, kind):
    return [layer for layer in viewer.layers if kind_of(layer) == kind]


def test_a_detection_becomes_points_and_two_hidden_maps(shown, stack, points) -> None:
    assert [kind_of(layer) for layer in shown.layers] == [
        "topograph",
        "stack",
        "s",
        "probability",
        "impurities",
    ]
    assert not shown.layers[2].visible and not shown.layers[3].visible
    assert np.allclose(points.data, [[3.2, 4.1], [10.0, 20.5], [15.5, 7.25], [20.0, 25.0]])
    assert {"probability", "s", "sigma_nm", "x_nm", "y_nm", "tip_x_nm", "tip_y_nm"} <= set(points.features)
    assert info_of(points).found.provenance["model"] == "friedel"
    tip = points.features[["tip_y_nm", "tip_x_nm"]].to_numpy()
    assert np.allclose([points.data_to_world(p) for p in points.data], tip)


def test_maps_of_an_area_lie_on_that_area(shown, stack) -> None:
    area = ((4, 14), (6, 26))
    showing.show(shown, shown.layers[-1], build_detections(stack, area=area))
    s, maps = _named(shown, "s")[0], _named(shown, "stack")[0]
    assert np.allclose(s.data_to_world((0, 0)), maps.data_to_world((0, 4, 6))[1:])


def test_the_threshold_moves_only_the_mask(points) -> None:
    assert points.shown.tolist() == [True, True, True, False]
    results.set_threshold(points, 0.9)
    assert points.shown.tolist() == [True, False, False, False]
    assert (points.size > 0).tolist() == points.shown.tolist(), "the canvas shows what counts"
    results.set_threshold(points, 0.1)
    assert points.shown.all() and (points.size > 0).all() and len(points.data) == 4
    assert results.summary(points).count == 4


def test_colours_follow_the_probability(points) -> None:
    assert len({tuple(colour) for colour in np.round(points.border_color, 3)}) == 4
    assert (points.border_color[:, 3] == 1).all()
    assert (points.face_color[:, 3] == 0).all(), "a ring leaves what it marks in sight"


def test_the_density_counts_acquired_pixels_only(shown, stack) -> None:
    stack["LockinX"][:, :12] = np.nan
    layer = showing.show(shown, shown.layers[-1], build_detections(stack))
    found = results.summary(layer)
    assert found.area_nm2 == pytest.approx(12 * 30 * 0.4 * 0.3)
    assert found.value == pytest.approx(3 / found.area_nm2)
    # Garwood's exact interval for three events: 0.6187 to 8.7673.
    assert found.low * found.area_nm2 == pytest.approx(0.6187, abs=1e-3)
    assert found.high * found.area_nm2 == pytest.approx(8.7673, abs=1e-3)


def test_where_no_probability_is_listed_the_density_is_unknown(shown, stack) -> None:
    made = build_detections(stack)
    nothing = replace(
        made, table=made.table.assign(probability=np.nan), probability=np.full_like(made.probability, np.nan)
    )
    layer = showing.show(shown, shown.layers[-1], nothing)
    found = results.summary(layer)
    assert found.count == 0 and not found.known and "unknown" in str(found)
    assert "density is unknown" in sentence_of(layer)
    assert results.summary(showing.show(shown, shown.layers[1], made)).known


def test_a_second_run_updates_the_layers_in_place(shown, stack, points) -> None:
    before = list(shown.layers)
    again = showing.show(shown, shown.layers[1], build_detections(stack, [(1.0, 2.0)], [0.7]))
    assert list(shown.layers) == before and again is points
    assert points.data.tolist() == [[1.0, 2.0]] and points.shown.tolist() == [True]


def test_an_empty_result_and_then_a_full_one(shown, stack) -> None:
    layer = showing.show(shown, shown.layers[-1], build_detections(stack, np.zeros((0, 2)), []))
    assert len(layer.data) == 0 and results.summary(layer).count == 0
    showing.show(shown, shown.layers[1], build_detections(stack))
    assert (layer.border_color[:, 3] == 1).all(), "points of a layer that began empty must be seen"


def test_an_added_point_is_marked_located_and_kept(shown, stack, points) -> None:
    points.add([[12.0, 13.0]])
    row = points.features.iloc[-1]
    assert row["origin"] == "added" and np.isnan(row["probability"])
    assert row["x_nm"] == pytest.approx(13 * 0.3) and row["y_nm"] == pytest.approx(12 * 0.4)
    assert np.allclose(points.data_to_world(points.data[-1]), (row["tip_y_nm"], row["tip_x_nm"]))
    results.set_threshold(points, 1.0)
    assert points.shown.tolist() == [False, False, False, False, True]
    showing.show(shown, shown.layers[1], build_detections(stack))
    assert [12.0, 13.0] in points.data.tolist()
    assert points.features["origin"].tolist() == ["found"] * 4 + ["added"]


def test_a_deleted_point_stays_deleted(shown, stack, points) -> None:
    points.selected_data = {0}
    points.remove_selected()
    assert results.summary(points).count == 2
    assert info_of(points).removed == ((3.2, 4.1),)
    showing.show(shown, shown.layers[1], build_detections(stack))
    assert points.features["origin"].tolist() == ["removed", "found", "found", "found"]
    results.set_threshold(points, 0.0)
    assert points.shown.tolist() == [False, True, True, True]


def test_deleting_an_added_point_leaves_no_mark(points) -> None:
    points.add([[12.0, 13.0]])
    points.selected_data = {4}
    points.remove_selected()
    assert info_of(points).removed == () and edits.edit_count(points) == 0


def test_a_moved_point_is_marked_and_not_found_twice(shown, stack, points) -> None:
    data = points.data.copy()
    data[1] = (10.6, 20.5)
    points.data = data
    assert points.features["origin"].tolist() == ["found", "moved", "found", "found"]
    assert points.features["row"].iloc[1] == pytest.approx(10.6)
    showing.show(shown, shown.layers[1], build_detections(stack))
    near = np.hypot(*(points.data - (10.6, 20.5)).T) < 1.5
    assert near.sum() == 1


def test_edits_can_be_forgotten(points) -> None:
    points.add([[12.0, 13.0]])
    points.selected_data = {0}
    points.remove_selected()
    results.set_threshold(points, 0.3)
    edits.forget_edits(points)
    assert points.features["origin"].tolist() == ["found"] * 4
    assert points.shown.tolist() == [True, True, True, False] and info_of(points).threshold == 0.3


def test_what_is_exported_is_what_is_shown(points) -> None:
    points.add([[12.0, 13.0]])
    points.selected_data = {1}
    points.remove_selected()
    results.set_threshold(points, 0.6)
    table = results.table_of(points)
    assert np.allclose(table[["row", "column"]], [[3.2, 4.1], [12.0, 13.0]])
    assert table["origin"].tolist() == ["found", "added"] and np.isnan(table["probability"].iloc[1])
    assert table.attrs["provenance"]["edited"] == {"added": 1, "moved": 0, "accepted": 0, "removed": 1}
    assert table.attrs["provenance"]["threshold"] == 0.6


def test_other_points_cannot_be_exported(model) -> None:
    with pytest.raises(StackError, match="nothing to write"):
        results.table_of(model.add_points([[1, 2]]))


def test_two_stacks_keep_their_own_results(shown, stack, points) -> None:
    from napari_friedel.layers import add_layer, stack_layer

    other = add_layer(shown, stack_layer(stack))
    second = showing.show(shown, other, build_detections(stack, [(1.0, 1.0)], [0.9]))
    assert second is not points and len(points.data) == 4
    assert results.find(shown, other, "impurities") is second


def test_flags_of_a_refit_are_features_and_unknown_for_points_made_by_hand(shown, stack) -> None:
    """The default detection is refitted: its table has a column of whole numbers."""
    found = build_detections(stack)
    found = replace(found, table=found.table.assign(flags=[1, 4, 0, 2]))
    points = showing.show(shown, shown.layers[-1], found)
    points.add([[12.0, 12.0]])
    assert points.features["flags"].tolist()[:4] == [1.0, 4.0, 0.0, 2.0]
    table = results.table_of(points)
    assert table["flags"].tolist()[:3] == [1, 4, 0]
    assert table["flags"].isna().tolist() == [False, False, False, True]
