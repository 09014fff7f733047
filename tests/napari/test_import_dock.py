"""The import dock: channels with a preview, axes for plain arrays, files and folders."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import build_stack

import friedel
from friedel.errors import FriedelError
from friedel.stack import pixel_pitch, tip_position
from napari_friedel import recipes
from napari_friedel.layers import info_of, kind_of, stack_of

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(shown, qtbot, open_dock):
    from napari_friedel.docks.import_stack import ImportDock

    widget = open_dock(ImportDock, shown)
    return widget


def test_channels_are_offered_and_previewed(dock) -> None:
    assert [dock.channel.itemText(i) for i in range(dock.channel.count())] == ["LockinX", "dI/dV of Current"]
    before, _ = dock._picture()
    dock.channel.setCurrentIndex(1)
    after, size = dock._picture()
    assert before.shape == after.shape == (24, 30) and size == (0.4, 0.3)
    assert not np.allclose(before, after)


def test_another_channel_is_shown_in_the_same_layer(dock, stack) -> None:
    layer = dock.layer.layer()
    dock.channel.setCurrentIndex(1)
    dock.apply.click()
    assert dock.layer.layer() is layer and stack_of(layer) == (info_of(layer).stack, "Current")
    derivative = np.gradient(stack["Current"].to_numpy(), stack["bias"].to_numpy(), axis=0)[::-1]
    assert np.allclose(layer.data, derivative, rtol=1e-5)
    assert stack_of(layer)[0] is stack, "nothing but the channel changed"


def test_a_plain_array_becomes_a_stack(dock) -> None:
    data = np.random.default_rng(0).normal(size=(4, 10, 12)).astype(np.float32)
    dock.layer.choose(dock.viewer.add_image(data, name="array"))
    assert "no bias axis" in dock.about.text() and dock.apply.text() == "Make stack"
    dock.bias.setText("-200, -150, -120, 40")
    dock.pixel.setText("0.5")
    dock.apply.click()
    stack, channel = stack_of(dock.layer.layer())
    assert stack["bias"].to_numpy().tolist() == [-200, -150, -120, 40]
    assert np.array_equal(stack[channel].to_numpy(), data)
    assert "array" not in dock.viewer.layers, "pixels beside nm would spoil units and sliders"
    # The first row of an array lies at the top: y falls with the row.
    assert tip_position(stack, 0, 0)[1] > tip_position(stack, 0, 4.5)[1]


def test_bias_may_be_the_last_axis(dock) -> None:
    data = np.random.default_rng(0).normal(size=(10, 12, 4)).astype(np.float32)
    dock.layer.choose(dock.viewer.add_image(data, name="array"))
    dock.axes.setCurrentIndex(1)
    dock.mirror.setChecked(True)
    dock.bias.setText("-200:40")
    dock.pixel.setText("0.5, 0.4")
    dock.apply.click()
    stack, channel = stack_of(dock.layer.layer())
    assert np.array_equal(stack[channel].to_numpy(), np.moveaxis(data, 2, 0)[..., ::-1])
    assert stack["bias"].to_numpy().tolist() == [-200, -120, -40, 40]
    assert pixel_pitch(stack) == pytest.approx((0.5, 0.4))


@pytest.mark.parametrize(
    ("bias", "pixel", "words"),
    [
        ("", "", "Give the bias voltages"),
        ("-200:40", "", "Give the bias voltages"),
        ("-200:40", "small", "“Pixel (nm)” must be a pixel size"),
        ("-200:40", "-1", "“Pixel (nm)” must be a pixel size"),
        ("10,20,30", "0.5", "3 values, but the data has 4"),
        ("high", "0.5", "not a bias axis"),
        ("50,50,60,70", "0.5", "same voltage twice"),
    ],
)
def test_wrong_axes_get_a_sentence(dock, bias, pixel, words) -> None:
    dock.layer.choose(dock.viewer.add_image(np.ones((4, 10, 12), np.float32), name="array"))
    dock.bias.setText(bias)
    dock.pixel.setText(pixel)
    before = len(dock.viewer.layers)
    dock.apply.click()
    assert dock.message.level == "error" and words in dock.message.text()
    assert len(dock.viewer.layers) == before


@pytest.mark.parametrize("array", [np.zeros((9, 9)), np.zeros((9, 9, 3), np.uint8)])
def test_pictures_are_refused_in_words(dock, array) -> None:
    dock.layer.choose(dock.viewer.add_image(array, rgb=array.dtype == np.uint8))
    dock.apply.click()
    assert dock.message.level == "error"


def test_a_new_pixel_size_moves_all_layers_of_the_stack(dock, stack) -> None:
    topograph, layer = dock.viewer.layers[0], dock.layer.layer()
    dock.pixel.setText("0.8")
    dock.apply.click()
    assert layer.scale[1:].tolist() == [0.8, 0.8]
    assert np.allclose(topograph.data_to_world((5, 7)), layer.data_to_world((0, 5, 7))[1:])
    assert pixel_pitch(stack)[0] == pytest.approx(0.4), "the stack that was opened stays as it was"


def test_flipping_says_where_the_tip_was_and_leaves_the_data(dock, stack) -> None:
    layer = dock.layer.layer()
    data = np.array(layer.data)
    dock.top.setChecked(True)
    dock.apply.click()
    flipped, _ = stack_of(layer)
    assert flipped.attrs["y_direction"] == -1 and np.array_equal(layer.data, data)
    tip_x, tip_y = tip_position(flipped, 0, 0)
    assert np.allclose(layer.data_to_world((0, 0, 0))[1:], (tip_y, tip_x))


def test_missing_pixels_are_counted(shown, qtbot, open_dock) -> None:
    from napari_friedel.docks.import_stack import ImportDock
    from napari_friedel.layers import add_layer, stack_layer

    partial = build_stack()
    partial["LockinX"][:, 20:] = np.nan
    partial.attrs.update(acquired=600, expected=720)
    layer = add_layer(shown, stack_layer(partial))
    widget = open_dock(ImportDock, shown)
    widget.layer.choose(layer)
    assert "600 of 720 pixels acquired" in widget.about.text()
    assert np.isnan(widget._picture()[0][20:]).all()


def test_a_real_grid_is_opened_off_the_gui_thread(model, qtbot, shared_data, open_dock) -> None:
    from napari_friedel.docks.import_stack import ImportDock

    widget = open_dock(ImportDock, model)
    widget.open(str(shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"))
    qtbot.waitUntil(lambda: not widget.job.busy, timeout=60000)
    assert [kind_of(layer) for layer in model.layers] == ["topograph", "stack"]
    assert "200 voltages" in widget.about.text()


def test_a_damaged_file_gets_a_sentence(model, qtbot, tmp_path, open_dock) -> None:
    from napari_friedel.docks.import_stack import ImportDock

    widget = open_dock(ImportDock, model)
    path = tmp_path / "broken.3ds"
    path.write_bytes(b"no grid at all")
    widget.open(str(path))
    qtbot.waitUntil(lambda: widget.message.level == "error", timeout=20000)
    assert "broken.3ds" in widget.message.text() and not model.layers


def test_the_axes_have_the_controls_help_and_ranges_of_the_settings(dock) -> None:
    from friedel.settings import ImportSettings, settings_of

    told = {one.name: one.help for one in settings_of(ImportSettings)}
    told["axes"] = (
        "The order in which the layer has its axes."  # the settings' own lists what a command line takes
    )
    for name, control in dock.options.controls.items():
        assert told[name] in control.native.toolTip()
    assert list(dock.options.shown) == ["axes", "bias", "pixel_nm", "separate_scans"]
    dock.pixel.setText("1e9")
    dock.apply.click()
    assert "at most 100000" in dock.message.text()


def test_a_step_is_taken_for_a_plain_layer_and_for_a_stack(dock) -> None:
    stack = dock.layer.layer()
    count = stack.data.shape[0]
    dock.bias.setText(f"-100:{-100 + 5 * (count - 1)}:5")
    dock.apply.click()
    assert dock.message.level == "info", dock.message.text()
    assert stack_of(stack)[0]["bias"].to_numpy().tolist() == [-100 + 5 * i for i in range(count)]
    dock.layer.choose(dock.viewer.add_image(np.ones((4, 10, 12), np.float32), name="array"))
    dock.bias.setText("-200:100:150")
    dock.pixel.setText("0.5")
    dock.apply.click()
    assert dock.message.level == "error" and "3 values" in dock.message.text()


def test_a_plain_layer_that_is_opened_beside_a_stack_is_the_one_that_gets_axes(dock) -> None:
    dock.viewer.add_points([[1, 2]], name="points")
    assert kind_of(dock.layer.layer()) == "stack"
    plain = dock.viewer.add_image(np.ones((4, 10, 12), np.float32), name="array")
    assert dock.layer.layer() is plain


def test_maps_of_a_stack_are_called_separate_scans_and_no_longer(dock, stack) -> None:
    assert not dock.separate.isChecked()
    dock.separate.setChecked(True)
    assert dock.changed_axes().separate_scans
    dock.apply.click()
    now, _ = stack_of(dock.layer.layer())
    assert now.attrs["separate_scans"] == 1 and stack.attrs["separate_scans"] == 0
    assert dock.separate.isChecked(), "the box shows what the stack says"
    dock.separate.setChecked(False)
    dock.apply.click()
    assert stack_of(dock.layer.layer())[0].attrs["separate_scans"] == 0


def test_a_plain_array_of_separate_scans_is_copied_with_all_that_was_typed(
    dock, tmp_path, monkeypatch
) -> None:
    data = np.random.default_rng(0).normal(size=(10, 12, 4)).astype(np.float32)
    np.save(tmp_path / "maps.npy", data)
    layer = dock.viewer.add_image(data, name="array")
    layer._source = type(layer.source)(path=str(tmp_path / "maps.npy"))
    dock.layer.choose(layer)
    assert not dock.separate.isChecked()
    dock.axes.setCurrentIndex(1)
    dock.bias.setText("-200:40")
    dock.pixel.setText("0.5")
    dock.separate.setChecked(True)
    dock.apply.click()
    made, _ = stack_of(dock.layer.layer())
    assert made.attrs["separate_scans"] == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(dock._recipe().python, "copied", "exec"), {})
    again = friedel.open_stack(tmp_path / "stack.nc")
    np.testing.assert_array_equal(again["maps" if "maps" in again else next(iter(again))], made["dI/dV"])
    np.testing.assert_allclose(again["bias"], made["bias"])
    assert again.attrs["separate_scans"] == 1 and pixel_pitch(again) == pytest.approx(pixel_pitch(made))


def test_a_file_opened_with_typed_axes_is_copied_with_them(model, qtbot, tmp_path, open_dock) -> None:
    from napari_friedel.docks.import_stack import ImportDock

    np.save(tmp_path / "maps.npy", np.random.default_rng(0).normal(size=(4, 10, 12)))
    widget = open_dock(ImportDock, model)
    widget.bias.setText("-200:40")
    widget.pixel.setText("0.5")
    widget.separate.setChecked(True)
    widget.open(str(tmp_path / "maps.npy"))
    qtbot.waitUntil(lambda: not widget.job.busy and len(model.layers) > 0, timeout=20000)
    opened, _ = stack_of(widget.layer.layer())
    assert opened.attrs["separate_scans"] == 1
    words = widget._recipe().command
    assert "--bias=-200:40" in words or "--bias -200:40" in words
    assert "--separate-scans" in words and "--pixel-nm 0.5" in words
    widget.top.setChecked(not widget.top.isChecked())
    widget.apply.click()
    with pytest.raises(FriedelError, match="turned over"):
        recipes.opening(stack_of(widget.layer.layer())[0], friedel.ImportSettings())
