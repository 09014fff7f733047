"""Any order of the records of a grid, and axes that fall: each value stays at its tip position."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import io_makers as makers
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.spatial import cKDTree

from friedel.errors import FriedelWarning, StackError
from friedel.io import AxesMissing, open_stack
from friedel.stack import make_stack, tip_position

shared_folder = [HealthCheck.function_scoped_fixture]
many = settings(max_examples=25, deadline=None, suppress_health_check=shared_folder)
#: A process looks through each of these files before it is opened.
some = settings(max_examples=12, deadline=None, suppress_health_check=shared_folder)


def value_at(x_nm: np.ndarray, y_nm: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The rule of all files here; unlike at any two places."""
    return 3.0 + 0.013 * x_nm + 0.0077 * y_nm + 0.5 * point


def check(stack: xr.Dataset, name: str, places: np.ndarray, left_out: int = 0) -> None:
    """Each known pixel holds what was measured at its tip position, and no more places than `left_out` were lost."""
    x, y = tip_position(stack, *np.meshgrid(stack["x"].to_numpy(), stack["y"].to_numpy()))
    values = stack[name].to_numpy()
    known = np.isfinite(values).all(axis=0)
    expected = value_at(x, y, np.arange(len(values))[:, None, None])
    np.testing.assert_allclose(values[:, known], expected[:, known], atol=2e-4)
    found = np.column_stack([x[known], y[known]])
    apart, nearest = cKDTree(places).query(found)
    assert len(found) == len(set(nearest)) == len(places) - left_out and apart.max() < 2e-3


def write_grid(path: Path, places: np.ndarray, grid: tuple[int, int], frame: tuple[float, ...]) -> None:
    """Write a `.3ds` whose records come in the order of `places` [nm]."""
    points = 3
    header = makers.grid_header((points, *grid), ("Current (A)",))
    centre_x, centre_y, size_x, size_y, angle = frame
    header["Grid settings"] = f"{centre_x}E-9;{centre_y}E-9;{size_x}E-9;{size_y}E-9;{angle}"
    text = "".join(f"{key}={value}\r\n" for key, value in header.items()) + ":HEADER_END:\r\n"
    records = np.empty((len(places), 5 + points))
    records[:, :2] = -0.06, 0.06
    records[:, 2:4], records[:, 4] = places * 1e-9, 1e-9
    records[:, 5:] = value_at(places[:, :1], places[:, 1:], np.arange(points))
    path.write_bytes(text.encode() + records.astype(">f4").tobytes())


