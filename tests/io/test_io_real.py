"""Real files of instruments, where they lie beside the repository: what is known of them comes out."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from friedel.cli import main
from friedel.errors import StackError
from friedel.io import open_stack
from friedel.stack import didv, didv_channel, pixel_pitch, tip_position, topograph_name


def _need_spym() -> None:
    """Importing spym needs plotting libraries that reading does not."""
    if importlib.util.find_spec("spym") is None:
        pytest.skip("the extra 'rhk' is not installed")


def test_nanonis_grid(shared_data: Path) -> None:
    stack = open_stack(shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds")
    assert dict(stack.sizes) == {"bias": 200, "y": 30, "x": 30}
    assert stack["bias"][0] == -220 and stack["bias"][-1] == 220
    assert didv_channel(stack) == ("LockinX", False) and topograph_name(stack) == "Z"
    np.testing.assert_allclose(pixel_pitch(stack), 5 / 30)
    # The one point defect lies near column 15, row 13: the smallest dI/dV at 112 mV, smoothed.
    plane = didv(stack).sel(bias=111.7, method="nearest").to_numpy()
    inner = np.array(
        [[plane[r - 1 : r + 2, c - 1 : c + 2].mean() for c in range(5, 25)] for r in range(8, 20)]
    )
    row, column = np.unravel_index(inner.argmin(), inner.shape)
    assert np.hypot(row + 8 - 13, column + 5 - 15) < 3


def test_nanonis_grid_positions(shared_data: Path) -> None:
    """Pitch, angle and direction agree with the tip positions that the file keeps for every pixel."""
    path = shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
    stack = open_stack(path)
    raw = path.read_bytes()
    start = raw.index(b":HEADER_END:\r\n") + 14
    records = np.frombuffer(raw, ">f4", offset=start).reshape(30, 30, 810)
    x, y = tip_position(stack, *np.meshgrid(stack["x"], stack["y"]))
    dx, dy = records[:, :, 2] * 1e9 - x, records[:, :, 3] * 1e9 - y
    # The centre in the header differs by 0.11 nm along x; the stored positions are right.
    assert np.abs(dx).max() < 1e-3 and np.abs(dy).max() < 1e-3
    np.testing.assert_array_equal(stack["LockinX"], records[:, :, 210:410].transpose(2, 0, 1))


def test_nanonis_image(shared_data: Path) -> None:
    stack = open_stack(shared_data / "nanonis" / "FeSe_topography.sxm")
    assert didv_channel(stack) == ("LIY 1 omega", False)
    assert stack.sizes["x"] == 224 and float(stack["bias"][0]) == pytest.approx(45)
    assert stack.attrs["y_direction"] == -1 and stack.attrs["scan_angle_deg"] == 45
    forward, backward = stack["Z"].to_numpy().ravel(), stack["Z [bwd]"].to_numpy().ravel()
    assert np.corrcoef(forward, backward)[0, 1] > 0.95  # mirrored back


def test_nanonis_image_with_changed_line_endings(shared_data: Path) -> None:
    with pytest.raises(StackError, match="line endings"):
        open_stack(shared_data / "nanonis" / "damaged_line_endings.sxm")


def test_nanonis_spectra_on_a_grid(shared_data: Path) -> None:
    stack = open_stack(shared_data / "nanonis" / "hBN_defect_grid_spec")
    assert dict(stack.sizes) == {"bias": 726, "y": 3, "x": 3}
    np.testing.assert_allclose(pixel_pitch(stack), 1 / 3, atol=1e-3)
    np.testing.assert_allclose(stack["bias"][[0, -1]], [-3800, 2000], atol=1e-3)
    assert int(stack["Z"].to_numpy().argmax()) == 4  # the defect is the bump in the middle
    assert didv_channel(stack) == ("LI Demod 1 X", False)


def test_rhk_grid(shared_data: Path) -> None:
    _need_spym()
    stack = open_stack(next((shared_data / "rhk").glob("dI-dV*.sm4")))
    assert dict(stack.sizes) == {"bias": 81, "y": 32, "x": 32}
    np.testing.assert_allclose(stack["bias"], np.linspace(300, -100, 81), atol=1e-6)
    assert didv_channel(stack) == ("LIA Current", False)
    np.testing.assert_allclose(pixel_pitch(stack), 0.03125, rtol=1e-4)
    assert stack.attrs["scan_angle_deg"] == pytest.approx(-10, abs=1e-3)
    # The first spectrum of the file lies at the right end of the first line: columns run along +x here.
    x, y = tip_position(stack, stack["x"][-1], stack["y"][0])
    np.testing.assert_allclose((x, y), (-12.422702, 16.88857), atol=1e-3)
    assert stack["Z"].shape == (32, 32)


def test_rhk_image(shared_data: Path) -> None:
    _need_spym()
    stack = open_stack(next((shared_data / "rhk").glob("lia*.sm4")))
    assert didv_channel(stack) == ("LIA Current", False) and float(stack["bias"][0]) == pytest.approx(75)
    assert np.corrcoef(stack["Z"].to_numpy().ravel(), stack["Z [bwd]"].to_numpy().ravel())[0, 1] > 0.99


def test_rhk_loads_no_plotting(shared_data: Path) -> None:
    _need_spym()
    path = next((shared_data / "rhk").glob("lia*.sm4"))
    code = (
        f"import sys; from friedel.io import open_stack; open_stack({str(path)!r}); "
        "print([m for m in ('hvplot', 'holoviews', 'torch', 'spym') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_igor_volumes(shared_data: Path) -> None:
    pytest.importorskip("igor2", reason="the extra 'igor' is not installed")
    stack = open_stack(shared_data / "igor" / "ScV6Sn6_CITS_Aux2.ibw")
    assert dict(stack.sizes) == {"bias": 256, "y": 8, "x": 64}
    assert (stack.attrs["acquired"], stack.attrs["expected"]) == (512, 4096)
    np.testing.assert_allclose(pixel_pitch(stack), 15 / 64, rtol=1e-6)
    assert didv_channel(stack)[1] is False
    current = open_stack(shared_data / "igor" / "Ta2NiSe5_CITS_I.ibw")
    assert didv_channel(current) == ("I(V)", True) and current["I(V)"].attrs["units"] == "A"


def test_gwyddion_1_and_gsf_hold_the_same_image(shared_data: Path) -> None:
    old = open_stack(shared_data / "gwyddion" / "GwiddionReader_chip.gwy", bias=0)
    new = open_stack(shared_data / "gwyddion" / "GwiddionReader_chip.gsf", bias=0)
    (one,), (two,) = old.data_vars.values(), new.data_vars.values()
    assert topograph_name(old) and topograph_name(new)  # heights in metres, whatever they are called
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(pixel_pitch(old), pixel_pitch(new))


def test_matrix_image(shared_data: Path) -> None:
    stack = open_stack(shared_data / "matrix" / "20201111--4_1.Z_mtrx")
    assert stack["Z"].shape == (400, 400) and pixel_pitch(stack) == pytest.approx((0.25, 0.25))
    assert float(stack["bias"][0]) == pytest.approx(600)
    assert np.corrcoef(stack["Z"].to_numpy().ravel(), stack["Z [bwd]"].to_numpy().ravel())[0, 1] > 0.99
    with pytest.raises(StackError, match="parameter file"):
        open_stack(shared_data / "matrix" / "20201111_0001.mtrx")


def test_nexus(shared_data: Path) -> None:
    stack = open_stack(shared_data / "nexus" / "stm_5_with_default_config.nxs", bias=100)
    assert set(stack.data_vars) == {"current_forward", "current_backward", "z_forward", "z_backward"}
    assert pixel_pitch(stack) == pytest.approx((4 / 255, 4 / 255))


def test_a_nexus_spectrum_is_one_pixel_at_its_place(shared_data: Path) -> None:
    path = shared_data / "nexus" / "sts_5_described_nxdata.nxs"
    stack = open_stack(path)
    assert dict(stack.sizes) == {"bias": 2048, "y": 1, "x": 1}
    with h5py.File(path) as file:
        lockin = "entry/instrument/bias_spectroscopy_environment/bias_spectroscopy/bias_sweep/linear_sweep/"
        for name, where in (("current", "entry/current"), ("lockin_demod_1x", f"{lockin}lockin_demod_1x")):
            group = file[where]
            np.testing.assert_allclose(stack[name][:, 0, 0], group[group.attrs["signal"]][()], rtol=1e-6)
        np.testing.assert_allclose(stack["bias"], file["entry/current/bias_voltage"][()] * 1e3)
        tip = [file[f"entry/instrument/piezo_sensor/{axis}"][()] * 1e9 for axis in "xy"]
    np.testing.assert_allclose([stack.attrs["tip_origin_x_nm"], stack.attrs["tip_origin_y_nm"]], tip)
    assert didv_channel(stack) == ("lockin_demod_1x", False)


def test_info_of_real_files(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
    assert main(["info", str(grid), "--material", "au111"]) == 0
    text = capsys.readouterr().out
    for part in (
        "30 columns × 30 rows × 200 bias",
        "-220 to 220 mV",
        "45° clockwise",
        "900 of 900",
        "← dI/dV",
        "π/k",
    ):
        assert part in text
    assert "au111" in text and "ag111" not in text
