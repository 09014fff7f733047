"""What is known to be separate scans says so, in every format that holds such."""

from __future__ import annotations

from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import vendor_makers as vendors
import xarray as xr

from friedel.io import open_stack
from friedel.io.export import write_stack


def series(folder: Path, kind: str) -> list[Path]:
    folder.mkdir()
    for index, bias in enumerate((20, 40, 60)):
        if kind == "sxm":
            makers.scan(folder / f"{index}.sxm", bias_v=bias / 1e3, seed=index)
            continue
        path = folder / f"{index}.dat"
        makers.createc(path, compressed=False)
        path.write_bytes(
            path.read_bytes().replace(b"Biasvolt[mV]=50.000", f"Biasvolt[mV]={bias}.000".encode())
        )
    return sorted(folder.iterdir())


@pytest.mark.parametrize("kind", ["sxm", "createc"])
def test_a_series_of_images_is_separate_scans_and_one_image_is_none(kind: str, tmp_path: Path) -> None:
    files = series(tmp_path / "series", kind)
    stack = open_stack(tmp_path / "series")
    np.testing.assert_allclose(stack["bias"], [20, 40, 60])
    assert stack.attrs["separate_scans"] == 1
    assert open_stack(files).attrs["separate_scans"] == 1
    assert open_stack(files[0]).attrs["separate_scans"] == 0


def test_passes_of_one_scan_and_a_grid_are_no_separate_scans(tmp_path: Path, shared_data: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    assert open_stack(tmp_path / "a.3ds").attrs["separate_scans"] == 0
    passes = open_stack(shared_data / "cases" / "nanonis_multipass.sxm")
    assert passes.sizes["bias"] == 2 and passes.attrs["separate_scans"] == 0  # line by line at both voltages


def test_layers_of_gxsm_are_scans_of_their_own_unless_spectra_filled_them(tmp_path: Path) -> None:
    path = tmp_path / "a-Xp-dIdV.nc"
    vendors.gxsm(path)
    assert open_stack(path).attrs["separate_scans"] == 1  # one whole scan at each voltage
    of_spectra = tmp_path / "a-Xp-Map-PrbSrc0.nc"
    of_spectra.write_bytes(path.read_bytes())
    assert open_stack(of_spectra).attrs["separate_scans"] == 0
    with xr.open_dataset(path, engine="scipy") as file:
        file.load().assign(title="X+ Map-PrbSrc1").to_netcdf(tmp_path / "b.nc", engine="scipy")
    assert open_stack(tmp_path / "b.nc").attrs["separate_scans"] == 0


@pytest.mark.parametrize("name", ["npy", "npz", "tiff", "mat5", "hdf5"])
def test_the_user_can_say_it_of_a_bare_array(name: str, tmp_path: Path) -> None:
    suffix, maker = makers.MAKERS[name]
    path = tmp_path / f"a{suffix}"
    asked = maker(path)
    assert open_stack(path, **asked).attrs["separate_scans"] == 0
    assert open_stack(path, **asked, separate_scans=True).attrs["separate_scans"] == 1


@pytest.mark.parametrize("suffix", [".nc", ".npz", ".zarr"])
def test_it_is_kept_by_what_is_written(suffix: str, tmp_path: Path) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    stack = makers.stack().assign_attrs(separate_scans=1)
    write_stack(stack, tmp_path / f"a{suffix}")
    assert open_stack(tmp_path / f"a{suffix}", **options(suffix)).attrs["separate_scans"] == 1
    write_stack(stack.assign_attrs(separate_scans=0), tmp_path / f"b{suffix}")
    assert open_stack(tmp_path / f"b{suffix}", **options(suffix)).attrs["separate_scans"] == 0


def options(suffix: str) -> dict[str, str]:
    return {"dataset": "LockinX"} if suffix == ".npz" else {}
