"""Tables of `friedel detect` in napari: at the right place, in the detection's style, and no foreign table claimed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up import build_detections, build_stack

from friedel.errors import StackError
from friedel.io.points import write_points
from napari_friedel.io.reader import get_reader, is_points, read
from napari_friedel.io.tables import table_layer
from napari_friedel.layers import add_layer, info_of, kind_of, results, showing, stack_layer
from napari_friedel.layers.versions import camera, scale_bar

PLUGIN = "napari-friedel"


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_table_lies_on_its_stack_and_looks_like_a_detection(model, tmp_path, suffix) -> None:
    stack = build_stack()
    found = build_detections(stack)
    layer = add_layer(model, stack_layer(stack))
    shown = showing.show(model, layer, found)
    path = tmp_path / f"points.{suffix}"
    write_points(found, path)
    (made,) = get_reader(str(path))(str(path))
    points = add_layer(model, made)
    assert kind_of(points) == "table" and len(points.data) == 3
    assert info_of(points).provenance["model"] == "friedel"
    for index, place in enumerate(found.positions):
        np.testing.assert_allclose(
            points.data_to_world(points.data[index]), shown.data_to_world(place), atol=1e-6
        )
    np.testing.assert_allclose(points.border_color, shown.border_color[:3], atol=1e-6)
    assert points.symbol[0] == shown.symbol[0] and points.units == shown.units
    # Of the same order on the screen: pixels of 0.3 and 0.4 nm there, nm here.
    assert 0.2 < points.size[0] / (shown.size.max() * 0.35) < 2
    assert {"probability", "x_nm", "sigma_nm"} <= set(points.features)


def test_a_table_without_instrument_coordinates_needs_its_stack(model, tmp_path) -> None:
    stack = build_stack()
    found = build_detections(stack)
    path = tmp_path / "points.xyz"
    write_points(found, path)
    on_stack = add_layer(model, table_layer(path, stack))
    expected = found.table[["tip_y_nm", "tip_x_nm"]].to_numpy()[:3]
    world = [on_stack.data_to_world(point) for point in on_stack.data]
    np.testing.assert_allclose(world, expected, atol=1e-5)
    alone = add_layer(model, table_layer(path))
    np.testing.assert_allclose(alone.data, found.table[["y_nm", "x_nm"]].to_numpy()[:3], atol=1e-6)
    pixels = tmp_path / "mine.csv"
    pixels.write_text("row,column\n1.5,2\n3,4\n")
    plain = add_layer(model, read(str(pixels))[0])
    np.testing.assert_allclose(plain.data, [[1.5, 2], [3, 4]])
    assert str(plain.units[0]) == "pixel"


@pytest.mark.parametrize("points", [0, 1])
def test_few_points_open_too(model, tmp_path, points) -> None:
    found = build_detections(build_stack(), ((3.2, 4.1),), (0.95 if points else 0.1,))
    for suffix in ("csv", "json", "xyz"):
        path = tmp_path / f"points.{suffix}"
        write_points(found, path)
        assert len(add_layer(model, read(str(path))[0]).data) == points


def test_points_made_by_hand_have_no_probability(model, tmp_path) -> None:
    table = build_detections(build_stack()).table.assign(origin="added", probability=np.nan, s=np.nan)
    write_points(table, tmp_path / "points.json")
    assert len(add_layer(model, read(str(tmp_path / "points.json"))[0]).data) == 4


def test_foreign_tables_are_left_to_others(tmp_path) -> None:
    for name, text in (
        ("points.csv", "index,axis-0,axis-1\n0,1.0,2.0\n"),
        ("points.json", '{"type": "FeatureCollection"}'),
        ("points.xyz", "3\nwater\nO 0 0 0\n"),
    ):
        (tmp_path / name).write_text(text)
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader(str(tmp_path / "missing-points.csv")) is None
    assert not is_points(str(tmp_path / "missing-points.csv")) and not is_points("grid.3ds")
    with pytest.raises(StackError, match=r"points\.xyz"):
        read(str(tmp_path / "points.xyz"))


def test_a_table_can_be_the_reference(model, open_dock, tmp_path) -> None:
    from napari_friedel.docks.compare import ReferenceDock

    stack = build_stack()
    add_layer(model, stack_layer(stack))
    write_points(build_detections(stack), tmp_path / "points.csv")
    points = add_layer(model, read(str(tmp_path / "points.csv"))[0])
    dock = open_dock(ReferenceDock, model)
    dock.source.choose(points)
    assert dock.source.layer() is points


@pytest.mark.gui
def test_in_a_real_viewer(make_napari_viewer, tmp_path) -> None:
    """Ours by our reader, napari's own CSV by napari's, which needs no dialog where the name tells nothing."""
    from napari.settings import get_settings
    from napari_builtins.io import napari_write_points

    viewer = make_napari_viewer()
    found = build_detections(build_stack())
    write_points(found, tmp_path / "points.csv")
    (ours,) = viewer.open(str(tmp_path / "points.csv"), plugin=PLUGIN)
    assert kind_of(ours) == "table" and len(ours.data) == 3
    assert [str(axis) for axis in camera(viewer).orientation2d] == ["up", "right"]
    assert scale_bar(viewer).visible
    theirs = viewer.add_points([[1.0, 2.0], [3.0, 4.0]], name="Points")
    for name in ("Points.csv", "my-points.csv"):
        path = tmp_path / name
        napari_write_points(str(path), theirs.data, theirs.as_layer_data_tuple()[1])
        # As a script opens it, and as the reader dialog does for a name that two readers match.
        (again,) = viewer.open(str(path))
        assert kind_of(again) == "" and np.allclose(again.data, theirs.data)
        with pytest.raises(ValueError, match=r"refused|not a compatible reader"):
            viewer.open(str(path), plugin=PLUGIN)
    # A drop asks nothing for most tables.
    table = tmp_path / "table.csv"
    pd.DataFrame({"axis-0": [1.0], "axis-1": [2.0]}).to_csv(table, index_label="index")
    assert not get_settings().plugins.extension2reader
    viewer.window._qt_viewer._qt_open([str(table)], stack=False, plugin=None)
    assert np.allclose(viewer.layers[-1].data, [[1.0, 2.0]])


@pytest.mark.gui
def test_the_launcher_opens_a_stack_with_its_table(qapp, tmp_path, monkeypatch) -> None:
    import napari
    from friedel.io.netcdf import write
    from napari_friedel import __main__ as launcher

    monkeypatch.setattr(launcher, "DOCKS", ())
    stack = build_stack()
    write(stack, tmp_path / "grid.nc")
    write_points(build_detections(stack), tmp_path / "points.xyz")
    viewer = launcher.open_viewer([str(tmp_path / "points.xyz"), str(tmp_path / "grid.nc")], show=False)
    assert isinstance(viewer, napari.Viewer)
    try:
        assert [kind_of(layer) for layer in viewer.layers] == ["topograph", "stack", "impurities"]
        expected = build_detections(stack).table[["tip_y_nm", "tip_x_nm"]].to_numpy()[0]
        table = viewer.layers[-1]  # named beside one stack, it is a result of it
        assert results.summary(table).count == 3
        np.testing.assert_allclose(table.data_to_world(table.data[0]), expected, atol=1e-4)
    finally:
        viewer.close()
