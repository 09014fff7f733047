"""The data model: whatever xarray does to a stack, it gives a right answer or a `StackError`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import friedel
from friedel.errors import StackError
from friedel.io import open_stack
from friedel.io.netcdf import write
from friedel.stack import (
    didv,
    didv_candidates,
    didv_channel,
    image_names,
    make_stack,
    pixel_pitch,
    row_direction,
    scan_position,
    setpoint_bias,
    tip_position,
    topograph_name,
    topograph_stack,
    validate,
)

ROWS, COLUMNS = 8, 12
BIAS = np.array([-50.0, -20.0, 10.0, 40.0])


def marked() -> xr.Dataset:
    """A stack whose values say where the tip was: x + 1000 y [nm]."""
    plain = make_stack(
        {"dI/dV": np.zeros((4, ROWS, COLUMNS))},
        bias_mv=BIAS,
        pixel_nm=(0.5, 0.25),
        images={"Z": np.zeros((ROWS, COLUMNS))},
        units={"Z": "m"},
        scan_centre_x_nm=30.0,
        scan_centre_y_nm=-20.0,
        scan_angle_deg=25.0,
        y_direction=-1,
    )
    x, y = tip_position(plain, *np.meshgrid(plain["x"], plain["y"]))
    values = np.broadcast_to(x + 1000 * y, (4, ROWS, COLUMNS))
    return plain.assign({"dI/dV": (("bias", "y", "x"), values.copy()), "Z": (("y", "x"), values[0].copy())})


def flipped(stack: xr.Dataset) -> xr.Dataset:
    return stack.isel(x=slice(None, None, -1), y=slice(None, None, -1))


CHANGES: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "as it was": lambda s: s,
    "cropped": lambda s: s.isel(x=slice(3, 9), y=slice(2, 7)),
    "flipped": flipped,
    "one axis flipped": lambda s: s.isel(y=slice(None, None, -1)),
    "every second": lambda s: s.isel(x=slice(None, None, 2), y=slice(1, None, 3)),
    "flipped and sorted": lambda s: flipped(s).sortby(["x", "y"]),
    "falling": lambda s: s.sortby("x", ascending=False),
    "coarse": lambda s: s.coarsen(x=3, y=2).mean(),
    "selected by value": lambda s: s.sel(x=slice(0.5, 2.0), bias=[10.0]),
    "finer": lambda s: s.interp(x=np.linspace(0, 2.75, 23), y=np.linspace(0.5, 3.0, 11)),
    "bias sorted": lambda s: s.sortby("bias", ascending=False),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_changed_stack_still_knows_where_its_pixels_lie(name: str) -> None:
    stack = validate(CHANGES[name](marked()))
    rows, columns = np.meshgrid(np.arange(stack.sizes["y"]), np.arange(stack.sizes["x"]), indexing="ij")
    x, y = tip_position(stack, *scan_position(stack, rows, columns))
    np.testing.assert_allclose(stack["dI/dV"][0], x + 1000 * y, rtol=1e-6)
    steps = np.hypot(np.diff(x[0])[0], np.diff(y[0])[0]), np.hypot(np.diff(x[:, 0])[0], np.diff(y[:, 0])[0])
    np.testing.assert_allclose(pixel_pitch(stack), steps[::-1], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_changed_stack_goes_through_a_file(name: str, tmp_path) -> None:
    stack = CHANGES[name](marked()).astype(np.float32)
    write(stack, tmp_path / "a.nc")
    back = open_stack(tmp_path / "a.nc")
    np.testing.assert_array_equal(back["dI/dV"], stack["dI/dV"])
    assert pixel_pitch(back) == pixel_pitch(stack)
    np.testing.assert_allclose(tip_position(back, 1.0, 2.0), tip_position(stack, 1.0, 2.0))


def test_the_direction_of_rows_follows_a_flip() -> None:
    stack = marked()
    assert row_direction(stack) == -1
    assert row_direction(stack.isel(y=slice(None, None, -1))) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.isel(x=[0, 1, 5]), "evenly spaced"),
        (lambda s: s.interp(y=[0.0, 0.5, 2.0]), "evenly spaced"),
        (lambda s: s.isel(y=0), "lacks the axes"),
        (lambda s: s.isel(bias=0), "lacks the axes"),
        (lambda s: s.drop_vars("x"), "lacks the axes"),
        (lambda s: s.isel(x=slice(0, 0)), "empty"),
        (lambda s: s.drop_attrs(), "units"),
        (lambda s: s.assign_coords(bias=[1.0, 1.0, 2.0, 3.0]), "twice"),
        (lambda s: s.assign_coords(x=np.full(COLUMNS, np.nan)), "finite"),
        (lambda s: s.astype(complex), "real numbers"),
    ],
)
def test_what_is_no_stack_any_more_is_told(change, reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        validate(change(marked()))


def test_a_stack_without_its_attributes_does_not_send_the_tip_anywhere() -> None:
    stack = marked()
    stack.attrs = {}
    with pytest.raises(StackError, match="tip"):
        tip_position(stack, 0.0, 0.0)


def test_one_row_keeps_the_pitch_it_was_given() -> None:
    stack = make_stack({"dI/dV": np.zeros((1, 1, 5))}, bias_mv=[5.0], pixel_nm=(0.7, 0.2))
    assert pixel_pitch(stack) == (0.7, 0.2)
    assert pixel_pitch(marked().isel(y=[3])) == (0.25, 0.25)  # nothing else is known of one row


def test_attributes_of_older_versions_are_understood() -> None:
    stack = marked()
    old = {key: value for key, value in stack.attrs.items() if not key.startswith("tip_origin")}
    old |= {"pixel_y_nm": 0.5, "pixel_x_nm": 0.25, "frame_rows": ROWS, "frame_columns": COLUMNS}
    old |= {"scan_centre_x_nm": 30.0, "scan_centre_y_nm": -20.0}
    cropped = stack.isel(x=slice(4, 8), y=slice(1, 5)).assign_attrs()
    cropped.attrs = old
    np.testing.assert_allclose(tip_position(cropped, 1.2, 0.7), tip_position(stack, 1.2, 0.7))


def test_an_old_file_still_opens(tmp_path) -> None:
    stack = marked().astype(np.float32).rename({"dI/dV": "didv"})
    old = {key: value for key, value in stack.attrs.items() if not key.startswith("tip_origin")}
    stack.attrs = old | {"pixel_y_nm": 0.5, "pixel_x_nm": 0.25, "frame_rows": ROWS, "frame_columns": COLUMNS,
                         "scan_centre_x_nm": 30.0, "scan_centre_y_nm": -20.0}  # fmt: skip
    stack.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    back = open_stack(tmp_path / "old.nc")
    assert "pixel_x_nm" not in back.attrs and "frame_rows" not in back.attrs
    np.testing.assert_allclose(tip_position(back, 0.5, 1.5), tip_position(marked(), 0.5, 1.5))


@pytest.mark.parametrize(
    ("key", "value"),
    [("scan_angle_deg", "thirty"), ("y_direction", 0), ("acquired", "many"), ("tip_origin_x_nm", np.nan)],
)
def test_attributes_of_a_wrong_type_are_told(tmp_path, key: str, value) -> None:
    stack = marked().astype(np.float32).rename({"dI/dV": "didv"}).assign_attrs({key: value})
    stack.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(StackError, match=rf"a\.nc.*{key}"):
        open_stack(tmp_path / "a.nc")


def test_complex_numbers_do_not_lose_their_imaginary_part() -> None:
    with pytest.raises(StackError, match="modulus"):
        make_stack({"a": np.zeros((1, 2, 2), complex)}, bias_mv=[1.0], pixel_nm=1.0)


class TestTopograph:
    def test_it_is_a_stack_of_images(self) -> None:
        stack = make_stack({}, images={"Z": np.ones((3, 4))}, units={"Z": "m"}, bias_mv=[50.0], pixel_nm=0.2)
        assert image_names(stack) == ["Z"] and topograph_name(stack) == "Z" and setpoint_bias(stack) == 50
        assert didv_channel(stack, "Z") == ("Z", False)
        assert didv(stack, "Z").shape == (1, 3, 4) and float(didv(stack, "Z")["bias"][0]) == 50
        with pytest.raises(StackError, match="no dI/dV"):
            didv(stack)

    def test_its_bias_may_be_unknown_until_it_is_needed(self) -> None:
        stack = make_stack({}, images={"Z": np.ones((3, 4))}, bias_mv=[np.nan], pixel_nm=0.2)
        with pytest.raises(StackError, match="not known"):
            didv(stack, "Z")
        assert setpoint_bias(topograph_stack(stack, bias_mv=-30.0)) == -30
        with pytest.raises(StackError, match="finite"):
            make_stack({"a": np.ones((1, 3, 4))}, bias_mv=[np.nan], pixel_nm=0.2)

    def test_that_of_a_grid_belongs_to_the_setpoint(self) -> None:
        with pytest.raises(StackError, match="setpoint"):
            didv(marked(), "Z")
        plain = topograph_stack(marked(), bias_mv=100.0)
        assert dict(plain.sizes) == {"y": ROWS, "x": COLUMNS, "bias": 1}
        np.testing.assert_array_equal(didv(plain, "Z")[0], marked()["Z"])


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["Current", "LIY 1 omega", "LIR 1 omega"], "LIR 1 omega"),
        (["Current", "LIY 1 omega", "LIX 1 omega", "LIR 1 omega"], "LIX 1 omega"),
        (["LI Demod 2 X", "Current", "LI Demod 1 X", "LI Demod 1 Phase"], "LI Demod 1 X"),
        (["Current", "Input 6"], "Current"),
        (["X", "Input 6"], "Input 6"),
        (["Current [bwd]", "Current"], "Current"),
    ],
)
def test_the_channel_of_didv_is_chosen_by_rank(names: list[str], best: str) -> None:
    stack = make_stack({name: np.ones((2, 2, 2)) for name in names}, bias_mv=[0, 1], pixel_nm=1.0)
    assert didv_channel(stack)[0] == best and didv_candidates(stack)[0] == best
    assert sorted(didv_candidates(stack)) == sorted(names)


@pytest.mark.parametrize(
    "call",
    [
        lambda stack: friedel.make_stack(3, bias_mv=1, pixel_nm=1),
        lambda stack: friedel.make_stack({"a": np.ones((1, 4, 4))}, bias_mv=1, pixel_nm=1, units="V"),
        lambda stack: friedel.make_stack({"a": np.ones((1, 4, 4))}, bias_mv=1, pixel_nm=1, images=[1]),
        lambda stack: friedel.write_stack(stack, 3),
        lambda stack: friedel.write_stack(3, "a.nc"),
        lambda stack: friedel.detect_many(3, "results"),
        lambda stack: friedel.detect_many("grid.nc", "results"),
    ],
)
def test_arguments_of_a_wrong_type_are_a_sentence(call, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    stack = friedel.make_stack({"a": np.ones((1, 4, 4))}, bias_mv=1, pixel_nm=1)
    with pytest.raises(friedel.StackError) as error:
        call(stack)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("dim", "unit", "factor", "wanted"),
    [("bias", "V", 1e-3, "mV"), ("x", "m", 1e-9, "nm"), ("y", "Å", 10.0, "nm")],
)
def test_an_axis_in_another_unit_is_refused_and_read_from_a_file(tmp_path, dim, unit, factor, wanted):
    plain = friedel.simulate(shape=(16, 16), bias_mv=[-200, -100, 0], impurities=2, seed=1)
    other = plain.assign_coords({dim: (dim, plain[dim].to_numpy() * factor, {"units": unit})})
    with pytest.raises(StackError, match=f"axis '{dim}' is in '{unit}', not in {wanted}"):
        friedel.detect(other, dispersion="au111", method="matched-field")
    other.drop_vars(list(set(other) - {"LockinX"})).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    back = friedel.open_stack(tmp_path / "other.nc")
    assert back[dim].attrs["units"] == wanted and np.allclose(back[dim], plain[dim])


@pytest.mark.parametrize("unit", ["mV", "millivolt", "Millivolts"])
def test_an_axis_whose_unit_is_spelled_out_is_sound(unit):
    stack = friedel.simulate(shape=(16, 16), bias_mv=[-200, -100, 0], impurities=2, seed=1)
    assert validate(stack.assign_coords(bias=("bias", stack["bias"].to_numpy(), {"units": unit}))) is not None


def test_an_axis_of_zeros_in_metres_is_converted(tmp_path):
    """Nothing in its values tells that they were converted."""
    stack = friedel.simulate(shape=(16, 16), bias_mv=[-200, -100, 0], impurities=2, seed=1).isel(y=[0])
    stack = stack.assign_coords(y=("y", [0.0], {"units": "m"}))
    stack.drop_vars(list(set(stack) - {"LockinX"})).to_netcdf(tmp_path / "line.nc", engine="h5netcdf")
    assert friedel.open_stack(tmp_path / "line.nc")["y"].attrs["units"] == "nm"
