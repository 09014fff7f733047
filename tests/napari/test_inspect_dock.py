"""The inspect dock shows numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import build_detections

from friedel.physics.dispersion import MATERIALS
from friedel.stack import make_stack
from napari_friedel.layers import add_layer, showing, stack_layers

pytestmark = pytest.mark.gui


@pytest.fixture
def waves():
    """Circular waves around (20, 24) with the wavevectors of Au(111); bias falls in the file."""
    bias = np.array([20.0, -60.0, -140.0, -220.0])
    k = MATERIALS["au111"].k(bias)
    yy, xx = np.mgrid[:48, :48]
    r = 0.4 * np.hypot(yy - 20, xx - 24)
    maps = np.cos(2 * k[:, None, None] * r) / (r + 1) + np.arange(4)[:, None, None]
    return make_stack({"LockinX": maps}, bias_mv=bias, pixel_nm=0.4, source="waves.3ds")


@pytest.fixture
def dock(model, waves, qtbot, open_dock):
    from napari_friedel.docks.inspect import InspectDock

    for layer in stack_layers(waves):
        add_layer(model, layer)
    widget = open_dock(InspectDock, model)
    widget.band.choose("au111")
    widget.show()
    return widget


def _curve(plot, name):
    x, y = plot._items[name].getData()
    return np.asarray(x), np.asarray(y)


def test_the_spectrum_under_the_cursor(dock, waves) -> None:
    dock.look_at(7, 9)
    bias, values = _curve(dock.spectrum, "cursor")
    assert bias.tolist() == [-220, -140, -60, 20]
    assert np.allclose(values, waves["LockinX"].to_numpy()[::-1, 7, 9])
    assert "row 7.0, column 9.0" in dock.where.text()


def test_the_cursor_is_followed_in_the_world(dock, waves, qtbot) -> None:
    layer = dock.stack.layer()
    dock.viewer.cursor.position = tuple(layer.data_to_world((0, 11, 33)))
    qtbot.waitUntil(lambda: "row 11.0, column 33.0" in dock.where.text(), timeout=3000)
    dock.freeze.setChecked(True)
    dock.viewer.cursor.position = tuple(layer.data_to_world((0, 2, 3)))
    qtbot.wait(150)
    assert "row 11.0, column 33.0" in dock.where.text()


def test_the_selected_impurity_against_the_defect_free_average(dock, waves, qtbot) -> None:
    points = showing.show(dock.viewer, dock.stack.layer(), build_detections(waves, [(20.0, 24.0)], [0.9]))
    points.selected_data = {0}
    dock.exclude.setValue(2.0)
    dock.redraw()
    _, at = _curve(dock.spectrum, "impurity")
    _, free = _curve(dock.spectrum, "defect-free")
    maps = waves["LockinX"].to_numpy()[::-1]
    yy, xx = np.mgrid[:48, :48]
    far = np.hypot(yy - 20, xx - 24) > 5
    assert np.allclose(at, maps[:, 20, 24], rtol=1e-5)
    assert np.allclose(free, maps[:, far].mean(axis=1), rtol=1e-5)


def test_the_profile_shows_the_wave(dock, waves) -> None:
    dock.viewer.dims.set_point(0, 20.0)
    dock.tabs.setCurrentIndex(1)
    dock.look_at(20, 24)
    r, mean = _curve(dock.profile, "mean")
    k = MATERIALS["au111"].k(20.0)
    near = r < 4
    assert np.corrcoef(mean[near], (np.cos(2 * k * r) / (r + 1))[near])[0, 1] > 0.97


def test_the_ring_lies_where_the_transform_is_bright(dock, waves) -> None:
    dock.viewer.dims.set_point(0, -140.0)
    dock.tabs.setCurrentIndex(2)
    dock.redraw()
    x, y = _curve(dock.fourier, "2k")
    expected = 2 * MATERIALS["au111"].k(-140.0)
    assert np.allclose(np.hypot(x, y), expected)
    from friedel.analysis.spectra import fourier_map

    q_y, q_x, modulus = fourier_map(waves["LockinX"].sel(bias=-140.0).to_numpy(), (0.4, 0.4))
    q = np.hypot(q_y[:, None], q_x[None])
    brightest = q[(q > 1.0)][np.argmax(modulus[q > 1.0])]
    assert brightest == pytest.approx(expected, abs=2 * np.pi / (48 * 0.4))


def test_the_dispersion_follows_the_band(dock, waves) -> None:
    dock.tabs.setCurrentIndex(3)
    dock.redraw()
    q, bias = _curve(dock.dispersion, "2k")
    assert np.allclose(q, 2 * MATERIALS["au111"].k(bias))
    # The picture's pixels are centred on their wavevectors: multiples of 2π over the field.
    step = 2 * np.pi / (48 * 0.4)
    picture = dock.dispersion._items["picture"]
    rectangle = picture.mapRectToParent(picture.boundingRect())
    assert rectangle.left() == pytest.approx(step / 2)
    assert rectangle.width() == pytest.approx(step * picture.image.shape[1])


def test_all_tabs_survive_an_empty_viewer(model, qtbot, open_dock) -> None:
    from napari_friedel.docks.inspect import InspectDock

    widget = open_dock(InspectDock, model)
    for tab in range(4):
        widget.tabs.setCurrentIndex(tab)
        widget.redraw()
    assert widget.message.level == ""


@pytest.mark.parametrize("tab", range(4))
def test_one_voltage_and_missing_pixels(model, waves, qtbot, tab, open_dock) -> None:
    from napari_friedel.docks.inspect import InspectDock
    from napari_friedel.layers import stack_layer

    single = waves.isel(bias=[0]).copy(deep=True)
    single["LockinX"][:, 30:] = np.nan
    add_layer(model, stack_layer(single))
    widget = open_dock(InspectDock, model)
    widget.tabs.setCurrentIndex(tab)
    widget.look_at(5, 5)
    widget.safely(widget.redraw)()
    assert widget.message.level == "", widget.message.text()
