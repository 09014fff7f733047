"""`friedel info` and `friedel convert`; channels read lazily."""

from __future__ import annotations

import json
from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import xarray as xr

import friedel
from friedel.cli import main
from friedel.io import open_stack
from friedel.io.lazy import Records
from friedel.physics.dispersion import MATERIALS


def test_info_says_what_is_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makers.grid(tmp_path / "a.3ds")
    (tmp_path / "a.3ds").write_bytes((tmp_path / "a.3ds").read_bytes()[:-10])
    assert main(["info", str(tmp_path / "a.3ds"), "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["grid"] == {"columns": 5, "rows": 4, "bias": 7}
    assert (known["acquired"], known["expected"]) == (19, 20)
    assert known["channels"] == {"Current": "A", "LockinX": "V"}
    assert known["didv"]["channel"] == "LockinX" and not known["didv"]["derived"]
    assert {band["band"] for band in known["friedel_wavelength_px"]} == set(MATERIALS)
    au = next(band for band in known["friedel_wavelength_px"] if band["band"] == "au111")
    at = next(entry for entry in au["at"] if entry["bias_mv"] == 0)
    assert at["pixels"] == pytest.approx(np.pi / MATERIALS["au111"].k(0.0) / 0.25)


def test_info_of_a_band_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makers.grid(tmp_path / "a.3ds")
    assert main(["info", str(tmp_path / "a.3ds"), "--onset-mev", "-100", "--mass", "0.4", "--header"]) == 0
    text = capsys.readouterr().out
    assert "E₀ -100 meV, m* 0.4" in text and "au111" not in text and "Grid settings" in text
    assert main(["info", str(tmp_path / "a.3ds"), "--onset-mev", "500", "--mass", "0.4"]) == 0
    assert "outside the band" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "a.3ds"), "--mass", "0.4"]) == 2


def test_a_derived_channel_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makers.grid(tmp_path / "a.3ds", [makers.cube()], makers.grid_header(channels=("Current (A)",)))
    assert main(["info", str(tmp_path / "a.3ds")]) == 0
    assert "differentiated numerically" in capsys.readouterr().out


def test_a_negative_bias_is_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makers.npy(tmp_path / "a.npy")
    assert main(["info", str(tmp_path / "a.npy"), "--bias", "-60:60", "--pixel-nm", "0.25"]) == 0
    assert "-60 to 60 mV" in capsys.readouterr().out


