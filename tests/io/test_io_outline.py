"""An outline describes a file as the opened stack does, or not at all."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import friedel
from friedel.cli import main
from friedel.cli.info import describe
from friedel.io.outline import outline
from friedel.physics.dispersion import MATERIALS


@pytest.fixture
def stack():
    stack = friedel.simulate(seed=2, shape=(12, 14), bias_mv=[-200, -100, 0, 20], impurities=2)
    return stack.rename(LockinX="dI/dV of LockinX λ").isel(y=slice(None, None, -1))


def _described(stack) -> str:
    return json.dumps(describe(stack, list(MATERIALS.values())), sort_keys=False)


@pytest.mark.parametrize("change", ["none", "crop", "one voltage", "topograph", "uneven", "one line"])
def test_an_outline_says_what_the_opened_stack_says(stack, change, tmp_path):
    stack = {
        "none": stack,
        "crop": stack.isel(x=slice(3, 9)),
        "one voltage": stack.isel(bias=[1]),
        "topograph": friedel.stack.topograph_stack(stack, -50.0),
        "uneven": stack.isel(bias=[0, 1, 3]),
        "one line": stack.isel(y=[2]),
    }[change]
    friedel.write_stack(stack, tmp_path / "a.nc")
    found = outline(tmp_path / "a.nc")
    opened = friedel.open_stack(tmp_path / "a.nc")
    if change != "one line":  # its pitch along y is known from x alone
        assert found is not None
    if found is not None:
        assert _described(found) == _described(opened)
        assert found.attrs["source"] == opened.attrs["source"]
        assert json.loads(found.attrs["header"]) == json.loads(opened.attrs["header"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.attrs.__setitem__("scan_angle_deg", "abc"),
        lambda file: file.attrs.__delitem__("acquired"),
        lambda file: file.attrs.__setitem__("y_direction", 3),
        lambda file: file.attrs.__setitem__("header", "{"),
        lambda file: file["y"].attrs.__setitem__("units", "um"),
        lambda file: file["bias"].attrs.__delitem__("units"),
        lambda file: file["bias"].__setitem__(1, np.nan),
        lambda file: file["x"].__setitem__(1, 99.0),
        lambda file: file["Z"].attrs.__setitem__("scale_factor", 2.0),
        lambda file: file.create_dataset("more", data=np.zeros(3)),
        lambda file: file.create_group("more"),
        lambda file: file.__delitem__("bias"),
    ],
)
def test_a_file_that_is_not_quite_our_own_is_opened(stack, spoil, tmp_path):
    friedel.write_stack(stack, tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        spoil(file)
    assert outline(tmp_path / "a.nc") is None


def test_other_files_and_missing_ones_have_no_outline(stack, tmp_path):
    friedel.write_stack(stack, tmp_path / "a.npz")
    (tmp_path / "text.nc").write_text("no grid")
    for name in ("a.npz", "text.nc", "none.nc", "."):
        assert outline(tmp_path / name) is None


def test_a_channel_that_cannot_be_read_is_not_passed_over(stack, tmp_path, capsys):
    friedel.write_stack(stack, tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        values = np.array(file["Z"])
        attrs, scales = dict(file["Z"].attrs), [file["y"], file["x"]]
        del file["Z"]
        new = file.create_dataset("Z", data=values, chunks=values.shape, fletcher32=True)
        new.attrs["units"] = attrs["units"]
        for index, scale in enumerate(scales):
            new.dims[index].attach_scale(scale)
        place = new.id.get_chunk_info(0).byte_offset
    assert outline(tmp_path / "a.nc") is not None
    content = bytearray((tmp_path / "a.nc").read_bytes())
    content[place + 8] ^= 0xFF
    (tmp_path / "a.nc").write_bytes(content)
    assert outline(tmp_path / "a.nc") is None
    assert main(["info", str(tmp_path / "a.nc")]) == 2
    assert "a.nc" in capsys.readouterr().err