@st.composite
def grids(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int], tuple[float, ...]]:
    """Tip positions of a grid in row order, its size, and the header's frame."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    pitch_x, pitch_y = draw(st.sampled_from([0.3, 0.5, 2.0])), draw(st.sampled_from([0.4, 0.5]))
    angle = draw(st.sampled_from([0.0, 30.0, 90.0, -17.0]))
    centre = draw(st.sampled_from([(0.0, 0.0), (120.0, -35.0)]))
    across, along = np.meshgrid(
        (np.arange(columns) - (columns - 1) / 2) * pitch_x, (np.arange(rows) - (rows - 1) / 2) * pitch_y
    )
    turn = np.deg2rad(angle)
    x = centre[0] + across * np.cos(turn) + along * np.sin(turn)
    y = centre[1] - across * np.sin(turn) + along * np.cos(turn)
    places = np.column_stack([x.ravel(), y.ravel()]).round(4)
    return places, (rows, columns), (*centre, columns * pitch_x, rows * pitch_y, angle)


@many
@given(grids(), st.sampled_from(["rows", "meander", "random", "reverse"]), st.integers(0, 2**16))
def test_a_whole_grid_in_any_order(tmp_path: Path, made, order: str, seed: int) -> None:
    places, (rows, columns), frame = made
    index = np.arange(rows * columns).reshape(rows, columns)
    if order == "meander":
        index[1::2] = index[1::2, ::-1]
    index = index.ravel()
    if order == "random":
        index = np.random.default_rng(seed).permutation(index)
    index = index[::-1] if order == "reverse" else index
    write_grid(tmp_path / "a.3ds", places[index], (rows, columns), frame)
    stack = open_stack(tmp_path / "a.3ds")
    assert sorted(stack[["y", "x"]].sizes.values()) == sorted((rows, columns))
    check(stack, "Current", places)


@many
@given(grids(), st.sampled_from(["rows", "meander"]), st.integers(2, 40))
def test_a_grid_that_was_broken_off(tmp_path: Path, made, order: str, kept: int) -> None:
    places, (rows, columns), frame = made
    index = np.arange(rows * columns).reshape(rows, columns)
    if order == "meander":
        index[1::2] = index[1::2, ::-1]
    taken = places[index.ravel()[:kept]]
    write_grid(tmp_path / "a.3ds", taken, (rows, columns), frame)
    stack = open_stack(tmp_path / "a.3ds")
    assert (stack.sizes["y"], stack.sizes["x"]) == (rows, columns)
    check(stack, "Current", taken)
    assert stack.attrs["acquired"] == len(taken)


@many
@given(grids(), st.integers(0, 2**16), st.floats(0.5, 0.95))
def test_some_records_in_random_order_lie_right_or_are_refused(
    tmp_path: Path, made, seed: int, share: float
) -> None:
    places, (rows, columns), frame = made
    random = np.random.default_rng(seed)
    index = random.permutation(rows * columns)[: max(2, round(share * rows * columns))]
    write_grid(tmp_path / "a.3ds", places[index], (rows, columns), frame)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FriedelWarning)
        try:
            stack = open_stack(tmp_path / "a.3ds")
        except StackError as error:
            assert "tip positions" in str(error)
            return
    # One that may be made of two is left out, and this is said.
    left_out = sum("is left out" in str(one.message) for one in told)
    check(stack, "Current", places[index], left_out)


falls = st.tuples(st.booleans(), st.booleans(), st.booleans())


@some
@given(falls, st.sampled_from([0.0, 40.0]), st.sampled_from([1, -1]), st.permutations(["bias", "y", "x"]))
def test_falling_axes_of_a_netcdf_stack(tmp_path: Path, fall, angle: float, hand: int, order) -> None:
    frame = {"scan_angle_deg": angle, "y_direction": hand, "scan_centre_x_nm": 11.0}
    stack = make_stack({"a": np.zeros((3, 4, 5))}, bias_mv=[-1, 0, 1], pixel_nm=(0.4, 0.3), **frame)
    x, y = tip_position(stack, *np.meshgrid(stack["x"].to_numpy(), stack["y"].to_numpy()))
    stack["a"] = stack["a"].copy(data=value_at(x, y, np.arange(3)[:, None, None]).astype("f4"))
    places = np.column_stack([x.ravel(), y.ravel()])
    turned = stack.isel(
        {dim: slice(None, None, -1) for dim, one in zip(("y", "x"), fall[:2], strict=True) if one}
    )
    turned = turned.isel(bias=slice(None, None, -1)) if fall[2] else turned
    turned.transpose(*order).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    back = open_stack(tmp_path / "a.nc").sortby("bias")
    check(back, "a", places)


@some
@given(falls, st.sampled_from(["nm", "m", "Å"]), st.permutations(["bias", "y", "x"]))
def test_falling_axes_of_an_hdf5_file(tmp_path: Path, fall, unit: str, order) -> None:
    axes = {"bias": np.array([-0.05, 0.0, 0.05]), "y": 20 + 0.4 * np.arange(4), "x": -7 + 0.3 * np.arange(5)}
    for name, one in zip(("y", "x", "bias"), fall, strict=True):
        axes[name] = axes[name][::-1] if one else axes[name]
    point = np.rint((axes["bias"] + 0.05) / 0.05)
    values = value_at(axes["x"][None, None, :], axes["y"][None, :, None], point[:, None, None])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset(
            "didv", data=values.transpose([["bias", "y", "x"].index(d) for d in order])
        )
        factor = {"nm": 1.0, "m": 1e-9, "Å": 10.0}[unit]
        for number, name in enumerate(order):
            scale = file.create_dataset(name, data=axes[name] * (1.0 if name == "bias" else factor))
            scale.attrs["units"] = "V" if name == "bias" else unit
            scale.make_scale(name)
            data.dims[number].attach_scale(scale)
    stack = open_stack(tmp_path / "a.h5").sortby("bias")
    places = np.array([(x, y) for x in axes["x"] for y in axes["y"]])
    check(stack, "didv", places)


def test_a_small_meander_that_was_broken_off_lost_nothing_before(tmp_path: Path) -> None:
    places = np.array([[-0.15, -0.2], [0.15, -0.2], [0.15, 0.2]])  # as if row by row with a gap
    write_grid(tmp_path / "a.3ds", places, (2, 2), (0.0, 0.0, 0.6, 0.8, 0.0))
    check(open_stack(tmp_path / "a.3ds"), "Current", places)


def test_a_few_records_of_another_pitch_than_the_header_are_no_beginning(tmp_path: Path) -> None:
    places = np.array(
        [[0.75, 0.0], [0.15, 0.0], [-0.75, 0.0]]
    )  # about evenly, yet every second to third point
    write_grid(tmp_path / "a.3ds", places, (1, 6), (0.0, 0.0, 1.8, 0.5, 0.0))
    with pytest.raises(StackError, match="tip positions are not those of a grid of 6 × 1 points"):
        open_stack(tmp_path / "a.3ds")
    check(open_stack(tmp_path / "a.3ds", pixel_nm=0.3), "Current", places)


@pytest.mark.parametrize("named", ["", None])
def test_a_sweep_that_the_header_does_not_name_is_asked_for(named: str | None, tmp_path: Path) -> None:
    header = makers.grid_header(Sweep__Signal=named)
    makers.grid(tmp_path / "a.3ds", header=header)
    with pytest.raises(AxesMissing, match="does not say what was swept") as error:
        open_stack(tmp_path / "a.3ds")
    assert error.value.missing == ("bias",)
    stack = open_stack(tmp_path / "a.3ds", bias="-60:60")
    assert stack.attrs["sweep"] == "bias"
    np.testing.assert_array_equal(stack["LockinX"], makers.cube(0))


def test_a_recorded_bias_confirms_a_sweep_without_a_name(tmp_path: Path) -> None:
    recorded = np.broadcast_to(makers.BIAS[:, None, None] / 1e3, makers.SHAPE)
    header = makers.grid_header(channels=("Current (A)", "Bias (V)"), Sweep__Signal=None)
    makers.grid(tmp_path / "a.3ds", [makers.cube(1), recorded], header=header)
    np.testing.assert_allclose(open_stack(tmp_path / "a.3ds")["bias"], makers.BIAS)
    other = makers.grid_header(channels=("Current (A)", "Bias (V)"), Sweep__Signal=None)
    makers.grid(tmp_path / "b.3ds", [makers.cube(1), recorded * 0 + 0.05], header=other)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        with pytest.raises(AxesMissing, match="no recorded bias confirms"):
            open_stack(tmp_path / "b.3ds")