def test_a_bad_file_is_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.3ds").write_bytes(b"Grid dim=")
    assert main(["info", str(tmp_path / "bad.3ds")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "bad.3ds" in captured.err


def test_the_convert_command_writes_the_same_stack_a_part_or_one_map_and_replaces_nothing_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "a.3ds", tmp_path / "out.nc"
    makers.grid(source)
    assert main(["convert", str(source), str(out)]) == 0
    xr.testing.assert_identical(open_stack(out), open_stack(source).load())
    assert main(["convert", str(source), str(out)]) == 2  # never over an existing file unasked
    assert "--overwrite" in capsys.readouterr().err
    assert main(["convert", str(source), str(out), "--overwrite", "--area", "1:3,0:4"]) == 0
    assert open_stack(out).sizes["y"] == 2
    assert main(["convert", str(source), str(tmp_path / "o.gsf"), "--at", "-20", "--channel", "Current"]) == 0
    image = open_stack(tmp_path / "o.gsf", bias=-20)
    np.testing.assert_array_equal(next(iter(image.data_vars.values()))[0], makers.cube(1)[2])
    assert main(["convert", str(source), str(tmp_path / "missing" / "o.nc")]) == 2


def test_an_image_needs_its_voltage_or_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A topograph has no voltage to choose."""
    stack = friedel.simulate(shape=(12, 16), bias_mv=[-200, -100, 0], impurities=2, seed=1)
    source, out = tmp_path / "s.nc", tmp_path / "s2.gsf"
    friedel.write_stack(stack, source)
    assert main(["convert", str(source), str(out)]) == 2
    assert "name its bias [mV], from -200 to 0. (--at)" in capsys.readouterr().err
    assert main(["convert", str(source), str(out), "--channel", "Z"]) == 0
    image = open_stack(out)
    assert image["Z"].attrs["units"] == "m"
    np.testing.assert_allclose(image["Z"], stack["Z"], rtol=1e-6)
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    assert "the first" not in capsys.readouterr().out


def test_help_and_pages_name_every_format_that_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    from friedel.io.written import POINTS, STACKS

    for command, suffixes in (("convert", STACKS), ("detect", POINTS), ("refit", POINTS)):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = capsys.readouterr().out
        assert [suffix for suffix in suffixes if f"OUT{suffix}" not in told] == [], command
    page = Path(__file__).parents[2] / "docs" / "file-formats.md"
    if page.exists():
        written = page.read_text(encoding="utf-8").partition("## What is written")[2]
        assert [suffix for suffix in {**STACKS, **POINTS} if f"`{suffix}`" not in written] == []


def test_a_current_at_one_voltage_is_not_said_to_give_didv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = np.ones((1, 4, 5))
    channels = {"Current": flat, "Current [bwd]": flat}
    stack = friedel.make_stack(channels, bias_mv=[80.0], pixel_nm=0.2, units=dict.fromkeys(channels, "A"))
    friedel.write_stack(stack, tmp_path / "a.nc")
    assert main(["info", str(tmp_path / "a.nc")]) == 0
    told = capsys.readouterr().out
    assert "is derived from it" not in told and "If it is in another one" not in told
    assert told.count("dI/dV cannot be derived from it") == 1
    assert main(["info", str(tmp_path / "a.nc"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["didv"]["channel"] is None


KEYS = [
    {"bias": 3},
    {"bias": slice(1, 6, 2), "y": slice(1, 4)},
    {"y": 2, "x": 3},
    {"y": -1},
    {"y": slice(None, None, -1)},
    {"y": slice(3, 0, -2), "x": slice(4, 1, -1)},
    {"y": [3, 1], "x": [2, 0]},
    {"bias": [0, 5, 3]},
    {"y": slice(2, 2)},
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_part_of_a_lazy_channel_is_that_part(tmp_path: Path, key: dict) -> None:
    makers.grid(tmp_path / "a.3ds")
    part = open_stack(tmp_path / "a.3ds")["LockinX"].isel(key).to_numpy()
    whole = xr.DataArray(makers.cube(), dims=("bias", "y", "x"))
    np.testing.assert_array_equal(part, whole.isel(key).to_numpy())


def test_opening_reads_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first and the last record are looked at before a channel is touched; a plane reads no other plane."""
    makers.grid(tmp_path / "a.3ds")
    opened: list[np.ndarray] = []
    original = Records.open

    def spy(self: Records) -> np.ndarray:
        records = original(self)
        opened.append(records)
        return records

    monkeypatch.setattr(Records, "open", spy)
    stack = open_stack(tmp_path / "a.3ds")
    assert len(opened) == 2 and all(isinstance(records, np.memmap) for records in opened)
    stack["LockinX"].isel(bias=2).to_numpy()
    assert len(opened) == 3
    stack["LockinX"].to_numpy()
    stack["LockinX"].to_numpy()  # kept once it was read whole
    assert len(opened) == 4


def test_a_lazy_stack_can_be_changed_and_copied(tmp_path: Path) -> None:
    import copy
    import pickle

    makers.grid(tmp_path / "a.3ds")
    stack = open_stack(tmp_path / "a.3ds")
    for copied in (copy.deepcopy(stack), pickle.loads(pickle.dumps(stack)), stack.copy()):
        np.testing.assert_array_equal(copied["LockinX"], makers.cube())
    stack["LockinX"][0, 0, 0] = 7
    assert float(open_stack(tmp_path / "a.3ds")["LockinX"][0, 0, 0]) != 7
