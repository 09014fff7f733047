"""Zarr stores: without loss, read part by part, foreign ones in another order, damaged ones refused."""

from __future__ import annotations

from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import xarray as xr

import friedel
from friedel.errors import StackError
from friedel.io import open_stack, sniff
from friedel.io.export import write_stack
from friedel.stack import make_stack, tip_position

zarr = pytest.importorskip("zarr")


def test_a_store_keeps_everything(tmp_path: Path) -> None:
    stack = makers.stack().rename({"LockinX": "dI/dV"})
    write_stack(stack, tmp_path / "a.zarr")
    assert sniff(tmp_path / "a.zarr") == "zarr"
    back = open_stack(tmp_path / "a.zarr")
    assert set(back.data_vars) == {"dI/dV", "Current", "Z"}
    for name in back.variables:
        np.testing.assert_array_equal(back[name], stack[name])
        assert back[name].attrs == stack[name].attrs
    back.attrs.pop("source"), stack.attrs.pop("source")
    assert back.attrs == stack.attrs


def test_writing_again_replaces_the_store_and_nothing_else(tmp_path: Path) -> None:
    write_stack(makers.stack(0), tmp_path / "a.zarr")
    write_stack(makers.stack(5), tmp_path / "a.zarr")
    np.testing.assert_array_equal(open_stack(tmp_path / "a.zarr")["LockinX"], makers.cube(5))
    assert [item.name for item in tmp_path.iterdir()] == ["a.zarr"]
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "thesis.txt").write_text("words")
    with pytest.raises(StackError, match=r"b\.zarr: there is something else"):
        write_stack(makers.stack(), tmp_path / "b.zarr")
    assert (tmp_path / "b.zarr" / "thesis.txt").exists()


@pytest.mark.parametrize("version", [2, 3])
def test_only_the_chunks_that_are_touched_are_read(version: int, tmp_path: Path, monkeypatch) -> None:
    values = np.arange(8 * 16 * 16, dtype=np.float64).reshape(
        16, 16, 8
    )  # y, x, bias: foreign order and numbers
    store = xr.Dataset(
        {"didv": (("y", "x", "bias"), values, {"units": "nS"})},
        coords={
            "bias": ("bias", np.linspace(-0.1, 0.1, 8), {"units": "V"}),
            "y": ("y", np.arange(16)[::-1] * 5.0, {"units": "Å"}),
            "x": ("x", np.arange(16) * 5.0, {"units": "Å"}),
        },
        attrs={"acquired": 256, "expected": 256},
    )
    store.to_zarr(tmp_path / "a.zarr", encoding={"didv": {"chunks": (4, 4, 8)}}, zarr_format=version)
    read: list[str] = []
    whole = zarr.storage.LocalStore.get

    async def noted(self, key, *args, **options):
        read.append(key)
        return await whole(self, key, *args, **options)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", noted)
    stack = open_stack(tmp_path / "a.zarr")
    chunks = [key for key in read if key.startswith("didv/") and key[-1].isdigit()]
    assert not chunks  # nothing but axes until a map is touched
    part = stack["didv"].isel(bias=3, y=slice(0, 4), x=slice(4, 8)).to_numpy()
    np.testing.assert_array_equal(part, values[:4, 4:8, 3])
    assert len({key for key in read if key.startswith("didv/") and key[-1].isdigit()}) == 1
    assert stack["didv"].dims == ("bias", "y", "x") and stack["didv"].dtype == np.float32
    np.testing.assert_allclose(stack["bias"], np.linspace(-100, 100, 8))
    np.testing.assert_allclose(stack["y"], np.arange(16)[::-1] * 0.5)
    np.testing.assert_array_equal(stack["didv"], values.transpose(2, 0, 1))


def test_a_store_without_axes_or_with_absurd_ones_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"a": (("p", "q"), np.ones((3, 3)))}).to_zarr(tmp_path / "a.zarr")
    with pytest.raises(StackError, match=r"a\.zarr: the axes bias, y, x are missing"):
        open_stack(tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "b.zarr", mode="w")
    group.create_array("bias", shape=(1 << 40,), chunks=(1 << 20,), dtype="f4", dimension_names=("bias",))
    with pytest.raises(StackError, match=r"b\.zarr.*claims"):
        open_stack(tmp_path / "b.zarr")


def test_the_tip_goes_to_the_same_place_as_from_netcdf(tmp_path: Path) -> None:
    stack = make_stack(
        {"a": makers.cube()}, bias_mv=makers.BIAS, pixel_nm=0.25, scan_angle_deg=20.0, scan_centre_x_nm=7.0
    ).isel(y=slice(None, None, -1))
    for name in ("a.zarr", "a.nc"):
        write_stack(stack, tmp_path / name)
        back = open_stack(tmp_path / name)
        places = [tip_position(one, one["x"][1], one["y"][2]) for one in (back, stack)]
        np.testing.assert_allclose(*places)


@pytest.mark.slow
def test_a_detection_in_a_store_is_that_of_the_same_file(tmp_path: Path) -> None:
    stack = friedel.simulate("au111", shape=(48, 48), bias_mv=np.arange(-200, 21, 20.0), impurities=8, seed=3)
    found = []
    for name in ("a.zarr", "a.nc"):
        write_stack(stack, tmp_path / name)
        found.append(friedel.detect(open_stack(tmp_path / name), dispersion="au111", refit="none"))
    np.testing.assert_allclose(found[0].positions, found[1].positions)
