"""Formats that were written from their descriptions: files built from these open with the right numbers and axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import vendor_makers as vendors
import xarray as xr
from io_makers import BIAS, cube

from friedel.errors import StackError
from friedel.io import AxesMissing, open_stack, sniff
from friedel.io.createc_vert import branches
from friedel.stack import (
    channel_names,
    didv_channel,
    pixel_pitch,
    setpoint_bias,
    tip_position,
    topograph_name,
)


@pytest.mark.parametrize("name", ["wsxm-gsi", "labview", "gxsm", "davis"])
def test_stacks_come_back(name: str, tmp_path: Path) -> None:
    suffix, maker = vendors.VENDORS[name]
    path = tmp_path / f"file{suffix}"
    stack = open_stack(path, **maker(path))
    (channel,) = channel_names(stack)
    values = cube() * 1000 if name == "labview" else cube()
    np.testing.assert_allclose(stack[channel], np.round(values) if name == "labview" else values, rtol=1e-6)
    np.testing.assert_allclose(stack["bias"], BIAS, atol=1e-5)
    np.testing.assert_allclose(pixel_pitch(stack), (0.25, 0.25), rtol=1e-6)


def test_the_frame_of_a_gxsm_scan(tmp_path: Path) -> None:
    vendors.gxsm(tmp_path / "a-Xp-dIdV.nc")
    stack = open_stack(tmp_path / "a-Xp-dIdV.nc")
    x, y = tip_position(stack, stack["x"].mean(), stack["y"].mean())
    np.testing.assert_allclose((x, y), (10.0, -5.0))
    assert didv_channel(stack) == ("dIdV", False) and stack.attrs["y_direction"] == -1


def test_a_wsxm_image(tmp_path: Path) -> None:
    vendors.wsxm(tmp_path / "a.stp")
    stack = open_stack(tmp_path / "a.stp")
    assert topograph_name(stack) == "Topography" and setpoint_bias(stack) == 50
    np.testing.assert_allclose(stack["Topography"], cube()[0])
    assert pixel_pitch(stack) == pytest.approx((0.25, 0.25)) and stack["Topography"].attrs["units"] == "nm"


def test_a_nanosurf_image(tmp_path: Path) -> None:
    vendors.nanosurf(tmp_path / "a.nid")
    stack = open_stack(tmp_path / "a.nid")
    assert topograph_name(stack) == "Z-Axis" and setpoint_bias(stack) == 50
    np.testing.assert_allclose(stack["Z-Axis"], cube(0)[0] / 4 * 2e-9, rtol=1e-6)
    np.testing.assert_allclose(stack["Current"][0], cube(1)[0] / 4 * 4e-9, rtol=1e-6)
    assert pixel_pitch(stack) == pytest.approx((0.25, 0.25))


class TestCreatecSpectra:
    def test_one_spectrum(self, tmp_path: Path) -> None:
        vendors.vert(tmp_path / "a.VERT", dwell=3)
        stack = open_stack(tmp_path / "a.VERT")
        assert channel_names(stack) == ["Z", "Current", "dI/dV", "ADC1"] and didv_channel(stack) == (
            "dI/dV",
            False,
        )
        values = np.random.default_rng(0).uniform(1, 2, (len(BIAS) + 3, 3))[3:]
        np.testing.assert_allclose(stack["dI/dV"][:, 0, 0], values[:, 1], atol=1e-6)
        np.testing.assert_allclose(stack["Current"][:, 0, 0], values[:, 0] * 20 / 2**20 * 1e-9, rtol=1e-5)
        np.testing.assert_allclose(stack["bias"], BIAS)

    def test_a_folder_is_a_line(self, tmp_path: Path) -> None:
        for index in range(5):
            vendors.vert(
                tmp_path / f"L{index}.VERT", 1000 + 300 * index, 2000 + 400 * index, seed=index, back=True
            )
        stack = open_stack(tmp_path)
        assert (stack.sizes["y"], stack.sizes["x"]) == (1, 5)
        # 500 numbers of the converter of 0.002 Å at a gain of 10.
        np.testing.assert_allclose(pixel_pitch(stack)[1], 500 * 0.002 * 10 * 0.1)
        assert "dI/dV [bwd]" in stack

    def test_the_ways_of_a_sweep(self) -> None:
        there, back = branches(np.array([5.0, 5, 5, 4, 3, 3, 4, 5]))
        assert there.tolist() == [2, 3, 4] and back is not None and back.tolist() == [7, 6, 5]
        there, back = branches(np.array([1.0, 2, 3, 3, 3]))
        assert there.tolist() == [0, 1, 2] and back is None
        with pytest.raises(StackError, match="several times"):
            branches(np.array([1.0, 2, 1, 2, 1]))


def test_structs_without_a_map_list_their_fields(tmp_path: Path) -> None:
    from scipy import io as scipy_io

    scipy_io.savemat(tmp_path / "a.mat", {"run": {"spectrum": np.ones(5), "gain": 3.0}})
    with pytest.raises(AxesMissing, match=r"a\.mat.*run: spectrum 5, gain"):
        open_stack(tmp_path / "a.mat")


class TestScatteredSpectra:
    def write(self, folder: Path) -> np.ndarray:
        points = np.random.default_rng(5).uniform(0, 6, (9, 2))
        for index, (x, y) in enumerate(points):
            makers.spectrum(folder / f"p{index}.dat", x, y, seed=index)
        return points

    def test_they_ask_for_a_pitch(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        with pytest.raises(AxesMissing, match="pixel_nm"):
            open_stack(tmp_path)

    def test_between_them_is_nothing(self, tmp_path: Path) -> None:
        points = self.write(tmp_path)
        stack = open_stack(tmp_path, pixel_nm=0.5)
        assert pixel_pitch(stack) == (0.5, 0.5) and stack.attrs["acquired"] == 9
        known = np.isfinite(stack["Current"][0].to_numpy())
        assert known.sum() == 9
        rows, columns = np.nonzero(known)
        x, y = tip_position(stack, stack["x"].to_numpy()[columns], stack["y"].to_numpy()[rows])
        distance = np.hypot(points[:, 0, None] - x, points[:, 1, None] - y).min(axis=0)
        assert distance.max() <= 0.5 * np.hypot(0.5, 0.5) + 1e-3

    def test_spectra_in_one_pixel_are_averaged(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        stack = open_stack(tmp_path, pixel_nm=50.0)
        assert (stack.sizes["y"], stack.sizes["x"]) == (1, 1)
        mean = np.mean([np.random.default_rng(i).uniform(1, 2, (7, 2))[:, 0] for i in range(9)], axis=0)
        np.testing.assert_allclose(stack["Current"][:, 0, 0], mean, rtol=1e-5)


@pytest.mark.parametrize(
    "content", [b"5 11\n3 4\n", b"5 11\n1 2 3 4 5\n", b"5 11\n1 2 4 8 16\n1 2 3\n", b"5 11"]
)
def test_text_that_begins_with_two_numbers_is_not_claimed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert sniff(tmp_path / "a.txt") is None


def test_a_series_of_createc_images_is_a_stack(tmp_path: Path) -> None:
    for index, bias in enumerate((50, -20, 10)):
        makers.createc(tmp_path / f"b{index}.dat")
        raw = (tmp_path / f"b{index}.dat").read_bytes()
        (tmp_path / f"b{index}.dat").write_bytes(raw.replace(b"=50.000", b"=%06.2f" % bias))
    stack = open_stack(tmp_path)
    np.testing.assert_allclose(stack["bias"], [-20, 10, 50])
    assert stack["ADC 1"].shape == (3, 4, 5) and topograph_name(stack) == "Z"


def test_createc_at_constant_height_has_no_topograph(tmp_path: Path) -> None:
    makers.createc(tmp_path / "a.dat")
    raw = (tmp_path / "a.dat").read_bytes()
    head = raw[:16384].rstrip(b"\0") + b"\r\nCHMode / CHMode=1\r\nCHModeBias[mV] / CHModeBias[mV]=-70.0\r\n"
    head += b"Channelselectval / Channelselectval=6\r\n"
    (tmp_path / "a.dat").write_bytes(head.ljust(16384, b"\0") + raw[16384:])
    stack = open_stack(tmp_path / "a.dat")
    assert topograph_name(stack) is None and setpoint_bias(stack) == -70
    assert channel_names(stack) == ["Current", "ADC 1", "Current [bwd]", "ADC 1 [bwd]"]
    (tmp_path / "a.dat").write_bytes(
        (head + b"Channels=7\r\n").replace(b"Channels=4", b"Channels=7").ljust(16384, b"\0") + raw[16384:]
    )
    with pytest.raises(StackError, match=r"a\.dat"):
        open_stack(tmp_path / "a.dat")


def gxsm_file(path: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    vendors.gxsm(path)
    with xr.open_dataset(path, engine="scipy", decode_times=False) as file:
        changed = change(file.load())
    changed.to_netcdf(path, engine="scipy")
    return open_stack(path)


@pytest.mark.parametrize("axis", ["dimx", "dimy", "value"])
def test_axes_of_a_gxsm_scan_may_fall(axis: str, tmp_path: Path) -> None:
    plain = gxsm_file(tmp_path / "a-Xp-dIdV.nc", lambda file: file)
    turned = gxsm_file(tmp_path / "b-Xp-dIdV.nc", lambda file: file.isel({axis: slice(None, None, -1)}))
    for stack in (plain, turned):
        x, y = tip_position(stack, *np.meshgrid(stack["x"], stack["y"]))
        order = np.lexsort((np.round(x, 3).ravel(), np.round(y, 3).ravel()))
        stack.attrs["by place"] = (
            stack["dIdV"].sortby("bias").to_numpy().reshape(stack.sizes["bias"], -1)[:, order]
        )
    np.testing.assert_allclose(turned.attrs["by place"], plain.attrs["by place"])


def test_numbers_of_gxsm_count_steps_of_dz_as_floats_too(tmp_path: Path) -> None:
    plain = gxsm_file(tmp_path / "a-Xp-Topo.nc", lambda file: file.isel(value=[0]))
    scaled = gxsm_file(tmp_path / "b-Xp-Topo.nc", lambda file: file.isel(value=[0]).assign(dz=0.01))
    np.testing.assert_allclose(scaled["Topo"], plain["Topo"] * 0.01)
    assert topograph_name(scaled) == "Topo" and scaled["Topo"].attrs["units"] == "Å"


#: Vendors whose headers are text, and the mark at which numbers begin.
TEXT = {"createc-vert": None, "wsxm": b"[Header end]", "wsxm-gsi": b"[Header end]", "nid": b"#!"}


@pytest.mark.parametrize("name", TEXT)
def test_a_comma_before_the_decimals_is_read(name: str, tmp_path: Path) -> None:
    suffix, maker = vendors.VENDORS[name]
    path = tmp_path / f"file{suffix}"
    options = maker(path)
    plain = open_stack(path, **options).load()
    raw = path.read_bytes()
    end = len(raw) if TEXT[name] is None else raw.index(TEXT[name])
    path.write_bytes(raw[:end].replace(b".", b",") + raw[end:])
    commas = open_stack(path, **options)
    for variable in (*plain.variables,):
        np.testing.assert_allclose(commas[variable], plain[variable])
