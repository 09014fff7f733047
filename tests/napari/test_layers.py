"""Everything lies where the tip was: the world of every layer is the instrument's own, in nm and mV."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import build_stack

from friedel.errors import StackError
from friedel.stack import crop, tip_position
from napari_friedel.layers import (
    add_layer,
    image_layer,
    info_of,
    map_layer,
    map_of,
    placement,
    stack_layer,
    stack_layers,
    stack_of,
)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("angle", [0.0, 30.0, -120.0])
def test_all_layers_meet_at_the_tip(model, angle, direction) -> None:
    stack = build_stack(scan_angle_deg=angle, y_direction=direction)
    area = ((5, 20), (8, 28))
    part = crop(stack, area)
    maps = add_layer(model, stack_layer(stack))
    topograph = add_layer(model, image_layer(stack, "Z"))
    s = add_layer(model, map_layer(part, np.zeros((15, 20)), "s", "S"))
    points = model.add_points([[11.5, 17.0]], **placement(stack))
    tip_x, tip_y = tip_position(stack, 17.0 * 0.3, 11.5 * 0.4)
    for world in (
        maps.data_to_world((0, 11.5, 17.0))[1:],
        topograph.data_to_world((11.5, 17.0)),
        s.data_to_world((11.5 - 5, 17.0 - 8)),
        points.data_to_world(points.data[0]),
    ):
        assert np.allclose(world, (tip_y, tip_x), atol=1e-9)


def test_units_agree_so_that_the_scale_bar_reads_nm(shown) -> None:
    assert [str(unit) for unit in shown.layers[-1].units] == ["millivolt", "nanometer", "nanometer"]
    assert all([str(unit) for unit in layer.units[-2:]] == ["nanometer"] * 2 for layer in shown.layers)
    from napari_friedel.layers.viewing import attach

    attach(shown)  # as every dock, sample and reader does; napari 0.6 names no slider itself
    assert tuple(shown.dims.axis_labels) == ("bias", "y", "x")


def test_bias_rises_on_the_slider_and_the_exact_values_are_kept(stack) -> None:
    data, kwargs, _ = stack_layer(stack)
    assert kwargs["metadata"]["friedel"].bias_mv.tolist() == [-50.0, -10.0, 20.0, 30.0, 60.0]
    assert np.array_equal(data, stack["LockinX"].to_numpy()[::-1])
    assert kwargs["translate"][0] == -50.0 and kwargs["scale"][0] == pytest.approx(110 / 4)


def test_bias_in_no_order_is_sorted() -> None:
    stack = build_stack().isel(bias=[2, 0, 4, 1, 3])
    data, kwargs, _ = stack_layer(stack)
    bias = kwargs["metadata"]["friedel"].bias_mv
    assert (np.diff(bias) > 0).all()
    for value, plane in zip(bias, data, strict=True):
        assert np.array_equal(plane, stack["LockinX"].sel(bias=value).to_numpy())


def test_a_current_is_shown_as_its_derivative(stack) -> None:
    data, kwargs, _ = stack_layer(stack, "Current")
    derivative = np.gradient(stack["Current"].to_numpy(), stack["bias"].to_numpy(), axis=0)[::-1]
    assert np.allclose(data, derivative, rtol=1e-5)
    assert "dI/dV of Current" in kwargs["name"]


def test_topograph_is_shown_and_other_images_wait(stack) -> None:
    stack = stack.assign(bound_state=stack["Z"])
    layers = stack_layers(stack)
    assert [(layer[1]["metadata"]["friedel"].kind, layer[1].get("visible", True)) for layer in layers] == [
        ("topograph", True),
        ("image", False),
        ("stack", True),
    ]


def test_pixels_that_were_not_acquired_do_not_spoil_the_contrast(stack) -> None:
    stack["LockinX"][:, 12:] = np.nan
    low, high = stack_layer(stack)[1]["contrast_limits"]
    assert np.isfinite([low, high]).all() and low < high
    stack["LockinX"][:] = np.nan
    assert stack_layer(stack)[1]["contrast_limits"] == (0.0, 1.0)


def test_one_voltage_is_a_stack_too() -> None:
    stack = build_stack().isel(bias=[1])
    _, kwargs, _ = stack_layer(stack)
    assert kwargs["scale"][0] == 1.0 and kwargs["translate"][0] == 30.0


def test_the_way_back_gives_the_same_stack(shown, stack) -> None:
    found, channel = stack_of(shown.layers[-1])
    assert found is stack and channel == "LockinX"
    image, on = map_of(shown.layers[0])
    assert on is stack and np.array_equal(image, stack["Z"].to_numpy())


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda v: v.add_image(np.zeros((4, 4))), "has 2 axes"),
        (lambda v: v.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True), "colour picture"),
        (lambda v: v.add_image(np.zeros((5, 4, 4))), "no bias voltages"),
        (lambda v: v.add_points([[1, 1]]), "Points layer"),
        (lambda v: None, "No stack is chosen"),
    ],
)
def test_what_is_no_stack_says_so(model, add, words) -> None:
    with pytest.raises(StackError, match=words):
        stack_of(add(model))


def test_a_stack_changed_behind_our_back_is_noticed(shown) -> None:
    layer = shown.layers[-1]
    layer.data = layer.data[:, :10]
    with pytest.raises(StackError, match="changed outside"):
        stack_of(layer)


def test_foreign_metadata_is_not_ours(model) -> None:
    layer = model.add_image(np.zeros((3, 4, 5)), metadata={"friedel": "something else"})
    assert info_of(layer) is None
